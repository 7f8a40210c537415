"""The prompt inside the running gateway, on a UNIX socket and by ssh."""

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from agentgateway.config.schema import Admin
from agentgateway.ops.manhole import ManholeError, manhole
from tests.harness import CONFIG, RawClient, reactor, start_gateway, until

SSH = ("-tt", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")


class ManholeTests(TestCase):
    """Who gets in, and what is there."""

    def folder(self) -> Path:
        """A short path, as UNIX sockets need it."""
        path = Path(f"/tmp/agw-{os.getpid()}-{id(self)}")
        path.mkdir()
        self.addCleanup(shutil.rmtree, path)
        return path

    def test_socket(self) -> Any:
        """On the socket, which only its owner can open, the prompt says what it is and knows the gateway's parts."""

        async def scenario() -> None:
            path = self.folder() / "manhole.sock"
            admin = f'admin: {{{{manhole: "unix:{path}:mode=600"}}}}\n'
            await start_gateway(self, CONFIG + admin)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            client = await connectProtocol(UNIXClientEndpoint(reactor, str(path)), RawClient())
            await until(lambda: b"fleet" in client.received and b">>> " in client.received)
            client.transport.write(
                b"'agent ' + fleet.get('researcher').id, config.path, len(store.__class__.__name__)\r"
            )
            await until(lambda: b"agent researcher" in client.received)
            client.transport.loseConnection()
            await client.closed

        return ensureDeferred(scenario())

    def test_ssh(self) -> Any:
        """By ssh an authorized key gets the prompt, another key does not; the host's key is kept."""
        if shutil.which("ssh") is None:
            raise SkipTest("there is no ssh on this machine (Debian: openssh-client)")

        async def scenario() -> None:
            folder = self.folder()
            for name in ("good", "other"):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
            admin = Admin("tcp:0:interface=127.0.0.1", str(folder / "good.pub"))
            service: Any = manhole(admin, str(folder), lambda: {"answer": 42}, reactor)
            service.startService()
            self.addCleanup(service.stopService)
            port = (await service._waitingForPort).getHost().port

            def call(key: str) -> bytes:
                command = ["ssh", *SSH, "-i", str(folder / key), "-p", str(port), "anyone@127.0.0.1"]
                with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.STDOUT, bufsize=0) as ssh:
                    assert ssh.stdin is not None and ssh.stdout is not None
                    said = b""
                    while part := ssh.stdout.read(4096):
                        said += part
                        if said.endswith(b">>> ") and b"\x1b[2J" in said:
                            ssh.stdin.write(b"\x04" if b"84" in said else b"answer * 2\r")
                    return said

            said = await deferToThread(call, "good")
            self.assertIn(b"84", said)
            self.assertGreater(said.rfind(b"Control-D"), said.rfind(b"\x1b[2J"))
            self.assertIn(b"Permission denied", await deferToThread(call, "other"))
            self.assertEqual(stat.S_IMODE((folder / "manhole-host-key").stat().st_mode), 0o600)

        return ensureDeferred(scenario())

    def test_keys_that_are_none(self) -> None:
        """A file of keys that is missing or empty stops the start."""
        folder = self.folder()
        (folder / "empty").write_text("")
        for name, why in (("missing", "No such file"), ("empty", "no key")):
            with self.assertRaisesRegex(ManholeError, why):
                manhole(Admin("tcp:0", str(folder / name)), str(folder), dict, reactor)
