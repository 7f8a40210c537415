"""A thousand processes and a hundred thousand agents: caps hold, little is asked, and little lies about for nothing.

`SECONDS=` and `CALLS=` (a second) in the environment make it longer and busier.
"""

import os
import random

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from tests.stores.live.asking import HOUR, START
from tests.stores.live.nodes import BEAT, STEP, Call, Nodes

PROCESSES, AGENTS, BUSY = 1_000, 100_000, 200
SECONDS, CALLS = int(os.environ.get("SECONDS", "12")), int(os.environ.get("CALLS", "800"))
WORST = 1_000_000
TIGHT, WIDE = 5 * WORST, 1_000 * WORST
"""What a busy agent may spend in an hour, and any other."""
STRANDED = 6
"""Borrowed for nothing is never more than what so many seconds of all calls cost."""
IDLE = 4
"""Seconds after its last call in which a process has given everything back."""
QUESTIONS = 1.0
"""Questions of a process a second, where it has nothing to ask for."""
PER_CALL = 2.0
"""Questions for the sake of one call, and what they say of agents, where no process gets the same agent's calls twice."""
ROWS = 6.0


class SimulationTests(SynchronousTestCase):
    """The accounts and the scripts of the real thing; no sockets, no clock."""

    def setUp(self) -> None:
        """Calls begin shortly before a full hour."""
        self.dice = random.Random(7)
        self.names = [f"agent-{number:05}" for number in range(AGENTS)]
        budgets = {
            name: Budget(max_cost_per_hour=TIGHT if index < BUSY else WIDE, enforcement="hard")
            for index, name in enumerate(self.names)
        }
        self.fleet = Nodes(PROCESSES, budgets, START + HOUR - SECONDS / 2, self.dice)

    def test_thousand_processes(self) -> None:
        """Any process gets any agent's calls, some processes die, an hour turns: what the documentation says holds."""
        fleet = self.fleet
        stranded = self.busy()
        calls = fleet.calls + fleet.refused.total()
        pace = sum(fleet.spent.values()) / SECONDS
        print(
            f"{calls} calls, {fleet.refused.total()} refused; {fleet.syncs / SECONDS:.0f} questions a second,"
            f" {fleet.rows / calls:.1f} rows a call; borrowed for nothing at most what {stranded / pace:.1f} s cost"
        )
        self.assertGreater(fleet.refused.total(), 0)
        self.assertLess(fleet.syncs, QUESTIONS * PROCESSES * SECONDS + PER_CALL * calls)
        self.assertLess(fleet.rows, ROWS * calls)
        self.assertLess(stranded, STRANDED * pace)
        self.quiet(IDLE + 3)
        self.assertEqual(fleet.stranded(), 0)
        self.last_cents()
        for (agent, hour), spent in fleet.spent.items():
            self.assertLessEqual(spent, fleet.budgets[agent].max_cost_per_hour, (agent, hour))

    def busy(self) -> int:
        """All the calls; gives what was borrowed for nothing at the worst moment."""
        most, steps = 0, int(SECONDS / STEP)
        for step in range(steps):
            self.fleet.step([self.call() for _ in range(int(CALLS * STEP))])
            if step % BEAT == 0:
                most = max(most, self.fleet.stranded())
            if step == steps // 3:
                self.fleet.kill(PROCESSES // 100)
        return most

    def call(self) -> Call:
        """Half of all calls are for the few busy agents."""
        agent = self.dice.choice(self.names[:BUSY] if self.dice.random() < 0.5 else self.names)
        return Call(agent, self.dice.randrange(WORST // 10, WORST), WORST, self.dice.uniform(0.2, 3))

    def quiet(self, seconds: float) -> None:
        """Nobody calls."""
        for _ in range(int(seconds / STEP)):
            self.fleet.step([])

    def last_cents(self) -> None:
        """A call is refused only where what it may cost is not left, whichever process it comes to."""
        asking, hour = set(self.names[:BUSY]), int(self.fleet.now // HOUR)
        while asking:
            before = self.fleet.refused.copy()
            self.fleet.step([Call(agent, WORST, WORST, STEP) for agent in sorted(asking)])
            self.quiet(IDLE)
            for agent in [agent for agent in asking if self.fleet.refused[agent] > before[agent]]:
                asking.remove(agent)
                self.assertGreater(self.fleet.spent[agent, hour] + WORST, TIGHT - self.lost(agent), agent)

    def lost(self, agent: str) -> int:
        """What processes that are gone had borrowed: it counts as spent."""
        part = self.fleet.server.data_of(agent)["sum"]
        return int(sum(lost["cost"] for lost in part["lost"]))
