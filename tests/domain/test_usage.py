"""Tests of usage."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage


class Totals(SynchronousTestCase):
    """The sums that limits go by."""

    def test_caches_are_input(self) -> None:
        """All input counts towards a context-size tier, cached or not; parts are not counted twice."""
        usage = Usage(input=1, output=100, cache_read=2, cache_write=4, cache_write_1h=8, input_audio=1, reasoning=50)
        self.assertEqual((usage.total_input, usage.total), (15, 115))

    def test_nothing(self) -> None:
        """A call that used nothing counts nothing."""
        self.assertEqual((Usage().total_input, Usage().total), (0, 0))
