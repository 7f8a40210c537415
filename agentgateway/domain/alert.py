"""Something an operator should know: shown on the dashboard, logged, and posted to a webhook where a policy says so."""

from typing import Literal

import attrs

Kind = Literal[
    "budget", "policy", "breaker", "audit", "store", "price", "pause", "resume", "access", "reload", "overload"
]


@attrs.frozen
class Alert:
    """`at` in epoch seconds; `text` one line for people; `webhook` where it is also to be posted.

    `good`: it says that trouble has ended.

    `once`: where several processes may find the same, one of them tells it, and nobody again for so many seconds.
    """

    at: float
    kind: Kind
    text: str
    agent: str | None = None
    policy: str | None = None
    webhook: str | None = None
    once: float | None = None
    good: bool = False
