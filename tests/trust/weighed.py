"""The gateway as it is, but that at SIGUSR2 it says how many bytes are in use, and gives back what it need not keep.

What is freed stays with a process for a while, more or less of it by chance, and its resident memory goes up and down by
that. What is in use shows any leak of Python's or of C's.
"""

import ctypes
import os
import re
import runpy
import signal
import sys
from typing import Any

USED = re.compile(r"(?m)^(?:# bytes in allocated blocks +=|in use beside:) +([\d,]+)$")
"""What it says: Python's own blocks, then those of the C library."""


_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class _Told(ctypes.Structure):
    """glibc's `mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def weigh(*_: Any) -> None:
    """Say it, as far as the C library tells."""
    sys._debugmallocstats()
    library, beside = ctypes.CDLL(None), 0
    if hasattr(library, "mallinfo2"):
        library.malloc_trim(0)
        library.mallinfo2.restype = _Told
        told = library.mallinfo2()
        beside = told.uordblks + told.hblkhd
    os.write(2, b"in use beside: %d\n" % beside)


def used(said: str) -> list[int]:
    """What was in use each time it was asked for, in bytes."""
    found = [int(number.replace(",", "")) for number in USED.findall(said)]
    return [blocks + beside for blocks, beside in zip(found[::2], found[1::2], strict=False)]


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, weigh)
    runpy.run_module("agentgateway", run_name="__main__")
