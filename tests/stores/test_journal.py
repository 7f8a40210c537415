"""Segments: appended, rotated, read back whatever a crash or a full disk did to them."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.journal import Counted, Released, Reserved, Settled
from agentgateway.interfaces import StoreError
from agentgateway.stores import journal as journal_module
from agentgateway.stores.journal import Journal, changes_of
from agentgateway.stores.lines import encode_event
from tests.stores.doubles import START, full_disk

EVENTS = [
    (Reserved("writer", "a", 5),),
    (Settled("writer", "a", 4, START), Counted("writer", START, False, 10, 20)),
    (Reserved("é\n", "b", 0), Released("é\n", "b")),
]
CHANGES = [change for event in EVENTS for change in event]


class JournalTests(SynchronousTestCase):
    """One folder of segments."""

    def setUp(self):
        """A folder."""
        self.folder = os.path.join(self.mktemp(), "journal")
        self.alerts = []

    def journal(self, after=0):
        """A journal on it, and what it read."""
        journal = Journal(self.folder, self.alerts.append)
        changes = journal.open(after)
        self.addCleanup(journal.close)
        return journal, changes

    def files(self):
        """The segments' numbers and sizes."""
        return {int(name[:12]): os.path.getsize(os.path.join(self.folder, name)) for name in os.listdir(self.folder)}

    def path(self, number):
        """A segment's file."""
        return os.path.join(self.folder, f"{number:012d}.jsonl")

    def test_read_back(self):
        """Every opening reads what is newer than the checkpoint, begins another segment and deletes the rest."""
        journal, changes = self.journal()
        self.assertEqual(changes, [])
        for event in EVENTS:
            journal.append(encode_event(event))
        journal.close()
        _, changes = self.journal()
        self.assertEqual((changes, sorted(self.files())), (CHANGES, [1, 2]))
        _, changes = self.journal(after=1)
        self.assertEqual((changes, sorted(self.files())), ([], [2, 3]))
        self.journal(after=7)
        self.assertEqual(sorted(self.files()), [8])

    def test_rotate(self):
        """Records before a checkpoint are in other files than those after it."""
        journal, _ = self.journal()
        journal.append(encode_event(EVENTS[0]))
        self.assertEqual(journal.rotate(), 1)
        journal.append(encode_event(EVENTS[1]))
        journal.remove(1)
        journal.drop(1)
        journal.append(encode_event(EVENTS[2]))
        journal.close()
        self.assertEqual(self.journal(after=1)[1], CHANGES[1:])

    def test_strange_files(self):
        """Other files in the folder are left alone."""
        self.journal()
        for name in ("notes.txt", "1.jsonl", "000000000009.jsonl~"):
            with open(os.path.join(self.folder, name), "w"):
                pass
        self.journal(after=9)
        self.assertEqual(len(os.listdir(self.folder)), 4)

    def test_garbage(self):
        """A line that is no record stops the start, with its place."""
        journal, _ = self.journal()
        line = encode_event(EVENTS[0])
        for garbage in (b"?\n", b"\n", b'[["hold",["writer","a","5"]]]\n', b'[["gone",[]]]\n', b"[" * 100_000 + b"\n"):
            with open(self.path(1), "wb") as file:
                file.write(line + garbage + line)
            error = self.assertRaises(StoreError, self.journal)
            self.assertIn(f"{self.path(1)}: the line at byte {len(line)} is no record", str(error))
        journal.close()

    def test_unreadable(self):
        """A segment that is a symbolic link or a folder is refused."""
        os.makedirs(self.folder)
        os.symlink("/dev/null", self.path(1))
        self.assertIn("symbolic link", str(self.assertRaises(StoreError, self.journal)))
        os.unlink(self.path(1))
        os.mkdir(self.path(1))
        self.assertIn("folder", str(self.assertRaises(StoreError, self.journal)))

    def test_full_disk(self):
        """A write cut short goes on where it stopped once there is room; the lines between are in order."""
        journal, _ = self.journal()
        lines = [encode_event((Reserved("writer", str(number), number),)) for number in range(30)]
        journal.append(lines[0])
        with full_disk(len(lines[0]) + 7):
            for line in lines[1:10]:
                journal.append(line)
            journal.rotate()
            journal.append(lines[10])
            self.assertEqual(self.files(), {1: len(lines[0]) + 7, 2: 0})
        self.assertEqual(len(self.alerts), 1)
        self.assertIn("File too large; what is spent is kept in memory", self.alerts[0])
        for line in lines[11:]:
            journal.append(line)
        self.assertIn("works again; nothing of it is missing", self.alerts[1])
        journal.close()
        self.assertEqual([change.amount for change in self.journal()[1]], list(range(30)))

    def test_checkpoint_while_full(self):
        """What a checkpoint holds need not be written any more, and the journal works again."""
        journal, _ = self.journal()
        with full_disk(0):
            journal.append(encode_event(EVENTS[0]))
            journal.rotate()
            journal.drop(1)
        self.assertIn("works again", self.alerts[1])
        journal.append(encode_event(EVENTS[1]))
        journal.close()
        self.assertEqual(self.journal()[1], list(EVENTS[1]))

    def test_bounded(self):
        """What waits for the disk has a bound; whole lines beyond it are counted as missing, older ones are kept."""
        journal, _ = self.journal()
        line = encode_event((Reserved("writer", "x" * 2**20, 1),))
        with full_disk(0):
            for _ in range(journal_module.MAX_OWED // len(line) + 5):
                journal.append(line)
        journal.flush()
        self.assertIn("works again; 5 events of it are missing", self.alerts[1])
        journal.close()
        self.assertEqual(len(self.journal()[1]), journal_module.MAX_OWED // len(line))

    def test_handles(self):
        """A sync covers each segment written since the last one, and the folder when a segment is new."""
        journal, _ = self.journal()
        for rotate, count in ((False, 2), (False, 1), (True, 3), (False, 1)):
            if rotate:
                journal.rotate()
            handles = journal.handles()
            for handle in handles:
                os.fsync(handle)
                os.close(handle)
            self.assertEqual(len(handles), count)

    def test_folder_is_a_file(self):
        """A file where the folder should be is told so."""
        os.makedirs(os.path.dirname(self.folder))
        with open(self.folder, "w"):
            pass
        self.assertIn("it is a file", str(self.assertRaises(StoreError, self.journal)))

    @settings(deadline=None)
    @given(st.integers(0, 300), st.integers(0, 3))
    def test_torn(self, size, zeros):
        """A segment torn at any byte, also one that a power loss filled up with zeros, gives the events that are whole."""
        data = b"".join(map(encode_event, EVENTS))[:size]
        whole, end = [], 0
        for event in EVENTS:
            end += len(encode_event(event))
            whole += event if end <= size or (end - 1 == size and not zeros) else []
        self.assertEqual(list(changes_of("x", data + bytes(zeros))), whole)
