"""What policies and status pages know of an agent."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.facts import IDLE_AFTER, Facts
from agentgateway.domain.lexicon import NAMES
from tests.pipeline.calls import NOW, config_of, fleet_of, later

CONFIG = "agents: {writer: {provider: openai, model: gpt-4o, tags: [team]}}"


class FactsTests(SynchronousTestCase):
    """One agent at one moment."""

    def setUp(self) -> None:
        """An agent that has made two calls, one of them in vain."""
        self.fleet = fleet_of(config_of(CONFIG))
        agent = self.fleet.get("writer")
        assert agent is not None
        self.agent, account = agent, agent.account
        account.settle(NOW.wall, account.hold("a", 0), 2_500_000_000)
        account.count(NOW.wall, error=False, input_tokens=100, output_tokens=20)
        account.count(NOW.wall, error=True, input_tokens=0, output_tokens=0)
        agent.last_call = NOW.wall

    def test_every_name_has_a_value(self) -> None:
        """Whatever a condition may name is known of each agent."""
        facts = Facts(self.agent, NOW.wall)
        for name in NAMES:
            self.assertIsNotNone(getattr(facts, name), name)

    def test_numbers(self) -> None:
        """Dollars, rates and counts of the hour and of all time."""
        facts = Facts(self.agent, NOW.wall)
        self.assertEqual((facts.cost_this_hour, facts.cost_today, facts.total_cost), (2.5, 2.5, 2.5))
        self.assertEqual((facts.error_rate, facts.errors_this_hour, facts.error_count), (0.5, 1, 1))
        self.assertEqual((facts.calls_this_hour, facts.call_count, facts.tokens_this_hour), (2, 2, 120))
        self.assertEqual((facts.cost_per_minute, facts.calls_per_minute), (2.5, 2))
        self.assertEqual((facts.model, facts.provider, facts.tags), ("gpt-4o", "openai", ("team",)))

    def test_next_hour(self) -> None:
        """What is of this hour is gone in the next."""
        facts = Facts(self.agent, NOW.wall + 3600)
        self.assertEqual((facts.cost_this_hour, facts.error_rate, facts.total_cost), (0, 0, 2.5))

    def test_status(self) -> None:
        """Active within five minutes of a call and while one is under way, then idle; paused whatever else."""
        soon, much_later = later(IDLE_AFTER - 1), later(IDLE_AFTER + 1)
        self.assertEqual(Facts(self.agent, soon.wall).status, "active")
        self.assertEqual(Facts(self.agent, much_later.wall).status, "idle")
        self.agent.in_flight = 1
        self.assertEqual(Facts(self.agent, much_later.wall).status, "active")
        self.fleet.pause(self.agent, "operator", "enough", NOW)
        self.assertEqual(Facts(self.agent, NOW.wall).status, "paused")
