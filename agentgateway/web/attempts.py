"""Trying a call's targets in order: the next one only while nothing has reached the caller, all within one reservation."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.moment import Moment
from agentgateway.pipeline import circuit
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.providers.dialect import Reading
from agentgateway.web.incoming import Incoming
from agentgateway.web.live import Live
from agentgateway.wire.errors import HeadTimeout, WireError


class Attempts:
    """The tries of one call."""

    def __init__(self, live: Live, reckoner: Reckoner, exchange: Exchange, incoming: Incoming) -> None:
        self._live = live
        self._reckoner = reckoner
        self._exchange = exchange
        self._incoming = incoming
        self._left = list(exchange.targets[1:])

    async def answer(self) -> Any:
        """The response to pass on: the first that is no failure, else the last one's. Raises WireError like it."""
        while True:
            try:
                response = await self._send()
            except WireError as error:
                if not self._go_on(isinstance(error, HeadTimeout)):
                    raise
                continue
            if not _failed(response.code) or not self._go_on(False):
                self._exchange.let_go_of_body()
                return response
            response.deliverBody(Discard())

    def _send(self) -> "Deferred[Any]":
        exchange = self._exchange
        assert exchange.target is not None
        upstream = self._live.upstreams[exchange.target.provider.name]
        body = self._incoming.onward(exchange.body)
        exchange.sendings.append(body)
        return upstream.send(exchange, body)

    def _go_on(self, abandoned: bool) -> bool:
        """Turn to the next target whose circuit lets it pass; false where there is none, or no body to send again."""
        exchange, now = self._exchange, self._live.moment()
        while self._left and exchange.body is not None:
            target: Target = self._left.pop(0)
            if circuit.may_try(exchange, target, now) is not None:
                continue
            if abandoned:  # it may have done the work all the same
                if not self._affords_another(now):
                    return False
                self._reckoner.abandoned(exchange, now)
            circuit.leave(exchange, False, now)
            circuit.enter(exchange, target, now)
            return True
        return False

    def _affords_another(self, now: Moment) -> bool:
        """Whether the budget holds what is lost on the target given up, and all of another."""
        exchange = self._exchange
        if exchange.reservation is None or exchange.agent is None:
            return True
        lost = self._reckoner.so_far(exchange, Reading(), now)
        return exchange.agent.account.extend(now.wall, exchange.reservation, exchange.amount + lost)


def _failed(status: int) -> bool:
    return status >= 500 or status == 429


class Discard(Protocol):
    """Takes a body that nobody wants, and stops it."""

    def makeConnection(self, transport: Any) -> None:
        """Stop."""
        transport.stopProducing()
