"""Rates, tokens and calls at once, one step at a time."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.lease import BucketGrant
from agentgateway.domain.link import Link
from agentgateway.domain.refusal import Refusal
from agentgateway.domain.usage import Usage
from agentgateway.pipeline.onion import BORROW
from agentgateway.pipeline.throttle import Throttle
from agentgateway.providers.dialect import Asked
from agentgateway.providers.known import surface
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of, later

CONFIG = """
agents:
  rated: {rate_limit: 6/min}
  wordy: {token_limit: 600/min}
  narrow: {max_concurrency: 1}
  both: {rate_limit: 1/min, token_limit: 600/h}
"""


class ThrottleTests(SynchronousTestCase):
    """Checked first, taken after."""

    def setUp(self) -> None:
        """Agents with limits."""
        self.fleet = fleet_of(config_of(CONFIG))
        self.step = Throttle()

    def exchange(self, agent: str, max_output: int = 100) -> Exchange:
        """A call of a hundred tokens, that has been understood."""
        exchange = call(CHAT, b"x" * 400)
        exchange.agent, exchange.asked = self.fleet.get(agent), Asked(max_output=max_output)
        exchange.surface = surface("POST", CHAT, "openai")
        return exchange

    def taken(self, exchange: Exchange) -> Exchange:
        """A call that passes, and is let in."""
        self.assertIsNone(self.step.check(exchange, NOW))
        self.step.take(exchange, NOW)
        exchange.admitted = True
        return exchange

    def wait(self, exchange: Exchange) -> float:
        """The seconds that a refused call is told to wait."""
        answer = self.step.check(exchange, NOW)
        assert isinstance(answer, Refusal) and answer.retry_after is not None
        self.assertEqual((answer.reason, answer.status), ("rate_limited", 429))
        return answer.retry_after

    def test_asking_takes_nothing(self) -> None:
        """However often calls are looked at, and refused by others, the rate is untouched."""
        for _ in range(20):
            self.assertIsNone(self.step.check(self.exchange("rated"), NOW))

    def test_rate(self) -> None:
        """After the burst the next call passes when the bucket says."""
        for _ in range(6):
            self.taken(self.exchange("rated"))
        self.assertEqual(self.wait(self.exchange("rated")), 10.0)
        self.assertIsNone(self.step.check(self.exchange("rated"), later(10)))

    def test_tokens_are_put_right(self) -> None:
        """What was expected is taken; what was used stands in the end, less or more."""
        agent = self.fleet.get("wordy")
        assert agent is not None and agent.tokens is not None
        for usage, left in ((Usage(input=30, output=20), 550), (Usage(input=500, output=250), 0)):
            exchange = self.taken(self.exchange("wordy"))
            self.assertEqual(exchange.tokens_taken, 200)
            exchange.usage = usage
            self.step.close(exchange, NOW)
            self.assertEqual(agent.tokens.available(NOW.monotonic), left)
        self.assertEqual(agent.tokens.debt(NOW.monotonic), 200)
        self.assertEqual(self.wait(self.exchange("wordy")), 40.0)

    def test_history_says_what_to_expect(self) -> None:
        """An agent whose answers are short is not held to what its calls might say at most."""
        agent = self.fleet.get("wordy")
        assert agent is not None
        agent.account.count(NOW.wall, error=False, input_tokens=5, output_tokens=8)
        self.assertEqual(self.taken(self.exchange("wordy", 64_000)).tokens_taken, 108)

    def test_concurrency(self) -> None:
        """While as many calls run as may, another is asked to come back in a second."""
        agent = self.fleet.get("narrow")
        assert agent is not None
        agent.in_flight = 1
        self.assertEqual(self.wait(self.exchange("narrow")), 1)
        agent.in_flight = 0
        self.assertIsNone(self.step.check(self.exchange("narrow"), NOW))

    def test_the_longest_wait(self) -> None:
        """Of two limits that are used up the longer wait is told."""
        agent = self.fleet.get("both")
        assert agent is not None and agent.tokens is not None
        self.taken(self.exchange("both"))
        agent.tokens.charge(NOW.monotonic, 400)
        self.assertEqual(self.wait(self.exchange("both")), 1200.0)


class LentTests(ThrottleTests):
    """Limits that belong to a fleet of processes. Alone in it, while nobody can be asked, all is as without one."""

    def setUp(self) -> None:
        """The same agents, as one of one."""
        self.fleet = fleet_of(config_of(CONFIG), Link(up=False))
        self.step = Throttle()


class BorrowTests(SynchronousTestCase):
    """What a call lacks is asked for."""

    def setUp(self) -> None:
        """Agents to whom nothing is lent yet."""
        self.fleet = fleet_of(config_of(CONFIG), Link())
        self.step = Throttle()

    def exchange(self, agent: str) -> Exchange:
        """A call that has been understood."""
        exchange = call(CHAT, b"x" * 400)
        exchange.agent, exchange.asked = self.fleet.get(agent), Asked(max_output=100)
        exchange.surface = surface("POST", CHAT, "openai")
        return exchange

    def test_asked(self) -> None:
        """A call waits for a token, and passes with it; the next one waits for another."""
        exchange = self.exchange("rated")
        self.assertIs(self.step.check(exchange, NOW), BORROW)
        assert exchange.agent is not None
        [bucket] = exchange.agent.lent()
        self.assertEqual(bucket.ask(NOW.monotonic).want, 1)
        bucket.take(NOW.monotonic, BucketGrant("rate_limit", 1, 0.0))
        self.assertIsNone(self.step.check(exchange, NOW))
        self.step.take(exchange, NOW)
        self.assertIs(self.step.check(self.exchange("rated"), NOW), BORROW)

    def test_denied(self) -> None:
        """Where there is none, it is refused with the time the fleet's next token takes."""
        exchange = self.exchange("rated")
        self.step.check(exchange, NOW)
        assert exchange.agent is not None
        [bucket] = exchange.agent.lent()
        bucket.ask(NOW.monotonic)
        bucket.take(NOW.monotonic, BucketGrant("rate_limit", 0, 7.0))
        for one in (exchange, self.exchange("rated")):
            answer = self.step.check(one, NOW)
            assert isinstance(answer, Refusal)
            self.assertEqual((answer.reason, answer.retry_after), ("rate_limited", 7.0))

    def test_place(self) -> None:
        """A place is asked for likewise."""
        exchange = self.exchange("narrow")
        self.assertIs(self.step.check(exchange, NOW), BORROW)
        assert exchange.agent is not None and exchange.agent.places is not None
        exchange.agent.places.take(NOW.monotonic, 1)
        self.assertIsNone(self.step.check(exchange, NOW))

    def test_not_for_ever(self) -> None:
        """A call waits a few times at most, should others always be faster."""
        exchange = self.exchange("rated")
        answers = [self.step.check(exchange, NOW) is BORROW for _ in range(6)]
        self.assertEqual(answers, [True, True, True, True, False, False])
