"""Endpoints, hosts and URLs."""

from twisted.internet import endpoints
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import addresses
from agentgateway.config.tree import Scalar, Table, Wrong


def quoted(text):
    """A scalar in quotes."""
    return Scalar(1, None, "", text)


class EndpointTests(SynchronousTestCase):
    """Endpoint strings."""

    def test_right(self):
        """What Twisted can listen on is accepted as it stands."""
        for text in (
            "tcp:8080",
            "tcp:0:interface=127.0.0.1:backlog=5",
            "tcp:port=80:interface=\\:\\:1",
            "tcp6:80",
            "unix:/run/gw.sock:mode=660",
            "unix:address=C\\:x",
        ):
            self.assertEqual(addresses.endpoint(quoted(text)), text)
            endpoints.serverFromString(MemoryReactor(), text)

    def test_needing_more(self):
        """Endpoints that need a certificate or a supervisor are accepted by their form."""
        for text in (
            "ssl:443:privateKey=k.pem:certKey=c.pem",
            "systemd:domain=INET:index=0",
            "systemd:INET6:name=http",
        ):
            self.assertEqual(addresses.endpoint(quoted(text)), text)

    def test_wrong(self):
        """Whatever else is refused at the check, not at the start."""
        for text in (
            "8080",
            "tpc:8080",
            "tcp",
            "tcp:",
            "tcp:http",
            "tcp:70000",
            "tcp:-1",
            "tcp:80:port=81",
            "tcp:80:interfcae=x",
            "tcp:80:interface=127.0.0.1:5:6",
            "tcp:80:backlog=x",
            "unix:",
            "unix:s:mode=rw",
            "systemd:INET",
            "systemd:INET:index=0:name=x",
        ):
            self.assertRaises(Wrong, addresses.endpoint, quoted(text))

    def test_short_form(self):
        """A host and a port make an endpoint Twisted understands, IPv6 included."""
        for host in ("127.0.0.1", "::1", "localhost"):
            endpoints.serverFromString(MemoryReactor(), addresses.tcp_endpoint(8080, host))


class ManholeTests(SynchronousTestCase):
    """A Python prompt must not stand open."""

    def manhole(self, text, keys=None):
        """The endpoint as read beside `keys`."""
        table = Table(1, None, "")
        if keys is not None:
            table.entries["authorized_keys"] = Scalar(1, table, "authorized_keys", keys)
        return addresses.manhole(Scalar(1, table, "manhole", text))

    def test_socket(self):
        """A UNIX socket is for its owner alone unless the file says otherwise."""
        self.assertEqual(self.manhole("unix:m.sock"), "unix:m.sock:mode=600")
        self.assertEqual(self.manhole("unix:m.sock:mode=660"), "unix:m.sock:mode=660")
        self.assertRaises(Wrong, self.manhole, "unix:m.sock:mode=606")

    def test_network(self):
        """A port is only opened with keys to ask for."""
        self.assertRaises(Wrong, self.manhole, "tcp:2222:interface=127.0.0.1")
        self.assertRaises(Wrong, self.manhole, "systemd:INET:index=1")
        self.assertRaises(Wrong, self.manhole, "tcp:2222", "")
        self.assertEqual(self.manhole("tcp:2222", "keys.pub"), "tcp:2222")


class UrlTests(SynchronousTestCase):
    """Base URLs."""

    def test_right(self):
        """A URL may carry a port and a path; the trailing slash goes."""
        for text, url in (
            ("https://api.example.com/", "https://api.example.com"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("https://x/openai/", "https://x/openai"),
            ("http://[::1]:80", "http://[::1]:80"),
        ):
            self.assertEqual(addresses.base_url(quoted(text)), url)

    def test_wrong(self):
        """What cannot be called, or would travel along with every call, is refused."""
        for text in (
            "api.example.com",
            "ftp://x",
            "https://",
            "https://x:99999",
            "https://x:0",
            "https://x:y",
            "https://[::1",
            "https://x/?k=v",
            "https://x/#f",
            "https://u:p@x",
            "https://x/a b",
            "https://x\\y",
            "https://exämple.com",
        ):
            self.assertRaises(Wrong, addresses.base_url, quoted(text))
