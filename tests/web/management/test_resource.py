"""The management API as its callers see it: paths, methods, who may do what, and the shape of its errors."""

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

    def test_status(self):
        """Status shows the gateway and every agent, with the fields the contract names."""
        status = Api(self).get("/api/status").json
        self.assertEqual([agent["id"] for agent in status["agents"]], ["writer", "coder"])
        self.assertEqual(status["gateway"]["agents"], 2)
        writer = status["agents"][0]
        self.assertEqual(writer["budget"]["max_cost_per_hour"], 5)
        self.assertEqual(writer["rate_limit"], {"limit": "10/min", "available": 10})
        self.assertEqual(writer["circuit_breaker"]["state"], "closed")

    def test_many_agents(self):
        """A fleet of a thousand is shown whole."""
        api = Api(self, CONFIG.replace("agents:", 'agents:\n  "*": {{}}'))
        for number in range(1000):
            api.live.fleet.find(f"agent-{number}", api.live.moment())
        self.assertEqual(len(api.get("/api/status").json["agents"]), 1002)

    def test_head(self):
        """HEAD answers as GET does, without the body."""
        api = Api(self)
        for path in ("/health", *READS):
            reply = api.ask("HEAD", path)
            self.assertEqual((reply.status, reply.body), (200, b""), path)
            self.assertTrue(int(reply.header("content-length")), path)

    def test_draining(self):
        """While the gateway stops, its health is 503, so that a load balancer looks elsewhere."""
        api = Api(self)
        api.live.draining = True
        reply = api.get("/health")
        self.assertEqual((reply.status, reply.json["status"]), (503, "draining"))


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


class ChangeTests(SynchronousTestCase):
    """Every change wants the token, and leaves its mark."""

    def test_token(self):
        """Without the token, or with another, nothing changes, not even from this machine."""
        api = Api(self)
        for token in (None, "wrong", "", TOKEN + "x"):
            for method, path in (
                ("POST", "/api/agents/writer/pause"),
                ("POST", "/api/agents/writer/resume"),
                ("PUT", "/api/budget/writer"),
                ("POST", "/api/reload"),
            ):
                api.service.server.accept.__self__.management._guard._guesses.clear()
                reply = api.ask(method, path, {}, token=token)
                self.assertEqual(reply.status, 401, (token, path))
        self.assertIsNone(api.live.fleet.get("writer").pause)
        self.assertFalse(api.live.tail)

    def test_pause(self):
        """A pause is in force at once; the audit log says who did it, and what was before and after."""
        api = Api(self)
        reply = api.ask("POST", "/api/agents/writer/pause", {"reason": "too\ndear"})
        self.assertEqual(
            (reply.status, reply.json["status"], reply.json["pause_reason"]), (200, "paused", "too\\ndear")
        )
        [entry] = api.live.tail
        self.assertEqual((entry.agent, entry.method, entry.path), ("writer", "POST", "/api/agents/writer/pause"))
        self.assertEqual(entry.reason, "admin at 127.0.0.1: active -> paused by operator (too\\ndear)")
        self.assertEqual((entry.outcome, entry.status, entry.cost_usd, entry.provider), ("ok", 200, 0, None))
        self.assertIn("writer is paused: too\\ndear", api.alerts)

    def test_resume(self):
        """Resuming ends it; nothing at all is a fine body."""
        api = Api(self)
        api.ask("POST", "/api/agents/writer/pause")
        reply = api.ask("POST", "/api/agents/writer/resume")
        self.assertEqual((reply.status, reply.json["status"]), (200, "idle"))
        self.assertIn("paused by operator (paused by an operator) -> active", api.live.tail[-1].reason)

    def test_resume_spent(self):
        """An agent whose budget is spent is not resumed but by raising it, and the answer says so."""
        api = Api(self)
        self.assertEqual(api.ask("PUT", "/api/budget/writer", {"max_cost_total": 0}).status, 200)
        self.assertEqual(api.get("/api/agents/writer").json["status"], "paused")
        reply = api.ask("POST", "/api/agents/writer/resume")
        self.assertEqual((reply.status, reply.code), (422, "budget_exceeded"))
        self.assertIn("PUT /api/budget/writer", reply.json["error"]["message"])
        api.ask("PUT", "/api/budget/writer", {"max_cost_total": None})
        self.assertEqual(api.get("/api/agents/writer").json["status"], "idle")

    def test_budget(self):
        """Caps are exact; those that are not named stay; the log has both figures."""
        api = Api(self)
        reply = api.ask("PUT", "/api/budget/writer", {"max_cost_per_day": "0.123456789", "max_cost_total": 100})
        self.assertEqual(reply.status, 200)
        budget = api.get("/api/budget/writer").json
        caps = [budget[name] for name in ("max_cost_per_hour", "max_cost_per_day", "max_cost_total")]
        self.assertEqual(caps, [5, 0.123456789, 100])
        said = "admin at 127.0.0.1: max_cost_per_day none -> $0.123456789, max_cost_total none -> $100"
        self.assertEqual(api.live.tail[-1].reason, said)
        self.assertEqual(api.ask("PUT", "/api/budget/writer", {"max_cost_per_hour": None}).status, 200)
        self.assertIsNone(api.get("/api/budget/writer").json["max_cost_per_hour"])
        self.assertTrue([text for text in api.alerts if "max_cost_per_hour $5 -> none" in text])

    def test_reload(self):
        """A reload says what it changed."""
        api = Api(self)
        api.write(CONFIG.replace("coder:", "tester:"))
        reply = api.ask("POST", "/api/reload")
        self.assertEqual((reply.status, reply.json["agents"]["added"]), (200, ["tester"]))
        self.assertEqual(api.live.tail[-1].reason, "admin at 127.0.0.1: agents added tester; agents removed coder")
        self.assertEqual(api.get("/api/agents/tester").status, 200)

    def test_reload_of_mistakes(self):
        """A file with mistakes changes nothing, and the answer names each with its line."""
        api = Api(self)
        api.write(CONFIG.replace("10/min", "10/fortnight").replace("coder: {{", "coder: {{colour: red, "))
        reply = api.ask("POST", "/api/reload")
        self.assertEqual((reply.status, reply.code), (422, "invalid_config"))
        mistakes = reply.json["error"]["mistakes"]
        self.assertEqual([mistake["path"] for mistake in mistakes], ["agents.writer.rate_limit", "agents.coder.colour"])
        self.assertIn('expected "<count>/<unit>"', mistakes[0]["message"])
        self.assertFalse(api.live.tail)
        self.assertTrue([text for text in api.alerts if "nothing changed" in text])


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
