"""The scripts as they are sent to Redis."""

from hashlib import sha1
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import agentgateway.stores.live
from agentgateway.domain.lease import LINGER, TTL
from agentgateway.stores.live.scripts import ARRIVE, MISSED, SYNC, TELL


class ScriptTests(SynchronousTestCase):
    """Texts and digests."""

    def test_digest(self) -> None:
        """EVALSHA finds a script by the SHA-1 of its text, in hexadecimal."""
        for script in (SYNC, TELL, MISSED, ARRIVE):
            self.assertEqual(script.digest, sha1(script.text.encode()).hexdigest())

    def test_every_file_is_used(self) -> None:
        """No file of Lua lies about."""
        text = "".join(script.text for script in (SYNC, TELL, MISSED, ARRIVE))
        for path in Path(agentgateway.stores.live.__path__[0]).glob("*.lua"):
            self.assertIn(path.read_text(), text)

    def test_the_same_numbers(self) -> None:
        """The scripts and the processes agree on how long a lease is good."""
        self.assertIn(f"local TTL, LINGER, EXACT = {TTL}, {LINGER}, ", SYNC.text)
