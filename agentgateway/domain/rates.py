"""What tokens cost: the rates of one model at one time.

A rate is integer nano-dollars per million tokens. A cost is a sum of products, rounded half up to a nano-dollar once,
at the end; reservation and settlement use the same function.
"""

from collections.abc import Mapping

import attrs

from agentgateway.domain.usage import Usage

PER = 1_000_000
"""Tokens that a rate is for."""

WHOLES: Mapping[str, str | None] = {
    "input_audio": "input",
    "input_image": "input",
    "input_video": "input",
    "cache_read_audio": "cache_read",
    "cache_read_image": "cache_read",
    "output_audio": "output",
    "output_image": "output",
    "output_video": "output",
    "reasoning": "output",
    "web_searches": None,
}
"""Fields of `Usage` that may have a price of their own, and the field each is a part of."""


@attrs.frozen(slots=True)
class Rates:
    """Prices of one model at one time: nano-dollars per million of each count of `Usage`."""

    input: int
    output: int
    cache_read: int = attrs.Factory(lambda self: self.input, takes_self=True)
    cache_write: int = attrs.Factory(lambda self: self.input, takes_self=True)
    cache_write_1h: int = attrs.Factory(lambda self: self.cache_write, takes_self=True)
    parts: tuple[tuple[str, int], ...] = ()
    """Further fields of `Usage` with their full price, where it differs from that of the field they are a part of."""
    request: int = 0
    """Nano-dollars for the call itself, whatever its length."""
    tiers: tuple[tuple[int, "Rates"], ...] = ()
    """(threshold, rates) from the highest threshold down: the rates hold above that many input tokens."""
    assumed: bool = False
    """Nobody knows the price: these are the configured guess."""
    _surcharges: tuple[tuple[str, int], ...] = attrs.field(init=False, repr=False, eq=False)

    @_surcharges.default
    def _over_the_whole(self) -> tuple[tuple[str, int], ...]:
        """For each part, what it costs over what the whole it belongs to already costs."""
        return tuple((name, rate - self._whole(WHOLES[name])) for name, rate in self.parts)

    _dearest: int = attrs.field(init=False, repr=False, eq=False)

    @_dearest.default
    def _dearest_input(self) -> int:
        return max(self.input, self.cache_read, self.cache_write, self.cache_write_1h)

    def _whole(self, name: str | None) -> int:
        return {"input": self.input, "output": self.output, "cache_read": self.cache_read}.get(name or "", 0)

    def _tier(self, input_tokens: int) -> "Rates":
        """The rates of a call with so much input."""
        for threshold, tier in self.tiers:
            if input_tokens > threshold:
                return tier
        return self

    def prompt(self, input_tokens: int) -> int:
        """The cost of a call of so many tokens, none of them in a cache, that is not answered."""
        rates = self._tier(input_tokens) if self.tiers else self
        fee = rates.request * PER if input_tokens else 0
        return (input_tokens * rates.input + fee + PER // 2) // PER

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """The most that a call of so many tokens can cost, whatever of its input is read from or written to a cache."""
        rates = self._tier(input_tokens) if self.tiers else self
        return -(-(input_tokens * rates._dearest + output_tokens * rates.output + rates.request * PER) // PER)

    def cost(self, usage: Usage) -> int:
        """What `usage` costs in nano-dollars; zero for no tokens at all."""
        fixed, output = self.line(usage)
        return (fixed + usage.output * output + PER // 2) // PER

    def line(self, usage: Usage) -> tuple[int, int]:
        """What all of `usage` but its `output` costs, and what a token of that does, in millionths of nano-dollars."""
        rates = self._tier(usage.total_input) if self.tiers else self
        fixed = (
            usage.input * rates.input
            + usage.cache_read * rates.cache_read
            + usage.cache_write * rates.cache_write
            + usage.cache_write_1h * rates.cache_write_1h
        )
        for name, over in rates._surcharges:
            fixed += getattr(usage, name) * over
        if rates.request and usage.total:
            fixed += rates.request * PER
        return fixed, rates.output
