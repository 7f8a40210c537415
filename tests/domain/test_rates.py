"""Tests of what tokens cost."""

from decimal import ROUND_HALF_UP, Decimal

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.rates import WHOLES, Rates
from agentgateway.domain.usage import Usage

COUNTS = st.integers(0, 10**9)
RATE = st.integers(0, 10**12)
BASIC = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


def usages() -> st.SearchStrategy[Usage]:
    """Usages whose parts do not exceed their wholes."""

    @st.composite
    def draw_usage(draw: st.DrawFn) -> Usage:
        usage = Usage(*(draw(COUNTS) for _ in BASIC))
        for whole in ("input", "output", "cache_read"):
            left = getattr(usage, whole)
            for part in (name for name, of in WHOLES.items() if of == whole):
                share = draw(st.integers(0, left))
                setattr(usage, part, share)
                left -= share
        usage.web_searches = draw(st.integers(0, 1000))
        return usage

    return draw_usage()


FLAT = st.builds(
    Rates,
    *(RATE for _ in BASIC),
    parts=st.dictionaries(st.sampled_from(sorted(WHOLES)), RATE).map(lambda prices: tuple(prices.items())),
    request=RATE,
)


class Costs(SynchronousTestCase):
    """Tokens times rates."""

    @given(FLAT, usages())
    def test_exact(self, rates: Rates, usage: Usage) -> None:
        """A cost is what decimal arithmetic says, rounded half up to the nano-dollar once."""
        parts = dict(rates.parts)
        total = Decimal(0)
        for name in BASIC:
            own = [part for part, whole in WHOLES.items() if whole == name and part in parts]
            plain = getattr(usage, name) - sum(getattr(usage, part) for part in own)
            total += Decimal(plain) * getattr(rates, name)
            total += sum(Decimal(getattr(usage, part)) * parts[part] for part in own)
        total += Decimal(usage.web_searches) * parts.get("web_searches", 0)
        nano = total / 1_000_000 + (rates.request if usage.total else 0)
        self.assertEqual(rates.cost(usage), int(nano.quantize(Decimal(1), rounding=ROUND_HALF_UP)))

    @given(FLAT, st.lists(st.tuples(COUNTS, FLAT), max_size=2), COUNTS)
    def test_prompt(self, rates: Rates, tiers: list[tuple[int, Rates]], tokens: int) -> None:
        """A prompt by itself costs what a usage of nothing but its tokens does, whatever the tiers."""
        tiered = attrs.evolve(rates, tiers=tuple(sorted(tiers, key=lambda tier: -tier[0])))
        self.assertEqual(tiered.prompt(tokens), tiered.cost(Usage(tokens)))

    @given(FLAT, usages(), st.sampled_from((*BASIC, "web_searches")), COUNTS)
    def test_more_never_costs_less(self, rates: Rates, usage: Usage, name: str, more: int) -> None:
        """More of anything never costs less."""
        grown = msgspec.structs.replace(usage, **{name: getattr(usage, name) + more})
        self.assertGreaterEqual(rates.cost(grown), rates.cost(usage))
        self.assertGreaterEqual(rates.cost(usage), 0)

    def test_one_rounding(self) -> None:
        """Fractions of a nano-dollar are added up before they are rounded, halves upwards."""
        rates = Rates(250_000, 250_000)
        self.assertEqual(rates.cost(Usage(1, 0)), 0)
        self.assertEqual(rates.cost(Usage(1, 1)), 1)

    def test_tiers(self) -> None:
        """Above a threshold, caches counted, every token costs what the tier says; at the threshold not yet."""
        rates = Rates(1_000_000, 1_000_000, tiers=((500, Rates(9_000_000, 0)), (100, Rates(3_000_000, 2_000_000))))
        self.assertEqual(rates.cost(Usage(100, 1)), 101)
        self.assertEqual(rates.cost(Usage(60, 1, cache_read=41)), 305)
        self.assertEqual(rates.cost(Usage(501, 1)), 4509)

    def test_what_defaults_to_what(self) -> None:
        """Caches without a price cost what input costs, 1-hour writes what 5-minute writes cost."""
        rates = Rates(7, 9)
        self.assertEqual((rates.cache_read, rates.cache_write, rates.cache_write_1h), (7, 7, 7))
        self.assertEqual(Rates(7, 9, cache_write=8).cache_write_1h, 8)

    def test_no_call_no_cost(self) -> None:
        """A price for each call is not charged where nothing was used."""
        self.assertEqual(Rates(1, 1, request=12).cost(Usage()), 0)
        self.assertEqual(Rates(1, 1, request=12).cost(Usage(1)), 12)
