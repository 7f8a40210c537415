"""A process that may not have the memory it wants: it refuses or dies, and starts again on books that are right."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.peers import ask, closed_port, post
from tests.reality.processes import GATEWAY, start_standin, write_config
from tests.trust.gateway import CONFIG, Gateway

BODY = b'{"model":"priced","max_tokens":40,"messages":[{"role":"user","content":"hello"}]}'
CALL = post(b"/v1/messages", BODY, (b"x-agent-id", b"writer"))
ONE = 30_000_000
"""Bytes of a large request: what is asked for at a time, at most."""
SPARE = 60 << 20
"""Bytes of address space beyond what it has at the start."""


class MemoryTests(TestCase):
    """`ulimit -v`, and callers that want more."""

    timeout = 60

    async def survives(self, gateway: Gateway) -> bool:
        """Callers with large requests, at once: each is put off or broken off. Whether the gateway still runs."""
        large = post(b"/v1/messages", b" " * ONE)
        crowd = [ensureDeferred(ask(self, gateway.port, large)).addErrback(lambda _: None) for _ in range(12)]
        answers = await gatherResults(crowd)
        told = {answer.status for answer in answers if answer is not None and answer.ended}
        self.assertLessEqual(told, {400, 502, 503})
        return not gateway.process.over

    def test_address_space(self) -> Any:
        """Out of memory: no settled call is lost, and it serves again, by itself or once it is started again."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            port = closed_port()
            gateway = Gateway(self, write_config(self, port, provider, CONFIG), port)
            await gateway.start()
            space = virtual(gateway) + SPARE
            await gateway.stop()
            gateway.command = ("prlimit", f"--as={space}", *GATEWAY)
            await gateway.start()
            for _ in range(20):
                self.assertEqual((await ask(self, port, CALL)).status, 200)
            lived = await self.survives(gateway)
            print(f"out of memory: it {'lived' if lived else 'died'}; MemoryError {gateway.said.count('MemoryError')}x")
            if lived:
                self.assertGreater(virtual(gateway, "VmPeak") + ONE, space, "it never came near its limit")
            else:
                gateway.command = GATEWAY
                await gateway.start()
            for _ in range(5):
                self.assertEqual((await ask(self, port, CALL)).status, 200)
            await gateway.quiet()
            spent = await gateway.check_books(["writer"])
            self.assertEqual(len([one for one in gateway.records if one["status"] == 200]), 25)
            self.assertGreater(spent, 0)

        return ensureDeferred(scenario())


def virtual(gateway: Gateway, what: str = "VmSize") -> int:
    """Bytes of address space it has, or with "VmPeak" ever had."""
    [line] = [line for line in Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines() if what in line]
    return int(line.split()[1]) * 1024
