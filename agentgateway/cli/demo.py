"""`agentgateway demo`: a whole gateway with a stand-in provider and a simulated fleet, in one process, without a key."""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred

from agentgateway.cli.start import StartError, run
from agentgateway.domain.audit import AuditRecord
from agentgateway.stores.files import make_folder, reason

BEAT = 10.0
"""Seconds between two lines of figures."""


_PORT = click.IntRange(0, 65535)


@click.command("demo")
@click.option("-c", "--config", expose_value=False, help="Accepted as everywhere; the demo writes a file of its own.")
@click.option("--port", type=_PORT, default=8080, show_default=True, help="The gateway's; another one if it is taken.")
@click.option("--dashboard-port", type=_PORT, default=4040, show_default=True, help="The dashboard's, in the same way.")
@click.option("--state-dir", type=click.Path(file_okay=False), help="Keep configuration, ledger and audit log there.")
def command(port: int, dashboard_port: int, state_dir: str | None) -> None:
    """Show the gateway at work: a stand-in provider and eight simulated agents, no provider key needed.

    Within a minute one of them spends its budget up, others meet their rate limits, and a provider that fails
    opens a circuit. Ctrl-C ends it; its files are removed unless --state-dir keeps them.
    """
    with contextlib.ExitStack() as stack:
        folder = state_dir or stack.enter_context(tempfile.TemporaryDirectory(prefix="agentgateway-demo-"))
        make_folder(folder)
        _run(Path(folder), _free("gateway", port), _free("dashboard", dashboard_port))


def _run(folder: Path, port: int, dashboard_port: int) -> None:
    """Put everything together and run it until a signal comes."""
    from twisted.internet import reactor

    from agentgateway.config.load import load
    from agentgateway.demo.fleet import Fleet, demo_config
    from agentgateway.demo.standin import StandIn
    from agentgateway.service import GatewayService
    from agentgateway.wiring import prepare

    prepare(reactor)
    standin: Any = StandIn(reactor)
    provider: Any = reactor.listenTCP(0, standin, interface="127.0.0.1")
    path = folder / "gateway.yaml"
    write(path, demo_config(port, provider.getHost().port, str(folder), dashboard_port))
    config = load(str(path), os.environ)
    gateway = GatewayService(config, reactor)
    url = f"http://127.0.0.1:{port}"
    demo = Demo(reactor, provider, standin, gateway, Fleet(reactor, url))
    said = words(url, f"http://127.0.0.1:{dashboard_port}", path, _program(sys.argv[0]))
    run(demo, reactor, config, lambda: said)


def write(path: Path, text: str) -> None:
    """Make the file of this text. Raises StartError."""
    try:
        path.write_text(text)
    except OSError as error:
        raise StartError(f"cannot write {path}: {reason(error)}")


def _program(ran: str) -> str:
    """How to run this command again in another terminal, where `ran` is what was run now."""
    if shutil.which("agentgateway"):
        return "agentgateway"
    return f"{sys.executable} -m agentgateway" if ran.endswith(".py") else os.path.abspath(ran)


def _free(what: str, wanted: int) -> int:
    """`wanted` if nobody listens there on this machine, else a port the system chooses, with a word about it."""
    for port in (wanted, 0):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(attempt.getsockname()[1])
        if found != wanted and wanted:
            click.echo(f"Port {wanted} is taken: the {what} listens on {found}.")
        return found
    raise click.ClickException("no port is free on 127.0.0.1")


@attrs.define
class Narrator:
    """Says what happens in a line each: the first refusal of each kind an agent meets, and figures now and then."""

    say: Callable[[str], None]
    _met: set[tuple[str | None, str]] = attrs.Factory(set)
    _calls: int = 0
    _cost: float = 0.0
    _tokens: int = 0
    _refused: Counter[str] = attrs.Factory(Counter)

    def hear(self, record: AuditRecord) -> None:
        """One more call is over."""
        self._calls += 1
        self._cost += record.cost_usd
        self._tokens += record.input_tokens + record.output_tokens
        if record.outcome in ("ok", "client_gone"):
            return
        kind = record.reason or f"{record.outcome} {record.status}"
        self._refused[kind] += 1
        if (record.agent, kind) not in self._met:
            self._met.add((record.agent, kind))
            self.say(f"  {record.agent or 'no agent'}: {kind} ({record.status} {record.path})")

    def figures(self) -> None:
        """All so far, in one line."""
        parts = [f"{self._calls} calls", f"{self._tokens:,} tokens", f"${self._cost:.2f}"]
        parts += [f"{count} x {kind}" for kind, count in self._refused.most_common(4)]
        self.say("  " + ", ".join(parts))


class Demo(Service):
    """Gateway, provider and fleet as one service: started in that order, stopped in the other."""

    def __init__(self, reactor: Any, port: Any, standin: Any, gateway: Any, fleet: Service) -> None:
        self._reactor, self._port, self._standin = reactor, port, standin
        self._gateway, self._fleet = gateway, fleet
        self._narrator = Narrator(click.echo)
        self._beat: Any = None

    def open(self) -> None:
        """The gateway takes its store into use. Raises StoreError."""
        self._gateway.open()

    def privilegedStartService(self) -> None:
        """The gateway listens."""
        self._gateway.privilegedStartService()

    def startService(self) -> None:
        """Everybody starts to work."""
        super().startService()  # type: ignore[no-untyped-call]
        self._gateway.live.listeners.append(self._narrator.hear)
        self._gateway.startService()
        self._fleet.startService()
        self._beat = self._reactor.callLater(BEAT, self._tell)

    def _tell(self) -> None:
        self._narrator.figures()
        self._beat = self._reactor.callLater(BEAT, self._tell)

    def stopService(self) -> Deferred[None]:
        """The fleet goes first, the provider last; fires when all are gone."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._beat.cancel()
        self._gateway.live.listeners.remove(self._narrator.hear)  # what the end cuts off says nothing of the gateway
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(self._fleet.stopService)
        await self._gateway.stopService()
        await maybeDeferred(self._port.stopListening)
        await self._standin.hang_up()
        self._narrator.figures()
        click.echo("The demo is over.")


def words(url: str, dashboard: str, path: Path, program: str) -> str:
    """Where things are, and what to try with `program`, this command."""
    return f"""
A gateway, a stand-in provider and eight simulated agents are at work. Ctrl-C ends it.

  dashboard       {dashboard}
  gateway         {url}
  configuration   {path}
  audit log       {path.parent / "audit.jsonl"}

Try in another terminal:

  {program} status -c {path}
  {program} logs -f -c {path}
  {program} pause researcher -c {path}     (-r resumes it)
  {program} budget runaway --hourly 10 -c {path}

  curl {url}/api/status
  curl {url}/v1/messages -H 'x-agent-id: coder' -H 'content-type: application/json' \\
    -d '{{"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{{"role": "user", "content": "Hello"}}]}}'

What the agents meet, the first time each does:
"""
