"""Load by wrk, where it is installed: many calls that cost next to nothing to make, and none of them cut."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import attrs

from tests.harness import until
from tests.reality.processes import ROOT, Process, spawn

SCRIPT = Path(__file__).with_name("wrk.lua")
CALL = ROOT / "benchmarks" / "post.lua"
"""The call that is benchmarked."""
CONNECTIONS = 32
PATIENCE = 60.0
"""Seconds within which the calls that are under way end."""


@attrs.frozen
class Made:
    """What wrk says of its calls: answers that came to their end, whatever went wrong, and in how many seconds."""

    answers: int
    errors: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second; one at least, should the machine have stood still."""
        return max(1.0, self.answers / max(0.001, self.seconds))


@attrs.frozen
class Wrk:
    """It calls until it is stopped."""

    _process: Process
    _enough: Path

    async def stop(self) -> Made:
        """Let every connection end its call, and no more."""
        self._enough.touch()
        await until(lambda: b"parked" in self._process.out or self._process.over, PATIENCE)
        if not self._process.over:
            self._process.transport.signalProcess(signal.SIGINT)
        await self._process.ended
        told = [line for line in self._process.out.splitlines() if line.startswith(b"{")]
        if not told:
            raise AssertionError(f"wrk says: {(self._process.out + self._process.err).decode()}")
        return Made(**json.loads(told[0]))


def installed() -> bool:
    """Whether it is on this machine (Debian: wrk)."""
    return shutil.which("wrk") is not None


def wrk(testcase: Any, port: int, agent: str, model: str, rate: float = 0.0) -> Wrk:
    """Call as `agent` from now on, so often a second or, with 0, as often as the gateway answers."""
    enough = Path(testcase.mktemp())
    url, lasts = f"http://127.0.0.1:{port}/v1/messages", "1000000"
    usual = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{lasts}", "-s", str(SCRIPT), url, "--")
    asked = (str(CALL), agent, model, f"{rate:.3f}", str(CONNECTIONS), str(enough.resolve()))
    return Wrk(spawn(testcase, *usual, *asked), enough)
