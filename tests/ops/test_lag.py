"""How late the reactor is, and who is told."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.lag import TICK, Lag


@attrs.define
class Door:
    """Where calls come in."""

    overloaded: bool = False


class LagTests(SynchronousTestCase):
    """A clock that says when each turn came."""

    def setUp(self) -> None:
        """One that has just begun."""
        self.now = 100.0
        self.gate = Door()
        self.alerts: list[str] = []
        self.lag = Lag(lambda: self.now, self.gate, self.alerts.append)
        self.lag.tick()

    def turns(self, *steps: float) -> None:
        """So many seconds from one to the next."""
        for step in steps:
            self.now += step
            self.lag.tick()

    def test_longest(self) -> None:
        """The longest wait of the last minute is shown, and forgotten after it."""
        self.turns(TICK, TICK + 0.25, TICK / 2, TICK)
        self.assertAlmostEqual(self.lag.longest, 0.25)
        self.turns(*[TICK] * 600)
        self.assertAlmostEqual(self.lag.longest, 0)

    def test_gate(self) -> None:
        """Where turns stay late the gate closes and an operator hears of it, once; then it opens again, by itself."""
        self.turns(1.0)
        self.assertFalse(self.gate.overloaded)
        self.turns(1.0, 1.0)
        self.assertTrue(self.gate.overloaded)
        self.assertEqual(len(self.alerts), 1)
        self.assertIn("overloaded: calls wait 0.9 s", self.alerts[0])
        self.turns(*[TICK] * 12)
        self.assertFalse(self.gate.overloaded)
        self.assertEqual(len(self.alerts), 2)
        self.assertIn("no longer overloaded", self.alerts[1])
