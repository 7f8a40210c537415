"""The web server in front of the page: small requests, short connections and not too many of them, whoever asks."""

import hashlib
import mimetypes
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from agentgateway.ops.dashboard.answers import Asset

MAX_BODY: Final = 65_536
MAX_CONNECTIONS: Final = 400
"""Viewers' and others'."""
LIFETIME: Final = 30.0
"""Seconds after which a connection that is no WebSocket is closed: a page asks again, a slow stranger does not last."""


class SmallRequest(Request):
    """A request whose body ends early where it is too large."""

    def gotLength(self, length: int | None) -> None:
        """The length that the head declares; None for chunks, which no page of ours sends."""
        if length is None or length > MAX_BODY:
            self.channel.loseConnection()
            length = 0
        super().gotLength(length)  # type: ignore[no-untyped-call]


class ShortSite(Site):
    """Counts its connections, and closes those that have lasted when `sweep` is called."""

    protocol = HTTPChannel  # type: ignore[assignment]
    requestFactory = SmallRequest
    noisy = False
    displayTracebacks = False

    def __init__(self, root: Resource, seconds: Callable[[], float], **options: Any) -> None:
        super().__init__(root, timeout=LIFETIME, **options)  # type: ignore[no-untyped-call]
        self._seconds = seconds
        self._open: dict[Any, float] = {}

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel; None where there are enough."""
        self._open = {channel: began for channel, began in self._open.items() if _is_open(channel)}
        if len(self._open) >= MAX_CONNECTIONS:
            return None
        channel = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        self._open[channel] = self._seconds()
        return channel

    def sweep(self) -> None:
        """Close what has lasted too long, once a second."""
        until = self._seconds() - LIFETIME
        for channel, began in list(self._open.items()):
            if not _is_open(channel):
                del self._open[channel]
            elif began < until:
                channel.transport.abortConnection()

    def log(self, request: Any) -> None:
        """No access log: the audit log has what matters."""


def _is_open(channel: Any) -> bool:
    """False where it is closed, and where a WebSocket has taken its transport over."""
    return channel.transport is not None and getattr(channel.transport, "protocol", None) is channel


def assets() -> dict[str, Asset]:
    """The page's files by path, read once."""
    found: dict[str, Asset] = {}
    _collect(files("agentgateway.ops.dashboard") / "static", "", found)
    return found


def _collect(folder: Any, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _collect(entry, f"{prefix}{entry.name}/", found)
        else:
            content = entry.read_bytes()
            type_ = mimetypes.guess_type(entry.name)[0] or "text/plain"
            text = type_.startswith("text/") or type_.endswith("javascript")
            tag = hashlib.sha256(content).hexdigest()[:16]
            found[prefix + entry.name] = Asset(content, f"{type_}{'; charset=utf-8' * text}".encode(), tag.encode())
