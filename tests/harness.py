"""A whole gateway and a stand-in provider on real sockets, in this process: for tests of how they work together."""

import json
import os
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import LoopingCall

from agentgateway.config.load import parse
from agentgateway.demo.standin import StandIn
from agentgateway.service import GatewayService

reactor: Any = _reactor
LOCAL = "tcp:0:backlog=4096:interface=127.0.0.1"


async def listen(testcase: Any, factory: Any, endpoint: str = LOCAL) -> int:
    """Listen on a free port until the test ends; the port's number."""
    port: IListeningPort = await serverFromString(reactor, endpoint).listen(factory)
    testcase.addCleanup(port.stopListening)
    return int(port.getHost().port)


class Running:
    """A gateway under test: `port`, `url`, `standin` (its provider) and `service`; stops with the test."""

    def __init__(self, service: GatewayService, port: int, standin: StandIn | None, origin: Any = None) -> None:
        self.service = service
        self.origin = origin
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.standin = standin

    @property
    def records(self) -> list[dict[str, Any]]:
        """The audit records so far, as they would be read from the file."""
        path = self.service.live.config.audit.log_file
        assert path is not None
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    @property
    def in_flight(self) -> int:
        """Calls under way, over all agents."""
        return sum(agent.in_flight for agent in self.service.live.fleet)

    @property
    def quiet(self) -> bool:
        """No call is under way, and no connection to a provider is open but for idle ones."""
        counts = [agent.counts for agent in self.service.upstreams.agents()]
        return not self.in_flight and all(opened == idle for opened, idle in counts)

    def sweep(self) -> None:
        """Look at every deadline now rather than at the next whole second."""
        self.service.server.sweep()
        self.service.upstreams.sweep()


CONFIG = """
gateway: {{port: 0, host: 127.0.0.1, state_dir: {state}}}
providers:
  anthropic: {{base_url: "{provider}"}}
  openai: {{base_url: "{provider}"}}
  google: {{base_url: "{provider}"}}
agents:
  "*": {{}}
  researcher: {{provider: anthropic, model: claude-sonnet-4-5}}
  coder: {{provider: openai, tags: [engineering]}}
audit: {{log_file: {state}/audit.jsonl}}
dashboard: false
store: "memory:"
"""


async def start_gateway(testcase: Any, config: str = CONFIG, factory: ServerFactory | None = None) -> Running:
    """A gateway with `config` (`{provider}` and `{state}` are filled in), in front of `factory`, else of a StandIn."""
    standin = None if factory is not None else StandIn(reactor)
    provider = await listen(testcase, factory or standin)
    state = os.path.abspath(testcase.mktemp())
    os.makedirs(state, mode=0o700)
    text = config.format(provider=f"http://127.0.0.1:{provider}", state=state)
    service = GatewayService(parse(text, "test.yaml", os.environ), reactor)
    service.startService()
    running = Running(service, await listen(testcase, service.server), standin, factory)
    testcase.addCleanup(stop, running)
    return running


async def stop(running: Running) -> None:
    """Stop the service once every call is over, and wait until every connection is gone: none may leak."""
    await until(lambda: running.quiet)
    await running.service.stopService()
    agents = running.service.upstreams.agents()
    await until(lambda: not running.service.server.channels and all(agent.counts == (0, 0) for agent in agents))
    if running.standin is not None:
        await running.standin.hang_up()
    visits = getattr(running.origin, "visits", ())
    await until(lambda: not visits)


def sweep_often(testcase: Any, running: Running) -> None:
    """Let deadlines of a few hundredths of a second count, until the test ends."""
    sweeping = LoopingCall(running.sweep)
    sweeping.start(0.02)
    testcase.addCleanup(sweeping.stop)


async def until(condition: Any, timeout: float = 5.0) -> None:
    """Wait until `condition()` holds; fails the test where it never does."""
    deadline = reactor.seconds() + timeout
    while not condition():
        if reactor.seconds() > deadline:
            raise AssertionError("this never came about")
        pause: Deferred[None] = Deferred()
        reactor.callLater(0.005, pause.callback, None)
        await pause


class RawClient(Protocol):
    """A caller that says and hears bytes; `closed` fires when the connection is gone."""

    def __init__(self) -> None:
        self.received = b""
        self.closed: Deferred[None] = Deferred()
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        """More of the answer."""
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        """The gateway closed, or we did."""
        self.lost = True
        self.closed.callback(None)


async def connect(testcase: Any, port: int) -> RawClient:
    """A raw connection to a port of this machine, closed with the test."""
    from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

    client: RawClient = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), RawClient())

    def close() -> "Deferred[None] | None":
        if not client.lost:
            client.transport.abortConnection()
            return client.closed
        return None

    testcase.addCleanup(close)
    return client
