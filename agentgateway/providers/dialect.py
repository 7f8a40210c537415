"""What the rest of the gateway knows of a provider's way of speaking: a request's facts, an answer's facts, refusals.

A `Surface` is one kind of call (chat, embeddings, ...), a `Dialect` the family of errors it answers with. Both are pure
and hold no state: what an answer has said so far is kept in its `Reading`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import attrs
import msgspec

from agentgateway.domain.usage import Usage

STANDARD: Mapping[str, str] = MappingProxyType({})
"""The context of an answer that says it was served at the standard price."""

_STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand", "unspecified"})
_LONGEST_TIER = 32


class Asked(msgspec.Struct, frozen=True):
    """What a request says of itself."""

    model: str | None = None
    stream: bool = False
    max_output: int | None = None
    """The most output tokens it asks for, all its choices together."""
    include_usage: bool = False
    """It already has `stream_options.include_usage: true`."""
    context: Mapping[str, str] | None = None
    """Price modifiers it asks for (`service_tier`, `speed`); None: the standard."""
    well_formed: bool = True
    """Its body is what the surface expects: a JSON object, for those that take JSON."""
    choices: int = 1
    """How many answers it asks for."""


class Reading(msgspec.Struct):
    """What an answer has said so far."""

    model: str | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    known: bool = False
    """The provider has said its complete usage."""
    sent_chars: int = 0
    """Characters of generated output delivered so far: text, thinking, arguments of tool calls."""
    terminal: bool = False
    """The answer may end here: the terminal event was seen, or this kind of answer has none."""
    final: bool = False
    """Nothing that matters for usage can follow any more."""
    failed: bool = False
    """The answer says that it failed, in an error event or an error object."""
    context: Mapping[str, str] | None = None
    """Price modifiers as the answer says them; `STANDARD` where it says there are none, None where it says nothing."""
    owed: bool = True
    """An answer of this kind is paid for even where it does not say its usage."""
    later: bool = False
    """The work goes on behind this answer, and nobody here will see what it uses."""
    odd: bool = False
    """Some of its usage was no count (negative, a string, a fraction, more cached than there was) and was set right."""
    blind: bool = False
    """Some of it could not be read (an unknown encoding, a decompression bomb): `sent_chars` counts bytes."""

    @property
    def sure(self) -> bool:
        """Whether the usage is all the provider's own word; a call without any input is nobody's."""
        return self.known and not self.odd and not self.blind and self.usage.total_input > 0


class Dialect(Protocol):
    """A family of error shapes, as the official SDKs of a provider expect them."""

    name: str
    """"anthropic", "openai" or "google"."""

    def refusal(self, status: int, reason: str, message: str, call_id: str) -> bytes:
        """The JSON body of a refusal."""

    def error_event(self, reason: str, message: str, call_id: str) -> bytes:
        """The same as one whole SSE event, for a stream that has begun."""


@attrs.frozen(slots=True)
class Surface:
    """One kind of call. This base knows nothing of bodies: it passes requests as they are and learns nothing."""

    dialect: Dialect
    operation: str
    """What is done, in one word: "chat", "completion", "embeddings", "count_tokens", "other"."""
    billable: bool = True
    """Money is reserved and settled for such calls."""
    owed: bool = True
    """A 2xx answer that says no usage is charged by its length rather than nothing."""
    ends: bool = False
    """Its streams close with a terminal event, so that one that ends without it was cut."""

    def understand(self, path: str, body: bytes) -> Asked:
        """What the request says of itself; `path` may carry a query. Never raises."""
        return Asked()

    def cuttable(self, uri: str, asked: Asked) -> bool:
        """Whether the answer comes as events, between which it can be ended; `uri` is the path with its query."""
        return asked.stream and self.ends

    def fill_model(self, body: bytes, model: str) -> bytes:
        """`body`, a JSON object naming no model, with `model` in it; as it is where a call takes none in the body."""
        return body

    def ask_usage(self, body: bytes) -> bytes:
        """`body`, a JSON object, asking for the usage of its stream; as it is where streams say it unasked."""
        return body

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """`body`, a JSON object, asking for `limit` output tokens at most, all choices together."""
        return body

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """Learn from a whole answer. Never raises."""

    def read_event(self, data: bytes, reading: Reading) -> None:
        """Learn from the data of one SSE event. Never raises."""

    def is_usage_only(self, data: bytes) -> bool:
        """Whether an event is there for usage alone, sent because it was asked for."""
        return False


def tier(value: object) -> Mapping[str, str]:
    """The context that a service tier means: `STANDARD` for the usual ones and for what is none."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIER:
        return STANDARD
    lowered = value.lower()
    return STANDARD if lowered in _STANDARD_TIERS else {"service_tier": lowered}


def count(value: object) -> int | None:
    """`value` where it is a whole number from 0 up, otherwise None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def name(value: object) -> str | None:
    """`value` where it is a text that says something, otherwise None."""
    return value if isinstance(value, str) and value else None
