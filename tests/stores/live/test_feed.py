"""News in order, each once."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import News, Synced
from agentgateway.stores.live.feed import Feed


def message(version: int) -> bytes:
    """As it is published."""
    return b"%d " % version + msgspec.msgpack.encode(("standing", "writer", "one", b"%d" % version, 0))


def answer(*versions: int) -> bytes:
    """As it is fetched."""
    return b"".join(b"%d:%s" % (len(message(version)), message(version)) for version in versions)


def synced(version: int, epoch: str = "first", at: float = 0.0) -> Synced:
    """An answer that knows of news up to `version`."""
    return Synced(at, epoch, False, 1, version, ())


class FeedTests(SynchronousTestCase):
    """What is passed on, and what is found missing."""

    def setUp(self) -> None:
        """Nothing was told yet."""
        self.told: list[News] = []
        self.feed = Feed(self.told.append)

    def versions(self) -> list[int]:
        """What was passed on."""
        return [news.version for news in self.told]

    def test_in_order(self) -> None:
        """What comes in order is passed on at once, and only once."""
        self.assertFalse(any(self.feed.published(message(version)) for version in (1, 2, 2, 1, 3)))
        self.assertEqual(self.versions(), [1, 2, 3])

    def test_a_gap(self) -> None:
        """Later news wait until those before them are fetched."""
        self.feed.published(message(1))
        self.assertTrue(self.feed.published(message(4)))
        self.assertEqual(self.versions(), [1])
        self.assertEqual(self.feed.fetched(answer(3, 4)), 2)
        self.assertEqual(self.versions(), [1, 3, 4])

    def test_unnumbered(self) -> None:
        """News without a number pass at any time."""
        self.assertFalse(self.feed.published(message(0)))
        self.assertFalse(self.feed.published(message(0)))
        self.assertEqual((self.versions(), self.feed.seen), ([0, 0], 0))

    def test_found_by_an_answer(self) -> None:
        """An answer that knows of later news says that some are missing."""
        self.assertFalse(self.feed.synced(synced(0), ""))
        self.assertTrue(self.feed.synced(synced(1), "first"))

    def test_after_a_loss(self) -> None:
        """In another epoch numbers begin anew."""
        self.feed.fetched(answer(7))
        self.assertFalse(self.feed.synced(synced(0, "second"), "first"))
        self.feed.published(message(1))
        self.assertEqual(self.versions(), [7, 1])

    def test_deaf(self) -> None:
        """A subscription that has not brought after half a second what an answer knew of is deaf; a new one is not."""
        self.assertFalse(self.feed.deaf(synced(5)))
        self.assertFalse(self.feed.deaf(synced(6, at=1)))
        self.feed.published(message(6))
        self.assertFalse(self.feed.deaf(synced(7, at=2)))
        self.assertFalse(self.feed.deaf(synced(9, at=2.4)))
        self.assertTrue(self.feed.deaf(synced(9, at=2.5)))
        self.feed.subscribed()
        for at in (2.6, 3.6, 4.6):
            self.assertFalse(self.feed.deaf(synced(9, at=at)))

    def test_busy(self) -> None:
        """One that is a little behind all the time, as much is told, is not deaf."""
        for version in range(1, 50):
            self.assertFalse(self.feed.deaf(synced(version + 20, at=version / 10)))
            self.feed.published(message(version + 18))

    def test_nonsense(self) -> None:
        """What nobody of the fleet can have said is passed over."""
        for text in (b"", b"hello", b"1", b"1 \x90", b"x \x90"):
            self.assertFalse(self.feed.published(text))
        self.assertEqual(self.told, [])
