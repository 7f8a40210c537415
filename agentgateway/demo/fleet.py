"""A simulated fleet that calls the gateway over real HTTP, and the configuration that makes it meet every limit.

Each agent calls, waits, and calls again; a refused one waits longer. The stand-in's knobs travel in the request's
headers, so that answers have the length, the pace and the failures that an agent's character asks for.
"""

import json
import random
from pathlib import PurePath
from typing import Any

import attrs
import yaml
from treq.client import HTTPClient
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, _HTTP11ClientFactory
from twisted.web.iweb import IAgent, IResponse

from agentgateway.demo.characters import FLEET, Character

_TOOL_SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
_DISCOURAGED = 4.0
"""How much longer than usual a refused agent waits."""
_PATIENCE = 120.0
_PACE = 0.08
_POLICIES = [
    {
        "name": "failing provider",
        "condition": "error_rate > 0.3 and calls_this_hour > 10",
        "action": "alert",
        "params": {"cooldown": 30},
    },
    {"name": "big spender", "condition": "cost_this_hour > 2", "action": "alert", "params": {"cooldown": 60}},
]


class _QuietFactory(_HTTP11ClientFactory):
    """Twisted's own, without two log lines for every connection."""

    noisy = False


class _QuietPool(HTTPConnectionPool):
    _factory = _QuietFactory


@attrs.frozen
class Call:
    """One call as it will be made. It is left after `leave_after` bytes of the answer, if that is not None."""

    path: str
    headers: dict[bytes | str, bytes | str]
    body: bytes
    leave_after: int | None = None


def next_call(character: Character, dice: random.Random) -> Call:
    """What an agent does next; all chance comes from `dice`."""
    streamed = dice.random() < character.streamed
    output = max(8, round(dice.gauss(character.output, character.output / 4)))
    headers: dict[bytes | str, bytes | str] = {
        "content-type": "application/json",
        "x-agent-id": character.name,
        "x-standin-output": str(output),
        "x-standin-bytes": str(min(4 * output, 4000)),
        "x-standin-chunks": str(max(1, min(40, output // 20))),
        "x-standin-interval": str(_PACE),
        "x-standin-delay": f"{dice.uniform(0.1, 0.6):.2f}",
    }
    if character.provider == "anthropic":
        headers |= {"anthropic-version": "2023-06-01", "x-api-key": "demo"}
    else:
        headers["authorization"] = "Bearer demo"
    if dice.random() < character.faulty:
        headers["x-standin-fault"] = character.fault
    leaving = streamed and dice.random() < character.leaves
    body = json.dumps(_body(character, streamed, dice)).encode()
    return Call(f"/v1/{character.endpoint}", headers, body, dice.randint(400, 2000) if leaving else None)


def _body(character: Character, streamed: bool, dice: random.Random) -> dict[str, Any]:
    """A request in the dialect of the character's endpoint, with a context that is not always as long."""
    prompt = character.asks + " Context:" + " so it goes" * dice.randint(10, 400)
    body: dict[str, Any] = {"model": character.model, "stream": streamed}
    if character.endpoint == "responses":
        return body | {"input": prompt}
    body["messages"] = [{"role": "user", "content": prompt}]
    if character.endpoint == "messages":
        body["max_tokens"] = 8192
        if "use the tool" in character.asks and dice.random() < 0.3:
            body["tools"] = [{"name": "read_file", "description": "Reads a file.", "input_schema": _TOOL_SCHEMA}]
    return body


class Fleet(Service):
    """Eight agents at work as long as the service runs. `gateway_url` has no path; `seed` fixes what they do.

    All timers go through `reactor`; `agent` makes the HTTP requests, by default Twisted's own over a pool.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, gateway_url: str, seed: int = 1, agent: IAgent | None = None) -> None:
        self._reactor: Any = reactor  # treq wants a type of its own
        self._url, self._seed = gateway_url.rstrip("/"), seed
        self._pool = _QuietPool(reactor)  # type: ignore[no-untyped-call]
        self._pool.maxPersistentPerHost = 2 * len(FLEET)
        self._pool.retryAutomatically = False
        self._client = HTTPClient(agent or Agent(reactor, pool=self._pool))
        self._lives: list[Deferred[None]] = []
        self.statuses: dict[str, list[int]] = {}
        """The last hundred answers each agent saw."""

    def startService(self) -> None:
        """Everybody starts to work."""
        super().startService()  # type: ignore[no-untyped-call]
        self._lives = [Deferred.fromCoroutine(self._live(character)) for character in FLEET]

    def stopService(self) -> Deferred[None]:
        """Everybody stops where they stand; fires once the connections kept are closed."""
        super().stopService()  # type: ignore[no-untyped-call]
        lives, self._lives = self._lives, []
        for life in lives:
            life.addErrback(lambda failure: None)
            life.cancel()
        closed: Deferred[None] = self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]
        return closed

    async def _live(self, character: Character) -> None:
        dice = random.Random(f"{self._seed} {character.name}")
        patience = 1.0
        while self.running:
            await deferLater(self._reactor, dice.expovariate(1 / (character.pause * patience)), lambda: None)
            patience = 1.0 if await self._call(character.name, next_call(character, dice)) < 400 else _DISCOURAGED

    async def _call(self, name: str, call: Call) -> int:
        """Make one call to its end and return the status, or 599 where there was none."""
        try:
            response = await self._client.request(
                "POST",
                self._url + call.path,
                headers=call.headers,
                data=call.body,
                unbuffered=True,
                timeout=_PATIENCE,
                reactor=self._reactor,
            )
            await _read(response.original, call.leave_after)
            status = int(response.code)
        except Exception as error:
            # Whatever went wrong, the agent tries again later, as real ones do; stopping ends the loop above.
            if self.running:
                self._log.debug("{agent} had no answer: {error!r}", agent=name, error=error)
            status = 599
        seen = self.statuses.setdefault(name, [])
        seen.append(status)
        del seen[:-100]
        return status


def _read(response: IResponse, leave_after: int | None) -> Deferred[None]:
    """Read an answer and forget it; fires at its end, or when the reader has hung up."""
    reader = _Reader(leave_after)
    response.deliverBody(reader)
    return reader.finished


class _Reader(Protocol):
    """Counts bytes, and hangs up once it has had enough."""

    def __init__(self, leave_after: int | None) -> None:
        self._left = leave_after
        self.finished: Deferred[None] = Deferred(lambda _: self._hang_up())

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.finished.called:
            self.finished.callback(None)


def demo_config(gateway_port: int, standin_port: int, state_dir: str, dashboard_port: int = 4040) -> str:
    """The gateway.yaml of the demo: both providers are the stand-in, and the fleet has the limits of its characters."""
    state = PurePath(state_dir)
    agents = {
        character.name: {
            "model": character.model,
            "provider": character.provider,
            "tags": list(character.tags),
            **character.limits,
        }
        for character in FLEET
    }
    base_url = f"http://127.0.0.1:{standin_port}"
    return yaml.safe_dump(
        {
            "gateway": {"host": "127.0.0.1", "port": gateway_port, "state_dir": state_dir},
            "providers": {name: {"api": name, "base_url": base_url} for name in ("anthropic", "openai")},
            "agents": agents,
            "policies": _POLICIES,
            "dashboard": {"host": "127.0.0.1", "port": dashboard_port},
            "audit": {"log_file": str(state / "audit.jsonl")},
            "store": f"sqlite:{state / 'ledger.sqlite'}",
        },
        sort_keys=False,
    )  # fmt: skip
