"""A reply played out over a connection: each step in its time, none while the peer does not read."""

from collections.abc import Callable, Iterator

import attrs
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime, ITransport
from zope.interface import implementer

from agentgateway.demo.exchange import Reply, Step

_BURST = 64
"""Steps written in one turn of the reactor, which has others to serve, and news of a peer that left to bring."""
_TURN = 0.001
"""Seconds to the next burst."""


@implementer(IPushProducer)
@attrs.define(eq=False)
class Player:
    """Gives `write` the steps of one reply, and `wrote` their tokens; calls `ended` after the last, unless stopped."""

    reactor: IReactorTime
    transport: ITransport
    write: Callable[[bytes], None]
    wrote: Callable[[int], None]
    ended: Callable[[Reply], None]
    _reply: Reply = attrs.field(init=False)
    _steps: Iterator[Step] = attrs.field(init=False)
    _waiting: IDelayedCall | None = attrs.field(init=False, default=None)
    _due: Step | None = attrs.field(init=False, default=None)
    _paused: bool = attrs.field(init=False, default=False)

    def play(self, reply: Reply) -> None:
        """Begin. A reply of one step that waits for nothing is written at once."""
        steps = reply.steps
        if isinstance(steps, tuple) and len(steps) == 1 and not steps[0].delay:
            self.write(steps[0].data)
            self.wrote(steps[0].tokens)
            self.ended(reply)
            return
        self._reply, self._steps = reply, iter(steps)
        self.transport.registerProducer(self, True)  # type: ignore[attr-defined]
        self._advance()

    def _advance(self) -> None:
        """Write on until a step has to wait, the peer does not read, all is said, or it is others' turn."""
        for _ in range(_BURST):
            if self._paused or self._waiting is not None:
                return
            step = self._due or next(self._steps, None)
            if step is None:
                self.transport.unregisterProducer()  # type: ignore[attr-defined]
                self.ended(self._reply)
                return
            if step.delay and self._due is None:
                self._due = step
                self._waiting = self.reactor.callLater(step.delay, self._wake)
                return
            self._due = None
            self.write(step.data)
            self.wrote(step.tokens)
        if not self._paused:
            self._waiting = self.reactor.callLater(_TURN, self._wake)

    def _wake(self) -> None:
        self._waiting = None
        self._advance()

    def pauseProducing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The peer reads again."""
        self._paused = False
        self._advance()

    def stopProducing(self) -> None:
        """The peer is gone: nothing more is written."""
        self._paused = True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
