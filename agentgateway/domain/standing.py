"""How an agent stands, apart from its money: whether it is paused and by whom, and caps that an operator changed.

A standing is noted whole at each change, and the last one noted is the one that survives a restart. Its two parts, the
pause and the caps, are said by different people at different times, and of each what was said last stands. When that was
is a number that grows with every word that follows on another, whatever the clocks of those who say them show.
"""

from typing import Final, Literal

import attrs
import msgspec

SECOND: Final = 1_000_000
"""What a second is in the times of words."""

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
    """One agent's standing; both None: nothing out of the ordinary.

    `paused_at`, `capped_at`: when an operator or a policy said the one and the other last; 0 where that is not known.
    What its budget pauses nobody has said.
    """

    agent: str
    pause: Pause | None = None
    caps: Caps | None = None
    paused_at: int = 0
    capped_at: int = 0


def said_after(before: int, wall: float) -> int:
    """The time of a word that is said at `wall` (epoch seconds) by who knows of one said at `before`."""
    return max(before + 1, int(wall * SECOND))
