"""The calls in flight of one agent, and how far they can take it over a cap under `estimate`."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.caps import CapExceeded, NotOpen, Reservation
from agentgateway.domain.inflight import InFlight
from agentgateway.domain.windows import Calendar

NOW = 1_795_435_200.0
CAP, CHUNK, CERTAIN, WORST = 1000, 20, 15, 200


class InFlightTests(SynchronousTestCase):
    """Sums that are kept."""

    def test_sums(self) -> None:
        """Each sum is that of the calls that are there."""
        calls = InFlight.of([Reservation("a", "me", 10, 0, 30)])
        b = calls.add(Reservation("b", "me", 5))
        self.assertEqual((calls.reserved, calls.accrued, calls.at_risk, calls.exposed), (15, 0, 30, 35))
        calls.change(b, 6, 6, 2)
        self.assertEqual((calls.reserved, calls.accrued, calls.at_risk, calls.exposed), (16, 6, 32, 36))
        self.assertEqual(calls.largest_risk(), 30)
        calls.remove(b)
        self.assertEqual((calls.reserved, calls.accrued, calls.at_risk, calls.exposed), (10, 0, 30, 30))
        self.assertEqual(([call.id for call in calls], "a" in calls, calls.get("b")), (["a"], True, None))

    @given(st.lists(st.tuples(st.sampled_from("+~^-"), *(st.integers(0, 9) for _ in range(4))), max_size=15))
    def test_any_order(self, steps: list[tuple[str, int, int, int, int]]) -> None:
        """Whatever begins, changes, accrues and ends: each sum is that of the calls that are there."""
        calls, there = InFlight(), list[Reservation]()
        for number, (what, which, amount, accrued, risk) in enumerate(steps):
            if what == "+" or not there:
                there.append(calls.add(Reservation(str(number), "me", amount, accrued, risk)))
            elif what == "~":
                calls.change(there[which % len(there)], amount, accrued, risk)
            elif what == "^":
                calls.accrue(there[which % len(there)], amount, accrued)
            else:
                calls.remove(there.pop(which % len(there)))
            found = calls.reserved, calls.accrued, calls.at_risk, calls.exposed
            sums = [sum(getattr(call, name) for call in there) for name in ("amount", "accrued", "risk")]
            self.assertEqual(found, (*sums, sum(max(call.amount, call.risk) for call in there)))

    def test_strangers(self) -> None:
        """A reservation that is over, or another's, is not among them."""
        calls = InFlight.of([Reservation("a", "me", 10)])
        self.assertRaises(NotOpen, calls.remove, Reservation("a", "me", 10))
        self.assertEqual(calls.reserved, 10)

    def test_stop(self) -> None:
        """Every call that can be stopped is, once, also where stopping one asks for all to be stopped."""
        calls, stopped = InFlight(), []

        def stop(call: Reservation) -> None:
            stopped.append(call.id)
            calls.remove(call)
            calls.stop()

        for name in "abc":
            call = calls.add(Reservation(name, "me", 1))
            call.stop = None if name == "b" else lambda call=call: stop(call)
        calls.stop()
        self.assertEqual((stopped, [call.id for call in calls]), (["a", "c"], ["b"]))
        calls.stop()
        self.assertEqual(stopped, ["a", "c"])


class World:
    """An agent under `estimate`, whose calls do the worst they can."""

    def __init__(self) -> None:
        self.account = Account.new("me", Budget(max_cost_total=CAP), Calendar.of("UTC"))
        self.open: list[tuple[Reservation, bool]] = []
        self.number = 0

    def begin(self, stream: bool) -> None:
        """A call, where it fits."""
        self.number += 1
        account, amount = self.account, self.account.quote(NOW, WORST)
        try:
            call = account.reserve(NOW, amount, str(self.number), account.risk(WORST, CERTAIN, stream))
        except CapExceeded:
            return
        self.open.append((call, stream))
        if stream:
            call.stop = lambda: self.end(call, max(call.accrued, call.risk))

    def end(self, call: Reservation, cost: int) -> None:
        """It is over."""
        self.open = [entry for entry in self.open if entry[0] is not call]
        self.account.settle(NOW, call, cost)
        self.account.stop_streams(NOW)

    def chunk(self, call: Reservation, size: int) -> None:
        """More of a stream; its input comes with the first."""
        if self.account.accrue(NOW, call, max(call.accrued, CERTAIN) + size):
            self.end(call, call.accrued)


steps = st.lists(st.tuples(st.sampled_from("wsscce"), st.integers(0, 99), st.integers(1, CHUNK)), max_size=150)


class BoundTests(SynchronousTestCase):
    """`enforcement: estimate`."""

    @settings(max_examples=300, deadline=None)
    @given(steps)
    def test_bound(self, steps: Any) -> None:
        """In any order a cap is passed by one call that nothing could stop and by one chunk, no more."""
        world = World()
        for what, which, size in steps:
            if what in "ws":
                world.begin(what == "s")
            elif world.open:
                call, stream = world.open[which % len(world.open)]
                if stream and what == "c":
                    world.chunk(call, size)
                else:
                    world.end(call, max(call.accrued, call.risk) if stream else min(WORST, call.risk))
            self.assertLessEqual(world.account.life.cost, CAP + WORST + CHUNK)
        for call, stream in list(world.open):
            if any(call is other for other, _ in world.open):
                world.end(call, max(call.accrued, call.risk) if stream else call.risk)
        self.assertLessEqual(world.account.life.cost, CAP + WORST + CHUNK)
        self.assertEqual((world.account.reserved, world.account.accrued), (0, 0))
