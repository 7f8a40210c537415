"""Who answers what on the gateway's port."""

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from agentgateway.web.site import MANAGEMENT, MAX_MANAGEMENT_BODY
from tests.harness import CONFIG, start_gateway
from tests.peers import Origin, ask, call_in, fixed, post, request, response

OURS = (
    b"/health",
    b"/metrics",
    b"/api/status",
    b"/api/logs",
    b"/api/reload",
    b"/api/agents/coder",
    b"/api/agents/coder/pause",
    b"/api/agents/coder/resume",
    b"/api/budget/coder",
)
THEIRS = (
    b"/health/x",
    b"/healthy",
    b"/metrics/",
    b"/api",
    b"/api/",
    b"/api/v1/chat/completions",
    b"/api/statuses",
    b"/api/agents",
    b"/api/agents/coder/other",
    b"/api/agents/coder/pause/x",
    b"/api/budget",
    b"/v1/health",
    b"/Health",
    b"/agents/coder/health",
    b"/agents/coder/api/status",
)


class SiteTests(TestCase):
    """The management API on its exact paths, everything else to the providers."""

    def test_paths(self) -> None:
        """The exact paths are ours, and no other."""
        for path in OURS:
            self.assertTrue(MANAGEMENT.fullmatch(path), path)
        for path in THEIRS:
            self.assertFalse(MANAGEMENT.fullmatch(path), path)

    def test_ways(self) -> Any:
        """What is ours never reaches a provider and leaves no record; what is theirs does both."""

        async def scenario() -> None:
            origin = Origin(fixed(response()))
            running = await start_gateway(self, factory=origin)
            for path in OURS:
                answer = await ask(self, running.port, request(b"GET", path, None))
                self.assertEqual(answer.all(b"x-agentgateway-request-id"), [], path)
                answer = await ask(self, running.port, request(b"GET", path + b"?x=/v1/messages", None))
                self.assertEqual(answer.all(b"x-agentgateway-request-id"), [], path)
            self.assertEqual((origin.requests, running.records), ([], []))
            for count, path in enumerate(THEIRS, 1):
                answer = await ask(self, running.port, request(b"GET", path, None))
                self.assertEqual((answer.status, len(origin.requests), len(running.records)), (200, count, count), path)

        return ensureDeferred(scenario())

    def test_health(self) -> Any:
        """Health tells version, agents and calls in flight; it is 503 while the gateway drains."""

        async def scenario() -> None:
            running = await start_gateway(self)
            answer = await ask(self, running.port, request(b"GET", b"/health", None))
            said = json.loads(bytes(answer.body))
            self.assertEqual(sorted(said), ["agents", "in_flight", "status", "uptime_s", "version"])
            self.assertEqual((answer.status, said["status"], said["agents"], said["in_flight"]), (200, "ok", 2, 0))
            running.service.live.draining = True
            answer = await ask(self, running.port, request(b"GET", b"/health", None))
            self.assertEqual((answer.status, json.loads(bytes(answer.body))["status"]), (503, "draining"))

        return ensureDeferred(scenario())

    def test_long_bodies(self) -> Any:
        """The management API takes no long bodies, announced, chunked or all at once."""
        limited = CONFIG.replace("state_dir:", "max_body_bytes: 2000, state_dir:")

        async def scenario() -> None:
            running = await start_gateway(self)
            path = b"/api/agents/coder/pause"
            answer = await ask(self, running.port, post(path, b"x" * (MAX_MANAGEMENT_BODY + 1)))
            self.assertEqual(answer.status, 413)
            chunked = request(b"POST", path, None, (b"Transfer-Encoding", b"chunked"))
            answer = await ask(self, running.port, chunked + b"1000\r\n%b\r\n" % (b"x" * 4096) * 17)
            self.assertEqual(answer.status, 413)
            running = await start_gateway(self, limited)
            answer = await ask(self, running.port, post(path, b"x" * 2001))
            self.assertEqual(answer.status, 413)
            self.assertEqual(running.records, [])

        return ensureDeferred(scenario())

    def test_too_many_connections(self) -> Any:
        """A call on a connection over the limit is told so, and that is on record; management is answered there."""

        async def scenario() -> None:
            running = await start_gateway(self, CONFIG.replace("state_dir:", "max_connections: 2, state_dir:"))
            kept = [await call_in(self, running.port) for _ in range(2)]
            for caller in kept:
                await caller.ask(request(b"GET", b"/health", None))
            watching = await ask(self, running.port, request(b"GET", b"/health", None))
            self.assertEqual((watching.status, watching.one(b"connection")), (200, "close"))
            over = await call_in(self, running.port)
            await over.ask(post(b"/v1/messages", b"{}"))
            await over.closed
            self.assertEqual((over.answer.status, over.answer.one(b"x-agentgateway-reason")), (503, "overloaded"))
            self.assertEqual(over.answer.one(b"x-should-retry"), "true")
            [record] = running.records
            self.assertEqual((record["status"], record["reason"]), (503, "overloaded"))

        return ensureDeferred(scenario())
