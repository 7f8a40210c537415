"""Where secrets come from, and that they stay there."""

import hashlib
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Secret
from agentgateway.config.secret import MAX_FILE_BYTES, SecretReader
from agentgateway.config.tree import Scalar, Wrong


def node(text):
    """A scalar in quotes."""
    return Scalar(1, None, "key", text)


class SecretTests(SynchronousTestCase):
    """Secrets from the environment, files and the configuration itself."""

    def setUp(self):
        """A reader with one variable."""
        self.reader = SecretReader({"NAME": "from-env", "EMPTY": ""})

    def test_sources(self):
        """env:, file: and literal secrets resolve to their text; a file's last line end is not part of it."""
        path = self.mktemp()
        for ending in ("", "\n", "\r\n"):
            Path(path).write_bytes(b"from-file" + ending.encode())
            self.assertEqual(self.reader.secret(node(f"file:{path}")), Secret("from-file", f"file:{path}"))
        self.assertEqual(self.reader.secret(node("env:NAME")), Secret("from-env", "env:NAME"))
        self.assertEqual(self.reader.secret(node("12345")), Secret("12345", "file"))

    def test_missing(self):
        """A secret that is not there is an error, never an empty key."""
        path = self.mktemp()
        Path(path).write_text("\n")
        for text in ("env:OTHER", "env:EMPTY", "env:", "env:a-b", "file:", f"file:{path}", "file:/nowhere", ""):
            self.assertRaises(Wrong, self.reader.secret, node(text))

    def test_odd_files(self):
        """Folders, pipes, devices, binary and huge files are no secrets, and none of them blocks the start."""
        folder, pipe, binary, huge = (self.mktemp() for _ in range(4))
        os.mkdir(folder)
        os.mkfifo(pipe)
        Path(binary).write_bytes(b"\xff\xfe")
        Path(huge).write_bytes(b"x" * (MAX_FILE_BYTES + 1))
        for path in (folder, pipe, "/dev/zero", binary, huge, "a\0b"):
            self.assertRaises(Wrong, self.reader.secret, node(f"file:{path}"))

    def test_header_safe(self):
        """A secret that could not travel in a header, or would add one, is refused."""
        for text in ("two\nlines", "tab\there", "größe", " blank", "blank "):
            self.assertRaises(Wrong, self.reader.secret, node(text))


class KeyTests(SynchronousTestCase):
    """Gateway keys, of which only digests are kept."""

    def test_digest(self):
        """A key may stand as its digest or as itself, here or elsewhere: it is the same key."""
        digest = hashlib.sha256(b"from-env").digest()
        for text in ("env:NAME", "from-env", f"sha256:{digest.hex()}", f"sha256:{digest.hex().upper()}"):
            self.assertEqual(SecretReader({"NAME": "from-env"}).key(node(text)), digest)

    def test_bad_digest(self):
        """Something else after sha256: is a slip, not a key."""
        for text in ("sha256:", "sha256:abc", "sha256:" + "g" * 64):
            self.assertRaises(Wrong, SecretReader({}).key, node(text))

    def test_shared(self):
        """Two agents with one key, however each spells it, cannot be told apart."""
        reader = SecretReader({})
        reader.key(node("k"))
        digest = hashlib.sha256(b"k").hexdigest()
        self.assertRaises(Wrong, reader.key, node(f"sha256:{digest}"))
