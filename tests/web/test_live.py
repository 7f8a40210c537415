"""What calls share."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.web.memory import live_over
from tests.web.test_upstream import NotingAgent


class LiveTests(SynchronousTestCase):
    """Ids."""

    def test_ids(self) -> None:
        """No two calls have the same id, in one gateway or two, and within one they are in order."""
        one, other = (live_over(NotingAgent, Clock())[0] for _ in range(2))
        ids = [live.next_id() for live in (one, other) for _ in range(1000)]
        self.assertEqual(len(set(ids)), 2000)
        self.assertEqual(ids[:1000], sorted(ids[:1000]))
        self.assertTrue(all(id_.startswith("agw_") for id_ in ids))
