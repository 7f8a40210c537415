"""The socket on which a worker answers its siblings: in its own folder, which is locked while it runs."""

import os
from contextlib import suppress
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import ILoggingContext
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from agentgateway.ops.listening import Listening


@implementer(ILoggingContext)
class QuietSite(Site):
    """A site without an access log: nobody but siblings asks it, and that often."""

    noisy = False
    displayTracebacks = False

    def logPrefix(self) -> str:
        """What is said to start on the socket."""
        return "management for the other workers"

    def log(self, request: Any) -> None:
        """Nothing."""


class Root(Resource):
    """What a worker answers its siblings: its management API and, once it has one, what its dashboard knows."""

    def __init__(self, management: Resource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._management = management
        self.dashboard: Resource | None = None

    def getChild(self, path: bytes, request: Any) -> Resource:
        """By the first part of the path."""
        found = self.dashboard.children.get(path) if self.dashboard is not None else None
        return found or self._management


class Control(Listening):
    """Listens on the UNIX socket `path`, whose owner alone may connect; a socket that a dead worker has left there goes."""

    def __init__(self, path: str, root: Resource, reactor: Any) -> None:
        factory = QuietSite(root)  # type: ignore[no-untyped-call]
        escaped = path.replace("\\", "\\\\").replace(":", "\\:")
        super().__init__(serverFromString(reactor, f"unix:{escaped}:mode=600:lockfile=0"), factory, reactor)
        self._path = path

    def privilegedStartService(self) -> None:
        """Listen."""
        if self._port is None:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        super().privilegedStartService()
