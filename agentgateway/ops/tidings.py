"""What processes of a fleet must know of each other at once: how agents stand, and how their providers fare.

Each thing said is kept until it has been told: while the store is away the latest word on each agent waits. After the
store was lost everybody tells again how its agents stand, and the store keeps what it does not know better by then.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import msgspec
from twisted.logger import Logger

from agentgateway.domain.alert import Alert
from agentgateway.domain.breaker import CircuitEvent
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.lease import Kind, News, caps_body
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Caps, Standing
from agentgateway.errors import GatewayError
from agentgateway.interfaces import ILive

GATHERED: Final = 0.02
"""Seconds for which failures are gathered before they are told."""
PROBES_FIRST: Final = 1.0
"""Seconds by which the others leave it to the process that found a circuit open to try the provider again."""

_encode = msgspec.msgpack.Encoder().encode
_standing = msgspec.msgpack.Decoder(Standing).decode
_number = msgspec.msgpack.Decoder(float).decode


class Tidings:
    """Tells, and hears what others tell. `alert` is told what an operator should know, `process` is this one's id."""

    _log = Logger()

    def __init__(
        self,
        live: ILive,
        process: str,
        fleet: Callable[[], Fleet],
        moment: Callable[[], Moment],
        reactor: Any,
        alert: Callable[[Alert], None],
    ) -> None:
        self._live = live
        self._process = process
        self._fleet = fleet
        self._moment = moment
        self._reactor = reactor
        self._alert = alert
        self._known: dict[str, Standing] = {}
        self._untold: dict[tuple[Kind, str], bytes] = {}
        self._failures: dict[str, int] = {}

    # telling

    def stand(self, standing: Standing) -> None:
        """An agent stands otherwise; what its budget pauses, every process finds out for itself."""
        if standing.pause is not None and standing.pause.by == "budget":
            standing = Standing(standing.agent, None, standing.caps)
        before = self._known.get(standing.agent, Standing(standing.agent))
        if standing == before:
            return
        self._known[standing.agent] = standing
        self._say("standing", standing.agent, _encode(standing))
        if standing.caps != before.caps:
            self._say("caps", standing.agent, caps_body(_caps(standing.caps)))

    def circuit(self, agent: str, provider: str, event: CircuitEvent) -> None:
        """What happened to a circuit here."""
        name = f"{agent}/{provider}"
        if event == "failed":
            if not self._failures:
                self._reactor.callLater(GATHERED, self._tell_failures)
            self._failures[name] = self._failures.get(name, 0) + 1
            return
        body = b""
        state = self._fleet().get(agent)
        if event == "open" and state is not None:
            now = self._moment()
            retry_at = state.breaker(provider).retry_at(now.monotonic) or now.monotonic
            body = _encode(now.wall + retry_at - now.monotonic)
        self._say("circuit", name, body)

    def again(self) -> None:
        """Tell what could not be told."""
        untold, self._untold = self._untold, {}
        for (kind, name), body in untold.items():
            self._say(kind, name, body)

    def all_again(self) -> None:
        """Tell how all agents stand, in case nobody knows it any more."""
        for agent in self._fleet():
            standing = agent.standing
            pause = standing.pause if standing.pause is not None and standing.pause.by != "budget" else None
            if pause is not None or standing.caps is not None:
                self._quietly("standing", agent.id, _encode(Standing(agent.id, pause, standing.caps)))
            if standing.caps is not None:
                self._quietly("caps", agent.id, caps_body(_caps(standing.caps)))

    def warn(self, alert: Alert) -> None:
        """An alert; what every process may find is told by one of them."""
        if alert.once is None or not self._live.up:
            self._alert(alert)
            return
        text = blake2b(f"{alert.kind}\n{alert.agent}\n{alert.policy or alert.text}".encode(), digest_size=12)
        told = self._live.once(text.hexdigest(), max(1, int(alert.once)))
        told.addCallbacks(lambda first: self._alert(alert) if first else None, lambda _: self._alert(alert))

    def _say(self, kind: Kind, name: str, body: bytes) -> None:
        self._untold[kind, name] = body

        def told(_: None) -> None:
            if self._untold.get((kind, name)) == body:
                del self._untold[kind, name]

        self._live.tell(kind, name, body).addCallbacks(told, self._failed)

    def _quietly(self, kind: Kind, name: str, body: bytes) -> None:
        self._live.tell(kind, name, body, again=True).addErrback(self._failed)

    def _tell_failures(self) -> None:
        failures, self._failures = self._failures, {}
        for name, count in failures.items():
            self._live.tell("failures", name, _encode(count)).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        if not failure.check(GatewayError):
            self._log.failure("could not tell the fleet", failure)

    # hearing

    def heard(self, news: News) -> None:
        """Another process, or this one, told something."""
        now = self._moment()
        if news.kind == "standing":
            standing = _standing(news.body)
            self._known[standing.agent] = standing
            self._fleet().adopt(standing, now)
        elif news.kind in ("circuit", "failures") and news.origin != self._process:
            agent, _, provider = news.agent.partition("/")
            state = self._fleet().find(agent, now)
            if state is None:
                return
            breaker = state.breaker(provider)
            if news.kind == "failures":
                breaker.others_failed(int(_number(news.body)), now.monotonic)
            elif not news.body:
                breaker.others_closed()
            elif (left := _number(news.body) - now.wall) > 0:
                breaker.others_opened(now.monotonic + left + PROBES_FIRST, now.monotonic)


def _caps(caps: Caps | None) -> tuple[int | None, int | None, int | None] | None:
    return None if caps is None else (caps.max_cost_per_hour, caps.max_cost_per_day, caps.max_cost_total)
