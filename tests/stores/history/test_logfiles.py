"""The log's files on the disk."""

import gzip
import os
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.stores.history import logfiles
from agentgateway.stores.history.logfiles import DAMAGED, LogFile, Shelf, open_log, relatives


class RelativesTests(SynchronousTestCase):
    """Which files there are."""

    def found(self, base, *names):
        """The names of those that belong to `base`, in their order, where all these are there."""
        folder = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(folder, "audit.jsonl.d"))
        for age, name in enumerate(names):
            path = os.path.join(folder, name)
            with open(path, "w") as file:
                file.write("x\n")
            os.utime(path, (age, age))
        os.symlink("/etc/passwd", os.path.join(folder, "audit.jsonl.9"))
        return [os.path.basename(one.path) for one in relatives(os.path.join(folder, base))]

    def test_rotated(self):
        """Rotation may number, date or compress them; other files are none of ours, nor are links and folders."""
        logs = ("audit.jsonl.2.gz", "audit.jsonl-20261123", "audit.jsonl.1", "audit.jsonl")
        self.assertEqual(self.found("audit.jsonl", *logs, "other.jsonl", "gateway.log"), list(logs))

    def test_workers(self):
        """What a worker has left that is there no more is found by the others, even by a gateway without workers."""
        logs = ("audit-3.jsonl.1", "audit-10.jsonl", "audit-0.jsonl", "audit.jsonl")
        for base in ("audit-0.jsonl", "audit.jsonl"):
            self.assertEqual(self.found(base, *logs), list(logs))

    def test_number(self):
        """A log whose name is a number does not take everything for its own."""
        self.assertEqual(self.found("7", "7", "7.1", "other"), ["7"])

    def test_no_folder(self):
        """Without its folder there is an error, not an empty answer."""
        self.assertRaises(FileNotFoundError, relatives, os.path.abspath(os.path.join(self.mktemp(), "audit.jsonl")))


class OpenedTests(SynchronousTestCase):
    """What is in one."""

    def setUp(self):
        """Three lines, the last one torn."""
        self.path = self.mktemp()
        self.write(self.path, b"one\ntwo\nthr")

    def write(self, path, data):
        """A file."""
        with open(path, "wb") as file:
            file.write(data)

    def name(self, path):
        """What a file goes by."""
        with closing(open_log(path)) as log:
            return log.name

    def test_whole_lines(self):
        """Only whole lines are read, from wherever it is."""
        with closing(open_log(self.path)) as log:
            self.assertEqual([log.chunk(at) for at in (0, 4, 8, 99)], [b"one\ntwo\n", b"two\n", b"", b""])

    def test_chunks(self):
        """A large file comes in pieces that end with lines; a line longer than a piece comes whole."""
        self.patch(logfiles, "CHUNK", 5)
        self.write(self.path, b"one\ntwo\nthree hundred\nfour\n")
        position, chunks = 0, []
        with closing(open_log(self.path)) as log:
            while chunk := log.chunk(position):
                chunks.append(chunk)
                position += len(chunk)
        self.assertEqual(chunks, [b"one\ntwo\n", b"three hundred\n", b"four\n"])

    def test_name(self):
        """A file has the same name after it was moved, grown, copied or compressed, and another one after it was emptied."""
        name, moved, packed = self.name(self.path), self.mktemp(), self.mktemp() + ".gz"
        os.rename(self.path, moved)
        self.assertEqual(self.name(moved), name)
        self.write(moved, b"one\nmore\n")
        self.assertEqual(self.name(moved), name)
        with gzip.open(packed, "wb") as file:
            file.write(b"one\nmore\n")
        self.assertEqual(self.name(packed), name)
        with closing(open_log(packed)) as log:
            self.assertEqual(log.chunk(4), b"more\n")
        self.write(moved, b"four\n")
        self.assertNotEqual(self.name(moved), name)

    def test_no_line(self):
        """A file without a whole line has no name yet."""
        for data in (b"", b"one"):
            self.write(self.path, data)
            self.assertIsNone(self.name(self.path))

    def test_no_end(self):
        """A file that is one endless line is no log."""
        self.patch(logfiles, "LONGEST", 10)
        self.write(self.path, b"x" * 100)
        self.assertIsNone(self.name(self.path))

    def test_damaged(self):
        """A compressed file that is not whole is an error, of those that may be expected."""
        packed = self.mktemp() + ".gz"
        for data in (gzip.compress(b"one\n" * 1000)[:-20], b"no gzip", gzip.compress(b"one\n")[:12] + b"\xff" * 30):
            self.write(packed, data)
            with self.assertRaises((OSError, *DAMAGED)), closing(open_log(packed)) as log:
                log.chunk(0)

    def test_links(self):
        """A symbolic link is not followed."""
        link = self.mktemp()
        os.symlink(self.path, link)
        self.assertRaises(OSError, self.name, link)


class ShelfTests(SynchronousTestCase):
    """The file in use."""

    def setUp(self):
        """Two of them."""
        self.shelf = Shelf()
        self.files = [LogFile(self.mktemp(), (number, 0, 0)) for number in range(2)]
        for file in self.files:
            with open(file.path, "wb") as written:
                written.write(file.path.encode() + b"\n")

    def test_stays_open(self):
        """The same file is not opened again, unless it has changed."""
        [file, _] = self.files
        log = self.shelf.take(file)
        os.unlink(file.path)
        self.assertIs(self.shelf.take(file), log)
        self.assertRaises(FileNotFoundError, self.shelf.take, LogFile(file.path, (0, 1, 0)))

    def test_one(self):
        """One at a time is open, and none in the end."""
        logs = [self.shelf.take(file) for file in self.files]
        self.assertEqual([log.file.closed for log in logs], [True, False])
        self.assertNotEqual(logs[0].name, logs[1].name)
        self.shelf.clear()
        self.shelf.clear()
        self.assertTrue(logs[1].file.closed)
