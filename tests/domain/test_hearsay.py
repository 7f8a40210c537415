"""What other processes say of an agent."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.hearsay import caps_heard, pause_heard, said
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import SECOND, Caps, Pause, Standing
from agentgateway.domain.windows import Calendar
from tests.pipeline.calls import config_of

NOW = Moment(10.0, 1_790_002_860.0)
AT = int(NOW.wall) * SECOND
MINE, THEIRS = Pause("operator", "mine", 1.0), Pause("operator", "theirs", 2.0)


class HearsayTests(SynchronousTestCase):
    """One agent of a fleet."""

    def setUp(self) -> None:
        """Nobody has said anything."""
        self.noted: list[Standing] = []
        self.told: list[Standing] = []
        link = Link(stand=self.told.append, cap=self.told.append)
        config = config_of("agents: {a: {budget: {max_cost_per_hour: 1}}}")
        self.fleet = Fleet(config, Ledger(Calendar.of("UTC")), NOW, self.noted.append, link=link)

    @property
    def agent(self) -> AgentState:
        """That agent."""
        agent = self.fleet.get("a")
        assert agent is not None
        return agent

    def test_later(self) -> None:
        """Of two words the one said later stands, whichever is heard first; each change is noted, and told no further."""
        pause_heard(self.fleet, self.agent, THEIRS, 7, NOW)
        pause_heard(self.fleet, self.agent, None, 6, NOW)
        self.assertEqual((self.agent.pause, self.agent.paused_at), (THEIRS, 7))
        pause_heard(self.fleet, self.agent, THEIRS, 7, NOW)
        pause_heard(self.fleet, self.agent, MINE, 7, NOW)  # of two at the same time the one that the store kept
        self.assertEqual((self.agent.pause, [one.pause for one in self.noted]), (MINE, [THEIRS, MINE]))
        self.assertEqual(self.told, [])

    def test_parts(self) -> None:
        """A word on caps leaves the pause alone, and the other way round."""
        pause_heard(self.fleet, self.agent, THEIRS, 7, NOW)
        caps_heard(self.fleet, self.agent, Caps(5), 3, NOW)
        pause_heard(self.fleet, self.agent, None, 8, NOW)
        caps_heard(self.fleet, self.agent, Caps(4), 2, NOW)
        self.assertEqual((self.agent.pause, self.agent.caps), (None, Caps(5)))
        self.assertEqual(self.agent.budget.max_cost_per_hour, 5)

    def test_said_here(self) -> None:
        """What is said here comes after all that was heard, even where the clocks of others are ahead."""
        pause_heard(self.fleet, self.agent, THEIRS, AT + 90 * SECOND, NOW)
        self.fleet.resume(self.agent, "go on", NOW)
        self.fleet.set_caps(self.agent, Caps(5), NOW)
        [resumed, capped] = self.told
        self.assertEqual((resumed.pause, resumed.paused_at), (None, AT + 90 * SECOND + 1))
        self.assertEqual((capped.caps, capped.capped_at), (Caps(5), AT))
        pause_heard(self.fleet, self.agent, THEIRS, AT + 90 * SECOND, NOW)
        self.assertIsNone(self.agent.pause)

    def test_budget(self) -> None:
        """What a budget has paused nobody has said, and nobody can take back but the budget."""
        caps_heard(self.fleet, self.agent, Caps(0), 3, NOW)
        pause = self.agent.pause
        assert pause is not None
        self.assertEqual((pause.by, said(pause), said(THEIRS), self.told), ("budget", None, THEIRS, []))
        pause_heard(self.fleet, self.agent, None, 9, NOW)
        self.assertIs(self.agent.pause, pause)
        pause_heard(self.fleet, self.agent, THEIRS, 10, NOW)
        self.assertEqual(self.agent.pause, THEIRS)
        pause_heard(self.fleet, self.agent, None, 11, NOW)
        self.assertEqual(self.agent.pause, pause)
        caps_heard(self.fleet, self.agent, None, 4, NOW)
        self.assertIsNone(self.agent.pause)
