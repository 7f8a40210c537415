"""What is measured: the provider itself, plain proxies where they are installed, the stock proxy, the gateway."""

import json
import os
import shutil
import socket
import sys
import time
from pathlib import Path

from processes import Process, free_port
from wire import call

HERE = Path(__file__).resolve().parent
START_WITHIN = 20.0

NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
error_log {folder}/error.log crit; pid {folder}/nginx.pid;
events {{ worker_connections 16000; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9500
defaults
  mode http
  http-reuse always
  option http-no-delay
  timeout connect 10s
  timeout client 600s
  timeout server 600s
frontend callers
  bind 127.0.0.1:{port} backlog 4096
  default_backend provider
backend provider
  server provider 127.0.0.1:{upstream} pool-max-conn 512
"""

ENVOY = {
    "connect_timeout": "10s",
    "type": "STATIC",
    "name": "provider",
    "circuit_breakers": {
        "thresholds": [{"max_connections": 20000, "max_pending_requests": 20000, "max_requests": 20000}]
    },
}


class Subject:
    """One thing between the load and the provider. `start` returns why it could not, or None."""

    process = None
    started_in = None

    def __init__(self, name, command, folder):
        self.name, self.command, self.folder = name, command, folder

    def start(self, upstream):
        """Start it in front of the port `upstream` and wait for its first answer."""
        self.port = free_port()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            command = self.command(self.folder, self.port, upstream)
        except LookupError as error:
            return str(error)
        env = os.environ | {"PYTHONPATH": str(HERE.parent)}
        self.process = Process(command, self.folder / "output", env)
        return self.answers()

    def answers(self):
        """Wait for the first 200; the time since the start is kept in `started_in`."""
        while time.monotonic() - self.process.began < START_WITHIN:
            if self.process.popen.poll() is not None:
                return f"it ended: {self.process.complaint()}"
            status = probe(self.port)
            if status == 200:
                self.started_in = time.monotonic() - self.process.began
                return None
            if status:
                return f"it answers {status}"
            time.sleep(0.01)
        return f"no answer within {START_WITHIN:.0f} s: {self.process.complaint()}"

    def stop(self):
        """Stop it, if it runs."""
        if self.process is not None:
            self.process.stop()


class Direct(Subject):
    """The stand-in provider, with nothing in between."""

    def __init__(self, folder):
        super().__init__("direct", None, folder)

    def start(self, upstream=0):
        """Start it and learn its port."""
        command = [sys.executable, "-m", "agentgateway.demo.standin", "--port", "0"]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = Process(command, self.folder / "output", os.environ | {"PYTHONPATH": str(HERE.parent)})
        while not (printed := (self.folder / "output").read_text()).endswith("\n"):
            if self.process.popen.poll() is not None or time.monotonic() - self.process.began > START_WITHIN:
                return self.process.complaint()
            time.sleep(0.02)
        self.port = int(printed)
        return self.answers()


def probe(port):
    """The status of one call, or 0 where nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(5)
            connection.sendall(call(bytes=700))
            return int(connection.recv(4096).split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _installed(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise LookupError(f"{program} is not installed")
    return found


def nginx(folder, port, upstream):
    """One worker, connections to the provider kept, nothing buffered."""
    program = _installed("nginx")
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    return [program, "-e", str(folder / "error.log"), "-c", str(path), "-p", str(folder)]


def haproxy(folder, port, upstream):
    """One thread, connections to the provider shared."""
    program = _installed("haproxy")
    path = folder / "haproxy.cfg"
    path.write_text(HAPROXY.format(port=port, upstream=upstream))
    return [program, "-db", "-f", str(path)]


def envoy(folder, port, upstream):
    """One worker thread."""
    program = _installed("envoy")

    def at(number):
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    load = {"cluster_name": "provider", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(upstream)}}]}]}
    kind = "type.googleapis.com/envoy.extensions.filters"
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "600s"}}
    http = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
    listener = {"name": "callers", "address": at(port), "filter_chains": [chain]}
    path = folder / "envoy.json"
    cluster = {**ENVOY, "load_assignment": load}
    path.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [program, "-c", str(path), "--concurrency", "1", "-l", "error"]


def stock(folder, port, upstream):
    """twisted.web and treq over Agent, as they come."""
    return [sys.executable, str(HERE / "stock_proxy.py"), str(port), f"http://127.0.0.1:{upstream}"]


def pooling(folder, port, upstream):
    """The same with every connection to the provider kept: the best that can be had by a setting."""
    return [*stock(folder, port, upstream), "10000"]


def gateway(agents=10, policies=3):
    """The gateway with every feature on, for so many agents and policies."""

    def command(folder, port, upstream):
        path = folder / "gateway.yaml"
        path.write_text(json.dumps(gateway_config(folder, port, upstream, agents, policies)))
        return [sys.executable, "-m", "agentgateway", "start", "-c", str(path)]

    return command


def gateway_config(folder, port, upstream, agents, policies):
    """Limits that are all looked at and never reached; JSON is YAML."""
    agent = {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5",
        "budget": {"max_cost_per_hour": 1e6, "max_cost_per_day": 1e7, "max_cost_total": 1e8},
        "rate_limit": "10000000/s",
        "token_limit": "100000000000/s",
        "max_concurrency": 15000,
        "tags": ["bench"],
    }
    rule = {"condition": "error_rate > 0.9 and calls_this_hour > 1000000000", "action": "alert"}
    return {
        "gateway": {"host": "127.0.0.1", "port": port, "state_dir": str(folder / "state")},
        "providers": {"anthropic": {"api": "anthropic", "base_url": f"http://127.0.0.1:{upstream}"}},
        "agents": {"bench": agent} | {f"agent-{number}": agent for number in range(agents - 1)},
        "policies": [{"name": f"policy {number}", **rule} for number in range(policies)],
        "dashboard": {"host": "127.0.0.1", "port": free_port()},
        "audit": {"log_file": str(folder / "audit.jsonl")},
        "store": f"sqlite:{folder / 'ledger.sqlite'}",
    }


def compared(folder):
    """The subjects that stand side by side in every round."""
    proxies = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy, "stock": stock, "stock-pool": pooling}
    return [Subject(name, command, folder / name) for name, command in (proxies | {"gateway": gateway()}).items()]


def grown(folder):
    """The gateway with more of what must not cost more."""
    variants = {
        "10,000 agents": gateway(agents=10_000),
        "20 policies": gateway(policies=20),
        "no policy": gateway(policies=0),
    }
    return [Subject(name, command, folder / name.replace(" ", "-")) for name, command in variants.items()]
