"""The admin token, and who is on this machine."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.admin import AdminTokenError, Headers, WrongToken, admin_token, host_name, on_this_machine
from agentgateway.config.schema import Gateway, Secret


def headers(**fields: bytes | list[bytes]) -> Headers:
    """A look-up of these fields; `_` in a name stands for `-`."""
    known = {name.replace("_", "-"): value if isinstance(value, list) else [value] for name, value in fields.items()}
    return known.get


class TokenTests(SynchronousTestCase):
    """Where the token comes from, and what matches it."""

    def test_generated_once(self) -> None:
        """The first start makes a token that only the owner can read; later ones use it."""
        folder = self.mktemp()
        first = admin_token(Gateway(state_dir=folder))
        path = Path(folder, "admin-token")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        text = path.read_bytes().strip()
        self.assertGreaterEqual(len(text), 43)
        self.assertTrue(first.matches(text))
        self.assertTrue(admin_token(Gateway(state_dir=folder)).matches(text))
        self.assertEqual(os.listdir(folder), ["admin-token"])

    def test_configured(self) -> None:
        """A configured token is used as it is, and no file is made; it never shows itself."""
        token = admin_token(Gateway(state_dir="/nonexistent", admin_token=Secret("tell-no-one")))
        self.assertTrue(token.matches(b"tell-no-one"))
        self.assertFalse(token.matches(b"tell-no-on"))
        self.assertNotIn("tell-no-one", repr(token))
        self.assertNotIn("tell-no-one", token.pass_key)

    def test_symlink(self) -> None:
        """A token file that is a symbolic link is refused: somebody else may have put it there."""
        folder = self.mktemp()
        os.makedirs(folder)
        os.symlink("/etc/hostname", os.path.join(folder, "admin-token"))
        self.assertRaises(AdminTokenError, admin_token, Gateway(state_dir=folder))

    def test_too_many(self) -> None:
        """After too many wrong ones it is said when the next is looked at."""
        self.assertEqual(str(WrongToken(5.2)), "too many wrong tokens: try again in 6 s")

    def test_no_folder(self) -> None:
        """A folder that cannot be made is told by the key that names it."""
        error = self.assertRaises(AdminTokenError, admin_token, Gateway(state_dir="/proc/none"))
        self.assertIn("gateway.state_dir: cannot make the folder /proc/none: ", str(error))

    def test_written_by_others(self) -> None:
        """A token file into which everybody may write is refused: all of them would know the token."""
        folder = self.mktemp()
        path = Path(folder, "admin-token")
        admin_token(Gateway(state_dir=folder))
        for mode, wrong in ((0o602, True), (0o666, True), (0o644, False), (0o400, False)):
            path.chmod(mode)
            if wrong:
                error = self.assertRaises(AdminTokenError, admin_token, Gateway(state_dir=folder))
                self.assertIn("somebody else", str(error))
            else:
                admin_token(Gateway(state_dir=folder))

    def test_authorisation(self) -> None:
        """One Bearer header with the token authorises; nothing else does."""
        token = admin_token(Gateway(admin_token=Secret("t0ken")))
        self.assertTrue(token.authorises(headers(authorization=b"Bearer t0ken")))
        self.assertTrue(token.authorises(headers(authorization=b"bearer  t0ken ")))
        for wrong in (b"t0ken", b"Basic t0ken", b"Bearer t0ken2", b"Bearer", b""):
            self.assertFalse(token.authorises(headers(authorization=wrong)), wrong)
        self.assertFalse(token.authorises(headers(authorization=[b"Bearer t0ken", b"Bearer t0ken"])))
        self.assertFalse(token.authorises(headers()))


class LoopbackTests(SynchronousTestCase):
    """Requests that began on this machine."""

    def test_local(self) -> None:
        """A loopback peer that names a loopback host is on this machine."""
        for peer, host in (
            ("127.0.0.1", b"127.0.0.1:8080"),
            ("::1", b"[::1]:8080"),
            ("::ffff:127.0.0.1", b"LocalHost."),
        ):
            self.assertTrue(on_this_machine(peer, headers(host=host)), (peer, host))

    def test_elsewhere(self) -> None:
        """Another peer, another name, two names or a proxy in between are not."""
        local = {"host": b"127.0.0.1"}
        self.assertFalse(on_this_machine("10.0.0.1", headers(**local)))
        self.assertFalse(on_this_machine(None, headers(**local)))
        self.assertFalse(on_this_machine("127.0.0.1", headers(host=b"rebound.example")))
        self.assertFalse(on_this_machine("127.0.0.1", headers(host=[b"127.0.0.1", b"127.0.0.1"])))
        self.assertFalse(on_this_machine("127.0.0.1", headers()))
        for name in ("forwarded", "x_forwarded_for", "x_real_ip", "via"):
            self.assertFalse(on_this_machine("127.0.0.1", headers(**local, **{name: b"1.2.3.4"})), name)

    def test_host_name(self) -> None:
        """Ports and brackets are no part of a name."""
        names = {"a": "a", "a:80": "a", "[::1]:80": "::1", "::1": "::1", "": ""}
        self.assertEqual({host: host_name(host) for host in names}, names)
