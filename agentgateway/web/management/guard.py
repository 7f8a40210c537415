"""Who gets in: callers with the admin token, callers on this machine to read, and nobody who guesses.

A browser can be made to call this port by any page it shows. What such a page can send says so itself (`Origin`,
`Sec-Fetch-Site`) and is held to the token, which the page does not have.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import attrs

from agentgateway.admin import FORWARDED, AdminToken, Headers, on_this_machine
from agentgateway.config.schema import Rate
from agentgateway.domain.alert import Alert
from agentgateway.domain.bucket import TokenBucket
from agentgateway.domain.moment import Moment
from agentgateway.web.management.problems import Problem

GUESSES: Final = Rate(10, 60)
"""Wrong tokens a peer may try."""
MAX_PEERS: Final = 1_000
"""Peers whose wrong tokens are remembered."""


@attrs.frozen
class Caller:
    """Who asks, as far as it is known: `name` is "admin" with the token, "local" without."""

    name: Literal["admin", "local"]
    peer: str

    def __str__(self) -> str:
        return f"{self.name} at {self.peer}"


class Guard:
    """Lets callers in or raises Problem (401); what it turns away for a wrong token is told to `alert`."""

    def __init__(self, token: AdminToken, alert: Callable[[Alert], None]) -> None:
        self._token = token
        self._alert = alert
        self._guesses: OrderedDict[tuple[str, bool], TokenBucket] = OrderedDict()

    def admit(self, peer: str | None, headers: Headers, change: bool, open_reads: bool, now: Moment) -> Caller:
        """Who this is. `change`: more than reading is asked for; `open_reads`: this machine reads without the token."""
        shown = peer or "a local socket"
        if headers("authorization"):
            self._check(shown, headers, now)
            return Caller("admin", shown)
        if change:
            raise _unauthorized("every change wants the admin token, as Authorization: Bearer")
        if not (open_reads and on_this_machine(peer, headers)):
            raise _unauthorized("reading from elsewhere than this machine wants the admin token")
        if _from_a_foreign_page(headers):
            raise _unauthorized("a page of another site may not read this without the admin token")
        return Caller("local", shown)

    def _check(self, peer: str, headers: Headers, now: Moment) -> None:
        # Who guesses through a proxy on this machine must not lock out who works on it.
        key = _origin(peer), any(headers(name) for name in FORWARDED)
        bucket = self._guesses.get(key)
        wait = 0.0 if bucket is None else bucket.wait(now.monotonic)
        if wait > 0:
            seconds = b"%d" % (int(wait) + 1)
            raise _unauthorized("too many wrong tokens: try again later", "too_many_attempts", seconds)
        if self._token.authorises(headers):
            self._guesses.pop(key, None)
            return
        if bucket is None:
            bucket = self._guesses[key] = TokenBucket.full(GUESSES, now.monotonic)
            if len(self._guesses) > MAX_PEERS:
                self._guesses.popitem(last=False)
        self._guesses.move_to_end(key)
        bucket.charge(now.monotonic, 1)
        self._alert(Alert(now.wall, "access", f"a wrong admin token was presented by {peer}"))
        raise _unauthorized("this is not the admin token; it stands in admin-token in the gateway's state_dir")


def peer_of(request: Any) -> str | None:
    """The address of the other side; None for one without, as on a Unix socket."""
    return getattr(request.getClientAddress(), "host", None)


def _origin(peer: str) -> str:
    """Whom a wrong token is held against: an address, of IPv6 the network that a single household or host has."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else peer


def _from_a_foreign_page(headers: Headers) -> bool:
    """Whether a browser sent this for a page that is not this gateway's own."""
    if any(site not in (b"same-origin", b"none") for site in headers("sec-fetch-site") or ()):
        return True
    hosts = [host.decode("latin-1").lower() for host in headers("host") or ()]
    return any(_host(origin) not in hosts for origin in headers("origin") or ())


def _host(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:
        return ""


def _unauthorized(
    message: str, code: Literal["unauthorized", "too_many_attempts"] = "unauthorized", retry_after: bytes = b""
) -> Problem:
    fields = [(b"WWW-Authenticate", b'Bearer realm="agentgateway"')]
    if retry_after:
        fields.append((b"Retry-After", retry_after))
    return Problem(401, code, message, fields=tuple(fields))
