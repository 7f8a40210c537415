"""Tests of agentgateway.domain.samples."""

from array import array

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.samples import SAMPLES, Samples, quantiles


class SampleTests(SynchronousTestCase):
    """The latest values."""

    @given(st.lists(st.one_of(st.floats(0, 1e6), st.sampled_from([0.1, 7.0])), max_size=3 * SAMPLES))
    def test_as_sorted(self, values: list[float]) -> None:
        """Quantiles are those of the latest values, whatever came before, twice or in whichever order."""
        samples = Samples()
        for value in values:
            samples.add(value)
        latest = array("f", values[-SAMPLES:])
        self.assertEqual(samples.quantiles(), quantiles(sorted(latest)))
        self.assertEqual(len(samples), len(latest))

    @given(st.lists(st.lists(st.floats(0, 1e6), max_size=2 * SAMPLES), max_size=5))
    def test_many_at_once(self, parts: list[list[float]]) -> None:
        """Values that come together are as values that come one by one, whatever follows."""
        together, singly = Samples(), Samples()
        for part in parts:
            together.extend(part)
            for value in part:
                singly.add(value)
            self.assertEqual(together.quantiles(), singly.quantiles())
        self.assertEqual(len(together), len(singly))

    def test_quantiles(self) -> None:
        """Of a hundred values the middle one and the 95th; of nothing, nothing."""
        self.assertEqual(quantiles([float(number) for number in range(100)]), (50.0, 95.0))
        self.assertEqual((quantiles([3.0]), quantiles([])), ((3.0, 3.0), (0.0, 0.0)))
