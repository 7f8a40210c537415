"""A process's name."""

import os

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.interfaces import StoreError
from agentgateway.stores.process import home, next_run, process_id


class ProcessIdTests(SynchronousTestCase):
    """What others know a process by."""

    def test_stays(self):
        """It is 16 hex digits, the same after a restart, and another one in another folder."""
        folder, other = self.mktemp(), self.mktemp()
        name = process_id(folder)
        self.assertRegex(name, r"^[0-9a-f]{16}$")
        self.assertEqual(process_id(folder), name)
        self.assertNotEqual(process_id(other), name)
        self.assertEqual(os.listdir(folder), ["process"])

    def test_home(self):
        """It is beside the books that it stands for."""
        self.assertEqual(home("sqlite:/var/lib/a:b/ledger.sqlite"), "/var/lib/a:b")

    def test_damaged(self):
        """A file that says anything else is refused: others would take this process for two."""
        folder = self.mktemp()
        os.makedirs(folder)
        for text in ("", "0123", "0123456789ABCDEF\n"):
            with open(os.path.join(folder, "process"), "w") as file:
                file.write(text)
            self.assertIn("counted twice", str(self.assertRaises(StoreError, process_id, folder)))

    def test_unusable(self):
        """What cannot be used is told with its path."""
        folder = self.mktemp()
        os.makedirs(os.path.join(folder, "process"))
        self.assertIn(f"cannot use {folder}/process", str(self.assertRaises(StoreError, process_id, folder)))


class RunTests(SynchronousTestCase):
    """Which start of a process this is."""

    def test_counted(self):
        """Each start has a higher number than the one before, also when the clock was set back."""
        folder = self.mktemp()
        self.assertEqual([next_run(folder, now) for now in (70.5, 70.6, 90.0, 20.0)], [70, 71, 90, 91])
        self.assertEqual(os.listdir(folder), ["run"])

    def test_damaged(self):
        """A file that says no number, or is none, is told with its path."""
        folder, other = self.mktemp(), self.mktemp()
        os.makedirs(folder)
        with open(os.path.join(folder, "run"), "w") as file:
            file.write("x")
        os.makedirs(os.path.join(other, "run"))
        self.assertIn(f"{folder}/run does not say", str(self.assertRaises(StoreError, next_run, folder, 1.0)))
        self.assertIn(f"cannot use {other}/run", str(self.assertRaises(StoreError, next_run, other, 1.0)))
