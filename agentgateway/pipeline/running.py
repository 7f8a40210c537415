"""What a stream has cost so far, asked after each of its chunks.

Between two chunks of text only the output has grown, and its price is a straight line: what all else costs is reckoned
once, and again when the answer has said more of its usage or of how it is served, or when a price may have changed.
"""

from collections.abc import Mapping
from copy import copy
from typing import Final

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.rates import PER
from agentgateway.domain.usage import Usage
from agentgateway.pipeline.meter import CHARS_PER_TOKEN, settle
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.providers.dialect import Reading

_MINUTE: Final = 60.0


class Running:
    """The cost of one stream; `cost` is what `Reckoner.so_far` says."""

    __slots__ = (
        "_context",
        "_exchange",
        "_fixed",
        "_minute",
        "_output",
        "_reading",
        "_reckoner",
        "_straight",
        "_usage",
    )

    def __init__(self, reckoner: Reckoner, exchange: Exchange, reading: Reading) -> None:
        self._reckoner = reckoner
        self._exchange = exchange
        self._reading = reading
        self._usage: Usage | None = None
        self._context: Mapping[str, str] | None = None
        self._straight = False
        self._fixed = self._output = 0
        """Millionths of nano-dollars: of all but the output, and of a token of that."""
        self._minute = 0.0

    def cost(self, now: Moment) -> int:
        """Nano-dollars by now."""
        reading, usage = self._reading, self._reading.usage
        if usage != self._usage or reading.context != self._context or now.wall // _MINUTE != self._minute:
            self._begin(now)
        if not self._straight or reading.later or reading.blind:
            return self._reckoner.so_far(self._exchange, reading, now)
        output = max(usage.output, -(-reading.sent_chars // CHARS_PER_TOKEN))
        return self._exchange.lost + (self._fixed + output * self._output + PER // 2) // PER

    def _begin(self, now: Moment) -> None:
        """Where the line begins, from here on; there is none while nothing of the usage is said."""
        exchange, reading = self._exchange, self._reading
        self._reckoner.so_far(exchange, reading, now)  # finds the rates
        self._usage, self._context, self._minute = copy(reading.usage), reading.context, now.wall // _MINUTE
        self._straight = exchange.rates is not None and reading.usage.total > 0
        if self._straight and exchange.rates is not None and exchange.asked is not None:
            usage, _ = settle(reading, exchange.asked, exchange.body_size, False)
            self._fixed, self._output = exchange.rates.line(usage)
