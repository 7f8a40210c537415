"""The measurements: each takes a running subject and returns figures. CPU is the operating system's account of it."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WRK_HINT = "wrk is not installed (Debian and Ubuntu: package wrk); a slower client of our own makes the load instead"
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def calls(subject, seconds, connections=64):
    """CPU of a call, calls a second, latencies: `connections` callers, each with its next call as soon as it can."""
    cpu, began = subject.process.cpu(), time.monotonic()
    if shutil.which("wrk"):
        figures = _wrk(subject.port, seconds, connections)
    else:
        figures = _client("load.py", subject.port, seconds=seconds, connections=connections)
    spent = subject.process.cpu() - cpu
    done = max(1, figures["calls"])
    return figures | {"cpu_us": spent / done * 1e6, "busy": spent / (time.monotonic() - began)}


def _wrk(port, seconds, connections):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "post.lua")]
    printed = _run([*command, f"http://127.0.0.1:{port}/v1/messages"], seconds + 15)
    quantiles = dict(re.findall(r"^\s+(50|99)%\s+(\S+)$", printed, re.MULTILINE))
    made = re.search(r"(\d+) requests in", printed)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    broken = re.search(r"Socket errors: .*", printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    return {
        "calls": int(made[1]) if made else 0,
        "calls_per_s": float(rate[1]) if rate else 0.0,
        "errors": (int(failed[1]) if failed else 0) + (sum(map(int, re.findall(r"\d+", broken[0]))) if broken else 0),
        "p50_ms": _milliseconds(quantiles.get("50", "0ms")),
        "p99_ms": _milliseconds(quantiles.get("99", "0ms")),
    }


def _milliseconds(text):
    """'1.53ms' as a number of milliseconds."""
    number, unit = re.fullmatch(r"([\d.]+)(\D+)", text).groups()
    return float(number) * _UNITS[unit]


def paced(subject, seconds, rate=500, agents=1):
    """Latencies at a fixed number of calls a second, of so many agents."""
    return _client("load.py", subject.port, seconds=seconds, rate=rate, agents=agents)


def _client(script, port, **options):
    return json.loads(_run(_command(script, port, **options), options["seconds"] + 30))


def _command(script, port, **options):
    flags = [flag for name, value in options.items() for flag in (f"--{name}", str(value))]
    return [sys.executable, str(HERE / script), "--port", str(port), *flags]


def _run(command, seconds):
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True).stdout


class Streams:
    """The streaming client at work: two lines are expected of it."""

    def __init__(self, port, **options):
        self.popen = subprocess.Popen(_command("streams.py", port, **options), stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()

    def line(self, seconds):
        """The next line; RuntimeError when it does not come in time."""
        import select

        ready, _, _ = select.select([self.popen.stdout], [], [], seconds)
        text = self.popen.stdout.readline() if ready else ""
        if not text:
            raise RuntimeError("the streaming client did not finish")
        return json.loads(text)


def chunks(subject, seconds, streams=200, interval=0.05):
    """First bytes of streams all opened at once, and then the CPU of each chunk."""
    number = max(2, round(seconds / interval))
    with Streams(subject.port, streams=streams, chunks=number, interval=interval, batch=streams) as load:
        opened = load.line(60)
        cpu = subject.process.cpu()
        through = load.line(seconds * 8 + 30)
        spent = subject.process.cpu() - cpu
    p50, p99 = opened["first_byte_ms"]
    return {
        "first_byte_p50_ms": p50,
        "first_byte_p99_ms": p99,
        "chunk_cpu_us": spent / max(1, through["chunks"]) * 1e6,
        "stream_errors": opened["failed"] + through["broken"],
    }


def memory(subject, streams):
    """Kilobytes of each open stream."""
    before = subject.process.rss()
    with Streams(subject.port, streams=streams, chunks=3, interval=100, batch=100) as load:
        opened = load.line(90)
        grown = subject.process.rss() - before
    held = streams - opened["failed"]
    return {"stream_kb": grown / max(1, held) / 1024, "streams_open": held}


def growth(subject, total, first=20_000, within=40.0):
    """Resident megabytes after `first` calls and after `total`, or as many as can be made in the time."""
    made, early, until = 0, None, time.monotonic() + within
    while made < total and time.monotonic() < until:
        made += max(1, calls(subject, 2)["calls"])
        if early is None and made >= first:
            early = subject.process.rss()
    late = subject.process.rss()
    return {"calls": made, "early_mb": (early or late) / 2**20, "late_mb": late / 2**20}
