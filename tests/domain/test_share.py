"""What one process holds of a fleet's money: enough for its calls, no more than was granted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.lease import NONE_GONE, NOTHING, TTL, Ask, Grant
from agentgateway.domain.link import Link
from agentgateway.domain.share import AHEAD, DENIED, Share
from agentgateway.domain.windows import Calendar

HOUR = 1_790_002_800
"""Epoch seconds at which a clock hour begins, in UTC."""
NOW = HOUR + 60.0
CENT = 10_000_000


def account_of(enforcement: str = "hard", **caps: int) -> tuple[Account, Share]:
    """An account of a fleet, and its share, of which nothing is granted yet."""
    account = Account.new("a", Budget(enforcement=enforcement, **caps), Calendar.of("UTC"))  # type: ignore[arg-type]
    share = account.share = Share(account, Link())
    account.set_caps(account.budget)
    share.link.reached(NOW)
    return account, share


def ask(share: Share, now: float = NOW) -> Ask:
    """What it would tell now."""
    return share.ask(now, (0, 0, None), ())


def grant(share: Share, ceiling: int, now: float = NOW, **more: Any) -> tuple[Any, ...]:
    """Answer the question it would ask now; gives the warnings."""
    asked = ask(share, now)
    sums = [more.get(name, NOTHING) for name in ("hour", "day", "life")]
    answer = Grant("a", False, ceiling, *sums, more.get("leased", 0), 0, (), NONE_GONE)
    return share.take(now, asked, answer)


class CeilingTests(SynchronousTestCase):
    """No call holds what was not granted."""

    def test_nothing_granted(self) -> None:
        """Before anything is granted a call has to wait for an answer, which is asked for at once."""
        account, share = account_of(max_cost_total=100 * CENT)
        self.assertTrue(share.borrow(NOW, 3 * CENT, False))
        self.assertEqual(share.link.urgent, {"a"})
        asked = ask(share)
        self.assertEqual((asked.held, asked.need, asked.want), (0, 3 * CENT, 6 * CENT))
        self.assertIsNotNone(account.fits(NOW, 3 * CENT))

    def test_quoted(self) -> None:
        """Under `estimate` no more is quoted than was granted, however much the caps leave."""
        account, share = account_of("estimate", max_cost_total=100 * CENT)
        account.settle(NOW, account.hold("before", 0), 4 * CENT)
        share.borrow(NOW, 4 * CENT, False)
        grant(share, 5 * CENT)
        self.assertEqual(account.quote(NOW, 50 * CENT), CENT)

    def test_granted(self) -> None:
        """What was granted can be held, to the last nano-dollar and no further."""
        account, share = account_of(max_cost_total=100 * CENT)
        share.borrow(NOW, 3 * CENT, False)
        grant(share, 3 * CENT)
        self.assertFalse(share.borrow(NOW, 3 * CENT, False))
        self.assertIsNone(account.fits(NOW, 3 * CENT))
        self.assertIsNotNone(account.fits(NOW, 3 * CENT + 1))
        self.assertEqual(account.room(NOW), 3 * CENT)
        account.reserve(NOW, 3 * CENT, "1")
        self.assertEqual(account.room(NOW), 0)

    def test_grows_within_it(self) -> None:
        """A call under way grows only as far as was granted."""
        account, share = account_of(max_cost_total=100 * CENT)
        share.borrow(NOW, 3 * CENT, False)
        grant(share, 3 * CENT)
        call = account.reserve(NOW, 2 * CENT, "1")
        self.assertTrue(account.extend(NOW, call, 3 * CENT))
        self.assertFalse(account.extend(NOW, call, 3 * CENT + 1))

    def test_others_count(self) -> None:
        """What others have spent counts against every cap, and shows in all sums."""
        account, share = account_of(max_cost_per_hour=10 * CENT)
        theirs = (8 * CENT, 5, 1, 10, 20)
        grant(share, 0, hour=theirs, day=theirs, life=theirs)
        self.assertEqual(account.room(NOW), 0)
        self.assertEqual((account.left(NOW), account.hour(NOW).calls, account.total.errors), (2 * CENT, 5, 1))
        self.assertEqual(account.life.cost, 0)
        [cap] = account.caps(NOW)
        self.assertEqual((cap.spent, cap.remaining), (8 * CENT, 2 * CENT))

    def test_next_hour(self) -> None:
        """What others did in an hour says nothing of the next one."""
        account, share = account_of(max_cost_per_hour=10 * CENT)
        grant(share, 0, hour=(8 * CENT, 5, 1, 10, 20))
        self.assertEqual(account.hour(NOW + 3600).calls, 0)
        self.assertEqual(account.left(NOW + 3600), 10 * CENT)

    def test_denied(self) -> None:
        """Who got less than needed does not ask again at once; a call that has waited may, for exactly what is left."""
        _, share = account_of(max_cost_total=10 * CENT)
        self.assertTrue(share.borrow(NOW, 8 * CENT, False))
        grant(share, 2 * CENT, leased=5 * CENT)
        self.assertFalse(share.borrow(NOW, 8 * CENT, False))
        self.assertTrue(share.borrow(NOW, 8 * CENT, True))
        self.assertEqual(ask(share).need, 5 * CENT)
        self.assertTrue(share.borrow(NOW + DENIED, 8 * CENT, False))

    def test_spent_up(self) -> None:
        """Where nothing is left, and that is known, nobody asks."""
        account, share = account_of(max_cost_total=10 * CENT)
        grant(share, 0, life=(10 * CENT, 1, 0, 1, 1))
        self.assertFalse(share.borrow(NOW, CENT, False))
        cap = account.fits(NOW, CENT)
        assert cap is not None
        self.assertTrue(cap.exhausted)

    @given(st.lists(st.tuples(st.sampled_from(["call", "end", "grant", "later"]), st.integers(0, 9)), max_size=60))
    def test_never_above(self, steps: list[tuple[str, int]]) -> None:
        """Whatever calls come and end, what is spent and held together is never more than was granted."""
        account, share = account_of(max_cost_total=1000 * CENT)
        now, granted, number = NOW, 0, 0
        for what, amount in steps:
            if what == "call" and account.fits(now, amount * CENT) is None:
                account.reserve(now, amount * CENT, str(number := number + 1))
            elif what == "end" and account.open:
                account.settle(now, account.open[0], min(amount * CENT, account.open[0].amount))
            elif what == "grant":
                granted = max(ask(share, now).held, account.life.cost + amount * CENT)
                grant(share, granted, now)
            else:
                now += amount / 4
                share.link.reached(now)
            self.assertLessEqual(account.life.cost + account.reserved, granted)


class SizingTests(SynchronousTestCase):
    """How much is borrowed, and when it is given back."""

    def spend(self, account: Account, share: Share, now: float, cost: int, worst: int) -> None:
        """One whole call."""
        share.borrow(now, worst, False)
        grant(share, max(share.ceiling, account.life.cost + worst), now)
        account.settle(now, account.reserve(now, worst, str(now)), cost)

    def test_ahead(self) -> None:
        """It borrows for a few seconds of what the last one cost, on top of what calls hold at once."""
        account, share = account_of(max_cost_total=1000 * CENT)
        for index in range(10):
            self.spend(account, share, NOW + index / 10, CENT, 3 * CENT)
        self.assertEqual(ask(share, NOW + 0.95).want, 10 * CENT + 3 * CENT + AHEAD * 10 * CENT)

    def test_soon(self) -> None:
        """More is asked for before what is borrowed runs out."""
        account, share = account_of(max_cost_total=1000 * CENT)
        grant(share, 0)
        share.ceiling = 10 * CENT
        share.link.urgent.clear()
        account.settle(NOW, account.reserve(NOW, 4 * CENT, "1"), 4 * CENT)
        self.assertEqual(share.link.urgent, set())
        account.settle(NOW, account.reserve(NOW, 4 * CENT, "2"), 4 * CENT)
        self.assertEqual(share.link.urgent, {"a"})

    def test_given_back(self) -> None:
        """What was not used for a second is given back, but for what calls under way hold."""
        account, share = account_of(max_cost_total=1000 * CENT)
        self.spend(account, share, NOW, CENT, 3 * CENT)
        grant(share, 9 * CENT)
        account.reserve(NOW, 2 * CENT, "open")
        self.assertTrue(share.idle(NOW + 2))
        asked = ask(share, NOW + 2)
        self.assertEqual((asked.held, asked.want, share.ceiling), (3 * CENT, 3 * CENT, 3 * CENT))

    def test_without_caps(self) -> None:
        """An account without caps borrows nothing, and still tells what it did."""
        account, share = account_of()
        account.settle(NOW, account.reserve(NOW, 4 * CENT, "1"), 4 * CENT)
        account.count(NOW, error=True, input_tokens=3, output_tokens=4)
        asked = ask(share)
        self.assertEqual((asked.held, asked.need, asked.want), (0, 0, 0))
        self.assertEqual(asked.in_life, (4 * CENT, 1, 1, 3, 4))
        self.assertEqual(asked.hour, (HOUR, HOUR + 3600))
        self.assertEqual(share.link.changed, {"a"})

    def test_warnings(self) -> None:
        """A warning comes also where the others' spending goes over the mark, once."""
        _, share = account_of(max_cost_total=100 * CENT)
        [crossing] = grant(share, 0, life=(80 * CENT, 1, 0, 0, 0))
        self.assertEqual(crossing.fraction, 0.75)
        self.assertEqual(grant(share, 0, life=(81 * CENT, 1, 0, 0, 0)), ())


class OutageTests(SynchronousTestCase):
    """Nobody can be asked."""

    def lent(self, enforcement: str, **caps: int) -> tuple[Account, Share]:
        """An account that has borrowed three cents, and then the store goes away."""
        account, share = account_of(enforcement, **caps)
        share.borrow(NOW, 3 * CENT, False)
        grant(share, 3 * CENT)
        share.link.up = False
        return account, share

    def test_hard(self) -> None:
        """Under `hard` calls go on by what is borrowed, and no further."""
        account, share = self.lent("hard", max_cost_total=100 * CENT)
        self.assertFalse(share.borrow(NOW, 9 * CENT, False))
        self.assertIsNone(account.fits(NOW, 3 * CENT))
        self.assertIsNotNone(account.fits(NOW, 4 * CENT))

    def test_estimate(self) -> None:
        """Others go on up to their caps, as far as is known what all have spent."""
        account, _ = self.lent("estimate", max_cost_total=100 * CENT)
        self.assertIsNone(account.fits(NOW, 100 * CENT))
        self.assertIsNotNone(account.fits(NOW, 101 * CENT))

    def test_another_hour(self) -> None:
        """What was borrowed for an hour is not good for the next, once the others may take this process for gone."""
        account, _ = self.lent("hard", max_cost_per_hour=100 * CENT)
        self.assertIsNone(account.fits(NOW + 1000, 3 * CENT))
        self.assertIsNotNone(account.fits(NOW + 3600, CENT))

    def test_no_windows(self) -> None:
        """A cap for all time has no next hour: what was borrowed stays good."""
        account, _ = self.lent("hard", max_cost_total=100 * CENT)
        self.assertIsNone(account.fits(NOW + 3600, 3 * CENT))

    def test_back_in_another_hour(self) -> None:
        """Back after an hour's end, an agent of which nothing was said yet has nothing."""
        account, share = self.lent("hard", max_cost_per_hour=100 * CENT)
        share.link.up = True
        share.link.reached(NOW + 3600)
        self.assertIsNotNone(account.fits(NOW + 3600, CENT))
        self.assertEqual(ask(share, NOW + 3600 + TTL / 2).held, 0)

    def test_streams(self) -> None:
        """A stream that outgrows what is borrowed asks for more, and is cut only where that is refused."""
        account, share = account_of("estimate", max_cost_total=100 * CENT)
        share.borrow(NOW, 3 * CENT, False)
        grant(share, 30 * CENT)
        call = account.reserve(NOW, CENT, "1", CENT)
        self.assertFalse(account.accrue(NOW, call, 29 * CENT))
        share.link.urgent.clear()
        self.assertFalse(account.accrue(NOW, call, 31 * CENT))
        self.assertEqual(share.link.urgent, {"a"})
        grant(share, 30 * CENT, leased=70 * CENT)
        self.assertTrue(account.accrue(NOW, call, 32 * CENT))
