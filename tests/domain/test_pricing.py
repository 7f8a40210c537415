"""Tests of the price book."""

from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Price, Provider
from agentgateway.domain.pricing import ASSUMED, FREE, PriceBook
from agentgateway.domain.usage import Usage

OPENAI = Provider("openai", "openai", "https://api.openai.com")
DEEPSEEK = Provider("deepseek", "openai", "https://api.deepseek.com")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
MILLION = Usage(1_000_000, 0)


class Looking(SynchronousTestCase):
    """Where a price comes from."""

    def test_the_files_own_price_first(self) -> None:
        """A price in the file stands above the list's."""
        book = PriceBook({"gpt-4o": Price(1_000_000_000, 2_000_000_000)})
        rates = book.rates(OPENAI, "gpt-4o", NOW)
        assert rates is not None
        self.assertEqual((rates.input, rates.output, rates.assumed), (1_000_000_000, 2_000_000_000, False))

    def test_caches_left_out_of_the_file(self) -> None:
        """Caches a price in the file leaves out are charged the dearest usual way."""
        rates = PriceBook({"x": Price(1001, 5)}).rates(OPENAI, "x", NOW)
        assert rates is not None
        self.assertEqual((rates.cache_read, rates.cache_write, rates.cache_write_1h), (1001, 1252, 2002))
        rates = PriceBook({"x": Price(1000, 5, 100, 900)}).rates(OPENAI, "x", NOW)
        assert rates is not None
        self.assertEqual((rates.cache_read, rates.cache_write, rates.cache_write_1h), (100, 900, 900))
        rates = PriceBook({"x": Price(1000, 5, 100, 1250)}).rates(OPENAI, "x", NOW)
        assert rates is not None
        self.assertEqual(rates.cache_write_1h, 2000)

    def test_models_without_a_price(self) -> None:
        """A model nobody knows is refused, guessed at or free, as the file says."""
        for name in ("no-such-model", "", "x" * 10_000):
            self.assertIsNone(PriceBook({}, "refuse").rates(OPENAI, name, NOW))
            self.assertIs(PriceBook({}, "assume").rates(OPENAI, name, NOW), ASSUMED)
            self.assertIs(PriceBook({}, "free").rates(OPENAI, name, NOW), FREE)
        self.assertEqual(ASSUMED.cost(Usage(1_000_000, 1_000_000)), 30_000_000_000)
        self.assertTrue(ASSUMED.assumed)

    def test_looked_up_once(self) -> None:
        """The same question has the same answer, found only once."""
        book = PriceBook({})
        self.assertIs(book.rates(OPENAI, "gpt-4o", NOW), book.rates(OPENAI, "gpt-4o", NOW + 1))

    def test_strangers_names_are_bounded(self) -> None:
        """Any number of model names made up by strangers takes a bounded amount of memory."""
        book = PriceBook({f"m{number}": Price(1, 1) for number in range(10_000)})
        for number in range(10_000):
            book.rates(OPENAI, f"m{number}", NOW)
        self.assertLessEqual(len(book._kept), 4096)

    def test_time_of_day(self) -> None:
        """A price that depends on the hour changes with it, both ways."""
        book = PriceBook({})

        def costs(hour: int, minute: int) -> int:
            at = datetime(2026, 11, 23, hour, minute, tzinfo=UTC).timestamp()
            rates = book.rates(DEEPSEEK, "deepseek-v4-pro", at)
            assert rates is not None
            return rates.cost(MILLION)

        usual, peak = costs(0, 59), costs(1, 0)
        self.assertNotEqual(usual, peak)
        self.assertEqual([costs(3, 59), costs(4, 0), costs(9, 59), costs(0, 59)], [peak, usual, peak, usual])

    def test_dated_price(self) -> None:
        """A price that changes on a date changes on that date."""
        book = PriceBook({})
        before = book.rates(DEEPSEEK, "deepseek-v4-pro", datetime(2026, 8, 16, 23, tzinfo=UTC).timestamp())
        after = book.rates(DEEPSEEK, "deepseek-v4-pro", datetime(2026, 8, 17, 0, 30, tzinfo=UTC).timestamp())
        self.assertNotEqual(before, after)

    def test_context(self) -> None:
        """A service tier has its own price; an empty context is the standard."""
        book = PriceBook({})
        plain = book.rates(OPENAI, "gpt-5.4", NOW)
        self.assertIs(book.rates(OPENAI, "gpt-5.4", NOW, {}), plain)
        self.assertNotEqual(book.rates(OPENAI, "gpt-5.4", NOW, {"service_tier": "flex"}), plain)


class OfACall(SynchronousTestCase):
    """Which of two names decides."""

    def test_answering_model(self) -> None:
        """The model that answered decides, where its price is known; otherwise the one that was asked for."""
        book = PriceBook({})
        mini, full = (book.rates(OPENAI, model, NOW) for model in ("gpt-4o-mini", "gpt-4o"))
        self.assertIs(book.rates_of_call(OPENAI, "gpt-4o-mini", "gpt-4o", NOW), mini)
        self.assertIs(book.rates_of_call(OPENAI, "no-such-model", "gpt-4o", NOW), full)
        self.assertIs(book.rates_of_call(OPENAI, None, "gpt-4o", NOW), full)

    def test_the_files_price_of_either(self) -> None:
        """A price the file gives to the requested name holds for the dated name that answers."""
        book = PriceBook({"gpt-4o": Price(1, 1)})
        self.assertEqual(
            book.rates_of_call(OPENAI, "gpt-4o-2024-08-06", "gpt-4o", NOW), book.rates(OPENAI, "gpt-4o", NOW)
        )

    def test_no_name_at_all(self) -> None:
        """A call without any model's name is unpriced."""
        self.assertIs(PriceBook({}).rates_of_call(OPENAI, None, None, NOW), ASSUMED)
        self.assertIsNone(PriceBook({}, "refuse").rates_of_call(OPENAI, None, "", NOW))
