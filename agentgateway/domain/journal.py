"""The changes of a ledger as values: told in order to a new ledger, they make it the same again."""

import attrs


@attrs.frozen
class Reserved:
    """Call `id` holds `amount` nano-dollars."""

    agent: str
    id: str
    amount: int


@attrs.frozen
class Settled:
    """Call `id` cost `cost` nano-dollars, booked at epoch second `at`."""

    agent: str
    id: str
    cost: int
    at: float


@attrs.frozen
class Released:
    """Call `id` never went out."""

    agent: str
    id: str


@attrs.frozen
class Counted:
    """One more answered call, at epoch second `at`."""

    agent: str
    at: float
    error: bool
    input_tokens: int
    output_tokens: int


Record = Reserved | Settled | Released | Counted
