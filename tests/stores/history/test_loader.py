"""Loading the log: each record once, whatever happens to the log, the database and the processes."""

import gzip
import io
import os
import shutil

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode
from agentgateway.stores.history import logfiles
from agentgateway.stores.history.loader import Loader
from tests.stores.doubles import START, record
from tests.stores.history.doubles import Database, Log, numbered

MONTH = 31 * 86_400


class Loads(SynchronousTestCase):
    """A log, a database, and a loader."""

    def setUp(self):
        """Nothing in any of them."""
        self.database = Database(self)
        self.connection = self.database.connection
        self.log = Log(self.mktemp())
        self.now = START
        self.loader = self.new_loader()

    def new_loader(self, months=None, path=None):
        """As a process has it that starts."""
        return Loader(path or self.log.path, months, lambda: self.now)

    def round(self, loader=None, most=1000):
        """Load all there is, or at most so many chunks; the ids that are in the database then."""
        loader = loader or self.loader
        more = loader.first(self.connection)
        self.connection.commit()
        for _ in range(most - 1):
            if not more:
                break
            more = loader.step(self.connection)
            self.connection.commit()
        return self.database.ids

    def check(self, *numbers, **how):
        """These are there, each once, in this order."""
        self.assertEqual(self.round(**how), [f"r{number}" for number in numbers])


class LogTests(Loads):
    """The log itself."""

    def test_goes_on(self):
        """What was added since is loaded, and nothing again; a line that is being written waits for its end."""
        self.check()
        self.log.write(*numbered(1, 2))
        self.check(1, 2)
        line = encode(record(3)) + b"\n"
        self.log.raw(line[:40])
        self.check(1, 2)
        self.log.raw(line[40:] + line[:40])
        self.check(1, 2, 3)

    def test_restart(self):
        """A new process goes on where the one before has stopped, also after a machine was changed for another."""
        self.log.write(*numbered(1, 2))
        self.check(1, 2)
        self.log.write(*numbered(3))
        self.check(1, 2, 3, loader=self.new_loader())
        moved = Log(self.mktemp())
        shutil.copy(self.log.path, moved.path)
        moved.write(*numbered(4))
        self.check(1, 2, 3, 4, loader=self.new_loader(path=moved.path))

    def test_chunks(self):
        """A large log is loaded in chunks; one that keeps growing does not keep a round from ending."""
        self.patch(logfiles, "CHUNK", 1000)
        self.log.write(*numbered(*range(20)))
        self.assertTrue(self.loader.first(self.connection))
        self.connection.commit()
        some = len(self.database.ids)
        self.assertTrue(0 < some < 20)
        self.log.write(*numbered(20))
        steps = 1
        while self.loader.step(self.connection):
            self.connection.commit()
            self.log.write(*numbered(100 + steps))
            steps += 1
        self.connection.commit()
        self.assertLess(steps, 20)
        self.assertEqual(sorted(self.round()), sorted({f"r{n}" for n in (*range(21), *range(101, 100 + steps))}))

    def test_rolled_back(self):
        """A chunk whose transaction fails is loaded by the next round."""
        self.log.write(*numbered(1, 2))
        self.loader.first(self.connection)
        self.connection.rollback()
        self.loader.forget()
        self.check(1, 2)

    def test_answer_lost(self):
        """A chunk that was committed without this process knowing is not loaded twice."""
        self.log.write(*numbered(1, 2))
        self.round()
        self.loader.forget()
        self.log.write(*numbered(3))
        self.check(1, 2, 3)

    def test_database_lost(self):
        """Where the database is put back to an earlier state, or made anew, it gets all that the logs have."""
        self.log.write(*numbered(1))
        self.log.rotate()
        self.log.write(*numbered(2))
        self.round()
        self.connection.execute("TRUNCATE logs, audit")
        self.loader.forget()
        self.check(2, 1)

    def test_two_processes(self):
        """A file that another process is loading is left to it, without waiting."""
        self.log.write(*numbered(1))
        other = self.database.connection
        self.round()
        self.log.write(*numbered(2))
        self.new_loader().first(other)
        self.check(1)
        other.commit()
        self.log.write(*numbered(3))
        self.check(1, 2, 3)

    def test_retention(self):
        """Records of months that are not kept are not loaded, and months that are over are dropped in time."""
        self.now = START + 2 * MONTH  # december
        loader = self.new_loader(months=1)
        self.log.write(record(1), record(2, START + MONTH), record(3, self.now))
        self.check(2, 3, loader=loader)
        self.now += MONTH
        loader.trim(self.connection)
        self.check(3, loader=loader)
        self.now += MONTH
        loader.trim(self.connection)
        self.check(loader=loader)

    def test_kept_for_ever(self):
        """Without a limit nothing is dropped."""
        self.log.write(record(1, 946_684_800.0))
        self.loader.trim(self.connection)
        self.check(1)


class RotationTests(Loads):
    """What log rotation does."""

    def test_renamed(self):
        """What the old file got last is loaded with the new one."""
        self.log.write(*numbered(1))
        self.check(1)
        self.log.write(*numbered(2))
        old = self.log.rotate()
        with open(old, "ab") as file:
            file.write(encode(record(3)) + b"\n")
        self.log.write(*numbered(4))
        self.check(1, 4, 2, 3)

    def test_written_after(self):
        """What a call that ended late left in the old file comes a minute later."""
        self.log.write(*numbered(1))
        old = self.log.rotate()
        self.log.write(*numbered(2))
        self.check(2, 1)
        with open(old, "ab") as file:
            file.write(encode(record(3)) + b"\n")
        self.check(2, 1)
        self.now += 61
        self.check(2, 1, 3)

    def test_emptied(self):
        """A log that is copied and emptied in place is another one from then on."""
        self.log.write(*numbered(1))
        self.check(1)
        self.log.write(*numbered(2))
        shutil.copy(self.log.path, self.log.path + ".1")
        os.truncate(self.log.path, 0)
        self.log.write(*numbered(3))
        self.now += 61
        self.check(1, 3, 2)

    def test_away_for_days(self):
        """Whatever was rotated and compressed while the database was away is loaded when it is back."""
        for number in range(4):
            self.log.write(*numbered(number))
            old = self.log.rotate(f"-2026112{number}")
            if number < 3:
                with open(old, "rb") as file, gzip.open(old + ".gz", "wb") as packed:
                    packed.write(file.read())
                os.unlink(old)
        self.log.write(*numbered(9))
        self.assertEqual(sorted(self.round()), ["r0", "r1", "r2", "r3", "r9"])
        self.assertEqual(self.loader.troubles, [])

    def test_packed_once(self):
        """A compressed file is read to its end once, also by later processes; a log in use may be copied so, too."""
        self.log.write(*numbered(1))
        with gzip.open(self.log.path + ".9.gz", "wb") as packed:
            packed.write(b"".join(encode(one) + b"\n" for one in numbered(1)))
        self.check(1)
        self.assertEqual(self.database.rows("SELECT ended FROM logs"), [(True,)])
        self.log.write(*numbered(2))
        self.check(1, 2)
        self.check(1, 2, loader=self.new_loader())

    def test_read_once(self):
        """A large compressed file is read and unpacked once, however many chunks it is loaded in, and then closed."""
        self.patch(logfiles, "CHUNK", 20_000)
        for number in range(30):
            self.log.write(record(number))
            self.log.raw(os.urandom(15_000).hex().encode() + b"\n")
        old = self.log.rotate()
        with open(old, "rb") as file, gzip.open(old + ".gz", "wb") as packed:
            packed.write(file.read())
        os.unlink(old)
        counts, opened = [], []

        class Counted(io.FileIO):
            def read(self, size=-1):
                data = super().read(size)
                counts.append(len(data))
                return data

        def counted(fileobj):
            opened.append(gzip.GzipFile(fileobj=Counted(fileobj.fileno(), closefd=False)))
            return opened[-1]

        self.patch(logfiles, "GzipFile", counted)
        self.log.write(*numbered(99))
        self.check(99, *range(30))
        self.assertLessEqual(sum(counts), os.path.getsize(old + ".gz"))
        self.assertEqual([file.closed for file in opened], [True])

    def test_unreadable(self):
        """A file that cannot be read is told once and does not keep the others from being loaded."""
        self.log.write(*numbered(1))
        packed = self.log.rotate(".2.gz")
        self.log.write(*numbered(2))
        self.check(2)
        self.assertEqual(len(self.loader.troubles), 1)
        self.assertIn(f"cannot read {packed}", self.loader.troubles[0])
        self.loader.troubles.clear()
        self.now += 61
        self.check(2)
        self.assertEqual(self.loader.troubles, [])

    def test_other_worker(self):
        """What a worker left that was never started again is loaded by the others."""
        left = Log(os.path.dirname(self.log.path), "audit-3.jsonl")
        left.write(*numbered(1))
        self.check(1)


class Machine(RuleBasedStateMachine):
    """Anything may happen, in any order; at the end each record is there once."""

    case: Loads

    def __init__(self):
        super().__init__()
        self.case.setUp()
        self.count = self.rotations = 0
        self.loader = self.case.new_loader()

    @rule(count=st.integers(1, 12))
    def write(self, count):
        """Calls end."""
        self.case.log.write(*numbered(*range(self.count, self.count + count)))
        self.count += count

    @rule(chunks=st.integers(1, 3))
    def load(self, chunks):
        """For a while."""
        self.case.round(self.loader, chunks)

    @rule()
    def restart(self):
        """Another process."""
        self.loader = self.case.new_loader()

    @rule(back=st.booleans())
    def fail(self, back):
        """The connection breaks in a transaction, which was committed or not."""
        self.loader.first(self.case.connection)
        if back:
            self.case.connection.rollback()
        else:
            self.case.connection.commit()
        self.loader.forget()

    @precondition(lambda self: os.path.exists(self.case.log.path))
    @rule(packed=st.booleans())
    def rotate(self, packed):
        """The log is renamed, and compressed or not."""
        self.rotations += 1
        old = self.case.log.rotate(f".{self.rotations}")
        if packed:
            with open(old, "rb") as file, gzip.open(old + ".gz", "wb") as out:
                out.write(file.read())
            os.unlink(old)

    @rule(seconds=st.sampled_from([1, 61, -3600]))
    def wait(self, seconds):
        """Time passes, or the clock is put right."""
        self.case.now += seconds

    def teardown(self):
        """A last process loads the rest."""
        found = self.case.round(self.case.new_loader())
        self.case.assertCountEqual(found, [f"r{number}" for number in range(self.count)])
        self.case.connection.close()


class AnyOrderTests(Loads):
    """The machine."""

    def test_any_order(self):
        """None lost, none twice: whatever the log, the database and the processes go through."""
        self.patch(logfiles, "CHUNK", 700)
        machine = type("Run", (Machine,), {"case": self})
        run_state_machine_as_test(machine, settings=settings(max_examples=15, stateful_step_count=15))
