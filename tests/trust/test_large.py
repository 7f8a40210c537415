"""Requests that are large: refused by their heads or passed on, and the memory given back."""

import json
import zlib
from typing import Any

from twisted.internet.defer import ensureDeferred

from tests.harness import until
from tests.peers import ask, call_in, chunk, post, request
from tests.trust.bodies import HEAD, MOST, BodyTests, peak
from tests.trust.gateway import CONFIG, grown


class LargeTests(BodyTests):
    """Heads, prompts, images, uploads and bombs."""

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
            self.assertEqual(self.files(gateway), 0)

        return ensureDeferred(scenario())

    def test_hoarders(self) -> Any:
        """Callers that leave large bodies lying about have half of the room at most: prompts of the usual size pass.

        These told their length, and what does is kept in memory: none of it goes to a disk.
        """

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
            self.assertEqual(self.files(gateway), 0)
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
        """A compressed request is never unpacked."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            bomb = b"".join([packer.compress(b" " * 2**20) for _ in range(1024)]) + packer.flush()
            answer = await ask(self, gateway.port, post(b"/v1/messages", bomb, (b"Content-Encoding", b"gzip")))
            self.assertTrue(answer.ended)
            self.assertLess(peak(gateway.process) - before, 2 * len(bomb) + MOST)
            self.assertEqual(self.files(gateway), 0)
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
