"""Words and figures for people."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.show import money, safe, spent


class ShowTests(SynchronousTestCase):
    """What is printed."""

    @given(st.text())
    def test_safe(self, text):
        """Nothing that a terminal acts upon is left, and text without any is as it was."""
        self.assertTrue(safe(text).isprintable())
        if text.isprintable():
            self.assertEqual(safe(text), text)

    def test_money(self):
        """Two decimals, more for what is less than a dollar."""
        for dollars, text in (
            (None, "-"), (0, "$0.00"), (5, "$5.00"), (1234.5, "$1,234.50"), (0.5, "$0.50"), (0.0123, "$0.0123"),
            (0.000001, "$0.000001"), (0.0000001, "<$0.000001"),
        ):  # fmt: skip
            self.assertEqual(money(dollars), text)
        self.assertEqual((spent(1, 5), spent(1, None)), ("$1.00 / $5.00", "$1.00"))
