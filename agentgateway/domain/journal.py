"""The changes of a ledger as values: told in order to a new ledger, they make it the same again.

They are structs because two are made for every call; their tags and the order of their fields are a format on disk.
"""

import msgspec

from agentgateway.domain.counters import Tally


class Reserved(msgspec.Struct, frozen=True, array_like=True, tag="hold", gc=False):
    """Call `id` holds `amount` nano-dollars, since epoch second `at` (0: nobody knows)."""

    agent: str
    id: str
    amount: int
    at: float = 0.0


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settle", gc=False):
    """Call `id` cost `cost` nano-dollars, booked at epoch second `at`, where it was answered with its counts."""

    agent: str
    id: str
    cost: int
    at: float
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tally(self) -> Tally:
        """All of it as sums."""
        return Tally(self.cost, self.calls, self.errors, self.input_tokens, self.output_tokens)


class Released(msgspec.Struct, frozen=True, array_like=True, tag="free", gc=False):
    """Call `id` never went out."""

    agent: str
    id: str


class Counted(msgspec.Struct, frozen=True, array_like=True, tag="count", gc=False):
    """One more answered call that had nothing to settle, at epoch second `at`."""

    agent: str
    at: float
    error: bool
    input_tokens: int
    output_tokens: int


Record = Reserved | Settled | Released | Counted
