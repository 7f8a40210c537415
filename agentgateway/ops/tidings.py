"""What processes of a fleet must know of each other at once: how agents stand, and how their providers fare.

Each thing said is kept until it has been told: while the store is away the latest word on each agent waits. Words on a
pause and on caps, which are two things, carry when they were said, and of each the store keeps the latest. After it was
lost everybody tells all it knows again: a few words at a time, as the store does nothing else meanwhile, each in another
order, and none that somebody else has told.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import islice
from random import shuffle
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
Topic = tuple[Kind, str]
"""What a word is about."""

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
        self._untold: dict[Topic, News] = {}
        """The latest words that are not known to be told."""
        self._owed: dict[Topic, None] = {}
        """Those among them that could not be, and what the store may have forgotten; to be told in this order."""
        self.aside: Callable[[News], None] = lambda word: None
        """Tells those who are near what the store could not be told."""
        self._failures: dict[str, int] = {}

    # telling

    def stand(self, standing: Standing) -> None:
        """Somebody paused an agent, or resumed it."""
        self._say(_of_pause(standing, self._process))

    def cap(self, standing: Standing) -> None:
        """An operator gave an agent other caps."""
        self._say(_of_caps(standing, self._process))

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
        self._say(News(0, "circuit", name, self._process, body))

    @property
    def owes(self) -> bool:
        """Whether there is more to tell again."""
        return bool(self._owed)

    def again(self, most: int) -> None:
        """Tell some of what could not be told, or may be forgotten: no more than `most` words."""
        for topic in list(islice(self._owed, most)):
            del self._owed[topic]
            word = self._untold.get(topic) or self._as_it_stands(topic)
            if word is not None:
                self._untold[topic] = word
                self._tell(word, near=False)

    def all_again(self) -> None:
        """How all agents stand is to be told, in case nobody knows it any more; caps first, as money is lent by them."""
        standings = [agent.standing for agent in self._fleet()]
        shuffle(standings)
        capped = (one.agent for one in standings if one.capped_at or one.caps is not None)
        paused = (one.agent for one in standings if one.paused_at or said(one.pause) is not None)
        self._owed |= {("caps", agent): None for agent in capped} | {("standing", agent): None for agent in paused}

    def _as_it_stands(self, topic: Topic) -> News | None:
        agent = self._fleet().get(topic[1])
        if agent is None or topic[0] not in SAID:
            return None
        return (_of_pause if topic[0] == "standing" else _of_caps)(agent.standing, self._process)

    def warn(self, alert: Alert) -> None:
        """An alert; what every process may find is told by one of them."""
        if alert.once is None or not self._live.up:
            self._alert(alert)
            return
        text = blake2b(f"{alert.kind}\n{alert.agent}\n{alert.policy or alert.text}".encode(), digest_size=12)
        told = self._live.once(text.hexdigest(), max(1, int(alert.once)))
        told.addCallbacks(lambda first: self._alert(alert) if first else None, lambda _: self._alert(alert))

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
        if (word.kind, word.agent) in self._untold:
            self._owed[word.kind, word.agent] = None
        if near:
            self.aside(word)

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
        topic = news.kind, news.agent
        waiting = self._untold.get(topic)
        if waiting is not None and waiting.at <= news.at:
            del self._untold[topic]
        now = self._moment()
        agent = self._fleet().find(news.agent, now)
        if agent is None:
            return
        if news.kind == "standing":
            pause_heard(self._fleet(), agent, pause_told(news.body), news.at, now)
        else:
            caps = caps_told(news.body)
            caps_heard(self._fleet(), agent, None if caps is None else Caps(*caps), news.at, now)
        said_at = agent.paused_at if news.kind == "standing" else agent.capped_at
        if news.version and news.at >= said_at:  # the store has it
            self._owed.pop(topic, None)

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


def _of_pause(standing: Standing, process: str) -> News:
    return News(0, "standing", standing.agent, process, pause_body(said(standing.pause)), standing.paused_at)


def _of_caps(standing: Standing, process: str) -> News:
    return News(0, "caps", standing.agent, process, caps_body(_caps(standing.caps)), standing.capped_at)


def _caps(caps: Caps | None) -> tuple[int | None, int | None, int | None] | None:
    return None if caps is None else (caps.max_cost_per_hour, caps.max_cost_per_day, caps.max_cost_total)


def pause_body(pause: Pause | None) -> bytes:
    """The body of news of the kind "standing": why an agent is paused; None resumes it."""
    return b"" if pause is None else _encode(pause)


def pause_told(body: bytes) -> Pause | None:
    """What `pause_body` wrote. Raises msgspec.MsgspecError for anything else."""
    return _pause(body) if body else None
