"""Who gets in: callers with the admin token, callers on this machine to read, and nobody who guesses.

A browser can be made to call this port by any page it shows. What such a page can send says so itself (`Origin`,
`Sec-Fetch-Site`) and is held to the token, which the page does not have.
"""

from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from agentgateway.admin import AdminToken, Headers, WrongToken, on_this_machine
from agentgateway.domain.moment import Moment
from agentgateway.web.management.problems import Problem


@attrs.frozen
class Caller:
    """Who asks, as far as it is known: `name` is "admin" with the token, "local" without."""

    name: Literal["admin", "local"]
    peer: str

    def __str__(self) -> str:
        return f"{self.name} at {self.peer}"


class Guard:
    """Lets callers in or raises Problem (401)."""

    def __init__(self, token: AdminToken) -> None:
        self._token = token

    def admit(self, peer: str | None, headers: Headers, change: bool, open_reads: bool, now: Moment) -> Caller:
        """Who this is. `change`: more than reading is asked for; `open_reads`: this machine reads without the token."""
        shown = peer or "a local socket"
        if headers("authorization"):
            self._check(peer, headers, now)
            return Caller("admin", shown)
        if change:
            raise _unauthorized("every change wants the admin token, as Authorization: Bearer")
        if not (open_reads and on_this_machine(peer, headers)):
            raise _unauthorized("reading from elsewhere than this machine wants the admin token")
        if _from_a_foreign_page(headers):
            raise _unauthorized("a page of another site may not read this without the admin token")
        return Caller("local", shown)

    def _check(self, peer: str | None, headers: Headers, now: Moment) -> None:
        try:
            self._token.vouch(self._token.authorises(headers), peer, headers, now)
        except WrongToken as wrong:
            if wrong.wait:
                raise _unauthorized(str(wrong), "too_many_attempts", b"%d" % (int(wrong.wait) + 1))
            raise _unauthorized(f"{wrong}; it stands in admin-token in the gateway's state_dir")


def peer_of(request: Any) -> str | None:
    """The address of the other side; None for one without, as on a Unix socket."""
    return getattr(request.getClientAddress(), "host", None)


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
