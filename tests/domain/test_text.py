"""Tests of agentgateway.domain.text."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.text import printable


class PrintableTests(SynchronousTestCase):
    """Foreign text inside our own lines."""

    @given(st.text(max_size=300))
    def test_one_line(self, text):
        """Whatever the text, what is shown is one line of bounded length without control characters."""
        shown = printable(text)
        self.assertTrue(shown.isprintable())
        self.assertLessEqual(len(shown), 80 * 10 + 3)
