"""Large bodies of unknown length, on the disk and back."""

import errno
import os
import tempfile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire import spill
from agentgateway.wire.body import IncomingBody, UntoldBody
from agentgateway.wire.errors import CannotRead
from agentgateway.wire.room import Room


class SmallDisk:
    """A file that takes so many bytes in all and gives back so many at once."""

    def __init__(self, takes: int, gives: int = 1_000_000) -> None:
        self._takes = takes
        self._gives = gives
        self._held = b""

    def write(self, data: bytearray) -> int:
        """As much as fits."""
        if not self._takes:
            raise OSError(errno.ENOSPC, "No space left on device")
        some = bytes(data[: self._takes])
        self._takes -= len(some)
        self._held += some
        return len(some)

    def seek(self, place: int) -> None:
        """To the start."""
        assert place == 0

    def read(self, size: int) -> bytes:
        """That many, or fewer."""
        return self._held[: min(size, self._gives)]

    def close(self) -> None:
        """Nothing is there."""
        self._held = b""


class BrokenDisk(SmallDisk):
    """One that cannot be read."""

    def read(self, size: int) -> bytes:
        """Not even a byte."""
        raise OSError(errno.EIO, "Input/output error")


class SpillTests(SynchronousTestCase):
    """A body of which ten bytes may stay in memory at first, and four later."""

    def setUp(self) -> None:
        """A temporary folder of its own."""
        self.patch(spill, "IN_MEMORY", 10)
        self.patch(spill, "PIECE", 4)
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.patch(tempfile, "tempdir", self.folder)

    def kept(self, *parts: bytes) -> spill.Spill:
        """What is kept of these."""
        kept = spill.Spill(parts[0], Room())
        for part in parts[1:]:
            kept.add(part)
        return kept

    @property
    def files(self) -> list[str]:
        """What this process has open in the folder."""
        found = []
        for number in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink(f"/proc/self/fd/{number}"))
            except FileNotFoundError:
                pass  # it was for listing them
        return [path for path in found if path.startswith(self.folder)]

    @given(st.lists(st.binary(max_size=20), min_size=1))
    def test_whole(self, parts: list[bytes]) -> None:
        """However it was cut and however much lies on the disk, it is given back whole."""
        whole = self.kept(*parts).whole()
        self.assertEqual((whole, type(whole)), (b"".join(parts), bytes))

    def test_small(self) -> None:
        """A small one stays in memory."""
        kept = self.kept(b"12345", b"67890")
        self.assertEqual(self.files, [])
        self.assertEqual(kept.whole(), b"1234567890")

    def test_no_name(self) -> None:
        """The file of a large one has no name while it is there, and is gone with it."""
        kept = self.kept(b"123456", b"7890ab")
        self.assertEqual(len(self.files), 1)
        self.assertEqual(os.listdir(self.folder), [])
        del kept
        self.assertEqual(self.files, [])

    def test_bodies(self) -> None:
        """Only a body that does not tell its length is put there, and nothing stays of one that is too large."""
        for kind, files in ((IncomingBody, 0), (UntoldBody, 1)):
            body = kind(30, lambda paused: None)
            wanted = body.arrived()
            for _ in range(3):
                body.feed(b"1234567890")
            self.assertEqual(len(self.files), files)
            body.feed(b"1")
            self.failureResultOf(wanted)
            self.assertEqual(self.files, [])

    def test_no_folder(self) -> None:
        """Where nothing can be written it stays in memory."""
        self.patch(tempfile, "tempdir", os.path.join(self.folder, "nowhere"))
        self.assertEqual(self.kept(b"123456", b"7890ab", b"cd").whole(), b"1234567890abcd")

    def test_full(self) -> None:
        """What a full disk has taken counts, and the rest stays in memory."""
        parts = [b"123456", b"7890ab", b"cdefgh", b"ijklm"]
        for takes in range(20):
            self.disk(SmallDisk(takes))
            self.assertEqual(self.kept(*parts).whole(), b"".join(parts), takes)

    def test_not_given_back(self) -> None:
        """What the disk does not give back cannot be read: that is no body with a hole."""
        for disk in (BrokenDisk(100), SmallDisk(100, gives=5)):
            self.disk(disk)
            body = UntoldBody(100, lambda paused: None)
            body.feed(b"123456")
            body.feed(b"7890ab")
            body.end()
            self.assertRaises(CannotRead, body.take)

    def disk(self, disk: Any) -> None:
        """The next file lies on this one."""
        self.patch(spill, "TemporaryFile", lambda buffering: disk)
