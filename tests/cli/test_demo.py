"""Tests of `agentgateway demo`: what it says, and the whole of it as a newcomer runs it."""

import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.cli.demo import BEAT, Demo, Narrator, words, write
from agentgateway.cli.start import StartError
from agentgateway.domain.audit import AuditRecord, record_of
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from tests.cli.doubles import run
from tests.harness import until
from tests.peers import ask, request
from tests.reality.processes import listens, spawn


def served(agent: str | None, reason: str | None = None) -> AuditRecord:
    """A call of `agent`, refused where a reason is given."""
    exchange = Exchange("agw_1", Moment(0, 0), "POST", "/v1/messages", ())
    exchange.agent_id, exchange.uri_upstream = agent, "/v1/messages"
    exchange.status, exchange.cost = 200, 1_500_000_000
    if reason is not None:
        exchange.cost = 0
        exchange.refuse(Refusal(reason, "no"))  # type: ignore[arg-type]
    return record_of(exchange, Moment(1, 1))


class NarratorTests(SynchronousTestCase):
    """The lines a newcomer reads."""

    def setUp(self) -> None:
        """Lines are kept."""
        self.lines: list[str] = []
        self.narrator = Narrator(self.lines.append)

    def test_first_of_each(self) -> None:
        """A refusal is told the first time an agent meets it, and not again."""
        for agent, reason in (("a", "rate_limited"), ("a", "rate_limited"), ("b", "rate_limited"), ("a", None)):
            self.narrator.hear(served(agent, reason))
        self.assertEqual(self.lines, ["  a: rate_limited (429 /v1/messages)", "  b: rate_limited (429 /v1/messages)"])

    def test_nobody(self) -> None:
        """A call that names no agent is told as that."""
        self.narrator.hear(served(None, "unknown_agent"))
        self.assertTrue(self.lines[0].startswith("  no agent: unknown_agent ("), self.lines)

    def test_figures(self) -> None:
        """The figures are sums over all calls, with what was refused and how often."""
        for reason in (None, None, "circuit_open"):
            self.narrator.hear(served("a", reason))
        self.narrator.figures()
        self.assertEqual(self.lines[-1], "  3 calls, 0 tokens, $3.00, 1 x circuit_open")


@attrs.define
class Part:
    """A part of the demo that notes what is done to it."""

    name: str
    done: list[str]
    listeners: list[Any] = attrs.Factory(list)

    @property
    def live(self) -> "Part":
        """The gateway's shared state, as far as the demo needs it."""
        return self

    def __getattr__(self, verb: str) -> Any:
        def note() -> Deferred[None]:
            self.done.append(f"{self.name}.{verb}")
            return succeed(None)

        return note


class DemoTests(SynchronousTestCase):
    """The parts as one service."""

    def test_order(self) -> None:
        """The gateway starts before those who call it, and stops after them; the provider stops last."""
        clock, done = Clock(), list[str]()
        gateway, fleet, port, standin = (Part(name, done) for name in ("gateway", "fleet", "port", "standin"))
        demo = Demo(clock, port, standin, gateway, fleet)  # type: ignore[arg-type]
        demo.open()
        demo.privilegedStartService()
        demo.startService()
        clock.advance(BEAT)
        self.successResultOf(demo.stopService())
        self.assertEqual(
            done,
            [
                *("gateway.open", "gateway.privilegedStartService", "gateway.startService", "fleet.startService"),
                *("fleet.stopService", "gateway.stopService", "port.stopListening", "standin.hang_up"),
            ],
        )
        self.assertEqual((clock.getDelayedCalls(), gateway.listeners), ([], []))


class WordsTests(SynchronousTestCase):
    """What is printed first."""

    def test_places(self) -> None:
        """All addresses and files are named, and the request of the curl line is JSON."""
        said = words("http://127.0.0.1:8080", "http://127.0.0.1:4040", Path("/tmp/d/gateway.yaml"), "agentgateway")
        for place in ("http://127.0.0.1:4040", "/tmp/d/gateway.yaml", "/tmp/d/audit.jsonl", "agentgateway status -c"):
            self.assertIn(place, said)
        body = re.search(r"-d '(.*)'", said)
        assert body is not None
        self.assertIn("messages", json.loads(body[1]))


class OptionTests(SynchronousTestCase):
    """What the command is given."""

    def test_no_port(self) -> None:
        """A port that is none is a usage error."""
        for option in ("--port", "--dashboard-port"):
            result = run("demo", option, "99999")
            self.assertEqual((result.exit_code, result.stdout), (2, ""))
            self.assertIn("99999 is not in the range 0<=x<=65535", result.stderr)

    def test_no_folder(self) -> None:
        """A folder that cannot be made, or not be written into, is told in a line."""
        result = run("demo", "--state-dir", "/proc/foo")
        self.assertEqual((result.exit_code, result.stderr.count("\n")), (1, 1), result.output)
        self.assertTrue(result.stderr.startswith("cannot use the folder /proc/foo: "), result.stderr)
        error = self.assertRaises(StartError, write, Path("/proc/gateway.yaml"), "")
        self.assertTrue(str(error).startswith("cannot write /proc/gateway.yaml: "), str(error))


class WholeTests(TestCase):
    """The command itself, in a process of its own."""

    def test_whole(self) -> Any:
        """It takes -c as all commands do, gives way on taken ports, shows traffic within seconds, and leaves nothing
        behind when it ends."""

        async def scenario() -> None:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                busy = str(taken.getsockname()[1])
                given = ("-c", "gateway.yaml", "--port", busy, "--dashboard-port", "0")
                process = spawn(self, sys.executable, "-m", "agentgateway", "demo", *given)
                await until(lambda: process.over or b"the first time" in process.out, 20)
            said = process.out.decode()
            self.assertFalse(process.over, said + process.err.decode())
            self.assertIn(f"Port {busy} is taken", said, process.err.decode())
            found = re.search(r"gateway +http://127.0.0.1:(\d+)", said)
            folder = re.search(r"configuration +(\S+)/gateway.yaml", said)
            assert found is not None and folder is not None
            port = int(found[1])
            local = request(b"GET", b"/api/status", None).replace(b"gateway.test", b"localhost")
            answered = 0
            while not answered:
                answer = await ask(self, port, local)
                answered = sum(agent["call_count"] for agent in json.loads(answer.body)["agents"])
            process.transport.signalProcess(signal.SIGINT)
            self.assertEqual((await process.ended)[0], 0, process.err.decode())
            self.assertNotIn(b"Traceback", process.out + process.err)
            self.assertIn(b"The demo is over.", process.out)
            self.assertFalse(listens(port))
            self.assertFalse(os.path.exists(folder[1]))

        return ensureDeferred(scenario())
