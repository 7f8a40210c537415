"""The fleet's time, from what the shared store says of it."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.fleetclock import FleetClock


class FleetClockTests(SynchronousTestCase):
    """One machine's clock, and another's answers."""

    def setUp(self) -> None:
        """A machine that has been up for 50 seconds."""
        self.up, self.wall = 50.0, 1000.0
        self.clock = FleetClock(lambda: self.up, lambda: self.wall)

    def test_alone(self) -> None:
        """Before an answer it is this machine's time, whatever is done to its clock afterwards."""
        self.up, self.wall = 53.0, 10.0
        self.assertEqual(self.clock.now(), 1003.0)

    def test_behind(self) -> None:
        """A machine that is behind the store is put right: never before the time that the answer told."""
        self.up = 50.2
        sent = self.clock.heard(2000.0, 50.0)
        self.assertEqual(self.clock.now(), 2000.0)
        self.assertAlmostEqual(sent, 1999.8)

    def test_ahead(self) -> None:
        """A machine that is ahead is put back, as far as the answer proves that it is."""
        self.up = 50.2
        self.clock.heard(900.0, 50.0)
        self.assertAlmostEqual(self.clock.now(), 900.2)

    def test_within(self) -> None:
        """A time that the answer allows is kept: it does not jump with each answer's way."""
        self.up = 50.2
        self.clock.heard(1000.1, 50.0)
        self.assertAlmostEqual(self.clock.now(), 1000.2)

    @given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.1), st.floats(0, 1)), max_size=20))
    def test_never_far(self, answers: list[tuple[float, float, float]]) -> None:
        """After any answer the time is within the answer's way of the store's."""
        clock = FleetClock(lambda: self.up, lambda: self.wall)
        self.up = 0.0
        for wait, way, part in answers:
            self.up += wait
            sent = self.up
            self.up += way
            clock.heard(5000.0 + sent + way * part, sent)
            self.assertLessEqual(abs(clock.now() - 5000.0 - self.up), way + 1e-6)
