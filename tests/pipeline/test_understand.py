"""What a call asks for, and what is put into its body."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Config
from agentgateway.domain.exchange import Exchange, Field
from agentgateway.pipeline.identify import Identify
from agentgateway.pipeline.onion import HOLD
from agentgateway.pipeline.understand import Understand
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of

CONFIG = """
agents:
  plain: {provider: openai}
  filling: {provider: openai, model: gpt-4o}
  claude: {provider: anthropic, model: claude-sonnet-4-5}
  free: {}
"""
ASKED = b'"stream_options":{"include_usage":true},'


def understood(uri: str, body: bytes | None, *fields: Field, agent: str = "plain", pending: bool = False) -> Exchange:
    """A call after the step, or held by it (`asked` is None then)."""
    exchange = call(uri, body, (b"x-agent-id", agent.encode()), *fields, body_pending=pending)
    Identify(fleet_of(config_of(CONFIG))).check(exchange, NOW)
    answer = Understand(Config()).check(exchange, NOW)
    assert answer is (HOLD if exchange.asked is None else None)
    return exchange


class UnderstandTests(SynchronousTestCase):
    """Nothing is refused here; bodies change only where the contract says so."""

    def test_facts(self) -> None:
        """Model, streaming and output limit are read from the body."""
        body = b'{"model":"gpt-4o","stream":true,"max_tokens":7,"stream_options":{"include_usage":true}}'
        exchange = understood(CHAT, body)
        assert exchange.asked is not None
        self.assertEqual((exchange.asked.model, exchange.asked.stream, exchange.asked.max_output), ("gpt-4o", True, 7))
        self.assertEqual((exchange.body, exchange.strip_usage), (body, False))

    def test_model(self) -> None:
        """A missing model is the agent's; the record still says that the caller named none."""
        body = b'{ "messages" : [] }'
        exchange = understood(CHAT, body, agent="filling")
        self.assertEqual(exchange.body, b'{"model":"gpt-4o",' + body[1:])
        self.assertIsNone(exchange.requested_model)
        self.assertEqual(understood(CHAT, body).body, body)
        for named in (b'{"model":"x"}', b'{"\\u006dodel":"x"}'):
            self.assertEqual(understood(CHAT, named, agent="filling").body, named)

    def test_dialect_of_an_agent_without_provider(self) -> None:
        """Where the path tells nothing, what its SDK sends does: a key for one company goes to no other."""
        version, key = (b"Anthropic-Version", b"2023-06-01"), (b"x-goog-api-key", b"x")
        for fields, agent, wanted in (
            ((version,), "free", "anthropic"),
            ((key,), "free", "google"),
            ((), "free", "openai"),
            ((version,), "plain", "openai"),
        ):
            exchange = understood("/v1/files", b"{}", *fields, agent=agent)
            assert exchange.surface is not None
            self.assertEqual(exchange.surface.dialect.name, wanted)

    def test_usage(self) -> None:
        """An OpenAI chat stream is asked for its usage; other dialects say it unasked."""
        body = b'{"model":"x","stream":true}'
        exchange = understood(CHAT, body)
        self.assertEqual((exchange.body, exchange.strip_usage), (b"{" + ASKED + body[1:], True))
        for uri in ("/v1/messages", "/v1/responses", "/v1beta/models/x:streamGenerateContent", "/v1/embeddings"):
            exchange = understood(uri, body)
            self.assertEqual((exchange.body, exchange.strip_usage), (body, False), uri)

    def test_refused_usage(self) -> None:
        """A caller that says `include_usage: false` is metered all the same, and does not see it."""
        exchange = understood(CHAT, b'{"stream":true,"stream_options":{"include_usage":false}}')
        assert exchange.body is not None
        self.assertTrue(json.loads(exchange.body)["stream_options"]["include_usage"])
        self.assertTrue(exchange.strip_usage)

    def test_malformed(self) -> None:
        """What is no JSON object passes on as it is, even for agents with a default model."""
        for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"stream":true', b'{"a":1}{'):
            exchange = understood(CHAT, body, agent="filling")
            self.assertEqual((exchange.body, exchange.strip_usage), (body, False), body)

    def test_free_calls(self) -> None:
        """Token counting and the like get no model put in that they did not ask for."""
        body = b'{"stream":true}'
        for uri in ("/v1/files", "/v1/models", "/v1/messages/count_tokens"):
            self.assertEqual(understood(uri, body, agent="claude").body, body, uri)

    def test_waiting(self) -> None:
        """JSON, and what sloppy clients call JSON, is waited for; files stream through."""
        for kind in (b"application/json", b"application/vnd.api+json; charset=utf-8", b"text/plain",
                     b"application/x-www-form-urlencoded"):  # fmt: skip
            self.assertIsNone(understood(CHAT, None, (b"Content-Type", kind), pending=True).asked, kind)
        self.assertIsNone(understood(CHAT, None, pending=True).asked)
        for kind in (b"multipart/form-data; boundary=x", b"application/octet-stream", b"audio/mpeg"):
            exchange = understood("/v1/files", None, (b"content-type", kind), pending=True)
            assert exchange.asked is not None
            self.assertEqual((exchange.asked.model, exchange.body), (None, None), kind)

    def test_after_waiting(self) -> None:
        """When the body is here the held call is understood as if it had been here at once."""
        exchange = understood(CHAT, None, pending=True)
        exchange.body, exchange.body_pending = b'{"model":"x"}', False
        self.assertIsNone(Understand(Config()).check(exchange, NOW))
        self.assertEqual(exchange.requested_model, "x")
