"""One question for all who want its answer: what strangers may ask is not asked on as often as they do."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed

KEPT: Final = 0.25
"""Seconds that this is known for: everybody may ask for it, as often as they like."""


class Polled:
    """What `ask` answers, for all who want it within `KEPT` seconds of `now`: however many they are, it is asked once."""

    def __init__(self, ask: Callable[[], Awaitable[list[Any]]], now: Callable[[], float]) -> None:
        self._ask, self._now = ask, now
        self._known: list[Any] = []
        self._until = float("-inf")
        self._waiting: list[Deferred[list[Any]]] = []

    def get(self) -> "Deferred[list[Any]]":
        """What is known, or will be; fails as `ask` does. Whoever gives up waiting takes nothing from the others."""
        if self._now() < self._until:
            return succeed(self._known)
        wanted: Deferred[list[Any]] = Deferred()
        self._waiting.append(wanted)
        if len(self._waiting) == 1:
            Deferred.fromCoroutine(self._learn()).addErrback(self._tell)
        return wanted

    async def _learn(self) -> None:
        self._known = await self._ask()
        self._until = self._now() + KEPT
        self._tell(self._known)

    def _tell(self, told: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(told)
