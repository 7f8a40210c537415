"""Names to addresses, in threads of its own: a slow name delays nobody but its own first callers.

Twisted's resolver shares ten threads with everything else that blocks. Here each name has one lookup at a time, at most
`MAX_THREADS` run at once, and addresses that were good once stay in use while a newer answer is on its way, or fails.
"""

import socket
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import Any

import attrs
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

FRESH = 30.0
"""Seconds an answer is used without asking again, unless it is doubted."""
DOUBTED_AFTER = 1.0
"""Seconds for which an answer is beyond doubt: a server that is down is not asked for with every call."""
STALE = 600.0
"""Seconds it is used at once, while it is asked for again; after that only if asking again fails."""
MAX_THREADS = 32
MAX_NAMES = 256

Target = tuple[int, tuple[Any, ...]]
"""(address family, socket address) as getaddrinfo gives them."""
_TYPES: dict[int, Any] = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}


def in_a_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread that does not keep the process alive."""
    Thread(target=work, daemon=True, name="name lookup").start()


@attrs.define(eq=False)
class Name:
    """What is known of a name: addresses, since when, and who waits for a lookup that is under way."""

    targets: tuple[Target, ...] = ()
    since: float = float("-inf")
    looking: bool = False
    waiting: "list[Resolution]" = attrs.Factory(list)


@implementer(IHostResolution)
class Resolution:
    """One caller's wish for the addresses of `name`."""

    def __init__(self, name: str, port: int, transport: str, types: Sequence[Any] | None, receiver: Any) -> None:
        self.name = name
        self._port = port
        self._transport = transport
        self._types = tuple(types) if types is not None else (IPv4Address, IPv6Address)
        self._receiver: IResolutionReceiver | None = receiver

    def cancel(self) -> None:
        """Whoever asked does not want to know any more."""
        self._receiver = None

    def answer(self, targets: Sequence[Target]) -> None:
        """Tell the addresses, maybe none."""
        receiver = self._receiver
        if receiver is None:
            return
        for family, (host, _, *scope) in targets:
            kind = _TYPES.get(family)
            if kind is not None and kind in self._types:
                receiver.addressResolved(kind(self._transport, host, self._port, *scope))
        receiver.resolutionComplete()


@implementer(IHostnameResolver)
class Resolver:
    """For `reactor.installNameResolver`; `reactor` gives the time and `callFromThread`."""

    def __init__(
        self,
        reactor: Any,
        getaddrinfo: Callable[..., Any] = socket.getaddrinfo,
        run: Callable[[Callable[[], None]], None] = in_a_thread,
    ) -> None:
        self._reactor = reactor
        self._getaddrinfo = getaddrinfo
        self._run = run
        self._names: dict[str, Name] = {}
        self._queue: deque[str] = deque()
        self._running = 0

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Tell the receiver the addresses of a name: at once where they are known, otherwise after a lookup."""
        resolution = Resolution(hostName, portNumber, transportSemantics, addressTypes, resolutionReceiver)
        resolutionReceiver.resolutionBegan(resolution)
        if isIPAddress(hostName):
            resolution.answer([(socket.AF_INET, (hostName, 0))])
        elif isIPv6Address(hostName):
            resolution.answer([(socket.AF_INET6, (hostName, 0))])
        else:
            self._resolve(hostName.lower(), resolution)
        return resolution

    def doubt(self, host: str) -> None:
        """No connection to `host` came about: its addresses may be others by now, so they are asked for at once."""
        key = host.lower()
        name = self._names.get(key)
        if name is not None and self._reactor.seconds() - name.since >= DOUBTED_AFTER:
            self._ask_again(key, name)

    def _ask_again(self, key: str, name: Name) -> None:
        if not name.looking:
            name.looking = True
            self._queue.append(key)
            self._start()

    def _resolve(self, key: str, resolution: Resolution) -> None:
        name = self._names.get(key) or self._add(key)
        age = self._reactor.seconds() - name.since
        if age >= FRESH:
            self._ask_again(key, name)
        if name.targets and age < STALE:
            resolution.answer(name.targets)
        elif name.looking:
            name.waiting.append(resolution)
        else:  # it was looked up just now, without a thread
            resolution.answer(name.targets)

    def _add(self, key: str) -> Name:
        if len(self._names) >= MAX_NAMES:
            for old, name in self._names.items():
                if not name.looking:
                    del self._names[old]
                    break
        self._names[key] = name = Name()
        return name

    def _start(self) -> None:
        while self._queue and self._running < MAX_THREADS:
            self._running += 1
            key = self._queue.popleft()
            try:
                self._run(partial(self._look_up, key))
            except RuntimeError:  # the system has no thread to spare
                self._looked_up(key, ())

    def _look_up(self, key: str) -> None:
        """In the thread."""
        try:
            found = self._getaddrinfo(key, 0, socket.AF_UNSPEC, socket.SOCK_STREAM)
            targets = tuple((family, address) for family, _, _, _, address in found)
        except (OSError, UnicodeError):
            targets = ()
        self._reactor.callFromThread(self._looked_up, key, targets)

    def _looked_up(self, key: str, targets: tuple[Target, ...]) -> None:
        self._running -= 1
        name = self._names[key]
        name.looking = False
        if targets:
            name.targets, name.since = targets, self._reactor.seconds()
        waiting, name.waiting = name.waiting, []
        for resolution in waiting:
            resolution.answer(name.targets)
        self._start()
