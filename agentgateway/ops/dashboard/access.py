"""Who may see the dashboard, and who may act through it.

Seeing is for callers on the machine itself and for those with the admin token; acting is for those with the token. A
browser proves that it has been given the token with a cookie; a program shows it on each request. The cookie goes along
on requests that other pages of the same host make, too, whatever their port: `Origin` tells them apart.
"""

import hmac
from typing import Any, Final
from urllib.parse import urlsplit

from agentgateway.admin import AdminToken, Headers, WrongToken, on_this_machine
from agentgateway.ops.dashboard.shared import Shared

COOKIE: Final = b"agentgateway_dashboard"
KEPT: Final = 30 * 86_400
"""Seconds a browser stays logged in."""


class Access:
    """Looks at requests; holds nothing of theirs."""

    def __init__(self, live: Shared, token: AdminToken) -> None:
        self._live = live
        self._token = token

    def may_view(self, request: Any) -> bool:
        """Whether the fleet may be shown to this caller."""
        return self.rights(request)[0]

    def may_act(self, request: Any) -> bool:
        """Whether this caller has shown the admin token."""
        return self.rights(request)[1]

    def rights(self, request: Any) -> tuple[bool, bool]:
        """(may view, may act): to be asked once a request, since a wrong token counts as a guess each time."""
        acts = self._shown(request)
        here = self._live.config.gateway.loopback_reads and on_this_machine(_peer(request), _values(request))
        return acts or here, acts

    def log_in(self, request: Any, token: str) -> None:
        """Give the caller's browser the cookie, where `token` is right; raises WrongToken."""
        self._vouch(request, self._token.matches(token.encode()))
        self._set(request, self._token.pass_key.encode(), KEPT)

    def _shown(self, request: Any) -> bool:
        """Whether the caller has shown the token, or the cookie that it was traded for."""
        try:
            if _has_bearer(_values(request)):  # a proxy in front may want a password of its own
                self._vouch(request, self._token.authorises(_values(request)))
                return True
            cookie = request.getCookie(COOKIE)
            if cookie:
                right = hmac.compare_digest(cookie, self._token.pass_key.encode())
                if not right:
                    self._set(request, b"", 0)  # of an earlier token: a browser must not show it for ever
                self._vouch(request, right, "dashboard cookie")
                return True
        except WrongToken:
            pass
        return False

    def _vouch(self, request: Any, right: bool, shown: str = "admin token") -> None:
        self._token.vouch(right, _peer(request), _values(request), self._live.moment(), shown)

    def log_out(self, request: Any) -> None:
        """Take the cookie back."""
        self._set(request, b"", 0)

    def _set(self, request: Any, value: bytes, age: int) -> None:
        cookie = b"%b=%b; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict" % (COOKIE, value, age)
        request.responseHeaders.setRawHeaders(b"Set-Cookie", [cookie])


def _peer(request: Any) -> str | None:
    """The caller's address; None for one without."""
    return getattr(request.getClientAddress(), "host", None)


def _has_bearer(headers: Headers) -> bool:
    return any(value.strip()[:7].lower() == b"bearer " for value in headers("authorization") or ())


def _values(request: Any) -> Headers:
    """The values of a header, as bytes whatever they are."""
    return lambda name: request.requestHeaders.getRawHeaders(name.encode("ascii"))


def from_here(request: Any) -> bool:
    """Whether a request comes from the dashboard's own page, or from no page at all: `Origin` is absent or is `Host`."""
    headers = request.requestHeaders
    hosts, origins = headers.getRawHeaders(b"host") or [], headers.getRawHeaders(b"origin") or []
    if len(hosts) != 1 or len(origins) > 1:
        return False
    if not origins:
        return (headers.getRawHeaders(b"sec-fetch-site") or [b"none"])[-1] in (b"none", b"same-origin")
    try:
        origin = urlsplit(origins[0].decode("ascii"))
    except ValueError:
        return False
    return origin.scheme in ("http", "https") and origin.netloc.lower() == hosts[0].decode("latin-1").lower()
