"""Caps looked up once a window say what caps looked up each time would say."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.limits import Limits
from agentgateway.domain.windows import Calendar

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200
CAPS = st.none() | st.integers(1, 3000)
STEPS = st.lists(
    st.tuples(st.sampled_from((0, 1, 1800, 3600, 90_000, -1, -1800, -90_000)), st.integers(0, 900), st.integers(0, 900))
)


def said(account: Account, now: float, held: int) -> tuple[object, ...]:
    """All that the caps answer, looked up anew."""
    fresh = Limits.of(account.budget, lambda now: account.life, *account.own_windows(), account.own_windows())
    return answers(fresh, now, held)


def answers(limits: Limits, now: float, held: int) -> tuple[object, ...]:
    """All that these answer."""
    tightest = limits.tightest(now, held)
    return limits.left(now), limits.in_the_way(now, held, held), tightest, (tightest.remaining, tightest.resets_at)


class LimitsTests(SynchronousTestCase):
    """Beside others that remember nothing."""

    @given(st.tuples(CAPS, CAPS, CAPS).filter(any), STEPS)
    def test_as_looked_up(self, caps: tuple[int | None, ...], steps: list[tuple[int, int, int]]) -> None:
        """Whatever is spent, and however the clock goes, back too: nothing that was remembered is out of date."""
        account, now = Account.new("writer", Budget(*caps, warn_at=(0.5, 0.75)), Calendar.of("UTC")), float(NOON)
        for number, (seconds, cost, held) in enumerate(steps):
            now += seconds
            self.assertEqual(answers(account.limits, now, held), said(account, now, held))
            self.assertEqual(account.limits.least(now, held), answers(account.limits, now, held)[-1])
            crossings = account.settle(now, account.hold(str(number), 0), cost)
            expected = [crossing for limit in account.limits for crossing in limit.crossings(now, cost, 0)]
            self.assertEqual(list(crossings), expected)
            self.assertEqual(answers(account.limits, now, held), said(account, now, held))

    def test_none(self) -> None:
        """Without a cap there is nothing to ask."""
        self.assertFalse(Account.new("writer", Budget(), Calendar.of("UTC")).limits)
