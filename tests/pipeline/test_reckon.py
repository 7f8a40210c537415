"""What calls are charged, from what their meters read."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert
from agentgateway.domain.exchange import Exchange, Target
from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline.meter import Meter
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.providers.dialect import Asked
from agentgateway.providers.known import surface
from tests.fixtures import ALL, ANTHROPIC_STREAM, ANTHROPIC_WHOLE, CHAT_WHOLE, RESPONSES_WHOLE, Fixture
from tests.pipeline.calls import NOW, call, config_of, fleet_of


class ReckonTests(SynchronousTestCase):
    """One function settles: exact, estimated, or nothing."""

    def setUp(self) -> None:
        """The bundled prices, and one of the file's own."""
        config = config_of("prices: {own: {input: 1, output: 2}}")
        self.book = PriceBook(config.prices, config.unpriced_models)
        self.reckoner = Reckoner(self.book)

    def called(self, fixture: Fixture, status: int = 200) -> tuple[Exchange, Meter]:
        """A call of the fixture that has been answered with `status`, and a meter that has seen nothing yet."""
        exchange = call(fixture.path, fixture.request, uri_upstream=fixture.path)
        exchange.surface = surface("POST", fixture.path, fixture.api)
        exchange.asked = exchange.surface.understand(fixture.path, fixture.request)
        exchange.model = exchange.asked.model
        exchange.target = Target(fixture.provider, self.book.rates(fixture.provider, exchange.model or "", NOW.wall))
        exchange.status, exchange.sendings = status, [None]
        return exchange, Meter(exchange.surface, fixture.stream, "", False)

    def test_answers(self) -> None:
        """Whole answers and streams of every dialect are charged by what they say, at the price of who answered."""
        for fixture in ALL:
            exchange, meter = self.called(fixture)
            meter.feed(fixture.answer)
            meter.end()
            self.reckoner.answered(exchange, meter, True, NOW)
            self.assertEqual(exchange.usage, fixture.usage, fixture.name)
            if exchange.usage_kind == "exact":
                self.assertIsNotNone(exchange.rates, fixture.name)
                assert exchange.rates is not None
                self.assertEqual(exchange.cost, exchange.rates.cost(fixture.usage), fixture.name)
            self.assertEqual(exchange.model, fixture.model or exchange.requested_model, fixture.name)

    def test_own_price(self) -> None:
        """A price of the file holds for the model asked, whatever the answer calls itself."""
        exchange, meter = self.called(CHAT_WHOLE)
        assert exchange.body is not None and exchange.surface is not None
        exchange.asked = exchange.surface.understand("", b'{"model":"own"}')
        meter.feed(CHAT_WHOLE.answer)
        meter.end()
        self.reckoner.answered(exchange, meter, True, NOW)
        assert exchange.rates is not None
        self.assertEqual((exchange.rates.input, exchange.rates.output), (10**9, 2 * 10**9))

    def test_errors(self) -> None:
        """What a provider refuses costs nothing, even where its answer carries usage."""
        exchange, meter = self.called(ANTHROPIC_WHOLE, 529)
        meter.feed(ANTHROPIC_WHOLE.answer)
        meter.end()
        self.reckoner.answered(exchange, meter, True, NOW)
        self.assertEqual((exchange.cost, exchange.usage_kind), (0, "none"))

    def test_cut(self) -> None:
        """A stream that ended early costs its input in full and the output so far, never more than the whole."""
        whole, meter = self.called(ANTHROPIC_STREAM)
        meter.feed(ANTHROPIC_STREAM.answer)
        self.reckoner.answered(whole, meter, True, NOW)
        last, start = 0, ANTHROPIC_STREAM.answer.index(b"\n\n") + 2
        for size in range(start, len(ANTHROPIC_STREAM.answer), 50):
            exchange, meter = self.called(ANTHROPIC_STREAM)
            meter.feed(ANTHROPIC_STREAM.answer[:size])
            so_far = self.reckoner.so_far(exchange, meter.reading, NOW)
            meter.end()
            self.reckoner.answered(exchange, meter, False, NOW)
            self.assertEqual(exchange.usage_kind, "estimated")
            self.assertEqual(exchange.usage.total_input, whole.usage.total_input)
            self.assertTrue(0 < so_far <= exchange.cost <= whole.cost)
            self.assertGreaterEqual(exchange.cost, last)
            last = exchange.cost

    def test_background(self) -> None:
        """A response that is made behind the answer is not free; under `hard` it costs all that the call held."""
        for enforcement, cost in (("estimate", 10_262_500), ("hard", 10**9)):
            exchange, meter = self.called(RESPONSES_WHOLE)
            exchange.amount = 10**9
            budget = f"{{max_cost_total: 5, enforcement: {enforcement}}}"
            exchange.agent = fleet_of(config_of(f"agents: {{writer: {{budget: {budget}}}}}")).get("writer")
            meter.feed(b'{"status":"queued","model":"gpt-4o","usage":null}')
            meter.end()
            self.reckoner.answered(exchange, meter, True, NOW)
            self.assertEqual(exchange.usage_kind, "estimated")
            self.assertEqual(exchange.cost, cost)

    def test_abandoned(self) -> None:
        """A call given up before its answer is charged its input, if it had been sent at all and costs anything."""
        exchange, _ = self.called(CHAT_WHOLE)
        self.reckoner.abandoned(exchange, NOW)
        self.assertEqual(exchange.usage_kind, "estimated")
        self.assertEqual((exchange.usage.input, exchange.usage.output), (-(-len(CHAT_WHOLE.request) // 4), 0))
        self.assertGreater(exchange.cost, 0)
        unsent, _ = self.called(CHAT_WHOLE)
        unsent.sendings.clear()
        free, _ = self.called(CHAT_WHOLE)
        free.surface = surface("GET", "/v1/models", "openai")
        for nothing in (unsent, free):
            self.reckoner.abandoned(nothing, NOW)
            self.assertEqual((nothing.cost, nothing.usage_kind), (0, "none"))

    def test_second_provider(self) -> None:
        """What a provider that was given up has cost stays charged when another one answers."""
        exchange, meter = self.called(CHAT_WHOLE)
        self.reckoner.abandoned(exchange, NOW)
        lost = exchange.cost
        meter.feed(CHAT_WHOLE.answer)
        meter.end()
        self.reckoner.answered(exchange, meter, True, NOW)
        assert exchange.rates is not None
        self.assertEqual(exchange.cost, lost + exchange.rates.cost(CHAT_WHOLE.usage))

    def test_assumed_price(self) -> None:
        """A model without a price is told of once."""
        alerts: list[Alert] = []
        reckoner = Reckoner(self.book, alerts.append)
        for _ in range(2):
            exchange, meter = self.called(CHAT_WHOLE)
            meter.feed(CHAT_WHOLE.answer.replace(b"gpt-4o", b"no-such-model"))
            meter.end()
            exchange.asked = Asked(model="no-such-model")
            reckoner.answered(exchange, meter, True, NOW)
            self.assertGreater(exchange.cost, 0)
        self.assertEqual([alert.kind for alert in alerts], ["price"])
        self.assertIn("no-such-model", alerts[0].text)
