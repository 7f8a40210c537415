"""Tests of the list prices, against the package that keeps the list."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Provider
from agentgateway.domain.pricelist import find
from agentgateway.domain.usage import Usage

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MODELS = (
    ("anthropic", "anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "anthropic", "claude-haiku-4-5-20251001"),
    ("anthropic", "anthropic", "claude-opus-5"),
    ("openai", "openai", "gpt-4o-2024-08-06"),
    ("openai", "openai", "gpt-5.4"),
    ("openai", "openai", "gpt-6.1-sol"),
    ("google", "google", "gemini-2.5-pro"),
    ("google", "google", "gemini-2.5-flash"),
    ("groq", "openai", "openai/gpt-oss-120b"),
    ("deepseek", "openai", "deepseek-chat"),
    ("openrouter", "openai", "anthropic/claude-sonnet-4.5"),
    ("mistral", "openai", "mistral-large-latest"),
)


def at(name: str, api: str = "openai", url: str = "http://127.0.0.1:1") -> Provider:
    """A provider that only its name tells about."""
    return Provider(name, api, url)  # type: ignore[arg-type]


def nano(amount: Decimal) -> int:
    """Dollars as nano-dollars."""
    return int((amount * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_UP))


class Agreement(SynchronousTestCase):
    """Our cost is the list's cost."""

    def check(self, name: str, api: str, model: str, usage: Usage, **context: str) -> None:
        """The package must reckon the same."""
        theirs = TheirUsage(
            input_tokens=usage.total_input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write + usage.cache_write_1h,
            cache_write_1h_tokens=usage.cache_write_1h,
            web_searches=usage.web_searches,
        )
        said = calc_price(theirs, model, provider_id=name, genai_request_timestamp=NOW, price_context=context or None)
        listed = find(at(name, api), model)
        assert listed is not None
        self.assertEqual(listed.rates(NOW.timestamp(), context).cost(usage), nano(said.total_price), (model, usage))

    def test_sizes(self) -> None:
        """Below, at and above every usual threshold, with and without caches."""
        for name, api, model in MODELS:
            for size in (1, 999, 127_999, 200_000, 200_001, 272_001, 900_000):
                self.check(name, api, model, Usage(size, 77))
                self.check(name, api, model, Usage(size // 2, 3, cache_read=size - size // 2))
                self.check(name, api, model, Usage(size, 3, 10, 500, 70, web_searches=2))

    def test_modifiers(self) -> None:
        """Service tiers and fast modes cost what the list says they cost."""
        for tier in ("flex", "priority", "default", "no-such-tier"):
            self.check("openai", "openai", "gpt-5.4", Usage(1000, 1000, 10), service_tier=tier)
        self.check("anthropic", "anthropic", "claude-opus-5", Usage(1000, 1000, 10, 10, 10), speed="fast")

    def test_audio(self) -> None:
        """Audio costs what the list says, whole and cached."""
        listed = find(at("google", "google"), "gemini-2.5-flash")
        assert listed is not None
        theirs = TheirUsage(
            input_tokens=500,
            output_tokens=9,
            cache_read_tokens=100,
            input_audio_tokens=200,
            cache_audio_read_tokens=40,
        )
        said = calc_price(theirs, "gemini-2.5-flash", provider_id="google", genai_request_timestamp=NOW)
        usage = Usage(400, 9, 100, input_audio=160, cache_read_audio=40)
        self.assertEqual(listed.rates(NOW.timestamp(), None).cost(usage), nano(said.total_price))


class Finding(SynchronousTestCase):
    """Where a model's price is looked for."""

    def test_by_url_before_name(self) -> None:
        """A provider is who its URL says; the name decides where the URL is nobody's."""
        self.assertEqual(self.seller(at("openai", url="https://openrouter.ai/api"), "openai/gpt-4o"), "openrouter")
        self.assertEqual(self.seller(at("groq"), "openai/gpt-oss-120b"), "groq")

    def test_elsewhere(self) -> None:
        """A model that this provider does not sell costs what its maker takes, or anybody who sells it."""
        self.assertEqual(self.seller(at("local"), "anthropic/claude-sonnet-4-5"), "anthropic")
        self.assertEqual(self.seller(at("local"), "claude-sonnet-4-5"), "anthropic")
        self.assertEqual(self.seller(at("local", "google"), "models/gemini-2.5-pro"), "google")

    def test_nowhere(self) -> None:
        """A model nobody knows is not found, and asking leaves nothing behind in the package."""
        from genai_prices.data_snapshot import get_snapshot

        find(at("local"), "gpt-4o")
        kept = (len(get_snapshot()._provider_misses), len(get_snapshot()._lookup_cache))
        for number in range(5):
            self.assertIsNone(find(at("local"), f"nobody/knows-{number}"))
        self.assertEqual((len(get_snapshot()._provider_misses), len(get_snapshot()._lookup_cache)), kept)

    def seller(self, provider: Provider, model: str) -> str:
        """Who sells the model found."""
        listed = find(provider, model)
        assert listed is not None, model
        return str(listed.vendor.id)
