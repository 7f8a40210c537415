"""What a call, a chunk and an open stream cost: the gateway beside plain proxies and the stock one.

    python benchmarks/bench.py [--quick] [--full] [--rounds N] [--only NAME ...]

Subjects take turns, round after round, and ratios are taken within a round: the machine's mood changes, ratios less.
Prints a table and the targets, and writes `benchmarks/results.json`. `--quick` stays under a minute; `--full` holds
5,000 streams open where the limit on open files allows.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import measures
import subjects
from report import summarise, table, verdicts

RESULTS = Path(__file__).resolve().parent / "results.json"
QUICK = {"rounds": 1, "wrk": 2, "streams": 2.0, "paced": 2.0, "held": 1000, "calls": 0, "limit": 50.0}
NORMAL = {"rounds": 3, "wrk": 3, "streams": 3.0, "paced": 3.0, "held": 1000, "calls": 200_000, "limit": 215.0}


class Bench:
    """One run: its plan, its subjects, what was found."""

    def __init__(self, plan, only, folder):
        self.plan, self.only, self.folder = plan, only, folder
        self.began = time.monotonic()
        self.absent, self.rounds, self.single = {}, [], {}

    def late(self, spare=0.0):
        """Whether the time is up, but for `spare` seconds."""
        return time.monotonic() - self.began > self.plan["limit"] - spare

    def start(self, stack):
        """The provider and whatever subject starts; the others are noted with their reason."""
        direct = subjects.Direct(self.folder / "direct")
        stack.callback(direct.stop)
        if reason := direct.start():
            raise SystemExit(f"the stand-in provider did not start: {reason}")
        running = [direct]
        for subject in subjects.compared(self.folder):
            if self.only and subject.name not in self.only:
                continue
            stack.callback(subject.stop)
            if self.begin(subject, direct.port):
                running.append(subject)
        return running

    def begin(self, subject, upstream):
        """Start one subject; its start and its idle memory are measured on the way."""
        if reason := subject.start(upstream):
            self.absent[subject.name] = reason
            note(f"{subject.name}: not measured, {reason}")
            return False
        idle = subject.process.rss() / 2**20
        self.single.setdefault(subject.name, {}).update(start_s=subject.started_in, idle_mb=idle)
        return True

    def run(self):
        """Everything, in order; returns the results as plain values."""
        with contextlib.ExitStack() as stack:
            running = self.start(stack)
            for subject in running:
                measures.calls(subject, 1)
            for number in range(self.plan["rounds"]):
                if number and self.late(30):
                    break
                self.rounds.append(self.round(running, number))
            self.once_each(running)
            self.flatness(stack, running)
        return summarise(self.rounds, self.single, self.absent)

    def round(self, running, number):
        """Each subject once; every other round the other way about."""
        found = {}
        for subject in running if number % 2 == 0 else reversed(running):
            note(f"round {number + 1}: {subject.name}")
            figures = measures.calls(subject, self.plan["wrk"]) | measures.chunks(subject, self.plan["streams"])
            figures |= {f"paced_{name}": value for name, value in self.paced(subject).items()}
            found[subject.name] = figures
        return found

    def paced(self, subject):
        """Latencies at 500 calls a second, where they matter."""
        if subject.name not in ("direct", "nginx", "gateway"):
            return {}
        found = measures.paced(subject, self.plan["paced"])
        return {"p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"]}

    def once_each(self, running):
        """Memory of open streams, for all; growth over many calls, for the gateway."""
        for subject in running[1:]:
            if self.late(8):
                return
            note(f"memory: {subject.name}")
            self.single[subject.name] |= self.memory(subject, running[0].port)
            if subject.name == "gateway" and self.plan["calls"]:
                room = self.plan["limit"] - (time.monotonic() - self.began) - 20
                self.single["gateway"]["growth"] = measures.growth(subject, self.plan["calls"], within=max(2.0, room))

    def memory(self, subject, upstream):
        """Kilobytes of an open stream, in a fresh process: one that was busy has memory to spare, and hides them."""
        fresh = subjects.Subject(subject.name, subject.command, self.folder / f"{subject.name}-fresh")
        try:
            if fresh.start(upstream):
                return {}
            measures.calls(fresh, 1, connections=8)
            return measures.memory(fresh, self.plan["held"])
        except RuntimeError as error:
            note(f"memory: {subject.name}: {error}")
            return {}
        finally:
            fresh.stop()

    def flatness(self, stack, running):
        """The gateway's cost of a call with more agents and policies, each beside the usual one in the same seconds."""
        usual = next((subject for subject in running if subject.name == "gateway"), None)
        if usual is None or not self.plan["calls"]:
            return
        found = self.single["gateway"].setdefault("flat", {})
        for variant in subjects.grown(self.folder):
            stack.callback(variant.stop)
            if self.late(6) or not self.begin(variant, running[0].port):
                continue
            note(f"flat: {variant.name}")
            measures.calls(variant, 1)
            plain, more = measures.calls(usual, 2), measures.calls(variant, 2)
            found[variant.name] = more["cpu_us"] / plain["cpu_us"]
            variant.stop()
            self.single.pop(variant.name)


def note(text):
    """A word on what goes on, beside the results."""
    print(text, file=sys.stderr, flush=True)


def raise_file_limit():
    """As many open files as are allowed; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def chosen_plan(options):
    """The sizes and times of a run."""
    plan = dict(QUICK if options.quick else NORMAL)
    files = raise_file_limit()
    if options.full and files >= 12_000:
        plan["held"] = 5000
    elif options.full:
        note(f"only {files} open files are allowed: holding {plan['held']} streams instead of 5,000")
    if options.rounds:
        plan["rounds"] = options.rounds
    return plan


def main():
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--full", action="store_true", help="hold 5,000 streams open")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="nginx haproxy envoy stock stock-pool gateway")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # told to stop, it still stops what it started
    if not shutil.which("wrk"):
        note(measures.WRK_HINT)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(chosen_plan(options), options.only, Path(folder))
        results = bench.run()
    results["machine"] = {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.system()}
    results["seconds"] = round(time.monotonic() - bench.began, 1)
    print(table(results))
    print(verdicts(results))
    scratch = RESULTS.with_suffix(".json.tmp")
    scratch.write_text(json.dumps(results, indent=1) + "\n")
    scratch.replace(RESULTS)


if __name__ == "__main__":
    main()
