"""Passing an answer on, chunk by chunk and with back-pressure, while the meter watches.

The relay is the protocol the upstream's body is delivered to, and the producer the caller's connection holds back. It
keeps the last bytes of an answer until the call is settled: nobody sees the end before it is in the books.
"""

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from zope.interface import implementer

from agentgateway.pipeline.meter import Meter
from agentgateway.providers.sse import whole_events


@attrs.frozen
class Cut(Exception):
    """The call was ended on this side: `reason` goes into its record, `message` to the caller."""

    reason: str
    message: str


SPENT = Cut("budget_exceeded", "this agent has spent its budget: the answer was cut")
DRAINED = Cut("draining", "the gateway is stopping: the answer was cut")
ENDED = Cut("ended_by_operator", "an operator has ended this answer")


@attrs.frozen(slots=True)
class Ending:
    """How the upstream's body went: `ended` is false while bytes may follow a stream's final event."""

    ended: bool
    error: Exception | None = None


WHOLE = Ending(True)


def watch_whole(meter: Meter, data: bytes) -> bytes:
    """What goes to the caller of an answer that is all there, once the meter has seen it."""
    try:
        return meter.whole(data)
    except Exception:
        Relay._log.failure("the meter failed; the call goes on and is estimated")
        meter.reading.known = False
        return data


@implementer(IProtocol, IPushProducer)
class Relay:
    """`settled` fires with an Ending when nothing that matters to the meter can follow; `release` then goes on to the end."""

    _log = Logger()

    def __init__(
        self, request: Any, response: Any, meter: Meter, spent: Callable[[], Cut | None] | None = None
    ) -> None:
        """`spent` says, after each chunk of a stream, why it has to be cut, if it has to be."""
        self._request = request
        self._response = response
        self._meter = meter
        self._spent = spent
        self._transport: Any = None
        self._held: list[bytes] | None = None
        self._draining = False
        self.settled: Deferred[Ending] = Deferred(self._cancelled)
        self.ended: Deferred[Ending] | None = None
        """Fires at the end of the body, where `settled` fired before it; made then."""
        self.torn = False
        """Whether the answer stopped in the middle of an event of which the caller has the beginning."""
        self._ending: Ending | None = None

    def start(self) -> None:
        """Begin; a head with nothing behind it goes out at once."""
        complete = getattr(self._response, "complete", False)
        if not complete:
            self._request.registerProducer(self, True)
        self._response.deliverBody(self)
        if not self._request.startedWriting and self._held is None and self._ending is None:
            self._request.write(b"")

    # the upstream's side

    def makeConnection(self, transport: Any) -> None:
        """The upstream's transport: paused, resumed and stopped by us."""
        self._transport = transport

    def connectionMade(self) -> None:
        """Nothing more to do."""

    def dataReceived(self, data: bytes) -> None:
        """Some of the body."""
        inside = self._spent is not None and self._meter.inside_event
        try:
            data = self._meter.feed(data)
        except Exception:
            self._meter_failed()
        if self._held is not None:
            self._held.append(data)
        elif self._meter.reading.final and not self.settled.called:
            self._held = [data]
            if not getattr(self._response, "complete", False):
                self.ended = Deferred(self._cancelled)
                self.settled.callback(Ending(False))
        elif getattr(self._response, "complete", False):
            self._held = [data]
        elif self._spent is not None and not self.settled.called and (why := self._spent()) is not None:
            self._held = [whole_events(data)]
            self.torn = inside and not self._held[0]
            self._cut(why)
        elif data:
            self._request.write(data)

    def cut(self, why: Cut) -> bool:
        """Close the upstream at once; what came last still goes to the caller, who has paid for it. False: too late."""
        if self.settled.called or self._ending is not None:
            return False
        self._held = self._held or []
        self.torn = self._meter.inside_event
        self._cut(why)
        return True

    def _cut(self, why: Cut) -> None:
        self.abort()
        self._ending = Ending(True, why)
        self.settled.callback(self._ending)

    def connectionLost(self, reason: Failure) -> None:
        """The end of the body, or of the upstream."""
        error = None if reason.check(ResponseDone, PotentialDataLoss) else reason.value
        self._ending = ending = Ending(True, error if isinstance(error, Exception) else None)
        self.torn = self._meter.inside_event
        try:
            rest = self._meter.end()
        except Exception:
            self._meter_failed()
            rest = b""
        if rest:
            self._held = [*(self._held or ()), rest]
        if not self.settled.called:
            self._held = self._held or []
            self.settled.callback(ending)
        elif self.ended is not None and not self.ended.called:
            self.ended.callback(ending)

    def _meter_failed(self) -> None:
        self._log.failure("the meter failed; the call goes on and is estimated")
        self._meter = BlindMeter(self._meter)

    # after settling

    def release(self) -> bytes:
        """The bytes held back; from now on what comes passes at once."""
        held, self._held = self._held or [], None
        return b"".join(held)

    def stop(self) -> None:
        """No more producing for this caller."""
        if self._request.producer is not None:
            self._request.unregisterProducer()

    def _cancelled(self, _: "Deferred[Ending]") -> None:
        self.abort()

    def abort(self) -> None:
        """Close the upstream's connection now."""
        if self._transport is not None and self._ending is None:
            self._transport.stopProducing()

    # the caller's side

    def drain(self) -> None:
        """The caller is gone: read on, for the meter alone."""
        self._draining = True
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """The caller reads slowly."""
        if not self._draining and self._ending is None:
            self._transport.pauseProducing()

    def resumeProducing(self) -> None:
        """The caller reads again."""
        if self._transport is not None and self._ending is None:
            self._transport.resumeProducing()

    def stopProducing(self) -> None:
        """The caller's connection is lost: the call hears of it by itself, and decides."""


class BlindMeter(Meter):
    """Stands in for a meter that failed: passes everything, knows what was known."""

    def __init__(self, failed: Meter) -> None:
        self.reading = failed.reading
        self.reading.known = False

    @property
    def inside_event(self) -> bool:
        """Nobody knows."""
        return True

    def feed(self, data: bytes) -> bytes:
        """As it is."""
        return data

    def end(self) -> bytes:
        """Nothing was held back."""
        return b""
