"""The ledger: no interleaving, no change of hour and no crash loses money or frees it."""

import json

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.caps import CapExceeded
from agentgateway.domain.journal import Record, Released, Reserved, Settled
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.windows import HOUR, Calendar
from agentgateway.interfaces import Recovered

START = 1_792_886_400 - 3 * HOUR
"""Three hours before the hour that comes twice in Berlin in autumn 2026."""

caps = st.one_of(st.none(), st.integers(0, 300))
budgets = st.builds(Budget, max_cost_per_hour=caps, max_cost_per_day=caps, max_cost_total=caps)
picks = st.integers(0, 10**6)


class LedgerMachine(RuleBasedStateMachine):
    """A ledger beside a plain list of what was settled when."""

    enforcement = "hard"
    zone = "Europe/Berlin"
    start = START

    @initialize(budget=budgets)
    def begin(self, budget):
        self.budget = attrs.evolve(budget, enforcement=self.enforcement)
        self.journal, self.snapshot = [], {}
        self.ledger = Ledger(Calendar.of(self.zone), self.journal.append)
        self.account = self.ledger.account("writer", self.budget)
        self.calendar = Calendar.of(self.zone)
        self.now = self.latest = float(self.start)
        self.settled, self.calls, self.next_id = [], [], 0
        self.taken_before = {"total": 0, "day": 0, "hour": 0}

    @rule(amount=st.integers(0, 200))
    def reserve(self, amount):
        """A call begins, where it fits."""
        amount = self.account.quote(self.now, amount)
        fits = self.account.fits(self.now, amount)
        self.next_id += 1
        try:
            self.calls.append(self.account.reserve(self.now, amount, str(self.next_id)))
        except CapExceeded as error:
            assert error.cap == fits is not None
        else:
            assert fits is None

    @precondition(lambda self: self.calls)
    @rule(which=picks, more=st.integers(0, 120))
    def accrue(self, which, more):
        """A stream goes on, and is cut where it must be."""
        call = self.calls[which % len(self.calls)]
        if self.account.accrue(self.now, call, call.accrued + more):
            self.finish(call, call.accrued)

    @precondition(lambda self: self.calls)
    @rule(which=picks, cost=st.integers(0, 250))
    def settle(self, which, cost):
        """A call ends, at whatever it cost."""
        self.finish(self.calls[which % len(self.calls)], cost)

    def finish(self, call, cost):
        cost = min(cost, call.amount) if self.enforcement == "hard" else cost
        self.calls.remove(call)
        self.account.settle(self.now, call, cost)
        self.settled.append((self.latest, cost))

    @precondition(lambda self: self.calls)
    @rule(which=picks)
    def release(self, which):
        """A call never went out."""
        self.account.release(self.calls.pop(which % len(self.calls)))

    @rule(seconds=st.one_of(st.floats(0, 60), st.integers(0, 3 * HOUR), st.just(26 * HOUR)))
    def time_passes(self, seconds):
        """Minutes, hours, a day."""
        self.now += seconds
        self.latest = max(self.latest, self.now)
        self.account.fits(self.now, 0)

    @rule(seconds=st.integers(1, 1700))
    def clock_back(self, seconds):
        """Somebody sets the clock back, by less than an hour in all."""
        self.now = max(self.now - seconds, self.latest - 1700)

    @rule(budget=budgets)
    def change_caps(self, budget):
        """An operator changes the caps."""
        self.budget = attrs.evolve(budget, enforcement=self.enforcement)
        self.account.set_caps(self.budget)

    @rule()
    def checkpoint(self):
        """The store writes a snapshot and begins a new journal."""
        self.snapshot = json.loads(json.dumps(self.ledger.snapshot()))
        self.journal.clear()

    @rule()
    def crash(self):
        """The process dies; another takes over from snapshot and journal, on a clock that is right again."""
        held, self.now = {call.id: call.amount for call in self.calls}, self.latest
        self.ledger = Ledger(Calendar.of(self.zone))
        self.ledger.restore(self.snapshot, self.now)
        for record in self.journal:
            self.ledger.replay(record)
        self.ledger.journal = self.journal.append
        self.account = self.ledger.account("writer", self.budget)
        lost = self.ledger.recover(self.now)
        assert {call.id for call in lost} == set(held)
        for call in lost:
            assert call.amount <= held[call.id]
            self.settled.append((self.latest, call.amount))
        self.calls = []

    @invariant()
    def money_is_conserved(self):
        """All that was ever settled is the lifetime spend; windows are its parts; what is open is reserved."""
        account, hour, day = self.account, self.calendar.hour(self.latest), self.calendar.day(self.latest)
        assert account.life.cost == sum(cost for _, cost in self.settled)
        assert account.hour(self.now).cost == sum(cost for at, cost in self.settled if at in hour)
        assert account.day(self.now).cost == sum(cost for at, cost in self.settled if at in day)
        assert account.reserved == sum(call.amount for call in self.calls)
        assert account.accrued == sum(call.accrued for call in self.calls)
        assert list(account.open) == self.calls

    @invariant()
    def caps_hold(self):
        """Under `hard` no cap is ever passed; one lowered below what was taken is not passed any further."""
        for cap in self.account.caps(self.now):
            taken = cap.spent + cap.reserved
            if self.enforcement == "hard":
                assert taken <= max(cap.limit, self.taken_before[cap.name]), cap
            assert cap.remaining == max(0, cap.limit - taken)
        self.taken_before = {
            "total": self.account.life.cost + self.account.reserved,
            "day": self.account.day(self.now).cost + self.account.reserved,
            "hour": self.account.hour(self.now).cost + self.account.reserved,
        }


class EstimateMachine(LedgerMachine):
    """The same under `estimate`, in a zone that changes clocks by half an hour."""

    enforcement = "estimate"
    zone = "Australia/Lord_Howe"
    start = 1_775_307_600


class LedgerTests(SynchronousTestCase):
    """Accounts of many agents."""

    def test_any_interleaving_hard(self):
        """Under `hard` spent and reserved money never pass a cap, in any order of calls, hours, caps and crashes."""
        run_state_machine_as_test(LedgerMachine, settings=settings(max_examples=80, deadline=None))

    def test_any_interleaving_estimate(self):
        """Under `estimate` every call is booked at its true cost, in any order of calls, hours, caps and crashes."""
        run_state_machine_as_test(EstimateMachine, settings=settings(max_examples=80, deadline=None))

    def ledger(self):
        self.journal = []
        return Ledger(Calendar.of("UTC"), self.journal.append)

    def test_accounts(self):
        """Each agent has its own account; caps given later are taken over, and an agent can be forgotten."""
        ledger = self.ledger()
        writer = ledger.account("writer", Budget(max_cost_total=5))
        self.assertIs(ledger.account("writer"), writer)
        self.assertEqual((writer.budget, ledger.account("reader").budget), (Budget(max_cost_total=5), Budget()))
        ledger.account("writer", Budget(max_cost_total=9))
        self.assertEqual((writer.budget.max_cost_total, len(ledger)), (9, 2))
        ledger.forget("reader")
        ledger.forget("reader")
        self.assertEqual([account.id for account in ledger], ["writer"])

    def test_journal(self):
        """Each change is told once, with what is needed to make it again."""
        account = self.ledger().account("writer")
        first, second = account.reserve(START, 5, "a"), account.reserve(START, 6, "b")
        account.settle(START + 1, first, 4)
        account.release(second)
        reserved = [Reserved("writer", "a", 5, START), Reserved("writer", "b", 6, START)]
        self.assertEqual(self.journal, [*reserved, Settled("writer", "a", 4, START + 1), Released("writer", "b")])

    def test_replay_is_exact(self):
        """Snapshot and journal make the very same ledger, counts and estimates included."""
        ledger = self.ledger()
        for number in range(40):
            account = ledger.account(f"agent-{number % 3}", Budget(max_cost_per_hour=10**6))
            call = account.reserve(START + number * 600, 50, str(number))
            if number % 7:
                account.settle(START + number * 600 + 30, call, number * number)
            account.count(START + number * 600 + 30, error=number % 5 == 0, input_tokens=number, output_tokens=3)
            if number == 20:
                snapshot = ledger.snapshot()
                self.journal.clear()
        again = Ledger(Calendar.of("UTC"))
        again.restore(snapshot, START + 24_000)
        for record in self.journal:
            again.replay(record)
        self.assertEqual(again.snapshot(), ledger.snapshot())

    def test_replay_twice(self):
        """A record of a call that the snapshot knows already, or knows no more, changes nothing."""
        ledger = self.ledger()
        account = ledger.account("writer")
        account.reserve(START, 5, "a")
        account.settle(START, account.reserve(START, 6, "b"), 6)
        before = ledger.snapshot()
        ledger.replay(Reserved("writer", "a", 5))
        ledger.replay(Settled("writer", "b", 6, START))
        ledger.replay(Released("writer", "b"))
        self.assertEqual(ledger.snapshot(), before)

    def test_lost_calls_are_paid_for(self):
        """Calls in flight at a crash are settled at what they held, and named."""
        ledger = self.ledger()
        ledger.account("writer").reserve(START, 5, "a")
        again = Ledger(Calendar.of("UTC"))
        again.restore(ledger.snapshot(), START + 60)
        self.assertEqual([(call.agent, call.id) for call in again.recover(START + 60)], [("writer", "a")])
        self.assertEqual((again.account("writer").life.cost, again.account("writer").reserved), (5, 0))
        self.assertEqual(again.recover(START + 60), ())

    def test_lost_calls_of_a_fleet(self):
        """Where others share the caps, calls in flight at a crash are booked when it happened, not when it is noticed."""
        ledger = self.ledger()
        account = ledger.account("writer")
        self.assertEqual(ledger.last_booked(START), START)
        account.settle(START, account.reserve(START, 6, "a"), 6)
        account.reserve(START, 5, "b")
        self.assertEqual(ledger.last_booked(START + 60), START + 60)
        later, recovered = START + 7200, Recovered(ledger.snapshot(), (), ())
        again = Ledger(Calendar.of("UTC"))
        recovered.into(again, lambda record: None, later, shared=True)
        self.assertEqual([again.account("writer").hour(at).cost for at in (later, START)], [0, 11])
        self.assertEqual(again.account("writer").life.cost, 11)

    def test_lost_calls_of_a_new_hour(self):
        """The first call of an hour, lost before anything was written down but itself, is booked in that hour."""
        ledger = self.ledger()
        account = ledger.account("writer")
        account.settle(START, account.reserve(START, 1, "a"), 1)
        left = ledger.snapshot()
        told: list[Record] = []
        ledger.journal = told.append
        account.reserve(START + 3600, 50, "b")
        for now, costs in ((START + 3700, [50, 50]), (START + 3 * 3600, [0, 50])):
            again = Ledger(Calendar.of("UTC"))
            Recovered(left, told, ()).into(again, lambda record: None, now, shared=True)
            self.assertEqual([again.account("writer").hour(at).cost for at in (now, START + 3600)], costs)

    def test_other_zone(self):
        """Changing the zone changes it for every agent, and for those that come later."""
        ledger = self.ledger()
        ledger.account("writer", Budget(max_cost_per_day=10))
        ledger.set_calendar(Calendar.of("Asia/Tokyo"), START)
        ledger.account("reader", Budget(max_cost_per_day=10))
        ends = {cap.resets_at for account in ledger for cap in account.caps(START)}
        self.assertEqual(ends, {Calendar.of("Asia/Tokyo").day(START).end})
