"""Opening the database: what cannot be used is refused in words, and never written to."""

import os
import resource
import sqlite3
import stat

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.interfaces import StoreError
from agentgateway.stores.database import Checkpoint, Database
from agentgateway.stores.schema import MIGRATIONS
from tests.stores.doubles import States, full_disk, nobody, record


class DatabaseTests(SynchronousTestCase):
    """One file, in every state that a file can be in."""

    def setUp(self):
        """A folder that others can enter."""
        self.states = States(self)
        os.mkdir(self.states.current, 0o755)
        self.path = os.path.join(self.states.current, "ledger.sqlite")

    def database(self):
        """One on the file, not opened."""
        database = Database(self.path, None, 0.0)
        self.addCleanup(database.close)
        return database

    def made(self):
        """A file with one account, closed."""
        database = self.database()
        database.open()
        database.write(Checkpoint(3, {"writer": {"n": 1}}, (), ((record(1), b""),)))
        database.close()

    def assertRefused(self, text):
        """Opening fails with the file's name and `text`, and leaves the file as it was."""
        before = self.read() if os.path.isfile(self.path) else None
        error = self.assertRaises(StoreError, self.database().open)
        self.assertEqual(str(error), f"{self.path}: {text}")
        self.assertEqual(before, self.read() if before is not None else None)

    def read(self):
        """The file's bytes."""
        with open(self.path, "rb") as file:
            return file.read()

    def sql(self, script):
        """What another program does to the file."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.executescript(script)
        return other

    def test_round_trip(self):
        """What was written last is there again, with the segment it includes."""
        self.made()
        saved = self.database().open()
        self.assertEqual((saved.segment, dict(saved.snapshots)), (3, {"writer": {"n": 1}}))

    def test_all_or_nothing(self):
        """A checkpoint that fails half way has written nothing."""
        self.made()
        database = self.database()
        database.open()
        database._writing.execute("DROP TABLE kinds")
        self.assertRaises(StoreError, database.write, Checkpoint(4, {"writer": {"n": 2}}, (), ((record(2), b""),)))
        found = database._writing.execute("SELECT value, snapshot FROM meta, accounts").fetchone()
        self.assertEqual(found, (3, '{"n":1}'))

    def test_foreign(self):
        """The database of another program is left alone."""
        self.sql("CREATE TABLE customers (name)")
        self.assertRefused("it is the database of another program")

    def test_foreign_mark(self):
        """So is one that is empty but marked by another program."""
        self.sql("PRAGMA application_id = 77")
        self.assertRefused("it is the database of another program")

    def test_newer(self):
        """A file of a newer version is refused with both versions."""
        self.made()
        self.sql("PRAGMA user_version = 99")
        known = len(MIGRATIONS)
        self.assertRefused(f"it was written by a newer agentgateway (version 99 of its tables, this one knows {known})")

    def test_no_database(self):
        """A text file is no database."""
        with open(self.path, "w") as file:
            file.write("shopping list\n" * 100)
        self.assertRefused("it is no SQLite database")

    def test_missing_table(self):
        """A file of ours that lacks a table is damaged."""
        self.made()
        self.sql("DROP TABLE standings")
        self.assertRefused("it is damaged: it has no table standings")

    def test_damaged_page(self):
        """A file of which a part was overwritten is damaged."""
        self.made()
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
        with open(self.path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (os.path.getsize(self.path) - 4096))
        self.assertRefused("it is damaged")

    def test_damaged_balance(self):
        """A balance that cannot be read stops the start: money is not guessed."""
        self.made()
        self.sql("UPDATE accounts SET snapshot = '{'")
        self.assertRefused("it is damaged: Input data was truncated")

    def test_locked(self):
        """A file that another program has locked is told so."""
        self.made()
        other = self.sql("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
        self.assertRefused("another program has locked it")
        other.execute("ROLLBACK")

    def test_read_only_file(self):
        """A file that must not be written is told so."""
        self.made()
        os.chmod(self.path, 0o444)
        with nobody():
            self.assertRefused("Permission denied")

    def test_read_only_folder(self):
        """A file in a folder that must not be written: SQLite needs files beside it."""
        self.made()
        os.chmod(self.path, 0o666)
        os.chmod(self.states.current, 0o555)
        with nobody():
            error = self.assertRaises(StoreError, self.database().open)
        self.assertTrue(str(error).startswith(f"{self.path}: "), error)

    def test_full_disk(self):
        """On a disk without room the start says which file has none."""
        with full_disk(0):
            error = self.assertRaises(StoreError, self.database().open)
        self.assertEqual(str(error), f"{self.path}: it cannot be read or written: the disk is full or failing")

    def test_not_a_file(self):
        """A folder, a pipe and a symbolic link are refused by what they are."""
        os.mkdir(self.path)
        self.assertRefused("it is a folder")
        os.rmdir(self.path)
        os.mkfifo(self.path)
        self.assertRefused("it is no plain file")
        os.unlink(self.path)
        os.symlink("/dev/null", self.path)
        self.assertRefused("it is a symbolic link")

    def test_odd_name(self):
        """Any file name will do."""
        self.path = os.path.join(self.states.current, "100% sure?#é.sqlite")
        self.made()
        self.assertTrue(stat.S_ISREG(os.stat(self.path).st_mode))
        self.assertEqual(self.database().open().segment, 3)

    def test_closed_twice(self):
        """Closing what is closed, or was never open, is nothing."""
        database = self.database()
        database.close()
        database.open()
        database.close()
        database.close()

    def test_limits_are_back(self):
        """The tests' own way of filling a disk leaves no trace."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        with full_disk(10):
            pass
        self.assertEqual(resource.getrlimit(resource.RLIMIT_FSIZE), before)
