"""Bodies of changes: JSON and nothing else, so that no HTML form can make one; every field checked."""

from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from agentgateway.config.tree import printable
from agentgateway.domain.money import NANO, to_nano
from agentgateway.web.management.problems import Problem

MAX_REASON: Final = 500
"""Characters."""
MAX_DOLLARS: Final = 10**9
"""As in the configuration, caps stay below this."""

Amount = int | float | str | None | UnsetType


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """The body of pause and resume."""

    reason: str | None = None

    def text(self, default: str) -> str:
        """The reason on one line; `default` where none is given. Raises Problem (422) for one that is too long."""
        if self.reason is not None and len(self.reason) > MAX_REASON:
            raise Problem(422, "invalid", f"reason: expected at most {MAX_REASON} characters, got {len(self.reason)}")
        return printable((self.reason or "").strip(), MAX_REASON) or default


class NewCaps(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a budget's PUT: dollars, null for no cap; what is left out stays."""

    max_cost_per_hour: Amount = UNSET
    max_cost_per_day: Amount = UNSET
    max_cost_total: Amount = UNSET

    def nanos(self) -> dict[str, int | None]:
        """The caps that are given, in nano-dollars. Raises Problem (422) for what is no amount, and where none is."""
        given = {
            name: _nano(name, amount)
            for name in self.__struct_fields__
            if not isinstance(amount := getattr(self, name), UnsetType)
        }
        if not given:
            raise Problem(422, "invalid", f"expected one or more of {', '.join(self.__struct_fields__)}, got none")
        return given


T = TypeVar("T", bound=msgspec.Struct)


def parse(body: bytes, content_type: bytes, shape: type[T]) -> T:
    """The JSON body of a change; nothing at all counts as `{}`.

    Raises Problem: 400 for what is no JSON or does not say so, 422 for JSON of another shape.
    """
    if not body:
        return msgspec.json.decode(b"{}", type=shape)
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(400, "bad_request", "a body has to be JSON, with Content-Type: application/json")
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", printable(str(error), 200))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Problem(400, "bad_request", f"the body is no JSON: {printable(str(error), 200)}")


def _nano(name: str, amount: int | float | str | None) -> int | None:
    if amount is None:
        return None
    try:
        # A float far below a nano-dollar has more digits than money: it is nothing.
        nano = to_nano(round(amount, 9) if isinstance(amount, float) else amount)
    except ValueError:
        nano = -1
    if not 0 <= nano < MAX_DOLLARS * NANO:
        got = printable(str(amount), 40)
        raise Problem(422, "invalid", f"{name}: expected dollars, 0 or more and below a billion, or null, got {got}")
    return nano
