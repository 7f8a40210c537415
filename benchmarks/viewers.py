"""Viewers of the dashboard, in a process of their own: most of them read, some have stalled.

    python benchmarks/viewers.py --port P [--viewers 50] [--stalled 5]

They take compressed messages, as browsers do, and answer pings. They stand for other people's machines, so on this one
they give way to everything else. One that has stalled never reads; the gateway drops it
after a while, and it comes back, like a page whose laptop sleeps and wakes. Prints a line of JSON once all are there
and one when told to stop (SIGTERM): messages and bytes read, how many of the readers are still connected, and how many
of those that had stalled were found dropped when they came back.
"""

import argparse
import asyncio
import json
import os
import signal
import socket

STALL = 40.0
"""Seconds until one that has stalled comes back; the gateway drops it before."""
HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
PING = 9
NO_MASK = bytes(4)


class Reader(asyncio.Protocol):
    """Reads and forgets."""

    def __init__(self, room):
        self.room, self.pending, self.upgraded = room, b"", False

    def connection_made(self, transport):
        """Ask for the WebSocket."""
        self.transport = transport
        transport.write(HANDSHAKE.format(port=self.room.port).encode())

    def data_received(self, data):
        """Parts of messages, after the head of the answer."""
        self.room.bytes += len(data)
        self.pending += data
        if not self.upgraded:
            head, found, self.pending = self.pending.partition(b"\r\n\r\n")
            if not found:
                self.pending = head
                return
            assert b" 101 " in head, head
            self.upgraded = True
            self.room.readers += 1
        while (size := self.frame()) is not None:
            self.pending = self.pending[size:]

    def frame(self):
        """Take the first frame, if it is whole; its size."""
        data = self.pending
        if len(data) < 2:
            return None
        size, start = data[1] & 127, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return None
        if data[0] & 15 == PING:
            self.transport.write(bytes([0x8A, 0x80 | size]) + NO_MASK + data[start : start + size])
        else:
            self.room.messages += 1
            if not self.room.complete.is_set() and self.room.messages >= self.room.expected:
                self.room.complete.set()
        return start + size

    def connection_lost(self, error):
        """The gateway has hung up."""
        self.room.readers -= self.upgraded


class Room:
    """All of them."""

    def __init__(self, options):
        self.port, self.stalled = options.port, options.stalled
        self.expected = options.viewers - options.stalled
        self.messages = self.bytes = self.readers = self.dropped = 0
        self.complete = asyncio.Event()

    async def run(self):
        """Until told to stop."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, over.set)
        for _ in range(self.expected):
            await loop.create_connection(lambda: Reader(self), "127.0.0.1", self.port)
        stalled = asyncio.ensure_future(self.stall())
        await self.complete.wait()
        print(json.dumps({"readers": self.readers}), flush=True)
        await over.wait()
        stalled.cancel()
        said = {"readers": self.readers, "messages": self.messages, "bytes": self.bytes, "dropped": self.dropped}
        print(json.dumps(said), flush=True)

    async def stall(self):
        """Connect, do not read, come back."""
        while True:
            connections = [self.deaf() for _ in range(self.stalled)]
            await asyncio.sleep(STALL)
            for connection in connections:
                self.dropped += connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
                connection.close()

    def deaf(self):
        """One that does not read; little fits between it and the gateway."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(HANDSHAKE.format(port=self.port).encode())
        return connection


async def main():
    """Read the options, run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--viewers", type=int, default=50)
    options.add_argument("--stalled", type=int, default=5)
    os.nice(19)
    await Room(options.parse_args()).run()


if __name__ == "__main__":
    asyncio.run(main())
