"""Restarting behind a socket that systemd holds, again and again, under load."""

import socket
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.harness import until
from tests.operate.gateway import CONFIG, Client, Gateway, Load, later, lost, message, records, under_systemd
from tests.reality.processes import start_standin, write_config

LISTEN = '{{listen: ["systemd:domain=INET:index=0"],'
RATE, ROUNDS = 200, 10


class UpgradeTests(TestCase):
    """The socket outlives the processes."""

    timeout = 120

    def test_restarts(self) -> Any:
        """Ten restarts at 200 calls a second: no connection is refused, no call lost, and each is in the log once."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))
                held.listen(4096)
                port = held.getsockname()[1]
                config = CONFIG.replace("{{port: {port}, host: 127.0.0.1,", LISTEN)
                gateway = Gateway(self, write_config(self, port, provider, config), port)
                callers = await self.restart(gateway, held)
                await gateway.ended()
            answers = [answer for caller in callers for answer in caller.answers]
            failures = [failure for caller in callers for failure in caller.failures]
            self.assertEqual((failures, lost(answers)), ([], []))
            self.assertGreater(len(answers), RATE * ROUNDS // 2)
            self.assertEqual(len(answers), sum(caller.sent for caller in callers))
            seen = sorted(answer.one(b"x-agentgateway-request-id") for answer in answers)
            self.assertEqual(sorted(one["id"] for one in records(Path(gateway.folder))), seen)
            print(f"restarts: {ROUNDS}, calls: {len(answers)}, none lost")

        return ensureDeferred(scenario())

    async def restart(self, gateway: Gateway, held: socket.socket) -> list[Load | Client]:
        """One process after the other, while half of all calls come on connections of their own and half on kept ones."""
        gateway.process = await self.activated(gateway, held)
        load = Load(self, gateway.port, RATE / 2, message(b"busy"))
        clients = [Client(self, gateway.port, 10, message(b"kept")) for _ in range(RATE // 20)]
        for _ in range(ROUNDS):
            gateway.process.stop()
            await gateway.ended()
            answered = len(load.answers)
            gateway.process = await self.activated(gateway, held)
            await until(lambda: len(load.answers) > answered + RATE // 2, 30)  # noqa: B023 - called at once
            await later(0.4)
        callers = [load, *clients]
        await gatherResults([ensureDeferred(caller.stop()) for caller in callers])
        gateway.process.stop()
        return callers

    async def activated(self, gateway: Gateway, held: socket.socket) -> Any:
        """A process that was given the socket and says that it runs."""
        process = under_systemd(self, gateway.path, held.fileno())
        await until(lambda: b"is running" in process.out or process.over, 20)
        self.assertFalse(process.over, process.err.decode())
        return process
