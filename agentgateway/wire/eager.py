"""Writing at once: a socket that has room gets the bytes now, not at the reactor's next writable event.

Twisted's `write` queues and asks to be told when the socket is writable: two `epoll_ctl` calls and a reactor turn for
every write. When nothing is queued, `send` right away is about a third of the whole cost of a proxied call.
"""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import ITransport


def tune(transport: Any) -> None:
    """Small segments at once, and the kernel's probes for peers that vanished; nothing where there is no TCP."""
    try:
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
    except (AttributeError, OSError):  # in memory; a Unix socket
        pass


def eager_writer(transport: ITransport) -> Callable[[bytes], None]:
    """A `write` for `transport` that tries the socket first; plain `transport.write` where there is none (TLS)."""
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
            queue(data[sent:] if sent else data)

    return write
