"""News in their order, each once, whatever was missed on the way."""

from collections.abc import Callable
from typing import Final

import attrs
from twisted.logger import Logger

from agentgateway.domain.lease import News, Synced
from agentgateway.stores.live.messages import heard, split

LATE: Final = 0.5
"""Seconds by which the subscription may be behind answers: under load it is, and making it anew helps nobody."""


@attrs.define
class Feed:
    """Passes news on to `tell` as they are published, as long as none is missing; says when some are."""

    tell: Callable[[News], None]
    seen: int = 0
    """The version told last."""
    _heard: int | None = None
    """The latest version that came by the subscription, or that was there when it began; None just after that."""
    _owed: int = 0
    """The version that it has to bring."""
    _since: float = 0.0
    """When an answer knew of that, by the time of answers."""
    _log = Logger()

    def published(self, message: bytes) -> bool:
        """One message of the channel; True where others before it were missed."""
        try:
            news = heard(message)
        except ValueError:
            self._log.warn("somebody else speaks on the channel for news")
            return False
        self._heard = max(self._heard or 0, news.version)
        if news.version > self.seen + 1:
            return True
        self._pass_on(news)
        return False

    def fetched(self, answer: bytes) -> int:
        """What the script `MISSED` gave; returns how many news there were."""
        count = 0
        for message in split(answer):
            self._pass_on(heard(message))
            count += 1
        return count

    def synced(self, synced: Synced, epoch: str) -> bool:
        """An answer, and the epoch of the one before; True where news were missed. After a loss numbers begin anew."""
        if epoch and synced.epoch != epoch:
            self.seen = self._owed = 0
            self._heard = None
        return synced.version > self.seen

    def subscribed(self) -> None:
        """The subscription begins, or begins again."""
        self._heard, self._owed = None, 0

    def deaf(self, synced: Synced) -> bool:
        """Whether the subscription has not brought for `LATE` seconds what an answer knew of."""
        if self._heard is None:
            self._heard = synced.version
        if self._heard < self._owed:
            return synced.now - self._since >= LATE
        self._owed, self._since = synced.version, synced.now
        return False

    def _pass_on(self, news: News) -> None:
        if 0 < news.version <= self.seen:
            return
        self.seen = news.version or self.seen
        try:
            self.tell(news)
        except Exception:
            self._log.failure("could not make use of {kind} news about {agent}", kind=news.kind, agent=news.agent)
