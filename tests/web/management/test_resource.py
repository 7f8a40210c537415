"""The management API as its callers see it: paths, methods, who may do what, and the shape of its errors."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.harness import start_gateway
from tests.peers import ask, request
from tests.web.management.doubles import CONFIG, TOKEN, Api

READS = ("/api/status", "/api/agents/writer", "/api/budget/writer", "/api/logs", "/metrics", "/api/openapi.json")


class ReadingTests(SynchronousTestCase):
    """Looking."""

    def test_local(self):
        """On the gateway's own machine everything can be read without the token."""
        api = Api(self)
        for path in READS:
            self.assertEqual(api.get(path).status, 200, path)

    def test_closed(self):
        """`loopback_reads: false` closes that; the health check stays open."""
        api = Api(self, CONFIG.replace("gateway: {{", "gateway: {{loopback_reads: false, "))
        for path in READS:
            reply = api.get(path)
            self.assertEqual((reply.status, reply.code), (401, "unauthorized"), path)
            self.assertEqual(api.ask("GET", path).status, 200, path)
        self.assertEqual(api.get("/health").status, 200)

    def test_through_a_proxy(self):
        """Who comes through a proxy, or by a name that is not this machine's, is from elsewhere."""
        api = Api(self)
        for headers in (
            {"x_forwarded_for": "10.0.0.1"},
            {"forwarded": "for=10.0.0.1"},
            {"host": b"rebound.example"},
            {"host": b"10.1.2.3:8080"},
        ):
            self.assertEqual(api.get("/api/status", **headers).status, 401, headers)

    def test_token_in_the_url(self):
        """A token in the URL opens nothing: it would stand in logs and histories."""
        api = Api(self)
        for name in ("token", "access_token", "key", "authorization"):
            self.assertEqual(api.get(f"/api/status?{name}={TOKEN}", via="1.1 proxy").status, 401)

    def test_foreign_pages(self):
        """A page of another site that has a browser on this machine ask gets nothing."""
        api = Api(self)
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://["},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
        ):
            self.assertEqual(api.get("/api/status", **headers).status, 401, headers)
        own = {"origin": "http://localhost:8080", "sec_fetch_site": "same-origin", "host": b"localhost:8080"}
        self.assertEqual(api.get("/api/status", **own).status, 200)

    def test_no_cors(self):
        """No answer invites other sites, and a browser's question whether it may is refused."""
        api = Api(self)
        reply = api.ask("OPTIONS", "/api/agents/writer/pause", origin="https://evil.example")
        self.assertEqual(reply.status, 405)
        for answer in (reply, api.get("/api/status"), api.get("/health")):
            self.assertIsNone(answer.header("access-control-allow-origin"))
        self.assertEqual(api.get("/api/status").header("cache-control"), "no-store")

    def test_head(self):
        """HEAD answers as GET does, without the body."""
        api = Api(self)
        for path in ("/health", *READS):
            reply = api.ask("HEAD", path)
            self.assertEqual((reply.status, reply.body), (200, b""), path)
            self.assertTrue(int(reply.header("content-length")), path)


class ErrorTests(SynchronousTestCase):
    """What cannot be done is said in one shape."""

    def test_unknown_agent(self):
        """An agent that is not there is 404, also where its name is no name."""
        api = Api(self)
        for name in ("nobody", "%2e%2e", "%00", "%ff%fe", "w" * 500):
            for method, path in (("GET", f"/api/agents/{name}"), ("PUT", f"/api/budget/{name}")):
                reply = api.ask(method, path, {"max_cost_total": 1} if method == "PUT" else None)
                self.assertEqual((reply.status, reply.code), (404, "unknown_agent"), path)

    def test_wrong_method(self):
        """A method a path does not take is 405, and the answer says which it does."""
        api = Api(self)
        for method, path, allowed in (
            ("POST", "/health", "GET, HEAD"),
            ("DELETE", "/api/agents/writer", "GET, HEAD"),
            ("GET", "/api/reload", "POST"),
            ("PATCH", "/api/budget/writer", "GET, HEAD, PUT"),
        ):
            reply = api.ask(method, path)
            self.assertEqual((reply.status, reply.code, reply.header("allow")), (405, "method_not_allowed", allowed))

    def test_elsewhere(self):
        """A path that is none of these is 404 here; the gateway's port never asks, it proxies them."""
        self.assertEqual(Api(self).get("/api/v1/models").status, 404)

    def test_mistake_of_ours(self):
        """A bug is a 500 in the same shape, and in the log."""
        api = Api(self)
        del api.live.fleet._agents
        reply = api.get("/api/status")
        self.assertEqual((reply.status, reply.code), (500, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


SPLINTERS = st.sampled_from(
    [
        b"",
        b"{",
        b"}",
        b"[",
        b'"',
        b":",
        b",",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 400,
        b"\\ud800",
        b"\x00",
        b"\xff",
    ]
)
CHANGES = st.sampled_from(
    [
        ("POST", "/api/agents/writer/pause", b'{"reason": "too dear"}'),
        ("POST", "/api/agents/writer/resume", b'{"reason": null}'),
        ("POST", "/api/agents/%2e%00/pause", b"{}"),
        (
            "PUT",
            "/api/budget/writer",
            b'{"max_cost_per_hour": 1.5, "max_cost_total": "7.000000001", "max_cost_per_day": null}',
        ),
        ("POST", "/api/reload", b"{}"),
        ("GET", "/api/logs?limit=3&since=2026-01-01&format=csv", b"{}"),
    ]
)
TYPES = st.sampled_from(["application/json", "application/json; charset=latin-1", "text/plain", "", "\xff/*"])


class AnyTests(SynchronousTestCase):
    """Requests that nobody would send by intent."""

    def setUp(self):
        """One gateway for all of them."""
        self.api = Api(self)

    @given(st.data())
    def test_any_body(self, data):
        """Whatever a request's body and arguments are, it is done or refused: never a mistake of ours."""
        method, path, body = data.draw(CHANGES)
        body = data.draw(st.binary(max_size=40)) if data.draw(st.booleans()) else body
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(body)))
            body = body[:at] + data.draw(SPLINTERS) + body[at + data.draw(st.integers(0, 6)) :]
        if "?" in path:
            at = data.draw(st.integers(path.index("?"), len(path)))
            path = (
                path[:at]
                + data.draw(st.sampled_from(["%", "%ff", "&", "=", "&limit=-1", "9" * 30, "&until=x"]))
                + path[at:]
            )
        reply = self.api.ask(method, path, body, content_type=data.draw(TYPES))
        self.assertIn(reply.status, (200, 400, 404, 413, 422), reply.body)
        if reply.status != 200:
            self.assertTrue(reply.code)
        self.assertEqual(self.flushLoggedErrors(), [])


class SocketTests(TestCase):
    """On the gateway's own port."""

    async def test_too_large(self):
        """A body of more than 64 KiB is 413, whether it says its length or not."""
        gateway = await start_gateway(self)
        for fields, body in (
            ((), b"x" * 70_000),
            (((b"Transfer-Encoding", b"chunked"),), b"11170\r\n" + b"x" * 70_000),
        ):
            raw = request(b"POST", b"/api/reload", None if fields else body, *fields) + (body if fields else b"")
            answer = await ask(self, gateway.port, raw)
            self.assertEqual(answer.status, 413)
            self.assertIn(b'"too_large"', answer.body)

    async def test_not_ours(self):
        """What only looks like a management path is proxied."""
        gateway = await start_gateway(self)
        for target in (b"/api/v1/chat/completions", b"/api/status/", b"/metrics/x", b"/api/agents/a/b/c"):
            await ask(self, gateway.port, request(b"GET", target, None, (b"x-agent-id", b"coder")))
        self.assertEqual(len(gateway.records), 4)

    async def test_kept_connection(self):
        """Answers have a length, so that a client can ask again on the same connection."""
        gateway = await start_gateway(self)
        host = (b"Host", f"127.0.0.1:{gateway.port}".encode())
        raw = b"GET /api/status HTTP/1.1\r\n" + host[0] + b": " + host[1] + b"\r\n\r\n"
        answer = await ask(self, gateway.port, raw)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.ended)
        self.assertTrue(answer.all(b"content-length"))
