"""How a process stands with its fleet."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import TTL
from agentgateway.domain.link import Link, Use


class LinkTests(SynchronousTestCase):
    """What calls go by."""

    def test_fresh(self) -> None:
        """The others know that this process lives for a little less than the time after which they take it for gone."""
        link = Link()
        self.assertFalse(link.fresh(0.0))
        link.reached(100.0)
        self.assertTrue(link.fresh(100.0 + TTL - 1))
        self.assertFalse(link.fresh(100.0 + TTL))

    def test_since(self) -> None:
        """It is remembered since when they have known without a gap."""
        link = Link()
        for sent in (100.0, 105.0, 110.0):
            link.reached(sent)
        self.assertEqual((link.since, link.confirmed), (100.0, 110.0))
        link.reached(130.0)
        self.assertEqual((link.since, link.confirmed), (130.0, 130.0))

    def test_away(self) -> None:
        """Nothing is to be had without an answer, nor just after the shared state was lost."""
        self.assertFalse(Link().away)
        self.assertTrue(Link(up=False).away)
        self.assertTrue(Link(grace=True).away)

    def test_lends(self) -> None:
        """Money is to be had while there are answers; just after a loss there is none, but where nobody has begun before."""
        links = [Link(), Link(up=False), Link(grace=True), Link(grace=True, begins=True), Link(up=False, begins=True)]
        self.assertEqual([link.lends for link in links], [True, False, False, True, False])

    def test_outage(self) -> None:
        """Without a word on it in the configuration only agents under `hard` are refused."""
        spends = [[Link(how).spends(hard) for hard in (True, False)] for how in (None, "refuse", "spend")]
        self.assertEqual(spends, [[False, True], [False, False], [True, True]])

    def test_urge(self) -> None:
        """Who cannot wait for the next beat wakes the one who asks."""
        woken: list[str] = []
        link = Link(wake=lambda: woken.append("up"))
        link.urge("a")
        self.assertEqual((link.urgent, woken), ({"a"}, ["up"]))


class UseTests(SynchronousTestCase):
    """How much was used of late."""

    def test_seconds(self) -> None:
        """What counts is the busier of this second and the one before."""
        use = Use()
        use.add(10.1, 5, 3)
        use.add(10.9, 5, 2)
        self.assertEqual(use.look(10.9), (10, 3))
        use.add(11.5, 2, 7)
        self.assertEqual(use.look(11.6), (10, 7))
        self.assertEqual(use.look(12.0), (2, 7))

    def test_idle(self) -> None:
        """After a second without use nothing is left of it."""
        use = Use()
        use.add(10.1, 5, 3)
        self.assertEqual(use.look(12.0), (0, 0))
