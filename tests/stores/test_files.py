"""Folders, files and locks of the gateway's own."""

import os
import subprocess
import sys
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.interfaces import StoreError
from agentgateway.stores.files import lock, make_folder, open_file, reason
from tests.stores.doubles import full_disk, nobody

HOLD = """
import sys
from agentgateway.stores.files import lock
fd = lock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


class FilesTests(SynchronousTestCase):
    """What can be used, and what cannot."""

    def setUp(self):
        """A folder that others can enter."""
        self.root = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, self.root)

    def put(self, name, data=""):
        """A file."""
        path = os.path.join(self.root, name)
        with open(path, "w") as file:
            file.write(data)
        self.addCleanup(os.unlink, path)
        return path

    def test_folder(self):
        """A folder is made with those above it, for nobody else to enter; made already, it is left as it is."""
        path = os.path.join(self.mktemp(), "a", "b")
        make_folder(path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o700)
        os.chmod(path, 0o750)
        make_folder(path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o750)

    def test_folder_is_a_file(self):
        """A file where a folder should be is told so, also further up."""
        path = self.put("file")
        self.assertEqual(
            str(self.assertRaises(StoreError, make_folder, path)), f"cannot use the folder {path}: it is a file"
        )
        told = self.assertRaises(StoreError, make_folder, path, "gateway.state_dir")
        self.assertEqual(str(told), f"gateway.state_dir: cannot use the folder {path}: it is a file")
        below = os.path.join(path, "x")
        self.assertIn("its folder is a file", str(self.assertRaises(StoreError, make_folder, below)))

    def test_folder_not_permitted(self):
        """A folder of somebody else's cannot be used, nor one made in it."""
        os.chmod(self.root, 0o555)
        with nobody():
            for path in (self.root, os.path.join(self.root, "state")):
                error = self.assertRaises(StoreError, make_folder, path)
                self.assertEqual(str(error), f"cannot use the folder {path}: Permission denied")

    def test_no_inheritance(self):
        """Programs that the gateway starts do not get its files."""
        fd = open_file(self.put("file"), os.O_RDWR)
        self.addCleanup(os.close, fd)
        self.assertFalse(os.get_inheritable(fd))

    def test_lock_of_another_process(self):
        """A lock that another process holds is told with its number; it is free the moment that one is killed."""
        path = self.put("lock")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", HOLD, path]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            self.assertEqual(other.stdout.readline(), b"held\n")
            error = self.assertRaises(StoreError, lock, path)
            self.assertIn(f"held by another gateway (process {other.pid})", str(error))
            other.kill()
        os.close(lock(path))

    def test_lock_without_room(self):
        """A full disk does not keep a gateway from its lock; the holder is unknown then."""
        path = self.put("lock", "no number at all, far too long")
        with full_disk(0):
            fd = lock(path)
        self.addCleanup(os.close, fd)
        self.assertIn("(process unknown)", str(self.assertRaises(StoreError, lock, path)))

    def test_lock_not_permitted(self):
        """A lock file that cannot be opened is told so."""
        path = self.put("lock")
        os.chmod(path, 0o400)
        with nobody():
            self.assertEqual(str(self.assertRaises(StoreError, lock, path)), f"cannot use {path}: Permission denied")

    def test_reason(self):
        """Reasons are the system's words, or plainer ones."""
        self.assertEqual(reason(OSError(28, "No space left on device")), "No space left on device")
        self.assertEqual(reason(OSError("odd")), "odd")
