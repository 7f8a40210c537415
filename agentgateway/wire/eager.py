"""Writing to the socket itself: one that has room gets the bytes, without waiting for the reactor's writable event.

Twisted's `write` queues and asks to be told when the socket is writable: two `epoll_ctl` calls and a reactor turn for
every write. When nothing is queued, `send` right away is about a third of the whole cost of a proxied call.

And reading from it without the layers in between: those of a transport, and of the endpoint that made it.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet import tcp
from twisted.internet.interfaces import ITransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from agentgateway.wire.outbox import DIRECT, Outbox


def tune(transport: Any) -> None:
    """Small segments at once, and the kernel's probes for peers that vanished; nothing where there is no TCP."""
    try:
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
    except (AttributeError, OSError):  # in memory; a Unix socket
        pass


_MOST: Final = 65_536
"""Bytes read at once."""


def read_into(transport: Any, received: Callable[[bytes], object]) -> None:
    """Have what comes on `transport` given to `received`, straight from the socket where it has one of its own (not TLS).

    `forget_reader` has to follow when the connection is lost: `received` holds its protocol, which holds `transport`.
    """
    if not isinstance(transport, tcp.Connection):
        return
    receive: Callable[[int], bytes] = socket.socket.recv.__get__(transport.socket)

    def read() -> BaseException | None:
        try:
            data = receive(_MOST)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        received(data)
        return None

    transport.doRead = read  # type: ignore[method-assign,assignment]


def forget_reader(transport: Any) -> None:
    """It will not read any more."""
    if isinstance(transport, tcp.Connection):
        vars(transport).pop("doRead", None)


def eager_writer(transport: ITransport, outbox: Outbox = DIRECT) -> Callable[[bytes], None]:
    """A `write` for `transport`, by way of `outbox`."""
    send = _send(transport)
    if outbox is DIRECT:
        return send
    return partial(outbox.put, send)


def _send(transport: ITransport) -> Callable[[bytes], None]:
    """Tries the socket first; plain `transport.write` where there is none (TLS)."""
    if not isinstance(transport, tcp.Connection):
        return transport.write
    queue: Callable[[bytes], None] = transport.write
    send: Callable[[bytes], int] = socket.socket.send.__get__(transport.socket)

    def write(data: bytes) -> None:
        # Anything queued goes first; a pull producer is driven by the queue; the rest is Twisted's business.
        if (
            transport.dataBuffer
            or transport._tempDataBuffer
            or transport.disconnecting
            or not transport.connected
            or (transport.producer is not None and not transport.streamingProducer)
        ):
            queue(data)
            return
        try:
            sent = send(data)
        except OSError:  # no room, or the peer is gone: the queue finds out which
            sent = 0
        if sent < len(data):
            try:
                queue(data[sent:] if sent else data)
            except MemoryError:  # what is half sent cannot go on; others' writes can
                transport.abortConnection()

    return write
