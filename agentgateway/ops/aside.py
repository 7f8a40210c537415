"""Telling the other workers of this gateway, on their own sockets, what the shared store cannot be told.

Each of them keeps it as what it was told by the store, and tells the store, too, when that is back: of words that carry
their time the store keeps one. Whoever does not take them is told again, for as long as the store is away.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agentgateway.domain.lease import News, Words
from agentgateway.interfaces import Siblings

GATHERED: Final = 0.02
"""Seconds for which words are gathered before they are told."""
AGAIN: Final = 1.0
"""Seconds until one is told again that did not take it."""
PATH: Final = b"/words"


class Aside:
    """`away` says whether the store is."""

    _log = Logger()

    def __init__(self, siblings: Siblings, away: Callable[[], bool], reactor: Any) -> None:
        self._siblings = siblings
        self._away = away
        self._reactor = reactor
        self._untold: dict[int, dict[tuple[str, str], News]] = {}
        """By worker: the latest word of each kind on each name."""
        self._asking: set[int] = set()

    def tell(self, word: News) -> None:
        """Tell all of them, in a moment."""
        for number in self._siblings.others:
            self._untold.setdefault(number, {})[word.kind, word.agent] = word
            self._soon(number, GATHERED)

    def _soon(self, number: int, pause: float) -> None:
        if number not in self._asking:
            self._asking.add(number)
            self._reactor.callLater(pause, self._begin, number)

    def _begin(self, number: int) -> None:
        Deferred.fromCoroutine(self._tell(number))

    async def _tell(self, number: int) -> None:
        words = self._untold.pop(number)
        heard = await self._hears(number, Words(tuple(words.values())))
        self._asking.discard(number)
        if not heard and self._away():
            self._untold[number] = words | self._untold.get(number, {})
        if number in self._untold:
            self._soon(number, GATHERED if heard else AGAIN)

    async def _hears(self, number: int, words: Words) -> bool:
        """Whether it has taken them."""
        try:
            reply = await self._siblings.ask_one(number, b"POST", PATH, msgspec.json.encode(words))
            return reply is not None and reply.status == 200
        except Exception:
            self._log.failure("could not tell worker {number}", number=number)
            return False
