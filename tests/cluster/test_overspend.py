"""Caps of a fleet hold for all its processes together."""

import random
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.cluster.members import members
from tests.governance.books import Wish, mixed, nano

CAPS = {"a": 0.02, "b": 0.1, "c": 0.2, "d": 0.5}
HARD = "\n".join(
    f"  {name}: {{{{budget: {{{{max_cost_per_day: {cap}, enforcement: hard}}}}}}}}" for name, cap in CAPS.items()
)


class OverspendTests(TestCase):
    """What is spent by four processes, however their calls interleave."""

    def test_hard(self) -> Any:
        """Under `hard` no cap is ever passed by all together, and most of it can be used."""

        async def scenario() -> None:
            fleet = await members(self, HARD)
            dice = random.Random(7)
            for _ in range(5):
                await fleet.call(mixed(dice, list(CAPS), 100), dice)
            await fleet.quiet()
            for name, cap in CAPS.items():
                self.assertEqual(fleet.spent(name), fleet.logged(name))
                self.assertLessEqual(fleet.spent(name), cap * 10**9, name)
            self.assertGreater(fleet.spent("a"), CAPS["a"] * 10**9 * 0.6)

        return ensureDeferred(scenario())

    def test_estimate(self) -> Any:
        """Under `estimate` each process passes a cap by no more than a call that nothing could stop, and a chunk."""

        async def scenario() -> None:
            fleet = await members(self, HARD.replace("hard", "estimate"))
            dice = random.Random(8)
            for _ in range(5):
                await fleet.call(mixed(dice, list(CAPS), 100), dice)
            await fleet.quiet()
            for name, cap in CAPS.items():
                self.assertEqual(fleet.spent(name), fleet.logged(name))
                mine = [one for gateway in fleet.gateways for one in gateway.records if one["agent"] == name]
                whole = max((nano(one) for one in mine if not one["stream"]), default=0)
                chunk = max((nano(one) for one in mine if one["stream"]), default=0)
                over = fleet.spent(name) - cap * 10**9
                self.assertLessEqual(over, len(fleet.gateways) * (whole + chunk), name)

        return ensureDeferred(scenario())

    def test_money_for_three(self) -> Any:
        """Of fifty calls at once with money for three, exactly three pass, whichever process they come to."""

        async def scenario() -> None:
            wish = Wish("few", output=50)
            body = len(wish.raw.partition(b"\r\n\r\n")[2])
            worst = (body * 3_000 + 50 * 15_000) / 10**9
            fleet = await members(
                self, f"  few: {{{{budget: {{{{max_cost_total: {worst * 3 + worst / 9:.9f}, enforcement: hard}}}}}}}}\n"
            )
            answers = await fleet.call([wish] * 50)
            statuses = [answer.status for answer in answers]
            self.assertEqual((statuses.count(200), statuses.count(402)), (3, 47))

        return ensureDeferred(scenario())
