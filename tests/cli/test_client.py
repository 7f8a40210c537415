"""Asking a gateway, and what is said when it does not answer as hoped."""

import os
import socket
import threading

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.client import Client, Refused, Unreachable, agent_path
from agentgateway.cli.target import Target
from tests.cli.doubles import Scripted, problem, run, status


def closed_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class ClientTests(SynchronousTestCase):
    """One gateway."""

    def test_token(self):
        """A change carries the token; reading, which needs none on the machine itself, does not."""
        gateway = Scripted(self, {("GET", "/api/status"): (200, status()), ("POST", "/api/reload"): (200, {})})
        client = Client(Target(gateway.url, token="t"))
        client.get("/api/status")
        client.change("POST", "/api/reload")
        self.assertEqual([asked[4] for asked in gateway.asked], [None, "Bearer t"])

    def test_token_wanted(self):
        """A gateway that wants the token for reading gets it when it says so, and from then on at once."""
        gateway = Scripted(self, {("GET", "/api/status"): (401, problem("unauthorized", "no"))})
        client = Client(Target(gateway.url, token="t"))
        for _ in range(2):
            self.assertRaises(Refused, client.get, "/api/status")
        self.assertEqual([asked[4] for asked in gateway.asked], [None, "Bearer t", "Bearer t"])

    def test_nobody(self):
        """No gateway there: exit status 3, and what to do."""
        result = run("status", "--url", f"http://127.0.0.1:{closed_port()}")
        self.assertEqual(result.exit_code, 3)
        self.assertRegex(result.stderr, r"no gateway at http://127\.0\.0\.1:\d+: Connection refused \(is it running\?")

    def test_port_changed(self):
        """Where the file says the place, the port may be one that the gateway learns at a restart only: so --url helps."""
        port, path = closed_port(), self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"gateway: {{port: {port}, host: 127.0.0.1}}\n")
        result = run("status", "-c", path)
        self.assertIn("if the port in the file was just changed: --url with the old one", result.stderr)
        self.assertNotIn("just changed", run("status", "--url", f"http://127.0.0.1:{port}").stderr)

    def test_wrong_token(self):
        """A wrong token: where it came from; none: where it was looked for. Neither shows it."""
        gateway = Scripted(self, {("GET", "/api/status"): (401, problem("unauthorized", "no"))})
        result = gateway.run("status", AGENTGATEWAY_ADMIN_TOKEN="hush")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("does not take the admin token from AGENTGATEWAY_ADMIN_TOKEN", result.stderr)
        self.assertIn("is that another gateway, the demo perhaps? give its -c", result.stderr)
        self.assertNotIn("hush", result.output)
        self.assertIn("set AGENTGATEWAY_ADMIN_TOKEN", gateway.run("status").stderr)

    def test_refused(self):
        """Any other error is told as the gateway says it."""
        gateway = Scripted(self, {("GET", "/x"): (503, problem("unavailable", "later", extra=1))})
        error = self.assertRaises(Refused, Client(Target(gateway.url)).get, "/x")
        self.assertEqual((str(error), error.code, error.more["extra"]), ("later", "unavailable", 1))

    def test_another_server(self):
        """What is no agentgateway is told as that."""
        answers = {("GET", "/a"): (200, b"<html>"), ("GET", "/b"): (500, b"[]"), ("GET", "/c"): (404, b'{"error": 1}')}
        gateway = Scripted(self, answers)
        for path in ("/a", "/b", "/c"):
            error = self.assertRaises(Unreachable, Client(Target(gateway.url)).get, path)
            self.assertIn("is no agentgateway", str(error))

    def test_no_http(self):
        """Nor is what speaks no HTTP, or hangs up."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def hang_up():
                for words in (b"SSH-2.0\r\n", b""):
                    visit, _ = server.accept()
                    visit.sendall(words)
                    visit.close()

            thread = threading.Thread(target=hang_up)
            thread.start()
            client = Client(Target(f"http://127.0.0.1:{server.getsockname()[1]}"))
            self.assertRaises(Unreachable, client.get, "/")
            self.assertRaises(Unreachable, client.get, "/")
            thread.join()

    def test_broken_stream(self):
        """A stream that breaks off is told from one that ends."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def break_off():
                visit, _ = server.accept()
                visit.recv(9999)
                visit.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")
                visit.close()

            thread = threading.Thread(target=break_off)
            thread.start()
            lines = Client(Target(f"http://127.0.0.1:{server.getsockname()[1]}")).lines("/")
            self.assertEqual(next(lines), b"{}")
            self.assertRaises(Unreachable, next, lines)
            thread.join()

    def test_unix_socket(self):
        """A gateway on a Unix socket is reached there."""
        path = os.path.relpath(self.mktemp())
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()

            def answer():
                visit, _ = server.accept()
                visit.recv(9999)
                visit.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                visit.close()

            thread = threading.Thread(target=answer)
            thread.start()
            self.assertEqual(Client(Target("http://localhost", path)).get("/api/status"), {})
            thread.join()
        self.assertRaises(Unreachable, Client(Target("http://localhost", path)).get, "/api/status")

    def test_agent_path(self):
        """Whatever an id is made of stays within its place in the path."""
        self.assertEqual(
            agent_path("/api/agents", "a/../b?c#d e", "/pause"), "/api/agents/a%2F..%2Fb%3Fc%23d%20e/pause"
        )
