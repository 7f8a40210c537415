"""A caller that stops reading stops its provider: nothing piles up in the gateway."""

import json
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import connect, reactor, until
from tests.peers import ask, closed_port, post, request
from tests.reality.processes import GATEWAY, healthy, spawn, start_standin, write_config

BODY = b'{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[]}'
GROWTH = 5 << 20
"""Bytes the gateway may grow by for a stalled caller, though the provider has no end of them to send."""
STEADY = 10
"""Looks at the provider, a tenth of a second apart, that must find it stuck."""


class BackPressureTests(TestCase):
    """One caller that reads nothing, a provider that would send for ever, and a gateway in its own process."""

    timeout = 60

    async def served(self, port: int) -> int:
        """Output tokens the stand-in has written so far."""
        answer = await ask(self, port, request(b"GET", b"/_standin/served", None))
        return int(json.loads(bytes(answer.body))["output_tokens"])

    async def stuck(self, port: int) -> int:
        """Wait until the stand-in can write no more; how much it has written."""
        last, same = -1, 0
        while same < STEADY:
            pause: Deferred[None] = Deferred()
            reactor.callLater(0.1, pause.callback, None)
            await pause
            now = await self.served(port)
            last, same = (now, same + 1) if now == last else (now, 0)
        return last

    def test_stalled_caller(self) -> Any:
        """The provider is held back, the gateway stays small, and when the caller reads on the stream goes on."""

        async def scenario() -> None:
            _, provider = await start_standin(self)
            port = closed_port()
            gateway = spawn(self, *GATEWAY, write_config(self, port, provider))
            await healthy(self, gateway, port)
            await ask(self, port, post(b"/v1/messages", BODY))
            before = gateway.resident

            caller = await connect(self, port)
            caller.transport.pauseProducing()
            caller.transport.write(post(b"/v1/messages", BODY, (b"x-standin-fault", b"endless")))
            sent = await self.stuck(provider)
            grown = gateway.resident - before
            self.assertGreater(sent, 0)
            self.assertLess(grown, GROWTH)

            caller.transport.resumeProducing()
            await until(lambda: len(caller.received) > 20 << 20, 30)
            self.assertGreater(await self.served(provider), sent)
            self.assertLess(gateway.resident - before, 2 * GROWTH)
            caller.transport.abortConnection()
            await caller.closed

        return ensureDeferred(scenario())
