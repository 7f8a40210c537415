"""A process's part of the calls at once that a fleet may make."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.link import Link
from agentgateway.domain.places import Places

NOW = 1000.0


class PlacesTests(SynchronousTestCase):
    """Places for calls at once."""

    def places(self, most: int) -> Places:
        """Of so many; none is lent yet."""
        places = Places.of(None, "a", most, Link(members=2))
        assert places is not None
        return places

    def test_none(self) -> None:
        """Without a limit, or without a fleet, there is nothing to lend."""
        self.assertIsNone(Places.of(None, "a", None, Link()))
        self.assertIsNone(Places.of(None, "a", 3, None))

    def test_lent(self) -> None:
        """A call that finds no place asks for one; then there is room for it and no more."""
        places = self.places(100)
        self.assertTrue(places.full(0))
        self.assertTrue(places.borrow(NOW))
        self.assertEqual(places.ask(NOW, 0), (0, 1, 100))
        places.take(NOW, 1)
        self.assertFalse(places.full(0))
        self.assertTrue(places.full(1))

    def test_denied(self) -> None:
        """Where there was none, nobody asks again for a moment."""
        places = self.places(100)
        places.borrow(NOW)
        places.ask(NOW, 0)
        places.take(NOW, 0)
        self.assertFalse(places.borrow(NOW + 0.01))
        self.assertTrue(places.borrow(NOW + 0.06))

    def test_kept(self) -> None:
        """Where places are many, those used a moment ago are kept, and given back when they were idle for a second."""
        places = self.places(100)
        places.take(NOW, 5)
        places.entered(NOW, 5)
        self.assertEqual(places.ask(NOW + 0.5, 1), (5, 5, 100))
        self.assertTrue(places.idle(NOW + 2, 1))
        self.assertEqual(places.ask(NOW + 2, 1), (1, 1, 100))

    def test_scarce(self) -> None:
        """Where they are few, each goes back as soon as its call is over."""
        places = self.places(2)
        places.take(NOW, 2)
        places.entered(NOW, 2)
        places.leaves()
        self.assertEqual(places.link.urgent, {"a"})
        self.assertEqual(places.ask(NOW, 1), (1, 1, 2))

    def test_alone(self) -> None:
        """While nobody can be asked a process has what it was lent, or its part."""
        places = self.places(10)
        places.link.up = False
        self.assertFalse(places.full(4))
        self.assertTrue(places.full(5))
        self.assertFalse(places.borrow(NOW))

    def test_reconfigured(self) -> None:
        """Another limit is asked for from then on; what is held stays."""
        places = self.places(10)
        places.take(NOW, 4)
        again = Places.of(places, "a", 20, places.link)
        assert again is not None
        self.assertEqual((again.most, again.held), (20, 4))
