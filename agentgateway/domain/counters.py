"""What one agent did: tallies for its life, for clock hours and for days, and a rate per minute.

A clock that is stepped back and forth must neither lose what was spent nor make room for it to be spent again:

- stepped back by less than a window, the current window simply stays until its end;
- stepped back further (it was wrongly ahead), the earlier window is current again, with what it held before: the latest
  few windows are remembered, so that a clock put right recovers at once, and one that swings back finds its spend too.
"""

from collections.abc import Callable, Iterable
from typing import Final, Self

import attrs

from agentgateway.domain.windows import NEVER, Window

KEEP: Final = 4
"""Windows remembered beside the current one."""

Row = list[int]
"""A window as numbers: start, end, and the fields of its tally in order."""


@attrs.define
class Tally:
    """Sums; `cost` in nano-dollars. `calls` are answered calls, `errors` those among them that count as errors."""

    cost: int = 0
    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def error_rate(self) -> float:
        """Errors a call, 0 to 1; 0 without calls."""
        return self.errors / self.calls if self.calls else 0.0

    def add(self, other: "Tally") -> None:
        """All of another tally, too."""
        self.cost += other.cost
        self.calls += other.calls
        self.errors += other.errors
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens

    def numbers(self) -> list[int]:
        """The fields in order; ``Tally(*numbers)`` is the tally again."""
        return [self.cost, self.calls, self.errors, self.input_tokens, self.output_tokens]


@attrs.define
class Tallies:
    """A tally for each window of one kind: the current one, and a few before it. `windows` is a calendar's method."""

    windows: Callable[[float], Window]
    start: int = attrs.field(init=False, default=0)
    """When the current window began, as of the last look."""
    _window: Window = NEVER
    _tally: Tally = attrs.Factory(Tally)
    _stays_from: int = 0
    """How early it may get by the clock before the current window is left backwards."""
    _past: dict[int, tuple[Window, Tally]] = attrs.Factory(dict)

    def at(self, now: float) -> Tally:
        """The current window's tally, as of `now`."""
        if not self._stays_from <= now < self._window.end:
            self._turn(self.windows(now))
        return self._tally

    def stays(self, now: float) -> tuple[float, float]:
        """From when until when the clock may be for the window current at `now` to stay the current one."""
        self.at(now)
        return self._stays_from, self._window.end

    def window(self, now: float) -> Window:
        """The current window, as of `now`."""
        self.at(now)
        return self._window

    def rows(self) -> list[Row]:
        """All that is remembered, the current window last; for a store."""
        known = [*self._past.values(), (self._window, self._tally)]
        return [[window.start, window.end, *tally.numbers()] for window, tally in known if window.end]

    @classmethod
    def restore(cls, windows: Callable[[float], Window], rows: Iterable[Row], now: float) -> Self:
        """The tallies that `rows` tell of. Should `windows` be of another zone, what is current stays current."""
        tallies = cls(windows)
        for start, end, *numbers in rows:
            tallies._turn(windows(now if start <= now < end else start))
            tallies._tally.add(Tally(*numbers))
        return tallies

    def _turn(self, window: Window) -> None:
        if window == self._window:
            return
        self._past.pop(self._window.start, None)
        if any(self._tally.numbers()):
            self._past[self._window.start] = (self._window, self._tally)
        _, self._tally = self._past.pop(window.start, (window, Tally()))
        self._window, self.start = window, window.start
        self._stays_from = 2 * window.start - window.end
        if len(self._past) > KEEP:
            del self._past[next(iter(self._past))]


@attrs.define
class PerMinute:
    """How much there was in the last minute, about: this clock minute's sum and a fading part of the last one's."""

    _minute: int = 0
    _this: int = 0
    _last: int = 0

    def add(self, now: float, amount: int) -> None:
        """So much more."""
        minute = int(now // 60)
        if minute != self._minute:
            self._turn(minute)
        self._this += amount

    def value(self, now: float) -> float:
        """The sum of the last minute, as of `now`."""
        self._turn(int(now // 60))
        return self._this + self._last * (1 - now % 60 / 60)

    def _turn(self, minute: int) -> None:
        if minute != self._minute:
            self._last = self._this if minute == self._minute + 1 else 0
            self._this, self._minute = 0, minute
