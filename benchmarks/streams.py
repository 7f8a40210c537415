"""A load client of many streams at once, in its own process.

    python benchmarks/streams.py --port P [--streams 200] [--chunks 60] [--interval 0.05] [--batch 200]

It prints a line of JSON once every stream has had its first byte (`first_byte_ms`: p50, p99, from connecting on), and
one when all are through (`chunks` received since the first line). Opens at most `batch` streams at a time. It holds
streams open, and says nothing more, for as long as their chunks take.
"""

import argparse
import asyncio
import json
import time

from wire import call, percentile

MARK = b"event: content_block_delta"


class Stream(asyncio.Protocol):
    """One stream: notes its first byte, counts its chunks, ends with its last event."""

    def __init__(self, load):
        self.load, self.began, self.head = load, time.perf_counter(), b""
        self.done = False

    def connection_made(self, transport):
        """Ask."""
        self.transport = transport
        transport.write(self.load.request)

    def data_received(self, data):
        """The body begins after the head; chunks are counted by the name of their event."""
        if self.head is not None:
            self.head += data
            if b"event: message_start" not in self.head:
                return
            data, self.head = self.head, None
            self.load.opened(time.perf_counter() - self.began)
        self.load.chunks += data.count(MARK)
        if b"event: message_stop" in data:
            self.done = True
            self.transport.close()

    def connection_lost(self, error):
        """Over, well or not."""
        if self.head is not None:
            self.load.opened(None)
        self.load.closed(self.done)


class Load:
    """All streams of a run."""

    def __init__(self, options):
        self.options = options
        self.request = call(True, chunks=options.chunks, interval=options.interval)
        self.first_bytes, self.failed, self.broken, self.running, self.chunks = [], 0, 0, 0, 0
        self.room = asyncio.Semaphore(options.batch)
        self.all_open, self.all_closed = asyncio.Event(), asyncio.Event()

    def opened(self, seconds):
        """One stream has its first byte, or never will."""
        self.room.release()
        if seconds is None:
            self.failed += 1
        else:
            self.first_bytes.append(seconds * 1e3)
        if len(self.first_bytes) + self.failed == self.options.streams:
            self.all_open.set()

    def closed(self, whole):
        """One stream is over."""
        self.broken += not whole
        self.running -= 1
        if not self.running and self.all_open.is_set():
            self.all_closed.set()

    async def run(self):
        """Open, report, wait, report."""
        loop = asyncio.get_running_loop()
        opening = [loop.create_task(self.open(loop)) for _ in range(self.options.streams)]
        await self.all_open.wait()
        await asyncio.gather(*opening)
        before = self.chunks
        first = [round(percentile(self.first_bytes, share), 3) for share in (0.5, 0.99)]
        print(json.dumps({"first_byte_ms": first, "failed": self.failed}), flush=True)
        await self.all_closed.wait()
        print(json.dumps({"chunks": self.chunks - before, "broken": self.broken}), flush=True)

    async def open(self, loop):
        """One stream, when there is room."""
        await self.room.acquire()
        self.running += 1
        try:
            await loop.create_connection(lambda: Stream(self), "127.0.0.1", self.options.port)
        except OSError:
            self.opened(None)
            self.closed(False)


async def main():
    """Read the options, run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--streams", type=int, default=200)
    options.add_argument("--chunks", type=int, default=60)
    options.add_argument("--interval", type=float, default=0.05)
    options.add_argument("--batch", type=int, default=200)
    await Load(options.parse_args()).run()


if __name__ == "__main__":
    asyncio.run(main())
