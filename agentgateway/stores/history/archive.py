"""History as the gateway uses it: loads what the log has got, a chunk at a time, keeps rows of charts, answers questions.

Nothing here is waited for by a call. With the database away records wait in the log's files; it is asked again after a while
that grows to ten seconds, not by all processes at once.
"""

import random
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from psycopg import Connection
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from agentgateway.domain.history import Point
from agentgateway.domain.logquery import LogQuery
from agentgateway.interfaces import StoreBusy
from agentgateway.stores.health import Health
from agentgateway.stores.history import charts, queries
from agentgateway.stores.history.loader import EVERY, Loader
from agentgateway.stores.history.schema import Row
from agentgateway.stores.history.sessions import ISessions

T = TypeVar("T")
Place = tuple[str, int, int]
"""A point's key, span and time."""
MAX_POINTS: Final = 50_000
"""Rows of charts that wait; beyond, the oldest are lost."""
POINTS: Final = 1_000
"""Rows of charts written at once."""
MAX_QUERIES: Final = 16
"""Queries under way or waiting."""
PAUSE: Final = 0.05
"""Seconds between two steps, in which nothing but calls is served."""
LONGEST_WAIT: Final = 10.0
"""Seconds, at most, until the database is asked again after a failure."""
LAST: Final = 5.0
"""Seconds that the last records may take at the end of the process; later ones wait for its next start."""


class Archive:
    """What `process` writes to PostgreSQL and reads there; `clock` is a reactor's."""

    def __init__(
        self,
        process: str,
        loader: Loader,
        writing: ISessions,
        reading: ISessions,
        alert: Callable[[str], None],
        clock: Any,
    ) -> None:
        self._process = process
        self._loader = loader
        self._writing = writing
        self._reading = reading
        self._alert = alert
        self._clock = clock
        self._health = Health("history in PostgreSQL", alert)
        self._read = Health("reading history from PostgreSQL", alert)
        self._points: dict[Place, Point] = {}
        self._since: float | None = clock.seconds()
        """When the log got what nobody has begun to load; at the start it may hold anything."""
        self._taken: float | None = None
        """The same of what is being loaded."""
        self._looked = 0.0
        self._failures = 0
        self._again_at = 0.0
        self._loading: Deferred[None] | None = None
        self._queries = 0

    def changed(self) -> None:
        """The log has more."""
        if self._since is None:
            self._since = self._clock.seconds()

    def waits(self) -> float:
        """See `IFleetHistory.waits`."""
        since = self._since if self._taken is None else self._taken
        return 0.0 if since is None else self._clock.seconds() - since

    def keep(self, points: Sequence[Point]) -> None:
        """Rows of the charts, to be written with the next records."""
        for point in points:
            self._points[point.key, point.span, point.at] = point
        for place in list(islice(self._points, max(0, len(self._points) - MAX_POINTS))):
            del self._points[place]

    def load(self) -> Deferred[None]:
        """Load what there is; to be called every second. Fires, never with a failure, when that is over.

        Where it is under way, put off after a failure, or there is nothing to load, it fires at once.
        """
        self._writing.sweep()
        self._reading.sweep()
        now = self._clock.seconds()
        due = self._since is not None or self._points or not self._looked <= now < self._looked + EVERY
        if self._loading is not None or now < self._again_at or not due:
            return succeed(None)
        self._taken, self._since, self._looked = self._since, None, now
        self._loading = Deferred.fromCoroutine(self._round())
        return self._loading.addCallbacks(self._works, self._failed).addBoth(self._over)

    async def _round(self) -> None:
        more = await self._writing.run(self._loader.first)
        while more:
            await deferLater(self._clock, PAUSE)
            more = await self._writing.run(self._loader.step)
        waiting = list(self._points.items())
        for start in range(0, len(waiting), POINTS):
            some = waiting[start : start + POINTS]
            await self._writing.run(self._chart, [point for _, point in some])
            for place, point in some:
                if self._points.get(place) is point:
                    del self._points[place]
        await self._writing.run(self._loader.trim)

    def _chart(self, connection: Connection[Row], points: Sequence[Point]) -> None:
        charts.write(connection, self._process, points)

    def _works(self, _: None) -> None:
        self._failures = 0
        self._taken = None
        self._health.works("; nothing is missing")

    def _failed(self, failure: Failure) -> None:
        self._since, self._taken = self._clock.seconds() - self.waits(), None
        self._failures += 1
        wait = min(LONGEST_WAIT, 2.0 ** min(self._failures, 10))
        self._again_at = self._clock.seconds() + wait * random.uniform(0.5, 1.0)
        self._loader.forget()
        self._health.failed(f"{failure.getErrorMessage()}; records wait in the log file")

    def _over(self, _: None) -> None:
        self._loading = None
        for trouble in self._loader.troubles:
            self._alert(f"history in PostgreSQL: {trouble}")
        self._loader.troubles.clear()

    def find(self, query: LogQuery) -> Deferred[list[bytes]]:
        """Records of all processes. Fails with StoreBusy or StoreError."""
        return self._ask(queries.find, query)

    def chart(self, key: str, span: int, since: float) -> Deferred[list[bytes]]:
        """Rows of a series, of all processes together; see `charts.read`. Fails with StoreBusy or StoreError."""
        return self._ask(charts.read, key, span, since)

    def _ask(self, question: Callable[..., T], *args: Any) -> Deferred[T]:
        if self._queries >= MAX_QUERIES:
            return fail(StoreBusy("too many queries of the history at once: try again"))
        self._queries += 1
        answer: Deferred[T] = Deferred()  # its cancellation does not free the thread, so it frees no place
        found: Deferred[T] = self._reading.run(question, *args)
        found.addCallbacks(self._found, self._not_found).chainDeferred(answer)
        return answer

    def _found(self, answer: T) -> T:
        self._queries -= 1
        self._read.works()
        return answer

    def _not_found(self, failure: Failure) -> Failure:
        self._queries -= 1
        self._read.failed(failure.getErrorMessage())
        return failure

    def close(self) -> Deferred[None]:
        """Load the last records if the database answers, then let go of it."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        timer = self._clock.callLater(LAST, self._writing.cut)
        if self._loading is not None:
            await self._loading
        if not self._failures:
            await self.load()
        if timer.active():
            timer.cancel()
        await gatherResults([self._writing.close(), self._reading.close()])
