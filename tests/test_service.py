"""The whole gateway as one service: how it ends, what a signal makes it read again, and what hears of a call."""

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from agentgateway.config.load import parse
from agentgateway.domain.standing import Caps
from agentgateway.errors import GatewayError
from agentgateway.service import GatewayService
from tests.harness import CONFIG, Running, connect, reactor, start_gateway, until
from tests.peers import ask, call_in, post, request

BODY = b'{"model":"claude-sonnet-4-5","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
SLOW = ((b"x-standin-chunks", b"5"), (b"x-standin-interval", b"0.05"))
HEALTH = request(b"GET", b"/health", None)


def message(*fields: tuple[bytes, bytes]) -> bytes:
    """A streamed call."""
    return post(b"/agents/researcher/v1/messages", BODY, *fields)


class EndTests(TestCase):
    """In order: callers first, the store last."""

    def test_follower(self) -> Any:
        """Who follows the log gets the record of the last call, and then a proper end."""

        async def scenario() -> None:
            running = await start_gateway(self)
            follower = await connect(self, running.port)
            asked = request(b"GET", b"/api/logs?follow=true&limit=0", None)
            follower.transport.write(asked.replace(b"gateway.test", b"localhost"))
            caller = await call_in(self, running.port)
            caller.transport.write(message(*SLOW))
            await until(lambda: b"message_start" in caller.answer.body and running.service.desk.feed.followers)
            ending = running.service.stopService()
            await caller.closed
            await ending
            await follower.closed
            self.assertTrue(caller.answer.ended)
            self.assertIn(caller.answer.one(b"x-agentgateway-request-id").encode(), follower.received)
            self.assertTrue(follower.received.endswith(b"0\r\n\r\n"))

        return ensureDeferred(scenario())

    def test_kept_connections(self) -> Any:
        """While calls are under way idle connections are closed, and who is about to ask is told that it stops."""

        async def scenario() -> None:
            running = await start_gateway(self)
            idle, asking = await call_in(self, running.port), await call_in(self, running.port)
            busy = await call_in(self, running.port)
            self.assertEqual((await idle.ask(HEALTH)).status, 200)
            busy.transport.write(message((b"x-standin-chunks", b"10"), (b"x-standin-interval", b"0.1")))
            asking.transport.write(message()[:30])
            await until(lambda: b"message_start" in busy.answer.body)
            ending = running.service.stopService()
            await idle.closed
            self.assertTrue(running.service.live.draining)
            self.assertFalse(ending.called)
            refused = await asking.ask(message()[30:])
            self.assertEqual((refused.status, refused.one(b"x-agentgateway-reason")), (503, "draining"))
            self.assertEqual(refused.one(b"connection"), "close")
            await busy.closed
            self.assertTrue(busy.answer.ended)
            await ending

        return ensureDeferred(scenario())

    async def test_never_started(self) -> None:
        """A service that never ran ends without a word."""
        state = self.mktemp()
        config = f"gateway: {{state_dir: {state}}}\ndashboard: false\nstore: 'memory:'\nagents: {{'*': {{}}}}"
        await GatewayService(parse(config, "f", {}), reactor).stopService()

    def test_bad_endpoint(self) -> None:
        """An endpoint that cannot be had is a mistake of the configuration, not a traceback."""
        config = f"gateway: {{state_dir: {self.mktemp()}, listen: ['systemd:domain=INET:index=0']}}\nstore: 'memory:'"
        error = self.assertRaises(GatewayError, GatewayService, parse(config, "f", {}), reactor)
        self.assertIn("systemd has passed no such socket", str(error))


class ReloadTests(TestCase):
    """By signal."""

    async def running(self, text: str) -> Running:
        """A gateway whose file now says `text`."""
        running = await start_gateway(self)
        live = running.service.live
        path = Path(live.config.gateway.state_dir) / "gateway.yaml"
        path.write_text(f"{text}\naudit: {{log_file: {live.config.audit.log_file}}}\n")
        object.__setattr__(live.config, "path", str(path))
        return running

    def heard(self) -> list[Any]:
        """What is logged from now on."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        return events

    async def test_good(self) -> None:
        """A good file is in force; the log's record says that a signal did it, and what changed."""
        running = await self.running("agents: {tester: {}}\nstore: 'memory:'")
        running.service._reload_on_signal()
        running.service.books.flush()
        [record] = running.records
        self.assertEqual((record["method"], record["outcome"], record["agent"]), ("SIGHUP", "ok", None))
        self.assertTrue(record["reason"].startswith("signal: agents added tester; agents removed"), record["reason"])
        self.assertIsNotNone(running.service.live.fleet.get("tester"))

    async def test_kept_caps(self) -> None:
        """A reload names the agents whose caps in the file are not in force: an operator has set others."""
        running = await self.running("agents: {researcher: {budget: {max_cost_total: 2}}}\nstore: 'memory:'")
        live = running.service.live
        agent = live.fleet.get("researcher")
        assert agent is not None
        live.fleet.set_caps(agent, Caps(max_cost_total=10**9), live.moment())
        self.assertEqual(running.service.reload()["kept_caps"], ["researcher"])
        live.fleet.set_caps(agent, None, live.moment())
        self.assertEqual(agent.account.budget.max_cost_total, 2 * 10**9)
        self.assertEqual(running.service.reload()["kept_caps"], [])

    async def test_kept_caps_by_signal(self) -> None:
        """The log's record says so, too."""
        running = await self.running("agents: {researcher: {budget: {max_cost_total: 2}}}\nstore: 'memory:'")
        live = running.service.live
        agent = live.fleet.get("researcher")
        assert agent is not None
        live.fleet.set_caps(agent, Caps(max_cost_total=10**9), live.moment())
        running.service._reload_on_signal()
        running.service.books.flush()
        self.assertRegex(running.records[-1]["reason"], r"caps as an operator set them.*: researcher$")

    async def test_a_caller_who_stays(self) -> None:
        """A caller that says the very same on the same connection is judged by the new file: its agent has a key now."""
        running = await self.running(f"agents: {{researcher: {{key: 'sha256:{'0' * 64}'}}}}\nstore: 'memory:'")
        caller = await call_in(self, running.port)
        self.assertEqual([(await caller.ask(message())).status for _ in range(3)], [200] * 3)
        self.assertEqual(len(running.service.server.heads), 1)
        running.service._reload_on_signal()
        self.assertEqual(len(running.service.server.heads), 0)
        answer = await caller.ask(message())
        self.assertEqual((answer.status, answer.one(b"x-agentgateway-reason")), (401, "bad_key"))

    async def test_broken(self) -> None:
        """Of a broken file every mistake is logged, an alert says so, and nothing has changed."""
        running = await self.running("agents: {tester: {rate_limit: never}}\nstor: 'memory:'")
        events, before = self.heard(), running.service.live.config
        running.service._reload_on_signal()
        [said] = [event["problem"] for event in events if "problem" in event]
        self.assertIn("gateway.yaml:1: agents.tester.rate_limit", said)
        self.assertIn("gateway.yaml:2: stor", said)
        self.assertIs(running.service.live.config, before)
        self.assertEqual(running.records, [])
        self.assertIn("nothing changed", running.service.alerts.recent[-1].text)


class ListenerTests(TestCase):
    """Who hears of a call."""

    async def test_metrics(self) -> None:
        """A call is in the metrics once it is in the log."""
        running = await start_gateway(self)
        answer = await ask(self, running.port, message())
        self.assertTrue(answer.ended)
        asked = request(b"GET", b"/metrics", None).replace(b"gateway.test", b"localhost")
        text = bytes((await ask(self, running.port, asked)).body).decode()
        self.assertIn('agentgateway_calls_total{agent="researcher",outcome="ok",provider="anthropic"} 1.0', text)
        self.assertIn("agentgateway_spans_dropped 0.0", text)
        self.assertEqual(json.loads(json.dumps(running.records))[0]["outcome"], "ok")


class OpenTests(TestCase):
    """Taking the store into use."""

    async def test_once(self) -> None:
        """Opened early, as by the command line, it is not opened again when it starts."""
        running = await start_gateway(self)
        opened: list[Deferred[None]] = []
        self.patch(running.service.books, "open", lambda *_: opened.append(Deferred()))
        running.service.open()
        self.assertEqual((opened, CONFIG.count("memory:")), ([], 1))
