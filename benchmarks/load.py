"""A load client of plain calls, in its own process: as fast as they go, or at a fixed rate.

    python benchmarks/load.py --port P --seconds 3 [--connections 64] [--rate 500] [--agents 1]

Prints one line of JSON: calls, calls a second, errors, p50 and p99 in milliseconds. At a fixed rate a call's latency
counts from the moment it was due, so that a slow subject cannot hide its queue.
"""

import argparse
import asyncio
import json
import random
import time

import httptools
from wire import call, percentile


class Caller(asyncio.Protocol):
    """One kept connection, one call at a time."""

    def __init__(self):
        self.waiting = None

    def connection_made(self, transport):
        """Ready."""
        self.transport, self.parser = transport, httptools.HttpResponseParser(self)

    def data_received(self, data):
        """A part of an answer."""
        self.parser.feed_data(data)

    def on_message_complete(self):
        """The answer is whole."""
        waiting, self.waiting = self.waiting, None
        waiting.set_result(self.parser.get_status_code() == 200)

    def connection_lost(self, error):
        """The subject hung up."""
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(False)

    def send(self, request):
        """Make a call; resolves to whether it went well."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiting


class Run:
    """The calls of one run and how they went."""

    def __init__(self, options):
        self.options, request = options, call(bytes=700)
        names = [b"bench", *(b"agent-%d" % number for number in range(options.agents - 1))]
        self.requests = [request.replace(b"x-agent-id: bench", b"x-agent-id: " + name) for name in names]
        self.dice = random.Random(4)
        self.latencies, self.errors, self.idle = [], 0, []

    async def connect(self):
        """One more connection."""
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(Caller, "127.0.0.1", self.options.port)
        return caller

    async def once(self, caller, due):
        """One call, timed from `due`."""
        well = await caller.send(self.dice.choice(self.requests))
        self.latencies.append((time.perf_counter() - due) * 1e3)
        self.errors += not well
        return well

    async def closed_loop(self, until):
        """The next call as soon as the last is answered."""
        caller = await self.connect()
        while (now := time.perf_counter()) < until:
            if not await self.once(caller, now):
                caller = await self.connect()

    async def open_loop(self, began, until):
        """A call whenever one is due, on whatever connection is free."""
        calls = []
        due = began
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.append(asyncio.ensure_future(self.borrow(due)))
            due += 1 / self.options.rate
        await asyncio.gather(*calls)

    async def borrow(self, due):
        """One call on a free connection, or on a new one."""
        while self.idle:
            caller = self.idle.pop()
            if not caller.transport.is_closing():  # the subject hung up on one that was idle for long
                break
        else:
            caller = await self.connect()
        if await self.once(caller, due):
            self.idle.append(caller)

    async def run(self):
        """Run for the time given and report."""
        if self.options.rate:
            self.idle = [await self.connect() for _ in range(32)]
        began = time.perf_counter()
        until = began + self.options.seconds
        if self.options.rate:
            await self.open_loop(began, until)
        else:
            await asyncio.gather(*(self.closed_loop(until) for _ in range(self.options.connections)))
        spent = time.perf_counter() - began
        p50, p99 = (round(percentile(self.latencies, share), 3) for share in (0.5, 0.99))
        calls = len(self.latencies)
        result = {"calls": calls, "calls_per_s": calls / spent, "errors": self.errors, "p50_ms": p50, "p99_ms": p99}
        print(json.dumps(result), flush=True)


async def main():
    """Read the options, run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--rate", type=float, default=0.0)
    options.add_argument("--agents", type=int, default=1, help="call as one of so many, by chance")
    await Run(options.parse_args()).run()


if __name__ == "__main__":
    asyncio.run(main())
