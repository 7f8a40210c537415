"""Who may look at the gateway and who may change it: one rule for the management API and the dashboard.

Looking is open to callers on the machine itself, where the configuration does not close that; everything else wants the
admin token. It comes from the configuration, else from `state_dir/admin-token`, which the first start makes.
"""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from agentgateway.config.schema import Gateway, Secret
from agentgateway.domain.alert import Alert
from agentgateway.domain.guesses import Guesser, Guesses
from agentgateway.domain.moment import Moment
from agentgateway.errors import GatewayError

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
"""A request with one of these has come through a proxy: its peer address says nothing of where it began."""
FILE: Final = "admin-token"

_LONGEST = 4096
_BEARER = re.compile(rb"bearer +(\S+)", re.IGNORECASE)

Headers = Callable[[str], Sequence[bytes] | None]
"""The values of a header by its name, as `twisted.web.http_headers.Headers.getRawHeaders` gives them."""


class AdminTokenError(GatewayError):
    """The token's file cannot be read or made; the message says why."""


class WrongToken(GatewayError):
    """What was shown is not the token; or was not looked at, for `wait` seconds more, after too many that were wrong."""

    def __init__(self, wait: float) -> None:
        later = f"too many wrong tokens: try again in {int(wait) + 1} s"
        super().__init__(later if wait else "this is not the admin token")
        self.wait = wait


@attrs.frozen
class AdminToken:
    """The admin token; compared in constant time, never printed. `alert` is told of each wrong one that was shown."""

    _secret: Secret
    _alert: Callable[[Alert], None] = lambda _: None
    _guesses: Guesses = attrs.field(factory=Guesses, eq=False, repr=False)

    def matches(self, presented: bytes) -> bool:
        """Whether `presented` is the token."""
        return hmac.compare_digest(_digest(presented), _digest(self._secret.value.encode()))

    def authorises(self, headers: Headers) -> bool:
        """Whether a request has the token, once, as ``Authorization: Bearer``."""
        values = headers("authorization") or ()
        found = _BEARER.fullmatch(values[0].strip()) if len(values) == 1 else None
        return found is not None and self.matches(found[1])

    def vouch(self, right: bool, peer: str | None, headers: Headers, now: Moment, shown: str = "admin token") -> None:
        """Somebody at `peer` has shown the token, or what was traded for it: `right` or not. Raises WrongToken."""
        address = peer or "a local socket"
        guesser = _guesser(address, headers)
        wait = self._guesses.wait(guesser, now.monotonic)
        if wait > 0:
            raise WrongToken(wait)
        if not right:
            self._guesses.wrong(guesser, now.monotonic)
            self._alert(Alert(now.wall, "access", f"a wrong {shown} was presented by {address}"))
            raise WrongToken(0.0)

    @property
    def digest(self) -> bytes:
        """Its SHA-256, by which it is known where it does not belong."""
        return _digest(self._secret.value.encode())

    @property
    def secret(self) -> Secret:
        """As a configuration may hold it."""
        return self._secret

    @property
    def pass_key(self) -> str:
        """What a browser keeps in place of the token: proves that it was known, and is of no use as the token itself."""
        return hmac.new(self._secret.value.encode(), b"agentgateway dashboard", hashlib.sha256).hexdigest()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value[:_LONGEST]).digest()


def _guesser(peer: str, headers: Headers) -> Guesser:
    """Whom a wrong token is held against: an address, of IPv6 the network that a single household or host has.

    Who guesses through a proxy on this machine must not lock out who works on it.
    """
    proxied = any(headers(name) for name in FORWARDED)
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer, proxied
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else peer, proxied


def admin_token(gateway: Gateway, alert: Callable[[Alert], None] = lambda _: None) -> AdminToken:
    """The configured token, else the one in the state folder, made (0600) where there is none. Raises AdminTokenError."""
    if gateway.admin_token is not None:
        return AdminToken(gateway.admin_token, alert)
    path = os.path.join(gateway.state_dir, FILE)
    try:
        os.makedirs(gateway.state_dir, mode=0o700, exist_ok=True)
    except OSError as error:
        raise AdminTokenError(f"gateway.state_dir: cannot make the folder {gateway.state_dir}: {error.strerror}")
    try:
        text = _read(path) or _make(path)
    except OSError as error:
        raise AdminTokenError(f"gateway.state_dir: cannot use the admin token in {path}: {error.strerror}")
    return AdminToken(Secret(text, path), alert)


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with open(fd, encoding="utf-8", errors="replace") as file:
        if _others(os.fstat(fd), os.stat(os.path.dirname(path) or ".")):
            raise AdminTokenError(f"cannot use the admin token in {path}: somebody else can have written it")
        return file.read(_LONGEST).strip()


def _others(file: os.stat_result, folder: os.stat_result) -> bool:
    """Whether a token can be somebody else's: of one who may make files in the folder, or where all may write into it."""
    return file.st_uid not in (0, os.geteuid(), folder.st_uid) or bool(file.st_mode & stat.S_IWOTH)


def _make(path: str) -> str:
    """A new token in a file that appears whole; where another process was faster, that one's."""
    text = secrets.token_urlsafe(32)
    draft = f"{path}.{os.getpid()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        if os.path.exists(path) and not os.path.getsize(path):
            os.replace(draft, path)
            return text
        try:
            os.link(draft, path)
        except FileExistsError:
            return _read(path)
    finally:
        if os.path.exists(draft):
            os.unlink(draft)
    return text


def on_this_machine(peer: str | None, headers: Headers) -> bool:
    """Whether a request began on this machine: a loopback peer, a loopback `Host`, and no proxy in between.

    The `Host` keeps out pages whose own name was made to lead to this machine.
    """
    hosts = headers("host") or ()
    if len(hosts) != 1 or any(headers(name) for name in FORWARDED):
        return False
    return _loopback(peer or "") and _loopback(host_name(hosts[0].decode("latin-1")))


def host_name(host: str) -> str:
    """The name or address in a `Host` header, without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _loopback(name: str) -> bool:
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
