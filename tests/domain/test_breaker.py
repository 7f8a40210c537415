"""The circuit breaker: when calls stop, and how they start again."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import CircuitBreaker
from agentgateway.domain.breaker import PROBE_RETRY, TRANSITIONS, Breaker, IllegalTransition

CONFIG = CircuitBreaker(error_threshold=3, reset_timeout=30_000, half_open_requests=2, window=60_000)


def fail(breaker, now, times=1):
    """So many calls that fail at once."""
    for _ in range(times):
        breaker.leave(breaker.enter(now), False, now)


def opened(now=0.0):
    """A circuit that has just opened."""
    breaker = Breaker.closed(CONFIG)
    fail(breaker, now, 3)
    return breaker


class TableTests(SynchronousTestCase):
    """Every row of the state table, by what a caller does."""

    def test_closed_trip(self):
        """The third error within a minute opens the circuit for thirty seconds."""
        breaker = Breaker.closed(CONFIG)
        fail(breaker, 0, 2)
        self.assertEqual((breaker.state(0), breaker.check(0), breaker.errors(0)), ("closed", None, 2))
        fail(breaker, 10)
        self.assertEqual((breaker.state(10), breaker.check(10), breaker.retry_at(10)), ("open", 30, 40))
        self.assertEqual(breaker.check(39.5), 0.5)

    def test_open_cool(self):
        """When its time is over an open circuit is half open, and lets a few calls try."""
        breaker = opened()
        self.assertEqual((breaker.state(29.9), breaker.state(30)), ("open", "half_open"))
        self.assertEqual((breaker.check(30), breaker.retry_at(30)), (None, None))

    def test_half_open_fail(self):
        """One failing probe opens the circuit again, for the whole time."""
        breaker = opened()
        fail(breaker, 31)
        self.assertEqual((breaker.state(31), breaker.check(31)), ("open", 30))

    def test_half_open_mend(self):
        """As many successes as configured close it, and the errors of the past are forgotten."""
        breaker = opened()
        for expected in ("half_open", "closed"):
            breaker.leave(breaker.enter(31), True, 31)
            self.assertEqual(breaker.state(31), expected)
        self.assertEqual(breaker.errors(31), 0)
        fail(breaker, 32, 2)
        self.assertEqual(breaker.state(32), "closed")

    def test_reset(self):
        """An operator's reset closes the circuit from any state and forgets its errors."""
        closed, half_open = Breaker.closed(CONFIG), opened()
        fail(closed, 0, 2)
        half_open.enter(30)
        for breaker in (closed, opened(), half_open):
            breaker.reset()
            self.assertEqual((breaker.state(0), breaker.errors(0), breaker.check(0)), ("closed", 0, None))

    def test_no_other_row(self):
        """An event that cannot happen in a state raises and changes nothing."""
        states = {"closed": Breaker.closed(CONFIG), "open": opened(), "half_open": opened()}
        states["half_open"].state(30)
        for name, breaker in states.items():
            for event in ("trip", "cool", "fail", "mend"):
                if (name, event) not in TRANSITIONS:
                    before = repr(breaker)
                    error = self.assertRaises(IllegalTransition, breaker._happen, event)
                    self.assertEqual((error.state, error.event, repr(breaker)), (name, event, before))
                    self.assertIn(name, str(error))

    def test_the_table(self):
        """The table has these rows and no others."""
        rows = "closed trip open|open cool half_open|half_open fail open|half_open mend closed"
        rows += "|closed reset closed|open reset closed|half_open reset closed"
        expected = {(a, b): c for a, b, c in (row.split() for row in rows.split("|"))}
        self.assertEqual(TRANSITIONS, expected)


class BreakerTests(SynchronousTestCase):
    """What lies between the rows."""

    def test_errors_slide_out(self):
        """Errors count for a minute each: slow, steady failures do not open the circuit."""
        breaker = Breaker.closed(CONFIG)
        for now in range(0, 3000, 30):
            fail(breaker, now)
        self.assertEqual((breaker.state(2970), breaker.errors(2970)), ("closed", 2))
        self.assertEqual(breaker.errors(5000), 0)

    def test_success_and_silence_count_nothing(self):
        """Answers that are fine, and calls that prove nothing, neither open the circuit nor clear its errors."""
        breaker = Breaker.closed(CONFIG)
        fail(breaker, 0, 2)
        for ok in (True, None) * 5:
            breaker.leave(breaker.enter(1), ok, 1)
        self.assertEqual((breaker.state(1), breaker.errors(1)), ("closed", 2))

    def test_refuses_to_enter(self):
        """Entering an open circuit raises and changes nothing."""
        breaker = opened()
        before = repr(breaker)
        self.assertRaises(IllegalTransition, breaker.enter, 10)
        self.assertEqual(repr(breaker), before)

    def test_only_so_many_probes(self):
        """No more probes than configured are under way, and no more than successes are still missing."""
        breaker = opened()
        first, _second = breaker.enter(30), breaker.enter(30)
        self.assertEqual(breaker.check(30), PROBE_RETRY)
        self.assertRaises(IllegalTransition, breaker.enter, 30)
        breaker.leave(first, True, 31)
        self.assertEqual(breaker.check(31), PROBE_RETRY)

    def test_a_probe_that_proves_nothing(self):
        """A probe whose caller left gives its place to another."""
        breaker = opened()
        for _ in range(20):
            breaker.leave(breaker.enter(30), None, 30)
        self.assertEqual((breaker.state(30), breaker.check(30)), ("half_open", None))

    def test_late_results(self):
        """Calls of an earlier generation end without any effect on a later one."""
        breaker = Breaker.closed(CONFIG)
        late = [breaker.enter(0) for _ in range(10)]
        fail(breaker, 1, 3)
        for ok in (False, True, None):
            breaker.leave(late.pop(), ok, 2)
        self.assertEqual((breaker.check(2), breaker.state(31)), (29, "half_open"))
        probe = breaker.enter(31)
        for ok in (False, True, None):
            breaker.leave(late.pop(), ok, 32)
        self.assertEqual(breaker.state(32), "half_open")
        breaker.leave(probe, True, 33)
        breaker.leave(breaker.enter(33), True, 33)
        for _ in range(3):
            breaker.leave(late.pop(), False, 34)
        self.assertEqual((breaker.state(34), breaker.errors(34)), ("closed", 0))

    def test_late_probe_after_reset(self):
        """A probe that ends after an operator's reset is of the past."""
        breaker = opened()
        probe = breaker.enter(30)
        breaker.reset()
        breaker.leave(probe, False, 31)
        self.assertEqual((breaker.state(31), breaker.errors(31)), ("closed", 0))

    def test_reconfigure(self):
        """New numbers go for what comes; an open circuit stays open as long as it was told."""
        breaker = Breaker.closed(CONFIG)
        fail(breaker, 0, 2)
        breaker.reconfigure(CircuitBreaker(error_threshold=5, reset_timeout=1000))
        fail(breaker, 1, 2)
        self.assertEqual((breaker.state(1), breaker.errors(1)), ("closed", 4))
        fail(breaker, 2)
        self.assertEqual(breaker.retry_at(2), 3)
        breaker.reconfigure(CONFIG)
        self.assertEqual(breaker.retry_at(2), 3)

    def test_fewer_probes(self):
        """Lowering the number of probes closes a circuit that has had that many successes."""
        breaker = opened()
        breaker.leave(breaker.enter(30), True, 30)
        breaker.reconfigure(CircuitBreaker(half_open_requests=1))
        self.assertEqual(breaker.state(30), "closed")

    def test_threshold_of_one(self):
        """A breaker may be as strict as one error and one probe."""
        breaker = Breaker.closed(CircuitBreaker(error_threshold=1, half_open_requests=1))
        fail(breaker, 0)
        self.assertEqual(breaker.check(0), 30)
        breaker.leave(breaker.enter(30), True, 30)
        self.assertEqual(breaker.state(30), "closed")

    @given(st.lists(st.tuples(st.sampled_from(["enter", "good", "bad", "none"]), st.integers(0, 20)), max_size=80))
    def test_always_finds_its_way(self, acts):
        """In any order of beginnings and endings: places and memory stay within bounds, and no circuit is stuck."""
        breaker, now, calls = Breaker.closed(CONFIG), 0, []
        for act, pause in acts:
            now += pause
            if act == "enter" and breaker.check(now) is None:
                calls.append(breaker.enter(now))
            elif act != "enter" and calls:
                breaker.leave(calls.pop(0), {"good": True, "bad": False, "none": None}[act], now)
            self.assertTrue(0 <= breaker._probes + breaker._successes <= CONFIG.half_open_requests)
            self.assertLessEqual(len(breaker._errors), CONFIG.error_threshold)
        for generation in calls:
            breaker.leave(generation, None, now)
        now += 30
        while breaker.state(now) != "closed":
            breaker.leave(breaker.enter(now), True, now)
        self.assertIsNone(breaker.check(now))
