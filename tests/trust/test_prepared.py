"""What somebody else has prepared where the gateway's files are to be: links, pipes, folders, a token that he knows."""

import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, TestCase

from tests.peers import ask, closed_port, post
from tests.reality.processes import start_standin, write_config
from tests.trust.gateway import CONFIG, Gateway, fails

CALL = post(b"/v1/messages", b'{"model":"priced","max_tokens":9,"messages":[]}', (b"x-agent-id", b"writer"))


class PreparedTests(TestCase):
    """A gateway in its own process, in a folder that is not its own alone."""

    timeout = 60

    def test_log(self) -> Any:
        """A log path that is a symbolic link, a pipe or a folder is refused, and what it points to is left."""

        async def scenario() -> None:
            for kind, word in (("link", "symbolic link"), ("pipe", "no plain file"), ("folder", "folder")):
                path = write_config(self, closed_port(), 1)
                log, victim = Path(path).parent / "audit.jsonl", Path(path).parent / "victim"
                victim.write_text("precious")
                if kind == "link":
                    log.symlink_to(victim)
                elif kind == "pipe":
                    os.mkfifo(log)
                else:
                    log.mkdir()
                await fails(self, path, "audit", word)
                self.assertEqual(victim.read_text(), "precious")

        return ensureDeferred(scenario())

    def test_token(self) -> Any:
        """In a folder where everybody may make files, an admin token that somebody else has put there is refused."""
        if os.geteuid():
            raise SkipTest("only root can make a file that is another user's")

        async def scenario() -> None:
            path = write_config(self, closed_port(), 1, CONFIG)
            os.chmod(os.path.dirname(path), 0o1777)
            token = Path(path).parent / "admin-token"
            token.write_text("known-to-a-stranger\n")
            token.chmod(0o644)
            os.chown(token, 65534, 65534)
            await fails(self, path, "admin token", "somebody else can have written it")

        return ensureDeferred(scenario())

    def test_open_folder(self) -> Any:
        """In a folder where everybody may write the log is made for its owner alone; the token and the state, too."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            port = closed_port()
            gateway = Gateway(self, write_config(self, port, provider, CONFIG), port)
            os.chmod(gateway.folder, 0o1777)
            await gateway.start()
            self.assertEqual((await ask(self, port, CALL)).status, 200)
            for name in ("audit.jsonl", "admin-token", "ledger.sqlite"):
                mode = stat.S_IMODE((gateway.folder / name).stat().st_mode)
                self.assertEqual(mode & 0o077, 0, f"{name} {mode:o}")

        return ensureDeferred(scenario())
