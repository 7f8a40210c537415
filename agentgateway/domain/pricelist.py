"""The list prices: the package genai-prices, read into `Rates`.

Its rules are followed: a tier is chosen by all input tokens, caches included, applies above its threshold and then to
every token of the call; a kind of token without a price of its own costs what the kind it belongs to costs. The package
takes a quarter of a second to import, so it is imported when the first price is asked for. Its own look-up keeps every
name it was ever asked for; names come from strangers, so only the look-ups that keep nothing are used for them.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import attrs

from agentgateway.config.schema import Provider
from agentgateway.domain.rates import WHOLES, Rates

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices
    from genai_prices.types import Provider as Vendor

_NAMES: Mapping[str, str] = {
    "input_audio": "input_audio_mtok",
    "input_image": "input_image_mtok",
    "input_video": "input_video_mtok",
    "cache_read_audio": "cache_audio_read_mtok",
    "cache_read_image": "cache_image_read_mtok",
    "output_audio": "output_audio_mtok",
    "output_image": "output_image_mtok",
    "output_video": "output_video_mtok",
    "reasoning": "output_reasoning_mtok",
    "web_searches": "web_searches_kcount",
}
"""What the list calls the price of a field of `Usage`."""


@attrs.frozen(slots=True)
class Listed:
    """One model of the list, as one seller sells it."""

    vendor: "Vendor"
    info: "ModelInfo"

    def rates(self, now: float, context: Mapping[str, str] | None) -> Rates:
        """The rates at `now` (epoch seconds); `context` counts only where the seller lists the model itself."""
        if context and not any(self.info is own for own in self.vendor.models):
            context = None
        return _rates(self.info.get_prices(datetime.fromtimestamp(now, UTC), context or None))

    @property
    def changes(self) -> bool:
        """Whether the price depends on the date or the hour."""
        variants = self.info.price_variants or ()
        return isinstance(self.info.prices, list) or any(variant.constraint is not None for variant in variants)


def find(provider: Provider, model: str) -> Listed | None:
    """The list's entry for `model`: where `provider` sells it, else where its maker does, else where anybody does."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    name = model.removeprefix("models/")
    for vendor in _vendors(snapshot, provider):
        if (info := vendor.find_model(name, all_providers=snapshot.providers)) is not None:
            return Listed(vendor, info)
    maker, _, short = name.lower().partition("/")
    by_maker = [vendor for vendor in snapshot.providers if short and vendor.id == maker]
    for vendor in by_maker:
        if (info := vendor.find_model(short)) is not None:
            return Listed(vendor, info)
    lowered = name.lower()
    by_name = [v for v in snapshot.providers if v.model_match is not None and v.model_match.is_match(lowered)]
    for vendor in (*by_name, *snapshot.providers):
        if (info := vendor.find_model(name)) is not None:
            return Listed(vendor, info)
    return None


def _vendors(snapshot: "DataSnapshot", provider: Provider) -> "Iterator[Vendor]":
    """The sellers `provider` may be, the surest first: by its URL, its name, the dialect it speaks."""
    for name, url in ((None, provider.base_url), (provider.name, None), (provider.api, None)):
        if (vendor := _vendor(snapshot, name, url)) is not None:
            yield vendor


def _vendor(snapshot: "DataSnapshot", name: str | None, url: str | None) -> "Vendor | None":
    try:
        return snapshot.find_provider(None, name, url)
    except LookupError:
        return None


def _rates(prices: "ModelPrice") -> Rates:
    """The list's prices as rates; each threshold that any of them has makes a tier."""
    starts = {tier.start for price in vars(prices).values() for tier in getattr(price, "tiers", ())}
    tiers = tuple((start, _flat_rates(prices, start + 1)) for start in sorted(starts, reverse=True))
    return attrs.evolve(_flat_rates(prices, 0), tiers=tiers)


def _flat_rates(prices: "ModelPrice", total_input: int) -> Rates:
    """The rates that hold for a call of `total_input` tokens."""

    def rate(name: str, scale: int = 1) -> int | None:
        return _nano(getattr(prices, name), total_input, scale)

    read, write, write_1h = rate("cache_read_mtok"), rate("cache_write_mtok"), rate("cache_write_1h_mtok")
    input_ = rate("input_mtok") or 0
    write = input_ if write is None else write
    parts = ((field, rate(name, 1000 if WHOLES[field] is None else 1)) for field, name in _NAMES.items())
    return Rates(
        input=input_,
        output=rate("output_mtok") or 0,
        cache_read=input_ if read is None else read,
        cache_write=write,
        cache_write_1h=write if write_1h is None else write_1h,
        parts=tuple((field, own) for field, own in parts if own is not None),
        request=(rate("requests_kcount") or 0) // 1000,
    )


def _nano(price: "Decimal | TieredPrices | None", total_input: int, scale: int) -> int | None:
    """Dollars, times `scale`, as nano-dollars; of a tiered price the one that holds above its threshold."""
    if price is None:
        return None
    if not isinstance(price, Decimal):
        reached = [tier.price for tier in price.tiers if total_input > tier.start]
        price = reached[-1] if reached else price.base
    return int((price * scale * 1_000_000_000).quantize(Decimal(1), rounding=ROUND_HALF_UP))
