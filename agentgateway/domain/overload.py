"""When the process cannot keep up: decided from how late its turns come.

One late turn is none: the machine slept, a disk was slow. What counts is that every turn of more than a second was late
(the least delay of an interval tells a standing queue from a burst, as in RFC 8289). Between the two bounds nothing
changes, so that whoever was turned away does not bring the next overload at once.
"""

from typing import Final

import attrs

LATE: Final = 0.5
"""Seconds: turns that all come later than this are an overload."""
PROMPT: Final = 0.1
"""Seconds: turns that all come earlier than this are the end of it."""
PATIENCE: Final = 1.0
"""Seconds for which turns have to say the same."""


@attrs.define
class Overload:
    """`active` while there is too much to do."""

    active: bool = False
    _since: float | None = None
    """Since when turns have spoken for a change."""

    def sample(self, now: float, late: float) -> bool:
        """A turn at `now` (monotonic seconds) that came `late` seconds after its time; whether that changes `active`."""
        if late >= PROMPT if self.active else late <= LATE:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= PATIENCE:
            self.active = not self.active
            self._since = None
            return True
        return False
