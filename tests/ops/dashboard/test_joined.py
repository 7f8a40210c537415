"""What viewers are told where several workers serve calls."""

import json
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.dashboard.joined import JoinedFeed
from tests.ops.dashboard.doubles import Onlooker, State, feed_of


class Family:
    """This is worker 1; `follow` remembers who listens to worker 0."""

    own = 1
    others = [0]

    def __init__(self) -> None:
        self.hears: Callable[[int, bytes | None], None] | None = None
        self.asked: list[bytes] = []

    def follow(self, target: bytes, take: Callable[[int, bytes | None], None]) -> Callable[[], None]:
        """Listen, until told otherwise."""
        self.asked.append(target)
        self.hears = take

        def stop() -> None:
            self.hears = None

        return stop


class JoinedTests(SynchronousTestCase):
    """A viewer of worker 1, beside worker 0."""

    def setUp(self) -> None:
        """Both have the same agents."""
        self.state, self.other = State(), State()
        self.feed, _ = feed_of(self.state)
        self.sibling, _ = feed_of(self.other)
        self.relay = Onlooker()
        self.family = Family()
        self.joined = JoinedFeed(self.state, self.feed, self.family)  # type: ignore[arg-type]
        self.viewer = Onlooker()

    def turn(self) -> dict[str, Any]:
        """A second: the sibling tells, and both passes are made; the latest that the viewer was shown."""
        if self.family.hears is not None:
            if self.relay not in self.sibling.viewers:
                self.sibling.join(self.relay)
            list(self.sibling.run())
            self.family.hears(0, self.relay.seen[-1].payload)
        list(self.feed.run())
        list(self.joined.run())
        found: dict[str, Any] = json.loads(self.viewer.seen[-1].payload) if self.viewer.seen else {}
        return found

    def test_all_of_them(self) -> None:
        """The first message is everything of both workers, later ones are what has changed with either."""
        self.state.agent("coder").in_flight = 1
        self.other.agent("coder").in_flight = 2
        self.joined.join(self.viewer)
        first = self.turn()
        rows = {row["id"]: row["in_flight"] for row in first["agents"]}
        self.assertEqual(
            (first["type"], rows, first["gateway"]["in_flight"]), ("snapshot", {"coder": 3, "writer": 0}, 3)
        )
        self.assertEqual(first["gateway"]["viewers"], 1)
        call = self.other.call("writer")
        update = self.turn()
        self.assertEqual((update["type"], [row["id"] for row in update["agents"]]), ("update", ["writer"]))
        self.assertEqual([one["id"] for one in update["recent"]], [call.id])

    def test_nobody(self) -> None:
        """Siblings are listened to while there are viewers, however many, and not before and after."""
        self.turn()
        self.assertEqual(self.family.asked, [])
        second = Onlooker()
        for viewer in (self.viewer, second):
            self.joined.join(viewer)
        self.assertEqual(self.family.asked, [b"/board?"])
        self.turn()
        self.joined.leave(second)
        self.assertIsNotNone(self.family.hears)
        self.joined.leave(self.viewer)
        self.joined.leave(self.viewer)
        self.assertIsNone(self.family.hears)
        self.assertEqual(self.feed.viewers, {})

    def test_away(self) -> None:
        """A sibling that ends takes its calls along; nobody waits for it."""
        self.other.agent("coder").in_flight = 2
        self.joined.join(self.viewer)
        self.assertEqual(self.turn()["gateway"]["in_flight"], 2)
        assert self.family.hears is not None
        self.family.hears(0, b"")
        self.family.hears(0, None)
        list(self.feed.run())
        list(self.joined.run())
        update = json.loads(self.viewer.seen[-1].payload)
        self.assertEqual(update["gateway"]["in_flight"], 0)
        self.assertEqual([row["in_flight"] for row in update["agents"] if row["id"] == "coder"], [0])

    def test_slow_viewer(self) -> None:
        """A viewer that skips a message is shown everything next; one that wants everything always is."""
        full = Onlooker(full=True)
        self.joined.join(self.viewer)
        self.joined.join(full)
        self.turn()
        self.viewer.reads = False
        self.turn()
        self.viewer.reads = True
        self.assertEqual(self.turn()["type"], "snapshot")
        self.assertEqual({json.loads(one.payload)["type"] for one in full.seen}, {"snapshot"})
