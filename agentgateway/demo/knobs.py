"""What a caller may ask of the stand-in: request headers `x-standin-*`, or the same names behind the model's name.

    x-standin-chunks: N         pieces of text in a stream
    x-standin-interval: S       seconds before each piece
    x-standin-delay: S          seconds before the answer's head
    x-standin-bytes: N          size of the text
    x-standin-output: N         output tokens reported
    x-standin-cached: N         input tokens reported as read from a cache
    x-standin-fault: NAME       one of `FAULTS`, or `status-<code>`

In a model's name the prefix falls away: `claude-sonnet-4-5;chunks=3;fault=reset-mid`. A header wins over the name.
"""

import math
import re
from collections.abc import Iterable

import attrs

FAULTS = frozenset({
    "reset-before-head", "close-before-head", "stall", "garbage", "reset-mid", "close-mid", "stall-mid", "garbage-mid",
    "truncate", "error-event", "short-length", "drip", "endless", "big-line", "cr", "crlf", "bom", "no-blank-lines",
    "gzip", "br", "no-usage", "odd-usage", "early-413", "redirect", "hundred-continue", "interim-103",
})  # fmt: skip
PREFIX = b"x-standin-"
LARGEST = 64 << 20
"""No count or size asked may exceed this, so that a typing error does not fill the memory."""
_STATUS = re.compile(r"status-[45]\d\d")
_BIG_LINE = 10 << 20


class BadKnob(ValueError):
    """A knob has a value that means nothing; its text says which and why."""


@attrs.frozen
class Knobs:
    """The values asked; None leaves the choice to the stand-in. Times are seconds, sizes are bytes."""

    chunks: int | None = None
    interval: float = 0.0
    delay: float = 0.0
    bytes: int | None = None
    output: int | None = None
    cached: int = 0
    fault: str = ""

    @property
    def status(self) -> int:
        """The status that a fault `status-<code>` asks for, else 0."""
        return int(self.fault[7:]) if self.fault.startswith("status-") else 0


def read_knobs(headers: Iterable[tuple[bytes, bytes]], model: str = "") -> tuple[Knobs, str]:
    """The knobs of one request and its model's name without them. `headers` have lower-case names.

    Raises BadKnob for an unknown name, a value out of range or an unknown fault.
    """
    model, *suffixes = model.split(";")
    asked = dict(suffix.partition("=")[::2] for suffix in suffixes)
    asked |= {name[len(PREFIX) :].decode(): value.decode("latin-1") for name, value in headers if name[:10] == PREFIX}
    knobs = Knobs(**{name: _read(name, value.strip()) for name, value in asked.items()})  # type: ignore[arg-type]
    if knobs.fault == "big-line":
        knobs = attrs.evolve(knobs, bytes=_BIG_LINE, chunks=1)
    return knobs, model


def _read(name: str, value: str) -> int | float | str:
    """One knob's value, checked."""
    if name == "fault":
        if value and value not in FAULTS and not _STATUS.fullmatch(value):
            raise BadKnob(f"unknown fault {value!r}")
        return value
    if name not in ("chunks", "interval", "delay", "bytes", "output", "cached"):
        raise BadKnob(f"unknown knob {name!r}")
    try:
        number = float(value) if name in ("interval", "delay") else int(value)
    except ValueError:
        raise BadKnob(f"{name}: {value!r} is no number")
    if not math.isfinite(number) or not 0 <= number <= LARGEST or (name == "chunks" and not number):
        raise BadKnob(f"{name}: {value!r} is out of range")
    return number
