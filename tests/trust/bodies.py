"""Large bodies as tests send them, and a gateway whose memory and temporary folder they look at."""

import json
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from tests.peers import Answer, Caller, ask, call_in, post
from tests.reality.processes import GATEWAY, Process, start_standin
from tests.trust.gateway import Gateway, start

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"model":"priced","max_tokens":9,"messages":[]}'
PIECE = b"%x\r\n%b\r\n" % (65_536, b" " * 65_536)
MOST = 5 << 20
"""Bytes of memory the gateway may grow by."""


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


class BodyTests(TestCase):
    """A gateway in its own process, and its memory as the kernel counts it."""

    timeout = 60

    async def setting(self, config: str, provider: int | None = None) -> Gateway:
        """A gateway that has answered a call already, with a temporary folder of its own."""
        provider = provider or (await start_standin(self))[1]
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

    def files(self, gateway: Gateway) -> int:
        """How many of the gateway's open files lie in its temporary folder; none of them has a name there."""
        self.assertEqual(os.listdir(self.temporary), [])
        folder = f"/proc/{gateway.process.pid}/fd"
        paths = [os.readlink(os.path.join(folder, number)) for number in os.listdir(folder)]
        return len([path for path in paths if path.startswith(self.temporary)])
