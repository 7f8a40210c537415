"""Money held before a call goes out."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.lease import NONE_GONE, NOTHING, Grant
from agentgateway.domain.link import Link
from agentgateway.domain.pricing import Rates
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.onion import BORROW
from agentgateway.pipeline.reserve import LEAST_OUTPUT, UNSTATED_OUTPUT, Reserve, affordable, dearest
from agentgateway.providers.known import surface
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of

CONFIG = """
agents:
  hard: {provider: openai, budget: {max_cost_total: 0.001, enforcement: hard}}
  loose: {provider: openai, budget: {max_cost_total: 0.001}}
  free: {provider: openai}
"""
RATES = Rates(3_000_000_000, 15_000_000_000)
DEAR = Rates(4_000_000_000, 30_000_000_000)
MILL = 1_000_000
"""A tenth of a cent, in nano-dollars."""


class ReserveTests(SynchronousTestCase):
    """The innermost step."""

    def setUp(self) -> None:
        """Agents with a tenth of a cent each."""
        self.config = config_of(CONFIG)
        self.fleet = fleet_of(self.config)
        self.flushed = 0
        self.step = Reserve(self.fleet, self.flush)

    def flush(self) -> None:
        """The journal is handed over."""
        self.flushed += 1

    def exchange(self, agent: str, *rates: Rates, path: str = CHAT, **body: Any) -> Exchange:
        """A call with targets of those rates."""
        exchange = call(path, json.dumps({"model": "m", **body}).encode())
        exchange.agent, exchange.surface = self.fleet.get(agent), surface("POST", path, "openai")
        exchange.asked = exchange.surface.understand(path, exchange.body or b"")
        provider = self.config.providers["openai"]
        exchange.targets = [Target(provider, one) for one in rates or (RATES,)]
        return exchange

    def taken(self, exchange: Exchange) -> Exchange:
        """A call that is let in."""
        self.assertIsNone(self.step.check(exchange, NOW))
        self.step.take(exchange, NOW)
        exchange.admitted = True
        return exchange

    def refused(self, exchange: Exchange) -> Refusal:
        """The refusal of a call."""
        answer = self.step.check(exchange, NOW)
        assert isinstance(answer, Refusal)
        self.assertEqual((answer.reason, answer.status, answer.retry_after), ("budget_exceeded", 402, None))
        return answer

    def test_worst_case(self) -> None:
        """Under `hard` every byte is a token, and all the output asked for is held."""
        exchange = self.taken(self.exchange("hard", max_tokens=20))
        self.assertEqual(exchange.amount, len(exchange.body or b"") * 3_000 + 20 * 15_000)
        self.assertEqual((self.flushed, exchange.reservation is not None), (1, True))

    def test_lowered(self) -> None:
        """Where not all the output fits, what fits is asked for; the rest of the body is as it was."""
        exchange = self.taken(self.exchange("hard", max_tokens=4000, messages=[]))
        body = json.loads(exchange.body or b"")
        limit = body["max_tokens"]
        self.assertTrue(LEAST_OUTPUT <= limit < 80)
        self.assertEqual(body, {"model": "m", "max_tokens": limit, "messages": []})
        self.assertTrue(MILL - 15_000 < exchange.amount <= MILL)
        self.assertIn("may cost more", self.refused(self.exchange("hard", max_tokens=4000)).message)

    def test_choices(self) -> None:
        """Several answers to one request are all held; too many for what is left are refused, not lowered to nothing."""
        exchange = self.taken(self.exchange("hard", n=2, max_tokens=10))
        self.assertEqual(exchange.amount, len(exchange.body or b"") * 3_000 + 2 * 10 * 15_000)
        self.refused(self.exchange("hard", n=50))
        free = self.taken(self.exchange("free", n=3))
        self.assertEqual(free.amount, len(free.body or b"") * 3_000 + 3 * UNSTATED_OUTPUT * 15_000)

    def test_nothing_of_use(self) -> None:
        """A call whose input alone is too dear is refused."""
        self.refused(self.exchange("hard", max_tokens=4000, user="x" * 400))

    def test_spent(self) -> None:
        """A spent budget pauses its agent, and the refusal says which cap it was."""
        for name in ("hard", "loose"):
            agent = self.fleet.get(name)
            assert agent is not None
            agent.account.settle(NOW.wall, agent.account.hold("a", 0), MILL)
            self.assertIn("$0.001 in total is spent", self.refused(self.exchange(name)).message)
            self.assertIsNotNone(agent.pause)

    def test_spent_and_of_no_known_kind(self) -> None:
        """A call of which nobody knows what it costs does not go out either once a cap is spent, however that came about."""
        for name in ("hard", "loose"):
            agent = self.fleet.get(name)
            assert agent is not None
            exchange = self.exchange(name, path="/v1/rerank")
            exchange.targets = [Target(self.config.providers["openai"], None)]
            exchange.amount = 7  # of an earlier look, at other targets
            self.assertEqual(self.taken(exchange).amount, 0)
            agent.account.hold("lost", MILL)
            agent.account.recover(NOW.wall)
            self.assertIn("$0.001 in total is spent", self.refused(exchange).message)

    def test_estimate(self) -> None:
        """Under `estimate` a call that may cost more than is left passes; a second that could not be stopped does not."""
        self.taken(self.exchange("loose", max_tokens=4000))
        self.refused(self.exchange("loose", max_tokens=4000))

    def test_estimate_streams(self) -> None:
        """Streams can be cut, so many of them may run while there is money for their input."""
        for _ in range(8):
            self.taken(self.exchange("loose", max_tokens=4000, stream=True))

    def test_free_calls(self) -> None:
        """A call that is not paid for holds nothing."""
        exchange = self.taken(self.exchange("hard", path="/v1/files"))
        self.assertEqual((exchange.reservation, self.flushed), (None, 0))

    def test_dearest(self) -> None:
        """Of all providers it may fall back to, the dearest one's price is held."""
        self.assertEqual(dearest(self.exchange("hard", RATES, DEAR)), DEAR)
        self.assertEqual(dearest(self.exchange("hard", DEAR, RATES)), DEAR)

    def test_settled_or_released(self) -> None:
        """What it cost is booked; a call that never went out gives back all it held."""
        agent = self.fleet.get("hard")
        assert agent is not None
        exchange = self.taken(self.exchange("hard", max_tokens=20))
        exchange.cost = 1234
        self.step.close(exchange, NOW)
        self.assertEqual((agent.account.life.cost, agent.account.reserved), (1234, 0))
        self.step.close(self.taken(self.exchange("hard", max_tokens=20)), NOW)
        self.assertEqual((agent.account.life.cost, agent.account.reserved, agent.account.life.calls), (1234, 0, 2))

    def test_affordable(self) -> None:
        """The most output that fits is found to the token."""
        for room in (0, 299_999, 300_000, 314_999, 315_000, 10**7):
            limit = affordable(RATES, 100, room)
            self.assertTrue(limit == 0 or RATES.bound(100, limit) <= room)
            self.assertGreater(RATES.bound(100, limit + 1), room)


class BorrowTests(SynchronousTestCase):
    """Money that belongs to a fleet of processes."""

    def setUp(self) -> None:
        """Agents for whom nothing is borrowed yet."""
        self.config = config_of(CONFIG)
        self.link = Link(confirmed=NOW.wall)
        self.fleet = fleet_of(self.config, self.link)
        self.step = Reserve(self.fleet, lambda: None)

    def exchange(self, agent: str, **body: Any) -> Exchange:
        """A call."""
        exchange = call(CHAT, json.dumps({"model": "m", **body}).encode())
        exchange.agent, exchange.surface = self.fleet.get(agent), surface("POST", CHAT, "openai")
        exchange.asked = exchange.surface.understand(CHAT, exchange.body or b"")
        exchange.targets = [Target(self.config.providers["openai"], RATES)]
        return exchange

    def grant(self, exchange: Exchange, ceiling: int, leased: int = 0) -> None:
        """The answer to what was asked for."""
        assert exchange.agent is not None
        ask = exchange.agent.ask(NOW)
        exchange.agent.granted(
            ask, Grant(ask.agent, False, ceiling, NOTHING, NOTHING, NOTHING, leased, 0, (), NONE_GONE), NOW
        )

    def test_asked(self) -> None:
        """A call waits for what it may cost at most, and holds it once it is lent."""
        exchange = self.exchange("hard", max_tokens=20)
        self.assertIs(self.step.check(exchange, NOW), BORROW)
        self.grant(exchange, exchange.amount)
        self.assertIsNone(self.step.check(exchange, NOW))
        self.step.take(exchange, NOW)
        assert exchange.reservation is not None
        self.assertEqual(exchange.reservation.amount, exchange.amount)

    def test_lowered(self) -> None:
        """Where less is left than a call may cost, its output is lowered to what was lent."""
        exchange = self.exchange("hard", max_tokens=100)
        self.assertIs(self.step.check(exchange, NOW), BORROW)
        self.grant(exchange, 900_000, leased=100_000)
        self.assertIsNone(self.step.check(exchange, NOW))
        self.assertLessEqual(exchange.amount, 900_000)
        self.assertLess(json.loads(exchange.body or b"")["max_tokens"], 100)

    def test_refused(self) -> None:
        """Where others hold all of it, the call is refused as for any spent budget."""
        exchange = self.exchange("hard", max_tokens=20)
        self.assertIs(self.step.check(exchange, NOW), BORROW)
        self.grant(exchange, 0, leased=MILL)
        answer = self.step.check(exchange, NOW)
        assert isinstance(answer, Refusal)
        self.assertEqual((answer.reason, answer.status), ("budget_exceeded", 402))

    def test_away(self) -> None:
        """While nobody can be asked, `hard` is told to try again shortly; the others go on."""
        self.link.up = False
        answer = self.step.check(self.exchange("hard", max_tokens=20), NOW)
        assert isinstance(answer, Refusal)
        self.assertEqual((answer.reason, answer.status, answer.retry_after), ("overloaded", 503, 1))
        self.assertIsNone(self.step.check(self.exchange("loose", max_tokens=20), NOW))

    def test_emptied(self) -> None:
        """Where the store answers, and has lost what it knew, the refusal says that."""
        self.link.grace = True
        answer = self.step.check(self.exchange("hard", max_tokens=20), NOW)
        assert isinstance(answer, Refusal)
        self.assertEqual((answer.reason, answer.status), ("overloaded", 503))
        self.assertIn("has lost what it knew", answer.message)
        self.assertNotIn("does not answer", answer.message)

    def test_begins(self) -> None:
        """Where nobody has used the store before the first calls wait for it."""
        self.link.grace = self.link.begins = True
        self.assertIs(self.step.check(self.exchange("hard", max_tokens=20), NOW), BORROW)

    def test_free(self) -> None:
        """An agent without caps never waits."""
        self.assertIsNone(self.step.check(self.exchange("free"), NOW))
