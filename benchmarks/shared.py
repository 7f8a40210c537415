"""What sharing costs: one process on a store of its own, the same on Redis and PostgreSQL, and two workers on these.

    make bench-shared

Needs wrk, nginx (the provider), redis-server and PostgreSQL's server. All run on this machine, so that two workers have
two cores only where there are four or more.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from processes import Process, free_port  # noqa: E402
from subjects import probe  # noqa: E402

from tests import postgres  # noqa: E402
from tests.redis import Redis  # noqa: E402

SECONDS, ROUNDS, CONNECTIONS = 5, 3, 64
ANSWER = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],'
    '"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}'
)
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
"""
CONFIG = """
gateway: {{port: {port}, host: 127.0.0.1, state_dir: {folder}}}
store: {store}
workers: {workers}
agents: {{"*": {{budget: {{max_cost_per_day: 1000000, enforcement: hard}}, rate_limit: 1000000/s}}}}
providers: {{anthropic: {{base_url: "http://127.0.0.1:{origin}"}}}}
dashboard: false
audit: {{log_file: {folder}/audit.jsonl}}
"""
_COMMANDS = re.compile(r"cmdstat_(?!info|auth)[^:]+:calls=(\d+)")


def commands(redis):
    """Commands that Redis has done, those of scripts too."""
    return sum(map(int, _COMMANDS.findall(redis.command("INFO", "commandstats").decode())))


def measure(name, store, workers, origin, redis, folder):
    """One run: (calls a second, microseconds of CPU a call, Redis commands for a thousand calls, calls that failed)."""
    folder.mkdir()
    port, path = free_port(), folder / "gateway.yaml"
    path.write_text(CONFIG.format(port=port, folder=folder, store=store, workers=workers, origin=origin))
    environ = os.environ | {"PYTHONPATH": str(HERE.parent)}
    gateway = Process([sys.executable, "-m", "agentgateway", "start", "-c", str(path)], folder / "output", environ)
    try:
        while probe(port) != 200:
            if gateway.popen.poll() is not None or time.monotonic() - gateway.began > 20:
                raise SystemExit(f"{name}: {gateway.complaint()}")
            time.sleep(0.05)
        time.sleep(2)  # every worker
        cpu, done = gateway.cpu(), commands(redis)
        load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-s", str(HERE / "post.lua")]
        said = subprocess.run([*load, f"http://127.0.0.1:{port}/v1/messages"], capture_output=True, text=True).stdout
        calls = int(re.search(r"(\d+) requests in", said)[1])
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        rate = float(re.search(r"Requests/sec: +([\d.]+)", said)[1])
        used = (gateway.cpu() - cpu) / calls * 1e6
        return rate, used, (commands(redis) - done) / calls * 1000, int(failed[1]) if failed else 0
    finally:
        gateway.stop()


def main():
    """A table, best of a few rounds by CPU a call."""
    redis = Redis()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        folder, origin = Path(place), free_port()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=folder, port=origin, answer=ANSWER))
        nginx = Process(["nginx", "-e", str(folder / "errors"), "-c", str(conf)], folder / "nginx")
        print(f"{'':28} {'calls/s':>8} {'CPU/call':>9} {'Redis/1000':>11} {'failed':>7}")
        try:
            for name, workers in (("own store", 1), ("shared store", 1), ("shared store, two workers", 2)):
                runs = []
                for number in range(ROUNDS):
                    own = folder / f"{name[:3]}-{workers}-{number}"
                    shared = f'{{live: "{redis.url}", history: "{postgres.server().database()}"}}'
                    store = f'"sqlite:{own}/ledger.sqlite"' if name == "own store" else shared
                    runs.append(measure(name, store, workers, origin, redis, own))
                rate, used, asked, failed = min(runs, key=lambda run: run[1])
                print(f"{name:28} {rate:8,.0f} {used:6.0f} µs {asked:11.1f} {failed:7}", flush=True)
        finally:
            nginx.stop()
            redis.stop()


if __name__ == "__main__":
    main()
