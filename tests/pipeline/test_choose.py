"""Where a call goes."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Config
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.choose import Choose
from agentgateway.pipeline.identify import Identify
from agentgateway.pipeline.onion import Answer
from agentgateway.pipeline.understand import Understand
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of, later

CONFIG = """
providers:
  local: {api: openai, base_url: "http://127.0.0.1:1"}
agents:
  free: {}
  coder: {provider: openai}
  careful: {provider: openai, fallback: [groq, local], circuit_breaker: {error_threshold: 1, reset_timeout: 5000}}
  modelled: {provider: anthropic, model: claude-sonnet-4-5}
prices:
  own: {input: 1, output: 2}
"""


class Chooser:
    """The steps up to this one, over one fleet."""

    def __init__(self, text: str = CONFIG) -> None:
        config = config_of(text)
        self.fleet = fleet_of(config)
        self.step = Choose(config, PriceBook(config.prices, config.unpriced_models))

    def chosen(self, agent: str, uri: str = CHAT, body: bytes = b'{"model":"gpt-4o"}', at: float = 0.0) -> Exchange:
        """A call for which the step said yes."""
        exchange, answer = self.asked(agent, uri, body, at)
        assert answer is None, answer
        return exchange

    def refused(self, agent: str, uri: str = CHAT, body: bytes = b'{"model":"gpt-4o"}', at: float = 0.0) -> Refusal:
        """The refusal of a call for which it said no."""
        _, answer = self.asked(agent, uri, body, at)
        assert isinstance(answer, Refusal)
        return answer

    def asked(self, agent: str, uri: str, body: bytes, at: float) -> tuple[Exchange, Answer]:
        """A call and what the step says to it."""
        exchange = call(uri, body, (b"x-agent-id", agent.encode()))
        Identify(self.fleet).check(exchange, NOW)
        Understand(Config()).check(exchange, NOW)
        return exchange, self.step.check(exchange, later(at))


def names(exchange: Exchange) -> list[str]:
    """The providers it may go to, in order."""
    return [target.provider.name for target in exchange.targets]


class ChooseTests(SynchronousTestCase):
    """The path's provider, the agent's own, or the built-in one of the dialect."""

    def test_by_path(self) -> None:
        """An agent without a provider goes to the one whose dialect it speaks."""
        chooser = Chooser()
        for uri, name in (
            ("/v1/messages", "anthropic"),
            (CHAT, "openai"),
            ("/v1/responses", "openai"),
            ("/v1beta/models/gemini-2.5-flash:generateContent", "google"),
            ("/v1/whatever", "openai"),
        ):
            self.assertEqual(names(chooser.chosen("free", uri)), [name], uri)

    def test_by_agent(self) -> None:
        """An agent's provider serves all its paths; its fallbacks come after it."""
        chooser = Chooser()
        self.assertEqual(names(chooser.chosen("coder", "/v1/messages")), ["openai"])
        exchange = chooser.chosen("careful")
        self.assertEqual(names(exchange), ["openai", "groq", "local"])
        assert exchange.target is not None
        self.assertEqual(exchange.target.provider.name, "openai")

    def test_by_name(self) -> None:
        """A call may name its provider if the agent has it, or has none of its own."""
        chooser = Chooser()
        for agent, name in (("coder", "openai"), ("careful", "groq"), ("careful", "local"), ("free", "mistral")):
            self.assertEqual(names(chooser.chosen(agent, f"/providers/{name}{CHAT}")), [name])
        for agent, name in (("coder", "groq"), ("careful", "anthropic"), ("free", "nowhere"), ("free", "")):
            refusal = chooser.refused(agent, f"/providers/{name}{CHAT}")
            self.assertEqual((refusal.reason, refusal.status), ("bad_request", 404))

    def test_prices(self) -> None:
        """Each target knows what the model costs there; the file's own price comes first."""
        chooser = Chooser()
        [target] = chooser.chosen("coder", body=b'{"model":"own"}').targets
        assert target.rates is not None
        self.assertEqual((target.rates.input, target.rates.assumed), (10**9, False))
        [target] = chooser.chosen("coder", body=b'{"model":"nobody-knows-this-one"}').targets
        assert target.rates is not None
        self.assertTrue(target.rates.assumed)
        [target] = chooser.chosen("modelled", "/v1/messages", b"{}").targets
        assert target.rates is not None
        self.assertEqual((target.rates.input, target.rates.output), (3 * 10**9, 15 * 10**9))

    def test_unpriced(self) -> None:
        """Where models without a price are forbidden they are refused, but for calls that cost nothing."""
        chooser = Chooser(CONFIG + "unpriced_models: refuse\n")
        body = b'{"model":"nobody-knows-this-one"}'
        refusal = chooser.refused("coder", body=body)
        self.assertEqual((refusal.reason, refusal.status), ("unpriced_model", 402))
        self.assertIn("nobody-knows-this-one", refusal.message)
        self.assertEqual(names(chooser.chosen("coder", "/v1/files", body)), ["openai"])
        self.assertEqual(names(chooser.chosen("coder")), ["openai"])

    def test_open_circuits(self) -> None:
        """A provider whose circuit is open is passed over; when all are, the call is told when to come back."""
        chooser = Chooser()
        agent = chooser.fleet.get("careful")
        assert agent is not None
        for name in ("openai", "groq", "local"):
            self.assertIn(name, names(chooser.chosen("careful")))
            breaker = agent.breaker(name)
            breaker.leave(breaker.enter(NOW.monotonic), False, NOW.monotonic)
            if name != "local":
                self.assertNotIn(name, names(chooser.chosen("careful")))
        refusal = chooser.refused("careful", at=1.0)
        self.assertEqual((refusal.reason, refusal.status, refusal.retry_after), ("circuit_open", 503, 4.0))
        self.assertEqual(names(chooser.chosen("coder")), ["openai"])
