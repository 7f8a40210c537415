"""TLS to an upstream, over real sockets, with an authority of our own."""

import datetime
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509, PKey
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    wrapServerTLS,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import URI, readBody

from agentgateway.wire.agent import Agent
from agentgateway.wire.endpoints import BACKLOG, make_endpoint, with_backlog
from agentgateway.wire.errors import BadCAFile, ConnectFailed, ConnectTimeout
from agentgateway.wire.outgoing import WholeBody
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.resolver import Resolver
from agentgateway.wire.server import Limits, Server
from tests.wire.doubles import Site, answer, until


def certificate(name: str, issuer: Any = None, *alternatives: x509.GeneralName) -> tuple[Any, Any]:
    """(certificate, key) for `name`, signed by `issuer`, or by itself as an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder(serial_number=x509.random_serial_number())
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer[1] if issuer else key, SHA256()), key


class Echo(Site):
    """Answers with the request's body."""

    def accept(self, request: Any) -> None:
        """When it is here."""
        request.body.arrived().addCallbacks(
            lambda _: answer(request, request.body.take()), lambda _: answer(request, b"", 400)
        )


class TLSTests(TestCase):
    """Whom an agent trusts."""

    server: Server | None = None

    def setUp(self) -> None:
        authority = certificate("an authority")
        self.authority = authority
        self.ca_file = self.mktemp()
        Path(self.ca_file).write_bytes(authority[0].public_bytes(Encoding.PEM) * 2)
        previous = reactor.installNameResolver(Resolver(reactor))
        self.addCleanup(reactor.installNameResolver, previous)

    async def serve(self, *alternatives: x509.GeneralName) -> int:
        """Serve over TLS with a certificate for `alternatives`; gives the port."""
        mine, key = certificate("server", self.authority, *alternatives)
        options = CertificateOptions(PKey.from_cryptography_key(key), X509.from_cryptography(mine))
        self.server = Server(reactor, Echo(), Limits())
        endpoint = wrapServerTLS(options, TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"))
        return await self.listen(endpoint, self.server)

    async def listen(self, endpoint: Any, factory: Any) -> int:
        """Listen until the test is over."""
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def agent(self, ca_file: str | None, **limits: Any) -> Agent:
        """An agent that trusts the authorities in `ca_file`; closed, connections and all, when the test is over."""
        agent = Agent(reactor, make_endpoint(reactor, 5, ca_file), ClientLimits(**limits))
        self.addCleanup(self.end, agent)
        return agent

    async def end(self, agent: Agent) -> None:
        """Close it and wait until both sides have heard of it."""
        agent.close()
        await until(reactor, lambda: agent.counts == (0, 0) and not (self.server and self.server.channels))

    async def test_trusted(self) -> None:
        """With its authority in `ca_file` an upstream is trusted, by name and by address, and connections are kept."""
        port = await self.serve(x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
        agent = self.agent(self.ca_file)
        for host in (b"localhost", b"127.0.0.1"):
            for body in (b"short", b"long" * 500_000):
                response = await agent.request(b"POST", b"https://%b:%d/" % (host, port), None, WholeBody(body))
                self.assertEqual(await readBody(response), body)
        self.assertEqual(agent.counts, (2, 2))

    async def test_not_trusted(self) -> None:
        """Without its authority it is not, and the reason given is the certificate."""
        port = await self.serve(x509.DNSName("localhost"))
        failure = await self.assertFailure(
            self.agent(None).request(b"GET", b"https://localhost:%d/" % port), ConnectFailed
        )
        self.assertIn("certificate verify failed", failure.detail)

    async def test_another_name(self) -> None:
        """A certificate for somebody else is refused, however well signed."""
        port = await self.serve(x509.DNSName("other.test"))
        asked = self.agent(self.ca_file).request(b"GET", b"https://localhost:%d/" % port)
        failure = await self.assertFailure(asked, ConnectFailed)
        self.assertIn("certificate", failure.detail)

    async def test_a_server_that_speaks_no_tls(self) -> None:
        """A plain server behind https is a failure to connect."""
        port = await self.listen(
            TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), Server(reactor, Echo(), Limits())
        )
        await self.assertFailure(
            self.agent(self.ca_file).request(b"GET", b"https://localhost:%d/" % port), ConnectFailed
        )

    async def test_a_handshake_that_never_ends(self) -> None:
        """The time for connecting bounds TLS as well."""
        silent = Factory.forProtocol(Protocol)
        port = await self.listen(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), silent)
        agent = self.agent(self.ca_file, connect_timeout=0)
        asked = agent.request(b"GET", b"https://localhost:%d/" % port)
        reactor.callLater(0.05, agent.sweep)
        await self.assertFailure(asked, ConnectTimeout)

    async def test_a_caller_that_leaves_within_the_handshake(self) -> None:
        """Cancelling within the handshake leaves nothing behind."""
        port = await self.listen(TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), Factory.forProtocol(Protocol))
        agent = self.agent(self.ca_file)
        asked = agent.request(b"GET", b"https://localhost:%d/" % port)
        reactor.callLater(0.05, asked.cancel)
        await self.assertFailure(asked, CancelledError)
        self.assertEqual(agent.counts, (0, 0))

    async def test_a_name_without_an_address(self) -> None:
        """A name that has no address is a failure to connect that says so."""
        asked = self.agent(None).request(b"GET", b"http://nothing.invalid/")
        failure = await self.assertFailure(asked, ConnectFailed)
        self.assertIn("name", failure.detail)

    async def test_an_early_answer_over_tls(self) -> None:
        """A refusal in the middle of an upload arrives whole, over TLS as well."""
        port = await self.serve(x509.DNSName("localhost"))
        self.server.accept = lambda request: answer(request, b"no" * 50_000, 402)
        response = await self.agent(self.ca_file).request(
            b"POST", b"https://localhost:%d/" % port, None, WholeBody(bytes(3_000_000))
        )
        self.assertEqual((response.code, await readBody(response)), (402, b"no" * 50_000))


class MakeEndpointTests(SynchronousTestCase):
    """What can be said before anything is connected."""

    def test_plain(self) -> None:
        """http has no TLS around it; literal addresses are hosts as well, and need no look-up."""
        make = make_endpoint(reactor, 5, None)
        kinds = {b"localhost": HostnameEndpoint, b"127.0.0.1": TCP4ClientEndpoint, b"[::1]": TCP6ClientEndpoint}
        for host, kind in kinds.items():
            self.assertIsInstance(make(URI.fromBytes(b"http://%b:81" % host)), kind)
        make(URI.fromBytes(b"https://[::1]:8443"))

    def test_a_bad_file(self) -> None:
        """A file that is not there, or holds no certificate, is reported at once and by name."""
        self.assertIn(
            "/nowhere/ca.pem", str(self.assertRaises(BadCAFile, make_endpoint, reactor, 5, "/nowhere/ca.pem"))
        )
        path = self.mktemp()
        Path(path).write_bytes(b"nothing")
        self.assertIn("PEM", str(self.assertRaises(BadCAFile, make_endpoint, reactor, 5, path)))


class BacklogTests(SynchronousTestCase):
    """Listening for many callers at once."""

    def test_room(self) -> None:
        """Where the endpoint does not say how many may wait to be accepted, there is room for thousands."""
        for endpoint in ("tcp:80", "tcp6:80:interface=\\:\\:1", "ssl:443:privateKey=k", "unix:/run/x.sock:mode=600"):
            self.assertEqual(with_backlog(endpoint), f"{endpoint}:backlog={BACKLOG}")
        for endpoint in ("tcp:80:backlog=7", "systemd:domain=INET:index=0"):
            self.assertEqual(with_backlog(endpoint), endpoint)


class LookupTests(SynchronousTestCase):
    """Names that take their time, with the endpoints that are really used."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.reactor.callFromThread = lambda work, *args: work(*args)
        self.lookups: list[Any] = []
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))]
        resolver = Resolver(self.reactor, lambda *_: found, self.lookups.append)
        self.reactor.installNameResolver(resolver)
        self.agent = Agent(self.reactor, make_endpoint(self.reactor, 5, None), ClientLimits(connect_timeout=5))

    def test_connected_when_found(self) -> None:
        """The connection goes to the address that was found."""
        self.agent.request(b"GET", b"http://slow.test:8080/")
        self.assertEqual(self.reactor.tcpClients, [])
        self.lookups.pop()()
        self.assertEqual(self.reactor.tcpClients[0][:2], ("10.0.0.1", 8080))

    def test_too_slow(self) -> None:
        """A name that is not found in time fails the request in time, and its late answer connects nothing."""
        asked = self.agent.request(b"GET", b"http://slow.test/")
        self.reactor.advance(5)
        self.agent.sweep()
        self.failureResultOf(asked, ConnectTimeout)
        self.lookups.pop()()
        self.assertEqual(self.reactor.tcpClients, [])

    def test_left_meanwhile(self) -> None:
        """Who leaves while a name is looked up is not told of a failed connection."""
        asked = self.agent.request(b"GET", b"http://slow.test/")
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.lookups.pop()()
        self.assertEqual((self.reactor.tcpClients, self.agent.counts), ([], (0, 0)))

    def test_a_tcp_connection_that_hangs(self) -> None:
        """A connection that is neither made nor refused is given up in time."""
        asked = self.agent.request(b"GET", b"http://slow.test/")
        self.lookups.pop()()
        self.reactor.advance(5)
        self.agent.sweep()
        self.failureResultOf(asked, ConnectFailed)
        self.assertEqual(self.agent.counts, (0, 0))
