"""Tests of the stand-in's small talk."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.prose import prose


class ProseTests(SynchronousTestCase):
    """Text of an exact size."""

    @given(st.integers(0, 1 << 32), st.integers(0, 20_000))
    def test_size(self, seed, size):
        """Text has exactly the size asked, and is plain ASCII."""
        self.assertEqual(len(prose(seed, size).encode("ascii")), size)

    def test_same_seed(self):
        """The same seed talks the same way every day; another one does not."""
        self.assertTrue(prose(1, 300).startswith(prose(1, 200)))
        self.assertNotEqual(prose(1, 300), prose(2, 300))
