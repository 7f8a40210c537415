"""What a shared store costs: one process by itself, one on Redis and PostgreSQL, and workers on them.

    python benchmarks/shared.py [--seconds 5] [--rounds 3] [--workers 2]

Subjects take turns. CPU is the gateway's, workers and supervisor together, without Redis and PostgreSQL; commands are what
clients send to Redis, and in brackets what its scripts do besides. Wants redis-server and PostgreSQL's server programs.
"""

import argparse
import contextlib
import json
import re
import signal
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import measures
import subjects

from tests.postgres import server
from tests.redis import Redis


def shared(redis, history, workers):
    """The gateway of the other benchmarks, on a shared store."""

    def command(folder, port, upstream):
        path = folder / "gateway.yaml"
        config = subjects.gateway_config(folder, port, upstream, agents=10, policies=3)
        for agent in config["agents"].values():
            agent["budget"] |= {"max_cost_per_day": 5e6, "max_cost_total": 5e6}
            agent |= {"rate_limit": "100000/s", "token_limit": "1000000000/min"}
        config |= {"store": {"live": redis, "history": history}, "workers": workers}
        path.write_text(json.dumps(config))
        return [sys.executable, "-m", "agentgateway", "start", "-c", str(path)]

    return command


def commands(redis):
    """(sent by clients, run in all) since the server's start."""
    counts = re.findall(r"cmdstat_([^:]+):calls=(\d+)", redis.command("INFO", "commandstats").decode())
    total = sum(int(calls) for _, calls in counts)
    return sum(int(calls) for name, calls in counts if name in ("evalsha", "eval", "publish")), total


def stretch(subject, redis, seconds):
    """The figures of one subject's turn."""
    before = commands(redis)
    found = measures.calls(subject, seconds)
    sent, run = (after - earlier for after, earlier in zip(commands(redis), before, strict=True))
    thousands = found["calls"] / 1000
    return found | {"sent": sent / thousands, "run": run / thousands}


def main():
    """Start, measure in turns, print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        redis = Redis()
        stack.callback(redis.stop)
        direct = subjects.Direct(folder / "direct")
        stack.callback(direct.stop)
        direct.start()
        kinds = {
            "one process": subjects.gateway(),
            "one, shared store": shared(redis.url, server().database(), 1),
            f"{options.workers} workers": shared(redis.url, server().database(), options.workers),
        }
        rounds = {name: [] for name in kinds}
        for number in range(options.rounds):
            for name, command in kinds.items():
                print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
                redis.command("FLUSHALL")
                subject = subjects.Subject(name, command, folder / f"{name}-{number}")
                try:
                    if reason := subject.start(direct.port):
                        raise SystemExit(f"{name} did not start: {reason}")
                    measures.calls(subject, 2)
                    rounds[name].append(stretch(subject, redis, options.seconds))
                finally:
                    subject.stop()
    print(f"{'':20}{'CPU per call, us':>18}{'calls/s':>10}{'errors':>8}{'Redis commands per 1,000 calls':>34}")
    for name, found in rounds.items():
        middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
        redis_words = f"{middle['sent']:.1f} ({middle['run']:.1f})"
        print(f"{name:20}{middle['cpu_us']:18.0f}{middle['calls_per_s']:10.0f}{middle['errors']:8.0f}{redis_words:>34}")


if __name__ == "__main__":
    main()
