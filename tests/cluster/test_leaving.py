"""A process that stops, while all is well and while the shared store hangs."""

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.cluster.processes import start_members
from tests.governance.books import Wish
from tests.harness import reactor

AGENTS = "  hard: {{budget: {{max_cost_total: 0.003, enforcement: hard}}}}"
WISH = Wish("hard", size=10, output=100)
"""Costs nearly two thirds of that, at most."""


class LeavingTests(TestCase):
    """SIGTERM."""

    timeout = 60

    def test_given_back(self) -> Any:
        """What it had borrowed is there for the others at once."""

        async def scenario() -> None:
            _, [one, other] = await start_members(self, AGENTS, 2)
            first = await one.call(WISH)
            assert first is not None and one.process is not None
            self.assertEqual(first.status, 200)
            one.process.stop()
            status, _ = await one.process.ended
            self.assertEqual(status, 0)
            statuses = []
            while not statuses or statuses[-1] == 200:
                answer = await other.call(WISH)
                assert answer is not None
                statuses.append(answer.status)
            self.assertEqual(statuses[0], 200)

        return ensureDeferred(scenario())

    def test_store_hangs(self) -> Any:
        """It does not wait for a store that does not answer."""

        async def scenario() -> None:
            redis, [one] = await start_members(self, AGENTS, 1)
            await one.call(WISH)
            redis.freeze()
            assert one.process is not None
            begun = reactor.seconds()
            one.process.stop()
            status, _ = await one.process.ended
            self.assertEqual(status, 0)
            print(f"stopped after {reactor.seconds() - begun:.1f} s")

        return ensureDeferred(scenario())
