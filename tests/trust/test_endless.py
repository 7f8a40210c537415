"""Bodies that do not tell their length, and may never end: most of one lies on the disk until all of it is here."""

import base64
import os
import random
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults

from tests.harness import listen, until
from tests.peers import Origin, ask, call_in, chunk, fixed, post, response
from tests.trust.bodies import BODY, HEAD, MOST, PIECE, BodyTests, endless, peak
from tests.trust.gateway import CONFIG, grown

SMALL = CONFIG.replace("port:", "max_body_bytes: 2000000, port:")


class EndlessTests(BodyTests):
    """Refused at the limit or passed on, and nothing is left of them."""

    def test_endless(self) -> Any:
        """A body without end is refused where it passes the limit; it takes little memory and leaves nothing behind."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            for _ in range(3):
                self.refused(await endless(self, gateway.port))
            most = peak(gateway.process) - before
            print(f"a body without end: {most / 2**20:.1f} MB at most")
            self.assertLess(most, MOST)
            self.assertEqual(self.files(gateway), 0)

        return ensureDeferred(scenario())

    def test_left(self) -> Any:
        """Callers that leave in the middle, and a gateway that is killed there, leave no file behind."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 100 * PIECE
            for kill in (False, True):
                caller = await call_in(self, gateway.port)
                caller.transport.write(raw)
                await until(lambda: self.files(gateway) == 1)
                if kill:
                    gateway.process.transport.signalProcess("KILL")
                    await gateway.process.ended
                else:
                    caller.transport.abortConnection()
                    await until(lambda: self.files(gateway) == 0)
            self.assertEqual(os.listdir(self.temporary), [])

        return ensureDeferred(scenario())

    def test_crowd(self) -> Any:
        """Of many bodies without end at once only a bounded part is kept, and the rest is put off."""

        async def scenario() -> None:
            gateway = await self.setting(CONFIG)
            before = gateway.process.resident
            answers = await gatherResults([ensureDeferred(endless(self, gateway.port)) for _ in range(20)])
            most = (peak(gateway.process) - before) / 2**20
            self.assertLessEqual({answer.status for answer in answers}, {413, 503})
            crowded = [answer for answer in answers if answer.status == 503]
            self.assertEqual({answer.one(b"x-agentgateway-reason") for answer in crowded}, {"overloaded"})
            self.assertEqual({answer.one(b"retry-after") for answer in crowded}, {"1"})
            self.assertLess(most, 60)
            more = await grown(gateway, before, MOST)
            self.assertEqual(self.files(gateway), 0)
            print(f"20 endless bodies: {most:.0f} MB at most, {more / 2**20:.1f} MB afterwards, {len(crowded)} put off")
            self.assertEqual((await ask(self, gateway.port, post(b"/v1/messages", BODY))).status, 200)
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

    def test_faithful(self) -> Any:
        """A request of 20 MB that does not tell its length reaches the provider byte for byte, cut up as it may be."""

        async def scenario() -> None:
            origin = Origin(fixed(response()))
            gateway = await self.setting(CONFIG, await listen(self, origin))
            noise = base64.b64encode(random.Random(7).randbytes(15_000_000))
            body = b'{"model":"priced","max_tokens":9,"messages":[{"role":"user","content":"%b"}]}' % noise
            for size in (999_999, 65_537, 1_000):
                pieces = [chunk(body[at : at + size]) for at in range(0, len(body), size)]
                raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(pieces) + chunk(b"")
                self.assertEqual((await ask(self, gateway.port, raw)).status, 200)
                self.assertTrue(origin.requests.pop().body == body, f"chunks of {size} bytes")

        return ensureDeferred(scenario())
