"""Following the log while it grows by thousands of records a second, beside somebody who follows and does not read."""

import json
import re
from pathlib import Path
from typing import Any

import attrs
import msgspec
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from tests.harness import CONFIG, RawClient, connect, reactor, start_gateway, until
from tests.peers import request
from tests.web.management.doubles import record

RATE, SECONDS = 2_000, 8
BATCH = 20
SPARE = 16 * 2**20
"""Bytes that the process may grow by, of fifty million that are written: what may wait for a follower, and this test's own."""
CONFIGURED = CONFIG.replace("audit.jsonl}}", "audit.jsonl, max_entries: 500}}")


def resident() -> int:
    """Bytes of memory this process has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@attrs.define
class Reader:
    """Takes the ids out of a stream of records as they come, and keeps nothing else."""

    ids: list[str] = attrs.Factory(list)
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        """Some of the stream, in chunks of HTTP's whose frames are lines of their own."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.ids += [json.loads(line)["id"] for line in lines if line.startswith(b"{")]


class FollowTests(TestCase):
    """In one process with the gateway, so that nothing but the log grows."""

    timeout = 60

    async def follow(self, port: int) -> RawClient:
        """Somebody who follows the log from now on."""
        client = await connect(self, port)
        asked = b"/api/logs?follow=true&limit=0&format=jsonl"
        client.transport.write(request(b"GET", asked, None).replace(b"gateway.test", b"localhost"))
        await until(lambda: b"200 OK" in client.received)
        return client

    def test_follow(self) -> Any:
        """The one who reads gets every record, in order; the one who does not is dropped, and memory stays flat."""

        async def scenario() -> None:
            running = await start_gateway(self, CONFIGURED)
            books, written = running.service.books, list[str]()
            reading, stalled = await self.follow(running.port), await self.follow(running.port)
            followers = running.service.desk.feed.followers
            await until(lambda: len(followers) == 2)
            reader = Reader()
            reading.dataReceived = reader.take  # type: ignore[method-assign]
            stalled.transport.pauseProducing()

            def write() -> None:
                due = int((reactor.seconds() - began) * RATE)
                while len(written) < due:
                    written.append(f"agw_{len(written):08x}")
                    books.append(msgspec.structs.replace(line, id=written[-1]))

            line, began = record(path="/v1/messages?" + "x" * 3000), reactor.seconds()
            writing = LoopingCall(write)
            writing.start(BATCH / RATE)
            await until(lambda: len(written) > RATE, 20)
            before = resident()
            await until(lambda: len(written) >= RATE * SECONDS, 30)
            writing.stop()
            await until(lambda: len(reader.ids) == len(written))
            grown = resident() - before
            print(f"followed: {len(written)} records, {grown / 2**20:.1f} MB more")
            self.assertEqual(reader.ids, written)
            self.assertLess(grown, SPARE)
            self.assertEqual(len(followers), 1)
            stalled.transport.resumeProducing()
            await stalled.closed
            self.assertFalse(stalled.received.endswith(b"0\r\n\r\n"))

        return ensureDeferred(scenario())
