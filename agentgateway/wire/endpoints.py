"""Where the client side connects to: a name and a port, with TLS for https."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL.crypto import X509
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import URI
from zope.interface import implementer

from agentgateway.wire.errors import BadCAFile

BACKLOG: Final = 4096


def with_backlog(endpoint: str) -> str:
    """An endpoint string of a server, with room for many callers at once where it does not say how much.

    Twisted's 50 make the kernel drop the others' first packets, which they send again after a second.
    """
    roomy = "backlog=" in endpoint or not endpoint.startswith(("tcp", "ssl:", "unix:"))
    return endpoint if roomy else f"{endpoint}:backlog={BACKLOG}"


def make_endpoint(reactor: Any, connect_timeout: float, ca_file: str | None) -> Callable[[URI], IStreamClientEndpoint]:
    """How to reach an origin; an endpoint keeps its TLS context for all its connections.

    `connect_timeout` (seconds) bounds each TCP attempt; the whole is bounded by the pool. https trusts the certificate
    authorities in `ca_file` (PEM), without one those of the platform. Raises BadCAFile at once.
    """
    trust = trust_root(ca_file)

    def endpoint(uri: URI) -> IStreamClientEndpoint:
        host = uri.host.decode("ascii")
        plain = _plain(reactor, host, uri.port, connect_timeout)
        if uri.scheme != b"https":
            return plain
        options = optionsForClientTLS(host, trust, acceptableProtocols=[b"http/1.1"])
        return wrapClientTLS(options, plain, reactor)

    return endpoint


def _plain(reactor: Any, host: str, port: int, connect_timeout: float) -> IStreamClientEndpoint:
    """An address needs no look-up and no race between several: a quarter of the work."""
    if isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port, connect_timeout)
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port, connect_timeout)
    doubt = getattr(reactor.nameResolver, "doubt", None)  # ours, see wiring.prepare
    named = HostnameEndpoint(reactor, host, port, connect_timeout)
    return named if doubt is None else Named(named, partial(doubt, host))


@implementer(IStreamClientEndpoint)
@attrs.frozen
class Named:
    """An endpoint behind a name, which it doubts where no connection comes about."""

    endpoint: IStreamClientEndpoint
    doubt: Callable[[], None]

    def connect(self, protocolFactory: IProtocolFactory) -> "Deferred[Any]":
        """As the endpoint itself."""
        connecting: Deferred[Any] = self.endpoint.connect(protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self.doubt()
        return failure


def trust_root(ca_file: str | None) -> Any:
    """The `IOpenSSLTrustRoot` that says whose word is taken on who an upstream is. Raises BadCAFile."""
    if ca_file is None:
        return platformTrust()
    try:
        with open(ca_file, "rb") as pem:
            certificates = load_pem_x509_certificates(pem.read())
    except OSError as error:
        raise BadCAFile(f"ca_file {ca_file}: {error.strerror}") from error
    except ValueError as error:
        raise BadCAFile(f"ca_file {ca_file}: expected certificates in PEM format") from error
    return trustRootFromCertificates([Certificate(X509.from_cryptography(one)) for one in certificates])
