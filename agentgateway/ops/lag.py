"""How late the reactor's turns come: told to whoever asks, and to the gate that turns calls away when it is too much."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from agentgateway.domain.overload import Overload

TICK: Final = 0.1
"""Seconds between two looks."""
_MINUTE: Final = 60


class Gate(Protocol):
    """Where new calls come in."""

    overloaded: bool
    """Whether they are turned away."""


class Lag:
    """`tick` every TICK `seconds` of a monotonic clock; `alert` is told when `gate` closes and when it opens."""

    def __init__(self, seconds: Callable[[], float], gate: Gate, alert: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._gate = gate
        self._alert = alert
        self._overload = Overload()
        self._ticked: float | None = None
        self._latest: deque[float] = deque(maxlen=round(_MINUTE / TICK))

    def tick(self) -> None:
        """How late is this?"""
        now, before = self._seconds(), self._ticked
        self._ticked = now
        if before is None:
            return
        late = max(0.0, now - before - TICK)
        self._latest.append(late)
        if self._overload.sample(now, late):
            self._gate.overloaded = closed = self._overload.active
            told = f"overloaded: calls wait {late:.1f} s for their turn; new ones are refused until it is less"
            self._alert(told if closed else "no longer overloaded: new calls are served again")

    @property
    def longest(self) -> float:
        """The longest wait for a turn in the last minute, in seconds."""
        return max(self._latest, default=0.0)
