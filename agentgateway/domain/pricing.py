"""The book that rates are looked up in: the configuration's own prices first, then the list, then a guess.

`Rates` and their `cost` live in `rates.py`, the list in `pricelist.py`; both are reached through here.
"""

from collections.abc import Mapping
from typing import Literal

import attrs

from agentgateway.config.schema import Price, Provider
from agentgateway.domain.pricelist import find
from agentgateway.domain.rates import Rates

__all__ = ["ASSUMED", "FREE", "PriceBook", "Rates"]

_KEPT = 4096
_LONGEST_NAME = 256
_MINUTE = 60.0
_FOREVER = (float("-inf"), float("inf"))


ASSUMED = Rates(5_000_000_000, 25_000_000_000, assumed=True)
"""What a model without a known price is charged at under `unpriced_models: assume`."""
FREE = Rates(0, 0, assumed=True)
"""The same under `unpriced_models: free`."""


@attrs.define(slots=True)
class PriceBook:
    """Finds the rates of a model; each answer is kept until the price may change, 4,096 of them at most.

    `overrides` are the file's own prices by exact model id. A price there that leaves the caches out takes the dearest
    usual ones, so that nothing is charged too low: reads as input, 5-minute writes 1.25 and 1-hour writes 2 x input.
    """

    overrides: Mapping[str, Price]
    unpriced: Literal["refuse", "assume", "free"] = "assume"
    _kept: dict[object, tuple[float, float, Rates | None]] = attrs.field(init=False, factory=dict)

    def rates(
        self, provider: Provider, model: str, now: float, context: Mapping[str, str] | None = None
    ) -> Rates | None:
        """The rates `model` has at `provider` at `now` (epoch seconds); None: no price, and such models are refused.

        `context` are price modifiers said by the request or answer (`service_tier`, `speed`); None or {}: the standard.
        """
        key: object = (provider.name, model)
        if context:
            key = (provider.name, model, tuple(sorted(context.items())))
        kept = self._kept.get(key)
        if kept is not None and kept[0] <= now < kept[1]:
            return kept[2]
        kept = self._resolve(provider, model, now, context)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        if len(model) <= _LONGEST_NAME:
            self._kept[key] = kept
        return kept[2]

    def rates_of_call(
        self,
        provider: Provider,
        answered: str | None,
        requested: str | None,
        now: float,
        context: Mapping[str, str] | None = None,
    ) -> Rates | None:
        """The rates of a call: a price the file gives to either name, else the answering model's, else the asked one's.

        A file that prices `gpt-x` means the answer that calls itself `gpt-x-2026-01-01` too.
        """
        if answered and (not requested or requested == answered):
            return self.rates(provider, answered, now, context)
        names = [name for name in (answered, requested) if name]
        for name in names:
            if name in self.overrides:
                return self.rates(provider, name, now, context)
        found: Rates | None = None
        for name in names:
            found = self.rates(provider, name, now, context)
            if found is not None and not found.assumed:
                return found
        return found if names else self._unknown()

    def _unknown(self) -> Rates | None:
        return {"refuse": None, "assume": ASSUMED, "free": FREE}[self.unpriced]

    def _resolve(
        self, provider: Provider, model: str, now: float, context: Mapping[str, str] | None
    ) -> tuple[float, float, Rates | None]:
        """(valid from, valid until, rates). A price that depends on date or hour is reckoned again every minute."""
        if (own := self.overrides.get(model)) is not None:
            return (*_FOREVER, _own_rates(own))
        listed = find(provider, model) if 0 < len(model) <= _LONGEST_NAME else None
        if listed is None:
            return (*_FOREVER, self._unknown())
        rates = listed.rates(now, context)
        if not listed.changes:
            return (*_FOREVER, rates)
        minute = now // _MINUTE * _MINUTE
        return minute, minute + _MINUTE, rates


def _own_rates(price: Price) -> Rates:
    """The rates of a price of the configuration."""
    write = price.cache_write if price.cache_write is not None else -(-price.input * 5 // 4)
    return Rates(
        input=price.input,
        output=price.output,
        cache_read=price.input if price.cache_read is None else price.cache_read,
        cache_write=write,
        cache_write_1h=max(write, 2 * price.input if price.cache_write is None or write > price.input else write),
    )
