"""What processes of a fleet must know of each other at once: how agents stand, and how their providers fare.

Each thing said is kept until it has been told: while the store is away the latest word on each agent waits. Words on a
pause and on caps, which are two things, carry when they were said, and of each the store keeps the latest; after it was
lost everybody tells all it knows again.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec
from twisted.logger import Logger

from agentgateway.domain.alert import Alert
from agentgateway.domain.breaker import CircuitEvent
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.hearsay import caps_heard, pause_heard, said
from agentgateway.domain.lease import Kind, News, caps_body, caps_told
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Caps, Pause, Standing
from agentgateway.errors import GatewayError
from agentgateway.interfaces import ILive

GATHERED: Final = 0.02
"""Seconds for which failures are gathered before they are told."""
PROBES_FIRST: Final = 1.0
"""Seconds by which the others leave it to the process that found a circuit open to try the provider again."""

SAID: Final = ("standing", "caps")
"""What is said at some time, and stands until something else is said of it."""

_encode = msgspec.msgpack.Encoder().encode
_pause = msgspec.msgpack.Decoder(Pause).decode
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
        self._untold: dict[tuple[Kind, str], News] = {}
        """The latest words that are not known to be told."""
        self._failed_once = False
        """Some of them could not be."""
        self.aside: Callable[[News], None] = lambda word: None
        """Tells those who are near what the store could not be told."""
        self._failures: dict[str, int] = {}

    # telling

    def stand(self, standing: Standing) -> None:
        """Somebody paused an agent, or resumed it."""
        self._say(self._word("standing", standing.agent, pause_body(said(standing.pause)), standing.paused_at))

    def cap(self, standing: Standing) -> None:
        """An operator gave an agent other caps."""
        self._say(self._word("caps", standing.agent, caps_body(_caps(standing.caps)), standing.capped_at))

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
        self._say(self._word("circuit", name, body))

    def again(self) -> None:
        """Tell what could not be told."""
        if self._failed_once:
            self._failed_once = False
            for word in tuple(self._untold.values()):
                self._tell(word, near=False)

    def all_again(self) -> None:
        """Tell how all agents stand, in case nobody knows it any more."""
        for agent in self._fleet():
            standing = agent.standing
            if standing.paused_at or said(standing.pause) is not None:
                self.stand(standing)
            if standing.capped_at or standing.caps is not None:
                self.cap(standing)

    def warn(self, alert: Alert) -> None:
        """An alert; what every process may find is told by one of them."""
        if alert.once is None or not self._live.up:
            self._alert(alert)
            return
        text = blake2b(f"{alert.kind}\n{alert.agent}\n{alert.policy or alert.text}".encode(), digest_size=12)
        told = self._live.once(text.hexdigest(), max(1, int(alert.once)))
        told.addCallbacks(lambda first: self._alert(alert) if first else None, lambda _: self._alert(alert))

    def _word(self, kind: Kind, name: str, body: bytes, at: int = 0) -> News:
        return News(0, kind, name, self._process, body, at)

    def _say(self, word: News) -> None:
        """Keep it until it is told."""
        self._untold[word.kind, word.agent] = word
        self._tell(word)

    def _tell(self, word: News, near: bool = True) -> None:
        """`near`: where it cannot be told, at least tell those who are near."""
        at = word.at if word.kind in SAID else None
        told = self._live.tell(word.kind, word.agent, word.body, at)
        told.addCallbacks(lambda _: self._told(word), self._untellable, errbackArgs=(word, near))

    def _told(self, word: News) -> None:
        if self._untold.get((word.kind, word.agent)) == word:
            del self._untold[word.kind, word.agent]

    def _untellable(self, failure: Any, word: News, near: bool) -> None:
        self._failed(failure)
        if near:
            self.aside(word)

    def _tell_failures(self) -> None:
        failures, self._failures = self._failures, {}
        for name, count in failures.items():
            self._live.tell("failures", name, _encode(count)).addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        self._failed_once = True
        if not failure.check(GatewayError):
            self._log.failure("could not tell the fleet", failure)

    # hearing

    def heard(self, news: News) -> None:
        """Another process, or this one, told something."""
        if news.kind in SAID:
            self._heard_of_agent(news)
        elif news.origin != self._process:
            self._heard_of_circuit(news)

    def heard_aside(self, words: Iterable[News]) -> None:
        """A process that could not tell the store told this one; what does not pass, the store is told from here, too."""
        for word in words:
            self.heard(word)
            waiting = self._untold.get((word.kind, word.agent))
            if word.kind in SAID and (waiting is None or waiting.at < word.at):
                self._untold[word.kind, word.agent] = word
                self._tell(word, near=False)

    def _heard_of_agent(self, news: News) -> None:
        waiting = self._untold.get((news.kind, news.agent))
        if waiting is not None and waiting.at <= news.at:
            del self._untold[news.kind, news.agent]
        now = self._moment()
        agent = self._fleet().find(news.agent, now)
        if agent is None:
            return
        if news.kind == "standing":
            pause_heard(self._fleet(), agent, pause_told(news.body), news.at, now)
        else:
            caps = caps_told(news.body)
            caps_heard(self._fleet(), agent, None if caps is None else Caps(*caps), news.at, now)

    def _heard_of_circuit(self, news: News) -> None:
        now = self._moment()
        name, _, provider = news.agent.partition("/")
        agent = self._fleet().find(name, now)
        if agent is None:
            return
        breaker = agent.breaker(provider)
        if news.kind == "failures":
            breaker.others_failed(int(_number(news.body)), now.monotonic)
        elif not news.body:
            breaker.others_closed()
        elif (left := _number(news.body) - now.wall) > 0:
            breaker.others_opened(now.monotonic + left + PROBES_FIRST, now.monotonic)


def _caps(caps: Caps | None) -> tuple[int | None, int | None, int | None] | None:
    return None if caps is None else (caps.max_cost_per_hour, caps.max_cost_per_day, caps.max_cost_total)


def pause_body(pause: Pause | None) -> bytes:
    """The body of news of the kind "standing": why an agent is paused; None resumes it."""
    return b"" if pause is None else _encode(pause)


def pause_told(body: bytes) -> Pause | None:
    """What `pause_body` wrote. Raises msgspec.MsgspecError for anything else."""
    return _pause(body) if body else None
