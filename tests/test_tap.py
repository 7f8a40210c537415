"""What twistd is given."""

import errno
import os
import socket
from pathlib import Path

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.load import parse
from agentgateway.tap import Options, hindrance, makeService


class TapTests(SynchronousTestCase):
    """Options, and mistakes as lines."""

    def test_options(self) -> None:
        """The configuration is gateway.yaml unless -c names another."""
        options = Options()
        options.parseOptions([])
        self.assertEqual(options["config"], "gateway.yaml")
        options.parseOptions(["-c", "other.yaml"])
        self.assertEqual(options["config"], "other.yaml")

    def test_mistakes(self) -> None:
        """A mistake in the file ends the start with its line, not with a traceback."""
        path = Path(self.mktemp())
        path.write_text("agents: {a: {rate_limit: 50/fortnight}}\n")
        options = Options()
        options.parseOptions(["-c", str(path)])
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertIn(':1: agents.a.rate_limit: expected "<count>/<unit>"', str(error))


class HindranceTests(SynchronousTestCase):
    """What is said where the gateway cannot listen."""

    def said(self, text: str, interface: str, port: object, number: int) -> str:
        """The line for a place of the file `text` that cannot be had."""
        error = CannotListenError(interface, port, OSError(number, os.strerror(number)))
        return hindrance(error, parse(text, "gateway.yaml", {}))

    def test_taken(self) -> None:
        """A port that is in use is told by its key, and with what to do."""
        text = "gateway: {port: 8080, host: 127.0.0.1}\ndashboard: {port: 4040, host: 127.0.0.1}\n"
        what = "is in use, by another gateway perhaps: stop that or change the key"
        for port, key in ((8080, "gateway.port"), (4040, "dashboard.port")):
            said = self.said(text, "127.0.0.1", port, errno.EADDRINUSE)
            self.assertEqual(said, f"cannot listen: {key} {port} {what}")

    def test_host(self) -> None:
        """An address of another machine, and a name that is none, are told by the key that has them."""
        text = "gateway: {port: 8083, host: 9.9.9.9}\ndashboard: {host: 9.9.9.9}\n"
        for port, key in ((8083, "gateway.host"), (4040, "dashboard.host")):
            said = self.said(text, "9.9.9.9", port, errno.EADDRNOTAVAIL)
            self.assertEqual(said, f"cannot listen: {key} 9.9.9.9: Cannot assign requested address")
        error = CannotListenError("nohost", 8083, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        said = hindrance(error, parse("gateway: {port: 8083, host: nohost}", "gateway.yaml", {}))
        self.assertEqual(said, "cannot listen: gateway.host nohost: Name or service not known")

    def test_endpoints(self) -> None:
        """Of several endpoints the one is told that hinders; what no key is found for, by its address."""
        text = "gateway: {listen: ['tcp:80', 'unix:/run/g.sock']}\nadmin: {manhole: 'unix:/run/m.sock'}\n"
        for interface, port, key in (
            ("", 80, "gateway.listen tcp:80"),
            (None, "/run/g.sock", "gateway.listen unix:/run/g.sock"),
            (None, "/run/m.sock", "admin.manhole unix:/run/m.sock:mode=600"),
            ("10.0.0.7", 99, "10.0.0.7:99"),
        ):
            self.assertEqual(self.said(text, interface, port, errno.EACCES), f"cannot listen: {key}: Permission denied")

    def test_other(self) -> None:
        """What is no matter of an address is told as it is."""
        said = hindrance(OSError(errno.EMFILE, "Too many open files"), parse("", "gateway.yaml", {}))
        self.assertEqual(said, "cannot listen: [Errno 24] Too many open files")
