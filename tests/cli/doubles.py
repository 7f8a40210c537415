"""A gateway that says what a test tells it to, in a thread of its own, for commands run in this process."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from click.testing import CliRunner

from agentgateway.cli.main import main


class Scripted:
    """`answers` has (status, body) by method and path without query; `asked` is what came, in order."""

    def __init__(self, testcase, answers):
        self.answers = answers
        self.asked = []
        gateway = self

        class Visit(BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path, _, query = self.path.partition("?")
                gateway.asked.append((self.command, path, query, body, self.headers.get("Authorization")))
                status, answer = gateway.answers.get((self.command, path), (404, problem("not_found", "no such path")))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Visit)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        testcase.addCleanup(thread.join)
        testcase.addCleanup(self._server.server_close)
        testcase.addCleanup(self._server.shutdown)

    def run(self, *arguments, **environ):
        """The result of a command against this gateway."""
        return run(*arguments, "--url", self.url, **environ)


def run(*arguments, **environ):
    """The result of a command; the environment has nothing of ours but what is given."""
    empty = dict.fromkeys(name for name in os.environ if name.startswith("AGENTGATEWAY_"))
    return CliRunner().invoke(main, arguments, env=empty | {"STATE_DIRECTORY": None} | environ)


def problem(code, message, **more):
    """An error of the API."""
    return {"error": {"code": code, "message": message, **more}}


def agent(id="writer", **fields):
    """An agent as the API shows it."""
    usual = {
        "id": id, "status": "active", "pause_reason": None, "model": "claude-sonnet-4-5", "provider": "anthropic",
        "tags": [], "cost_this_hour": 0.5, "cost_today": 12.345, "total_cost": 100.0, "calls_this_hour": 1200,
        "call_count": 5000, "error_count": 1, "error_rate": 0.25, "input_tokens": 1, "output_tokens": 1, "in_flight": 2,
        "last_call": "2026-11-23T15:04:05.000Z", "rate_limit": None,
        "budget": {
            "max_cost_per_hour": 5.0, "max_cost_per_day": None, "max_cost_total": None, "set_by": "file",
            "enforcement": "estimate", "reserved": 0.25, "remaining": 4.25, "resets_at": {"hour": "2026-11-23T16:00:00.000Z"},
        },
        "circuit_breaker": {"state": "closed", "errors": 0, "retry_at": None, "providers": {}},
    }  # fmt: skip
    return usual | fields


def status(*agents):
    """A status."""
    gateway = {"version": "1.2.3", "status": "ok", "uptime_s": 7200.5, "in_flight": 2, "cost_today": 12.345}
    return {"gateway": gateway, "agents": list(agents)}
