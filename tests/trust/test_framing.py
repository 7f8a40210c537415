"""Server-sent events framed in every way the standard allows, and some it does not, through a real gateway."""

import gzip
import json
import zlib
from typing import Any

import brotli  # type: ignore[import-untyped]
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.fixtures import sse
from tests.governance.books import nano
from tests.harness import listen
from tests.peers import Origin, Received, Visit, ask, chunk, head, post
from tests.trust.bodies import peak
from tests.trust.gateway import grown, start

WORDS = "größer 日本語 🙂 "
STREAM = sse(
    {"type": "message_start", "message": {"model": "priced", "usage": {"input_tokens": 40, "output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORDS}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 25}},
    {"type": "message_stop"},
    named=True,
).replace(b"\\u00f6", "ö".encode())
EXACT = 40 * 3_000 + 25 * 15_000
PINGED = STREAM.replace(b"event: content", b": ping\n\n:\n\nretry: 10\nid: 7\n\nevent: content")
DELTA = STREAM.index(b"event: content")
SEVERAL = STREAM.replace(b', "message"', b',\ndata: "message"')
FRAMINGS = {
    "plain": STREAM,
    "carriage returns": STREAM.replace(b"\n", b"\r"),
    "both": STREAM.replace(b"\n", b"\r\n"),
    "mixed": STREAM[:DELTA].replace(b"\n", b"\r") + STREAM[DELTA:].replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + STREAM,
    "comments, ids and retries": PINGED,
    "no blank behind the colon": STREAM.replace(b"data: ", b"data:"),
    "data in several lines": SEVERAL,
    "no names": b"".join(line for line in STREAM.splitlines(True) if not line.startswith(b"event")),
}
NO_BLANK_LINES = STREAM.replace(b"\n\n", b"\n")
ENCODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}
LONG = (10 << 20, 40 << 20)
KEPT = 20 << 20
"""Bytes of memory that a line without end may take: an event is kept up to 4 MB, and moved about while it grows."""
ASKED = json.dumps({"model": "priced", "max_tokens": 99, "stream": True, "messages": []}).encode()
CALL = post(b"/v1/messages", ASKED, (b"x-agent-id", b"reader"))


class Streams:
    """A provider whose next answer is in `parts`; each goes out in a turn of its own, as a chunk."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.encoding = b""
        self.origin = Origin(self.script)

    def script(self, visit: Visit, received: Received) -> None:
        """Answer."""
        coded = ((b"Content-Encoding", self.encoding),) if self.encoding else ()
        framing = ((b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked"))
        visit.transport.write(head(b"200 OK", *framing, *coded))
        visit.say(*[chunk(part) for part in self.parts], chunk(b""))


class FramingTests(TestCase):
    """The caller gets each byte as it came, and the meter reads the same from all of them."""

    timeout = 60

    async def setting(self) -> None:
        """A gateway in front of the streams."""
        self.streams = Streams()
        self.gateway = await start(self, await listen(self, self.streams.origin))

    async def passes(self, what: str, body: bytes, size: int, encoding: bytes = b"") -> dict[str, Any]:
        """A stream in parts of `size` bytes comes out as it went in; its record."""
        self.streams.parts = [body[at : at + size] for at in range(0, len(body), size)]
        self.streams.encoding = encoding
        answer = await ask(self, self.gateway.port, CALL)
        self.assertEqual((answer.status, bytes(answer.body)), (200, body), what)
        self.assertEqual(answer.ended, True, what)
        return self.gateway.records[-1]

    def test_framings(self) -> Any:
        """However the lines end and the bytes are cut, within a character too: exact usage."""

        async def scenario() -> None:
            await self.setting()
            for what, body in FRAMINGS.items():
                for size in (1, 7, len(body)):
                    record = await self.passes(what, body, size)
                    told = (record["outcome"], record["usage"], nano(record))
                    self.assertEqual(told, ("ok", "exact", EXACT), f"{what}, {size} bytes a chunk")

        return ensureDeferred(scenario())

    def test_compressed(self) -> Any:
        """A stream that is compressed, though nobody asked for that, passes as it is and is read all the same."""

        async def scenario() -> None:
            await self.setting()
            for encoding, compress in ENCODINGS.items():
                for size in (1, 4096):
                    record = await self.passes(encoding, compress(STREAM), size, encoding.encode())
                    self.assertEqual((record["usage"], nano(record)), ("exact", EXACT), encoding)

        return ensureDeferred(scenario())

    def test_no_blank_lines(self) -> Any:
        """Without blank lines there is but one event, of which nothing can be read: charged by estimate."""

        async def scenario() -> None:
            await self.setting()
            self.streams.parts = [NO_BLANK_LINES]
            answer = await ask(self, self.gateway.port, CALL)
            record = self.gateway.records[-1]
            self.assertEqual((answer.status, record["usage"]), (200, "estimated"))
            self.assertTrue(bytes(answer.body).startswith(NO_BLANK_LINES))
            self.assertGreater(nano(record), 0)

        return ensureDeferred(scenario())

    def test_long_line(self) -> Any:
        """Lines of 10 and 40 MB pass; the gateway keeps the same bounded part of each, and lets go of that."""

        async def scenario() -> None:
            await self.setting()
            await self.passes("before", STREAM, len(STREAM))
            before = self.gateway.process.resident
            for size in LONG:
                delta = {"type": "text_delta", "text": "x" * size}
                text = sse({"type": "content_block_delta", "index": 0, "delta": delta})
                record = await self.passes("a long line", STREAM[:DELTA] + text + STREAM[DELTA:], 65_536)
                self.assertEqual((record["outcome"], nano(record)), ("ok", EXACT))
            most, more = peak(self.gateway.process) - before, await grown(self.gateway, before, 12 << 20)
            print(f"a line of 40 MB: {most / 2**20:.1f} MB at most, {more / 2**20:.1f} MB afterwards")
            self.assertLess(most, KEPT)

        return ensureDeferred(scenario())

    def test_bomb(self) -> Any:
        """A compressed answer that would grow to a gigabyte passes as it is, and is given up in the gateway."""

        async def scenario() -> None:
            await self.setting()
            await self.passes("before", STREAM, len(STREAM))
            before = self.gateway.process.resident
            packer, million = zlib.compressobj(9, zlib.DEFLATED, 31), b" " * 2**20
            bomb = b"".join([packer.compress(million) for _ in range(1024)]) + packer.flush()
            self.streams.encoding = b"gzip"
            self.streams.parts = [bomb[at : at + 8192] for at in range(0, len(bomb), 8192)]
            answer = await ask(self, self.gateway.port, CALL)
            self.assertEqual(bytes(answer.body), bomb)
            record = self.gateway.records[-1]
            self.assertEqual(record["usage"], "estimated")
            self.assertGreater(nano(record), 0)
            print(f"a bomb of 1 GB: {await grown(self.gateway, before, 5 << 20) / 2**20:.1f} MB more")

        return ensureDeferred(scenario())
