"""The audit log: whole lines, in order, whatever the disk, the path or a rotation does."""

import json
import os
import stat
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode
from agentgateway.stores.audit import AuditLog, AuditLogError
from tests.stores.doubles import full_disk, nobody, record

SIZE = len(encode(record(1))) + 1

KILLED = """
import os, signal, sys
from agentgateway.stores.audit import AuditLog
from tests.stores.doubles import record
log = AuditLog(sys.argv[1], 1, print)
for number in range(5):
    log.append(record(number))
    log.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


class Log(AuditLog):
    """One that is flushed after each record, as by calls that come one at a time."""

    def append(self, record):
        """Append and flush."""
        super().append(record)
        self.flush()


class AuditLogTests(SynchronousTestCase):
    """One file."""

    def setUp(self):
        """A path in a folder that is not there yet."""
        self.path = os.path.join(self.mktemp(), "logs", "audit.jsonl")
        self.alerts = []

    def log(self, path="", max_entries=10):
        """A log on it."""
        log = Log(path or self.path, max_entries, self.alerts.append)
        self.addCleanup(log.close)
        return log

    def lines(self, path=None):
        """The file's lines, the last one empty where it ends as it should."""
        with open(path or self.path, "rb") as file:
            return file.read().split(b"\n")

    def ids(self, path=None):
        """The ids in a file of whole lines."""
        *lines, end = self.lines(path)
        self.assertEqual(end, b"")
        return [json.loads(line)["id"] for line in lines]

    def test_append(self):
        """Each record is a line, there when `flush` returns, after what was there; nobody else can read it."""
        for number in range(3):
            log = self.log()
            log.append(record(number))
            log.close()
        self.assertEqual(self.ids(), ["r0", "r1", "r2"])
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(self.path)).st_mode), 0o700)

    def test_latest(self):
        """What the end of the file says is read back by id, lines that are no records aside."""
        log = self.log()
        log.append(record(1))
        log.append(record(2))
        with open(self.path, "ab") as file:
            file.write(b'not json\n{"id": "x"}\n{"id":')
        again = self.log()
        self.assertEqual(again.latest(), {one.id: one for one in (record(1), record(2))})
        self.assertEqual(AuditLog(None, 1, self.alerts.append).latest(), {})

    def test_two_writers(self):
        """Two processes' lines do not overwrite each other, and a truncated file is not filled with zeros."""
        first, second = self.log(), self.log()
        first.append(record(1))
        second.append(record(2))
        first.append(record(3))
        self.assertEqual(self.ids(), ["r1", "r2", "r3"])
        os.truncate(self.path, 0)
        first.append(record(4))
        self.assertEqual(self.ids(), ["r4"])

    def test_killed(self):
        """A process that is killed right after a call loses none of its records."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.run([sys.executable, "-c", KILLED, self.path], env=environment, check=False)
        self.assertEqual(process.returncode, -9)
        self.assertEqual(self.ids(), ["r0", "r1", "r2", "r3", "r4"])

    def test_tail(self):
        """The latest records are in memory, as many as asked for, with a file or without."""
        for log in (self.log(max_entries=2), AuditLog(None, 2, self.fail)):
            for number in range(3):
                log.append(record(number))
            self.assertEqual([one.id for one in log.tail], ["r1", "r2"])
            log.reopen()

    def test_control_characters(self):
        """Whatever an agent puts into a path, a record stays one line."""
        log = self.log()
        log.append(record(1, agent="a\nb\x00\u2028\x1b[31m\x85"))
        (line, _) = self.lines()
        self.assertEqual(json.loads(line)["agent"], "a\nb\x00\u2028\x1b[31m\x85")
        self.assertNotIn(b"\x1b", line)

    def test_full_disk(self):
        """A full disk is told once, records are counted as missing, a line begun is completed: no line is ever torn."""
        log = self.log()
        log.append(record(0))
        with full_disk(SIZE + 10):
            for number in range(1, 6):
                log.append(record(number))
        self.assertEqual(len(self.alerts), 1)
        self.assertIn("cannot write: the disk is full", self.alerts[0])
        self.assertEqual((log.missed, len(log.tail)), (4, 6))
        log.append(record(6))
        log.append(record(7))
        self.assertEqual(self.ids(), ["r0", "r1", "r6", "r7"])
        self.assertEqual(self.alerts[1:], [f"audit log {self.path}: works again; 4 records are missing"])

    def test_no_room_at_all(self):
        """A write that fails as a whole is the same."""
        log = self.log()
        with full_disk(0):
            log.append(record(1))
            log.append(record(2))
        log.append(record(3))
        self.assertEqual((self.ids(), log.missed, len(self.alerts)), (["r3"], 2, 2))
        self.assertIn("File too large", self.alerts[0])

    def test_batch(self):
        """What a turn of the reactor brings is one write, and nothing is written before it is flushed."""
        log = AuditLog(self.path, 10, self.alerts.append)
        for number in range(3):
            log.append(record(number))
        self.assertEqual((self.ids(), len(log.tail)), ([], 3))
        log.flush()
        log.flush()
        self.assertEqual(self.ids(), ["r0", "r1", "r2"])
        log.append(record(3))
        log.close()
        self.assertEqual(self.ids(), ["r0", "r1", "r2", "r3"])

    def test_batch_on_a_full_disk(self):
        """Of a batch what fits is there in whole lines, the line begun is completed, the others are counted."""
        log = AuditLog(self.path, 10, self.alerts.append)
        self.addCleanup(log.close)
        for number in range(4):
            log.append(record(number))
        with full_disk(SIZE + 10):
            log.flush()
        self.assertEqual((log.missed, len(self.alerts)), (2, 1))
        log.append(record(4))
        log.flush()
        self.assertEqual(self.ids(), ["r0", "r1", "r4"])

    @settings(deadline=None, max_examples=150)
    @given(st.lists(st.integers(0, 3 * SIZE), max_size=12))
    def test_any_room(self, rooms):
        """However the room on a disk comes and goes, lines are whole, in order, and those not there are counted."""
        path = os.path.join(self.mktemp(), "audit.jsonl")
        log = self.log(path)
        for number, room in enumerate(rooms):
            with full_disk(os.path.getsize(path) + room):
                log.append(record(number % 10))
        log.append(record(0))
        log.close()
        found = self.ids(path)
        self.assertEqual(len(found), len(rooms) + 1 - log.missed)
        everything = iter([*(f"r{number % 10}" for number in range(len(rooms))), "r0"])
        self.assertTrue(all(one in everything for one in found))

    def test_torn_by_a_crash(self):
        """A line that an earlier process left unfinished is ended before the next record."""
        for torn in (b'{"id":"r', b"x" * 5000):
            with open(self.log().append(record(0)) or self.path, "wb") as file:
                file.write(encode(record(1)) + b"\n" + torn)
            log = self.log()
            self.assertEqual(self.lines()[-1], torn)
            log.append(record(2))
            log.append(record(3))
            self.assertEqual(self.lines()[1], torn)
            self.assertEqual([json.loads(line)["id"] for line in self.lines()[2:-1]], ["r2", "r3"])

    def test_torn_and_full(self):
        """Also where the disk had no room to end it at first."""
        with open(self.log().append(record(0)) or self.path, "wb") as file:
            file.write(b"torn")
        log = self.log()
        with full_disk(4):
            log.append(record(1))
        with full_disk(5):
            log.append(record(2))
        log.append(record(3))
        self.assertEqual((self.lines()[0], log.missed), (b"torn", 2))
        self.assertEqual([json.loads(line)["id"] for line in self.lines()[1:-1]], ["r3"])

    def test_rotation(self):
        """After a rename the old file is written to until it is told to reopen, then a new one; nothing is lost."""
        log = self.log()
        log.append(record(1))
        os.rename(self.path, self.path + ".1")
        log.append(record(2))
        log.reopen()
        log.append(record(3))
        self.assertEqual((self.ids(self.path + ".1"), self.ids()), (["r1", "r2"], ["r3"]))

    def test_rotation_of_a_full_disk(self):
        """A line that could not be completed in the old file does not go on in the new one, and is counted."""
        log = self.log()
        with full_disk(10):
            log.append(record(1))
        os.rename(self.path, self.path + ".1")
        log.reopen()
        log.append(record(2))
        self.assertEqual((self.ids(), log.missed), (["r2"], 1))
        self.assertIn("works again; 1 records are missing", self.alerts[1])

    def test_rotation_fails(self):
        """Where the new file cannot be opened the old one stays in use, with an alert."""
        log = self.log()
        os.rename(self.path, self.path + ".1")
        os.symlink(self.path + ".1", self.path)
        log.reopen()
        log.append(record(1))
        self.assertEqual(self.ids(self.path + ".1"), ["r1"])
        self.assertEqual(self.alerts, [f"audit.log_file: cannot append to {self.path}: it is a symbolic link"])

    def test_closed(self):
        """After closing records go to memory alone; a line never completed is counted."""
        log = self.log()
        with full_disk(10):
            log.append(record(1))
        log.close()
        log.close()
        log.append(record(2))
        self.assertEqual((len(log.tail), log.missed, os.path.getsize(self.path)), (2, 1, 10))

    def assertRefused(self, text, path=None):
        """The log cannot be opened, and the message says why."""
        error = self.assertRaises(AuditLogError, AuditLog, path or self.path, 1, self.fail)
        self.assertEqual(str(error), f"audit.log_file: cannot append to {path or self.path}: {text}")

    def test_refused(self):
        """A symbolic link (also one to nowhere), a pipe (also one that is read), a folder and a device are refused."""
        folder = os.path.dirname(self.path)
        os.makedirs(folder)
        for target in ("/dev/null", "nowhere"):
            os.symlink(target, self.path)
            self.assertRefused("it is a symbolic link")
            os.unlink(self.path)
        os.mkfifo(self.path)
        self.assertRefused("it is no plain file")
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertRefused("it is no plain file")
        self.assertRefused("it is a folder", folder)
        self.assertRefused("it is no plain file", "/dev/null")

    def test_no_folder(self):
        """A path below a file is refused."""
        log = self.log()
        log.append(record(1))
        self.assertRefused("its folder is a file", os.path.join(self.path, "audit.jsonl"))
        self.assertRefused("its folder is a file", os.path.join(self.path, "more", "audit.jsonl"))

    def test_not_permitted(self):
        """A file that must not be written is refused."""
        self.log()
        os.chmod(self.path, 0o444)
        with nobody():
            self.assertRefused("Permission denied")
