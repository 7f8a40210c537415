"""The latest values of something, kept in order of size as they come, so that asking for quantiles costs next to nothing."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final

import attrs

SAMPLES: Final = 128
"""Values that are kept."""
FEW: Final = 10
"""So many are put in their places sooner than all are sorted anew."""


def quantiles(ordered: "array[float] | list[float]") -> tuple[float, float]:
    """The median and the 95th percentile of values in order of size; zeros of nothing."""
    size = len(ordered)
    return (ordered[size // 2], ordered[min(size - 1, size * 95 // 100)]) if size else (0.0, 0.0)


@attrs.define(eq=False)
class Samples:
    """The latest `SAMPLES` values, to single precision; the oldest gives way."""

    _latest: "array[float]" = attrs.Factory(lambda: array("f"))
    """In the order they came, from `_oldest` round to it again."""
    _ordered: "array[float]" = attrs.Factory(lambda: array("f"))
    _oldest: int = 0

    def __len__(self) -> int:
        return len(self._latest)

    def add(self, value: float) -> None:
        """One more."""
        latest, ordered, place = self._latest, self._ordered, self._oldest
        if len(latest) < SAMPLES:
            latest.append(value)
            place = -1
        else:
            del ordered[bisect_left(ordered, latest[place])]
            latest[place] = value
            self._oldest = (place + 1) % SAMPLES
        insort(ordered, latest[place])  # as it was rounded, so that it is found again

    def extend(self, values: Sequence[float]) -> None:
        """More, in the order they came."""
        if len(values) < FEW:
            for value in values:
                self.add(value)
            return
        latest, oldest = self._latest, self._oldest
        self._latest = (latest[oldest:] + latest[:oldest] + array("f", values[-SAMPLES:]))[-SAMPLES:]
        self._ordered, self._oldest = array("f", sorted(self._latest)), 0

    def quantiles(self) -> tuple[float, float]:
        """The median and the 95th percentile; zeros of nothing."""
        return quantiles(self._ordered)
