"""A circuit breaker: a provider that keeps failing for an agent is left alone for a while, then tried with a few calls.

    closed     every call passes; `error_threshold` errors within `window` open the circuit
    open       no call passes for `reset_timeout`, then the circuit is half open
    half_open  calls pass as probes, as many as successes are still missing; `half_open_requests` successes close the
               circuit, one failure opens it again

Every change of state begins a new generation. A call remembers the generation it began in (`enter` returns it, `leave`
takes it), and what it finds out counts only there: a slow failure of the past never opens a circuit that has healed,
and never frees a probe's place. Times are seconds of a monotonic clock; the configuration is in milliseconds.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Literal, Self

import attrs

from agentgateway.config.schema import CircuitBreaker

State = Literal["closed", "open", "half_open"]
Event = Literal["trip", "cool", "fail", "mend", "reset"]

CircuitEvent = Literal["failed", "open", "closed"]
"""What others have to know of a circuit: one error more, or the state it has come to."""

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    ("closed", "trip"): "open",
    ("open", "cool"): "half_open",
    ("half_open", "fail"): "open",
    ("half_open", "mend"): "closed",
    ("closed", "reset"): "closed",
    ("open", "reset"): "closed",
    ("half_open", "reset"): "closed",
}
"""All that can happen: errors trip, time cools, a probe fails, the last probe mends, an operator resets."""

PROBE_RETRY: Final = 1.0
"""Seconds after which to ask again while all probes are under way: nobody knows how long they take."""


@attrs.define
class IllegalTransition(Exception):
    """An event that cannot happen in this state; nothing was changed."""

    state: State
    event: str

    def __str__(self) -> str:
        return f"no {self.event!r} while {self.state}"


@attrs.define
class Breaker:
    """The circuit of one agent; made closed."""

    config: CircuitBreaker
    _errors: deque[float]
    """Times of the latest errors; never more than the threshold."""
    _state: State = "closed"
    _generation: int = 0
    _retry_at: float = 0.0
    _probes: int = 0
    """In flight, of this generation."""
    _successes: int = 0
    tell: Callable[[CircuitEvent], None] | None = None
    """Told what calls here, or an operator, brought about; not what `others_*` did."""

    @classmethod
    def closed(cls, config: CircuitBreaker) -> Self:
        """A circuit that lets everything pass."""
        return cls(config, deque(maxlen=config.error_threshold))

    def state(self, now: float) -> State:
        """The state as of `now`: an open circuit whose time is over is half open."""
        if self._state == "open" and now >= self._retry_at:
            self._happen("cool")
        return self._state

    def retry_at(self, now: float) -> float | None:
        """When an open circuit will be half open; None where it is not open."""
        return self._retry_at if self.state(now) == "open" else None

    def errors(self, now: float) -> int:
        """Errors within the window, as far as they count: at most the threshold."""
        if not self._errors:
            return 0
        since = now - self.config.window / 1000
        return sum(at > since for at in self._errors)

    def check(self, now: float) -> float | None:
        """None where a call may pass; else the seconds until it is worth asking again. Takes nothing."""
        if self._state == "closed":
            return None
        if self.state(now) == "open":
            return self._retry_at - now
        return None if self._probes + self._successes < self.config.half_open_requests else PROBE_RETRY

    def enter(self, now: float) -> int:
        """Let a call begin; gives its generation, for `leave`. Raises IllegalTransition where `check` says no."""
        if self.check(now) is not None:
            raise IllegalTransition(self._state, "enter")
        if self._state == "half_open":
            self._probes += 1
        return self._generation

    def leave(self, generation: int, ok: bool | None, now: float) -> None:
        """A call of `generation` ended, well or not; None: it proved nothing (a refusal, the caller left)."""
        if generation != self._generation:
            return
        if self._state == "closed":
            if ok is False:
                self._failed(now)
            return
        self._probes -= 1
        if ok is False:
            self._open("fail", now)
        elif ok:
            self._successes += 1
            self._mend_if_proven()

    def reset(self) -> None:
        """Close the circuit and forget its errors: an operator says so."""
        self._happen("reset")
        self._told("closed")

    def others_failed(self, count: int, now: float) -> None:
        """Calls of other processes failed: their errors count as well."""
        for _ in range(min(count, self.config.error_threshold)):
            if self.state(now) == "closed":
                self._count_error(now)

    def others_opened(self, retry_at: float, now: float) -> None:
        """Another process found the circuit open, until `retry_at`."""
        state = self.state(now)
        if state != "open":
            self._happen("trip" if state == "closed" else "fail")
            self._retry_at = retry_at

    def others_closed(self) -> None:
        """Another process found that the provider works again."""
        if self._state != "closed":
            self._happen("reset")

    def reconfigure(self, config: CircuitBreaker) -> None:
        """Go by other numbers from now on; the state and the errors counted so far stay."""
        self.config = config
        self._errors = deque(self._errors, maxlen=config.error_threshold)
        if self._state == "half_open":
            self._mend_if_proven()

    def _failed(self, now: float) -> None:
        self._told("failed")
        self._count_error(now)

    def _count_error(self, now: float) -> None:
        self._errors.append(now)
        if self.errors(now) >= self.config.error_threshold:
            self._open("trip", now)

    def _mend_if_proven(self) -> None:
        if self._successes >= self.config.half_open_requests:
            self._happen("mend")
            self._told("closed")

    def _open(self, event: Event, now: float) -> None:
        self._happen(event)
        self._retry_at = now + self.config.reset_timeout / 1000
        self._told("open")

    def _told(self, event: CircuitEvent) -> None:
        if self.tell is not None:
            self.tell(event)

    def _happen(self, event: Event) -> None:
        after = TRANSITIONS.get((self._state, event))
        if after is None:
            raise IllegalTransition(self._state, event)
        self._state = after
        self._generation += 1
        self._probes = self._successes = 0
        if after == "closed":
            self._errors.clear()
