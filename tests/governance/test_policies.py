"""Policies from the file to what they do: pausing, denying, alerting, and webhooks that misbehave."""

import json
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from tests.governance.books import Ahead, Wish, account, all_at_once, config
from tests.harness import Running, listen, start_gateway, until
from tests.peers import Origin, response

AGENTS = """
  shaky: {{}}
  dear: {{}}
  loud: {{}}
"""
POLICIES = """
policies:
  - {{name: breakdown, condition: "error_rate > 0.5", action: pause, agents: [shaky]}}
  - {{name: splurge, condition: "cost_this_hour > 50.0", action: deny, agents: [dear]}}
  - {{name: bell, condition: "call_count > 0", action: alert, agents: [loud],
     params: {{webhook: "HOOK", cooldown: 60}}}}
"""
FAILING = (b"x-standin-fault", b"status-500")


class PolicyTests(TestCase):
    """Policies of a whole gateway."""

    async def start(self, hook: str = "http://127.0.0.1:9/hook") -> tuple[Running, Ahead]:
        """A gateway with the policies."""
        running = await start_gateway(self, config(AGENTS, POLICIES.replace("HOOK", hook)))
        return running, Ahead(running)

    async def call(self, running: Running, agent: str, *fields: Any) -> Any:
        """One call; (status, reason)."""
        [answer] = await all_at_once(self, running, [Wish(agent, fields=fields)])
        return answer.status, b"".join(answer.all(b"x-agentgateway-reason")).decode()

    def test_pause(self) -> Any:
        """An agent most of whose calls fail is paused; an operator's word that it may go on stands until it has healed."""

        async def scenario() -> None:
            running, clock = await self.start()
            self.assertEqual(await self.call(running, "shaky", FAILING), (500, ""))
            clock.settle_down()
            self.assertEqual(await self.call(running, "shaky"), (403, "agent_paused"))
            fleet, agent = running.service.live.fleet, running.service.live.fleet.get("shaky")
            assert agent is not None and agent.pause is not None
            self.assertEqual(agent.pause.by, "policy")
            fleet.resume(agent, "an operator said so", clock.now())
            clock.settle_down()
            self.assertEqual(await self.call(running, "shaky"), (200, ""))
            self.assertEqual(await self.call(running, "shaky"), (200, ""))
            for _ in range(4):
                await self.call(running, "shaky", FAILING)
            self.assertEqual(await self.call(running, "shaky"), (403, "agent_paused"))

        return ensureDeferred(scenario())

    def test_deny(self) -> Any:
        """Calls are denied while the hour has cost too much, and pass again in the next; other agents never notice."""

        async def scenario() -> None:
            running, clock = await self.start()
            self.assertEqual(await self.call(running, "dear"), (200, ""))
            mine = account(running, "dear")
            mine.settle(clock.now().wall, mine.hold("dear-one", 0), 51 * 10**9)
            self.assertEqual(await self.call(running, "dear"), (403, "policy_denied"))
            self.assertEqual(await self.call(running, "other"), (200, ""))
            clock.go(3600)
            self.assertEqual(await self.call(running, "dear"), (200, ""))

        return ensureDeferred(scenario())

    def test_webhook(self) -> Any:
        """An alert is posted as JSON, once in its cool-down."""

        async def scenario() -> None:
            sink = Origin(lambda visit, got: visit.say(response(b"ok")))
            port = await listen(self, sink)
            self.addCleanup(until, lambda: not sink.visits)
            running, clock = await self.start(f"http://127.0.0.1:{port}/hook?token=x")
            for _ in range(3):
                await self.call(running, "loud")
                clock.settle_down()
            await until(lambda: sink.requests)
            clock.go(61)
            clock.settle_down()
            await until(lambda: len(sink.requests) == 2)
            [first, _] = sink.requests
            self.assertEqual((first.method, first.target), (b"POST", b"/hook?token=x"))
            posted = json.loads(bytes(first.body))
            self.assertEqual((posted["kind"], posted["agent"], posted["policy"]), ("policy", "loud", "bell"))
            self.assertIn("call_count > 0", posted["text"])

        return ensureDeferred(scenario())

    def test_webhooks_that_misbehave(self) -> Any:
        """A webhook that hangs, errs, redirects or is not there is no call's concern; nothing follows its redirect."""

        async def scenario() -> None:
            elsewhere = Origin(lambda visit, got: visit.say(response()))
            other = await listen(self, elsewhere)
            moved = response(b"", (b"Location", b"http://127.0.0.1:%d/" % other), status=b"307 Temporary Redirect")
            scripts: list[Any] = [
                lambda visit, got: None,
                lambda visit, got: visit.say(response(b"{}", status=b"500 Internal Server Error")),
                lambda visit, got: visit.say(moved),
                lambda visit, got: visit.transport.abortConnection(),
            ]
            for script in scripts:
                sink = Origin(script)
                port = await listen(self, sink)
                running, clock = await self.start(f"http://127.0.0.1:{port}/hook")
                self.assertEqual(await self.call(running, "loud"), (200, ""))
                clock.settle_down()
                await until(lambda sink=sink: sink.requests)
                self.assertEqual(await self.call(running, "loud"), (200, ""))
                running.service.webhooks.close()
                await until(lambda sink=sink: not sink.visits)
            self.assertEqual(elsewhere.requests, [])

        return ensureDeferred(scenario())

    def test_one_timer_fails(self) -> Any:
        """Where looking at one thing fails once a second, the others are looked at all the same."""

        async def scenario() -> None:
            running, _ = await self.start()
            looked: list[int] = []
            fleet = running.service.live.fleet

            def broken(*_: Any) -> None:
                looked.append(1)
                raise RuntimeError("this agent's policies cannot be looked at")

            fleet.settle_down = broken  # type: ignore[method-assign]
            await until(lambda: len(looked) >= 2)
            self.assertGreaterEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
            self.assertEqual(await self.call(running, "other"), (200, ""))

        return ensureDeferred(scenario())


class StoreTroubleTests(TestCase):
    """The store cannot be written for a while."""

    def test_trouble_and_back(self) -> Any:
        """While the database is read-only there is an alert and budgets hold on; it is caught up by itself afterwards."""

        async def scenario() -> None:
            text = config("  mine: {{budget: {{max_cost_total: 0.01, enforcement: hard}}}}\n")
            running = await start_gateway(self, text.replace('"memory:"', '"sqlite:{state}/ledger.sqlite"'))
            service = running.service
            database = service.books.store._database
            checkpointing = LoopingCall(service.books.checkpoint)
            checkpointing.start(0.05)
            self.addCleanup(checkpointing.stop)
            database._writing.execute("PRAGMA query_only = 1")
            kinds = lambda: [alert.text for alert in service.alerts.recent if alert.kind == "store"]  # noqa: E731
            statuses: list[int] = []
            for _ in range(12):
                answers = await all_at_once(self, running, [Wish("mine", output=100)] * 3)
                statuses += [answer.status for answer in answers]
            await until(lambda: len(kinds()) == 1)
            self.assertIn(402, statuses)
            self.assertLessEqual(account(running, "mine").life.cost, 10**7)
            database._writing.execute("PRAGMA query_only = 0")
            await until(lambda: len(kinds()) == 2)
            self.assertIn("works again; nothing is missing", kinds()[1])

            def written() -> bool:
                [row] = database._reading.execute("SELECT snapshot FROM accounts WHERE agent = 'mine'").fetchall()
                return bool(json.loads(row[0])["life"] == account(running, "mine").snapshot()["life"])

            await until(written)

        return ensureDeferred(scenario())
