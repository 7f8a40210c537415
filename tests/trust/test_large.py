"""Bodies that are too large, that never end, or that grow: refused, and the memory given back."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.peers import Answer, Caller, ask, call_in, chunk, post, request
from tests.reality.processes import GATEWAY, Process, start_standin
from tests.trust.gateway import CONFIG, Gateway, grown, start

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"model":"priced","max_tokens":9,"messages":[]}'
PIECE = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)
MOST = 5 << 20
"""Bytes of memory the gateway may grow by."""
SMALL = CONFIG.replace("port:", "max_body_bytes: 2000000, port:")


def peak(process: Process) -> int:
    """The most memory it ever had, in bytes."""
    [line] = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) * 1024


async def endless(testcase: Any, port: int, first: bytes = HEAD) -> Answer:
    """Send a chunked body without end until it is answered; the answer."""
    caller: Caller = await call_in(testcase, port)
    done = caller.done
    sender = Endless(caller)
    caller.transport.write(first + b"Transfer-Encoding: chunked\r\n\r\n")
    caller.transport.registerProducer(sender, False)
    answer = await done
    assert isinstance(answer, Answer)
    sender.over = True
    if not caller.lost:
        caller.transport.unregisterProducer()
        caller.transport.abortConnection()
        await caller.closed
    return answer


class Endless:
    """Sends another piece whenever there is room."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.over = False
        self.sent = 0

    def resumeProducing(self) -> None:
        """There is room."""
        if not self.over:
            self.sent += len(PIECE)
            self._caller.transport.write(PIECE)

    def stopProducing(self) -> None:
        """The gateway has closed."""
        self.over = True


class LargeTests(TestCase):
    """A gateway in its own process, and its memory as the kernel counts it."""

    timeout = 60

    async def setting(self, config: str) -> Gateway:
        """A gateway that has answered a call already, with a temporary folder of its own."""
        _, provider = await start_standin(self)
        self.temporary = os.path.abspath(self.mktemp())
        os.makedirs(self.temporary)
        gateway = await start(self, provider, config, ("env", f"TMPDIR={self.temporary}", *GATEWAY))
        self.assertEqual((await ask(self, gateway.port, post(b"/v1/messages", BODY))).status, 200)
        return gateway

    def refused(self, answer: Answer) -> None:
        """The answer is the refusal it should be."""
        self.assertEqual((answer.status, answer.ended), (413, True))
        self.assertEqual(answer.one(b"x-agentgateway-reason"), "bad_request")
        self.assertEqual(json.loads(bytes(answer.body))["error"]["type"], "invalid_request_error")

    def test_endless(self) -> Any:
        """A body without end is refused where it passes the limit; of many at once only a bounded part is kept."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            for _ in range(2):
                self.refused(await endless(self, gateway.port))
            answers = await gatherResults([ensureDeferred(endless(self, gateway.port)) for _ in range(20)])
            most = (peak(gateway.process) - before) / 2**20
            self.assertLessEqual({answer.status for answer in answers}, {413, 503})
            crowded = [answer for answer in answers if answer.status == 503]
            self.assertEqual({answer.one(b"x-agentgateway-reason") for answer in crowded}, {"overloaded"})
            self.assertEqual({answer.one(b"retry-after") for answer in crowded}, {"1"})
            self.assertLess(most, 200)
            more = await grown(gateway, before, MOST)
            self.assertEqual(os.listdir(self.temporary), [])
            print(f"20 endless bodies: {most:.0f} MB at most, {more / 2**20:.1f} MB afterwards, {len(crowded)} put off")
            self.assertEqual((await ask(self, gateway.port, post(b"/v1/messages", BODY))).status, 200)
            await gateway.quiet()

        return ensureDeferred(scenario())

    def test_images(self) -> Any:
        """A request of 20 MB with images in it passes, its length told or not, and is metered; its memory comes back."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 20_000_000}}
            message = {"role": "user", "content": [image]}
            body = json.dumps({"messages": [message], "max_tokens": 9, "model": "priced"}).encode()
            pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)]
            chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, [*pieces, b""]))
            for raw in (post(b"/v1/messages", body), chunked):
                answer = await ask(self, gateway.port, raw)
                self.assertEqual((answer.status, answer.ended), (200, True), bytes(answer.body))
                record = gateway.records[-1]
                self.assertEqual((record["model"], record["usage"], record["outcome"]), ("priced", "exact", "ok"))
                self.assertGreater(record["cost_usd"], 0)
            print(f"a request of 20 MB: {(peak(gateway.process) - before) / 2**20:.0f} MB at most")
            await grown(gateway, before, MOST)

        return ensureDeferred(scenario())

    def test_hoarders(self) -> Any:
        """Callers that leave large bodies lying about have half of the room at most: prompts of the usual size pass."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            hoarders = [await call_in(self, gateway.port) for _ in range(12)]
            for hoarder in hoarders:
                hoarder.transport.write(HEAD + b"Content-Length: 30000000\r\n\r\n" + b" " * 29_999_999)
            await until(lambda: [hoarder for hoarder in hoarders if hoarder.answer.ended], 20)
            prompt = json.dumps({"model": "priced", "max_tokens": 9, "messages": ["x" * 500_000]}).encode()
            for _ in range(5):
                self.assertEqual((await ask(self, gateway.port, post(b"/v1/messages", prompt))).status, 200)
            put_off = [hoarder.answer for hoarder in hoarders if hoarder.answer.ended]
            self.assertEqual({answer.one(b"x-agentgateway-reason") for answer in put_off}, {"overloaded"})
            most = (peak(gateway.process) - before) / 2**20
            print(f"12 hoarders of 30 MB each: {most:.0f} MB at most, {len(put_off)} put off")
            self.assertLess(most, 160)
            for hoarder in hoarders:
                hoarder.transport.abortConnection()
            await grown(gateway, before, 3 * MOST)
            await gateway.quiet()

        return ensureDeferred(scenario())

    def test_limit(self) -> Any:
        """With a lower limit a body without end costs no more than the limit."""

        async def scenario() -> None:
            gateway = await self.setting(SMALL)
            before = gateway.process.resident
            for _ in range(10):
                self.refused(await endless(self, gateway.port))
            self.assertLess(peak(gateway.process) - before, MOST)

        return ensureDeferred(scenario())

    def test_declared(self) -> Any:
        """A body of 100 MB is refused by its head, whether any of it is sent or not, and nothing of it is kept."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            declared = HEAD + b"Content-Length: 104857600\r\n"
            self.refused(await ask(self, gateway.port, declared + b"Expect: 100-continue\r\n\r\n"))
            for _ in range(5):
                self.refused(await ask(self, gateway.port, declared + b"\r\n" + b" " * 5_000_000))
            self.assertLess(peak(gateway.process) - before, MOST)

        return ensureDeferred(scenario())

    def test_heads(self) -> Any:
        """A header line of 17 kB, 600 headers, a head without end: 431 with a body that says why, and nothing is kept."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            for fields in (
                b"x-long: %b\r\n" % (b"y" * 17_000),
                b"".join(b"x-%d: y\r\n" % number for number in range(600)),
                b"x-more: %b\r\n" % (b"y" * 15_000) * 2_000,
            ):
                answer = await ask(self, gateway.port, HEAD + fields + b"Content-Length: 2\r\n\r\n{}")
                self.assertEqual((answer.status, answer.ended, answer.one(b"connection")), (431, True, "close"))
                self.assertEqual(answer.one(b"x-agentgateway-reason"), "bad_request")
                self.assertEqual(json.loads(bytes(answer.body))["error"]["type"], "invalid_request_error")
            self.assertLess(peak(gateway.process) - before, MOST)

        return ensureDeferred(scenario())

    def test_bomb(self) -> Any:
        """A compressed request is never unpacked, and no large body ever goes to a temporary file."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            bomb = b"".join([packer.compress(b" " * 2**20) for _ in range(1024)]) + packer.flush()
            answer = await ask(self, gateway.port, post(b"/v1/messages", bomb, (b"Content-Encoding", b"gzip")))
            self.assertTrue(answer.ended)
            self.assertLess(peak(gateway.process) - before, 2 * len(bomb) + MOST)
            self.assertEqual(os.listdir(self.temporary), [])
            await grown(gateway, before, MOST)

        return ensureDeferred(scenario())

    def test_upload(self) -> Any:
        """A file of 25 MB streams through without being kept."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            form = (b"Content-Type", b"multipart/form-data; boundary=b")
            raw = request(b"POST", b"/providers/anthropic/v1/files", b"x" * 25_000_000, form)
            answer = await ask(self, gateway.port, raw)
            self.assertEqual(answer.status, 200, bytes(answer.body))
            print(f"an upload of 25 MB: {(peak(gateway.process) - before) / 2**20:.1f} MB at most")
            self.assertLess(peak(gateway.process) - before, MOST)

        return ensureDeferred(scenario())

    def test_long_prompts(self) -> Any:
        """A prompt is let go once its answer begins: 50 open streams of a megabyte each take little memory."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            prompt = {"model": "priced", "max_tokens": 9, "stream": True, "messages": ["x" * 1_000_000]}
            raw = post(b"/v1/messages", json.dumps(prompt).encode(), (b"x-standin-interval", b"600"))
            for _ in range(50):
                caller = await call_in(self, gateway.port)
                caller.transport.write(raw)
                await until(lambda caller=caller: b"message_start" in caller.answer.body)
            print(f"50 streams behind a prompt of 1 MB: {(gateway.process.resident - before) / 2**20:.1f} MB")
            self.assertLess(gateway.process.resident - before, MOST)

        return ensureDeferred(scenario())
