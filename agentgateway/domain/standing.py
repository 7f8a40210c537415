"""How an agent stands, apart from its money: whether it is paused and by whom, and caps that an operator changed.

A standing is told whole at each change, and the last one told is the one that survives a restart.
"""

from typing import Literal

import attrs
import msgspec

PausedBy = Literal["budget", "policy", "operator"]


@attrs.frozen
class Pause:
    """Why an agent is refused. `until` (epoch seconds): lifted by itself then; None: until somebody resumes it."""

    by: PausedBy
    reason: str
    since: float
    until: float | None = None


@attrs.frozen
class Caps:
    """Caps set by an operator over those of the configuration: nano-dollars, None for no cap."""

    max_cost_per_hour: int | None = None
    max_cost_per_day: int | None = None
    max_cost_total: int | None = None


class Standing(msgspec.Struct, frozen=True, array_like=True, tag="standing"):
    """One agent's standing; both None: nothing out of the ordinary."""

    agent: str
    pause: Pause | None = None
    caps: Caps | None = None
