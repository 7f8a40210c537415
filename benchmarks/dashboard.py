"""What viewers of the dashboard cost the calls: latencies with and without them, and the memory over time.

    python benchmarks/dashboard.py [--seconds 60] [--pairs 6] [--viewers 50] [--stalled 5] [--agents 1000] [--rate 200]

The gateway has so many agents and serves so many calls a second, evenly paced, each of an agent by chance. Stretches of
twenty seconds are measured in pairs, one without viewers and one with them, since a machine's mood changes; what is told
is the median of the stretches and that of the differences within pairs. Then viewers stay for `--seconds`: memory is the
process's resident set at the end of each of these stretches.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import measures
import subjects

STRETCH = 20
"""Seconds."""


class Bench:
    """One gateway, its load, and its viewers."""

    def __init__(self, options, folder):
        self.options = options
        self.provider = subjects.Direct(folder / "direct")
        self.gateway = subjects.Subject("gateway", subjects.gateway(agents=options.agents), folder / "gateway")

    def start(self):
        """The provider and the gateway. Raises SystemExit where one does not start."""
        for subject, upstream in ((self.provider, 0), (self.gateway, None)):
            if reason := subject.start(self.provider.port if upstream is None else upstream):
                raise SystemExit(f"{subject.name} did not start: {reason}")
        config = json.loads((self.gateway.folder / "gateway.yaml").read_text())
        self.port = config["dashboard"]["port"]

    def stop(self):
        """Both."""
        self.gateway.stop()
        self.provider.stop()

    def stretch(self, what):
        """Twenty seconds of calls; latencies, the process's share of a core, its megabytes."""
        print(what, file=sys.stderr, flush=True)
        before = self.gateway.process.cpu()
        found = measures.paced(self.gateway, STRETCH, self.options.rate, agents=self.options.agents)
        found["busy"] = (self.gateway.process.cpu() - before) / STRETCH
        found["mb"] = self.gateway.process.rss() / 2**20
        return found

    def run(self):
        """All stretches: those without viewers, those with them, and what the viewers say in the end."""
        self.stretch("warming up")
        pairs = []
        for number in range(self.options.pairs):
            plain = None if number % 2 else self.stretch("without viewers")
            with Viewers(self.port, self.options) as viewers:
                seen = self.stretch("with viewers")
                viewers.stop()
            pairs.append((plain or self.stretch("without viewers"), seen))
        with Viewers(self.port, self.options) as viewers:
            number = max(1, round(self.options.seconds / STRETCH))
            stay = [self.stretch(f"viewers stay, {n * STRETCH} s") for n in range(1, number + 1)]
            said = viewers.stop()
        return pairs, stay, said


class Viewers:
    """The viewers' process, from when all are there."""

    def __init__(self, port, options):
        here = Path(__file__).resolve().parent
        flags = ["--port", str(port), "--viewers", str(options.viewers), "--stalled", str(options.stalled)]
        command = [sys.executable, str(here / "viewers.py"), *flags]
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.popen.stdout.readline()

    def __enter__(self):
        return self

    def stop(self):
        """What they have seen."""
        self.popen.terminate()
        return json.loads(self.popen.stdout.readline())

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


FIGURES = ("p50_ms", "p99_ms", "busy")


def table(options, pairs, stay, said):
    """The results as Markdown."""
    without, watched = ([pair[at] for pair in pairs] for at in (0, 1))
    plain, seen = (
        {name: statistics.median(one[name] for one in some) for name in FIGURES} for some in (without, watched)
    )
    grown = {name: statistics.median(seen[name] - plain[name] for plain, seen in pairs) for name in FIGURES}
    return "\n".join(
        [
            f"| {options.agents:,} agents, {options.rate} calls/s | p50, ms | p99, ms | of a core | errors |",
            "|---" * 5 + "|",
            row("no viewers", plain, without),
            row(f"{options.viewers} viewers, {options.stalled} stalled", seen, watched),
            row("the difference within pairs", grown, ()),
            "",
            f"Memory every {STRETCH} s with viewers that stay, MB: {', '.join(format(one['mb'], '.1f') for one in stay)}",
            f"p99 of single stretches, ms: {spread(without)} without viewers, {spread(watched)} with them",
            f"Read: {said['messages']:,} messages, {said['bytes'] / 2**20:.0f} MB. Readers connected at the end:"
            f" {said['readers']}; stalled viewers dropped on the way: {said['dropped']}",
        ]
    )


def row(name, figures, stretches):
    """One line of the table."""
    errors = sum(one["errors"] for one in stretches) if stretches else ""
    return f"| {name} | {figures['p50_ms']:.2f} | {figures['p99_ms']:.2f} | {figures['busy']:.0%} | {errors} |"


def spread(stretches):
    """All of them, from the best to the worst."""
    return ", ".join(f"{value:.2f}" for value in sorted(one["p99_ms"] for one in stretches))


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="with viewers; 600 shows that memory stays flat")
    parser.add_argument("--pairs", type=int, default=6, help="stretches without viewers, each beside one with them")
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--stalled", type=int, default=5, help="of the viewers")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=200)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # told to stop, it still stops what it started
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(options, Path(folder))
        try:
            bench.start()
            print(table(options, *bench.run()))
        finally:
            bench.stop()


if __name__ == "__main__":
    main()
