"""A hundred new configurations while callers call: nobody is refused or cut for it, and nothing is left behind."""

import random
import signal
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import reactor, until
from tests.peers import ask, call_in, post
from tests.reality.processes import start_standin
from tests.trust.gateway import CONFIG, start
from tests.trust.load import STEADY, Load

TIMES = 100
BODY = b'{"model":"priced","max_tokens":9,"messages":[]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
ENDLESS = ((b"x-standin-fault", b"endless"), (b"x-standin-interval", b"0.05"), (b"x-agent-id", b"reader"))
STREAM = post(b"/v1/messages", BODY.replace(b"{", b'{"stream":true,', 1), *ENDLESS)
GROWTH = 5 << 20
"""Bytes of memory that a hundred of them may leave behind."""


class ReloadTests(TestCase):
    """A gateway in its own process, and signals."""

    timeout = 120

    def test_under_load(self) -> Any:
        """SIGHUP a hundred times, every other time with a broken file: all calls are served, and a stream runs through."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            gateway = await start(self, provider, CONFIG)
            reader = await call_in(self, gateway.port)
            reader.transport.write(STREAM)
            await until(lambda: reader.answer.body)
            load = Load(gateway, random.Random(TIMES), (STEADY,))
            load.start(4)
            file, right = Path(gateway.path), Path(gateway.path).read_text()
            before = 0
            for number in range(TIMES):
                wrong, extra = number % 2, f"  extra-{number}: {{}}\n"
                file.write_text(right.replace("prices:", extra + "prices:") + "nonsense: 1\n" * wrong)
                gateway.process.transport.signalProcess(signal.SIGHUP)
                await until(lambda number=number: gateway.said.count("reloaded") > number, 20)
                known = (await gateway.manage(b"GET", f"/api/agents/extra-{number}".encode())).status
                self.assertEqual(known, 404 if wrong else 200, number)
                before = before or gateway.process.resident
            had = len(reader.answer.body)
            await until(lambda: len(reader.answer.body) > had)
            await load.stop()
            self.assertEqual((load.failed, {record["outcome"] for record in gateway.records}), (0, {"ok"}))
            self.assertEqual(load.seen.beyond(gateway.audited.ids), [])
            changes = [record for record in gateway.records if record["method"] == "SIGHUP"]
            self.assertEqual(len(changes), TIMES // 2)
            more = gateway.process.resident - before
            print(f"{TIMES} reloads beside {load.ended} calls: {more / 2**20:.1f} MB more")
            self.assertLess(more, GROWTH)
            reader.transport.abortConnection()
            await gateway.quiet()
            await gateway.check_books([STEADY, "reader"])
            await gateway.stop()

        return ensureDeferred(scenario())

    def test_restart(self) -> Any:
        """Killed, it answers again as soon as it has started."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            gateway = await start(self, provider, CONFIG)
            for _ in range(200):
                self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
            gateway.process.transport.signalProcess(signal.SIGKILL)
            await gateway.process.ended
            began = reactor.seconds()
            await gateway.start()
            self.assertEqual((await ask(self, gateway.port, CALL)).status, 200)
            print(f"from SIGKILL to the first answer: {reactor.seconds() - began:.2f} s")
            self.assertEqual((await gateway.agent("writer"))["call_count"], 201)
            await gateway.check_books(["writer"])

        return ensureDeferred(scenario())
