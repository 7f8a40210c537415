"""Which agents are asked about next."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.turns import LOOK_AGAIN, LOOKED_AT, Turns
from tests.ops.fleets import Time, member
from tests.stores.live.memory import MemoryServer

CONFIG = """
agents:
  "*": {budget: {max_cost_total: 1, enforcement: hard}}
"""


class TurnsTests(SynchronousTestCase):
    """One process."""

    def setUp(self) -> None:
        """Two agents are known."""
        self.time = Time()
        self.one = member(MemoryServer(self.time.wall), self.time, CONFIG, "one")
        for name in ("writer", "reader"):
            self.one.agent(name)
        self.turns: Turns = self.one.cluster.turns
        self.turns.all().clear()
        for some in (self.one.link.urgent, self.one.link.changed, self.turns.due):
            some.clear()

    def test_order(self) -> None:
        """Calls that wait come first, then what is urgent, what was forgotten, and what is due; nothing comes twice."""
        self.turns.due |= {"a", "d"}
        self.turns.untold |= {"a", "c"}
        self.one.link.urgent |= {"a", "b"}
        self.assertEqual(self.turns.take(1, ["a"]), {"a"})
        self.assertEqual([self.turns.take(1, []) for _ in range(4)], [{"b"}, {"c"}, {"d"}, set()])

    def test_nothing_to_get(self) -> None:
        """While a new fleet's store lends nothing yet, calls that wait are in nobody's way, however many they are."""
        self.one.link.begins = True
        self.turns.due.add("a")
        self.turns.untold.add("b")
        taken = [self.turns.take(1, ["c", "d"]) for _ in range(3)]
        self.assertEqual(taken, [{"a"}, {"b"}, {"c"}])

    def test_missed(self) -> None:
        """Who was asked about in vain is due again, and stays untold if nothing was told."""
        self.turns.due.add("a")
        self.turns.untold.add("b")
        self.turns.missed(self.turns.take(9, []))
        self.assertEqual((self.turns.due, self.turns.untold), ({"a", "b"}, {"b"}))

    def test_forgotten(self) -> None:
        """After a loss all that was done is told again; of agents that did nothing there is nothing to tell."""
        self.one.spend_free("writer")
        self.turns.forgotten()
        self.assertEqual(self.turns.untold, {"writer"})

    def test_beat(self) -> None:
        """What has changed is due with the beat, and in turn every agent, to learn what others did."""
        self.one.spend_free("writer")
        self.turns.beat(self.time.moment())
        self.assertEqual((self.turns.due, self.one.link.changed), ({"writer", "reader"}, set()))
        for number in range(2 * LOOKED_AT):
            self.one.agent(f"a{number}")
        self.turns.due.clear()
        self.turns.beat(self.time.moment())
        self.assertEqual(len(self.turns.due), LOOKED_AT)

    def test_paused(self) -> None:
        """An agent that its budget has paused is looked at every few beats: it may have been given more elsewhere."""
        writer = self.one.agent("writer")
        self.one.fleet.pause(writer, "budget", "total", self.time.moment())
        self.one.link.members = 10 * LOOKED_AT
        seen = 0
        for _ in range(4 * LOOK_AGAIN):
            self.turns.due.clear()
            self.turns.beat(self.time.moment())
            seen += "writer" in self.turns.due
        self.assertGreaterEqual(seen, 4)
