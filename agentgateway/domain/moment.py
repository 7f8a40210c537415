"""Time as a value: read once per event at the edge, passed down from there."""

import msgspec


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A point in time, read once per event: `monotonic` seconds for durations, `wall` epoch seconds for the calendar."""

    monotonic: float
    wall: float
