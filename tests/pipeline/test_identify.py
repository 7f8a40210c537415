"""Who is calling, by key, header or path."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange, Field
from agentgateway.domain.fleet import MAX_UNNAMED
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.identify import Identify
from tests.pipeline.calls import NOW, call, config_of, fleet_of

STRICT = f"""
agents:
  coder: {{provider: openai}}
  writer: {{provider: anthropic}}
  keyed: {{provider: openai, key: "sha256:{sha256(b"secret").hexdigest()}"}}
"""
OPEN = STRICT + '  "*": {provider: openai, tags: [crowd]}\n'


def named(value: bytes) -> Field:
    """An x-agent-id header."""
    return (b"x-agent-id", value)


class IdentifyTests(SynchronousTestCase):
    """The contract's order: key, header, path."""

    def identified(self, uri: str, *fields: Field, config: str = STRICT) -> Exchange | Refusal:
        """The exchange with its agent, or the refusal."""
        exchange = call(uri, b"{}", *fields)
        answer = Identify(fleet_of(config_of(config))).check(exchange, NOW)
        if answer is None:
            return exchange
        assert isinstance(answer, Refusal)
        return answer

    def agent(self, uri: str, *fields: Field, config: str = STRICT) -> str:
        """The id of the agent that calls, or the reason why it may not."""
        found = self.identified(uri, *fields, config=config)
        if isinstance(found, Refusal):
            return found.reason
        assert found.agent is not None and found.agent.id == found.agent_id
        return found.agent.id

    def test_order(self) -> None:
        """The key beats the header, the header beats the path."""
        key = (b"x-api-key", b"secret")
        self.assertEqual(self.agent("/agents/writer/v1/x"), "writer")
        self.assertEqual(self.agent("/agents/writer/v1/x", named(b"coder")), "coder")
        self.assertEqual(self.agent("/agents/writer/v1/x", named(b"coder"), key), "keyed")

    def test_keys(self) -> None:
        """A gateway key counts wherever SDKs put an API key; every other header is not looked at."""
        for field in (
            (b"X-API-Key", b" secret "),
            (b"Authorization", b"Bearer secret"),
            (b"authorization", b"BEARER  secret"),
            (b"x-goog-api-key", b"secret"),
            (b"Api-Key", b"secret"),
        ):
            found = self.identified("/v1/x", field, (b"x-other", b"secret"))
            assert isinstance(found, Exchange)
            self.assertEqual((found.agent_id, found.gateway_keys), ("keyed", {field[0].lower()}))
        for field in ((b"authorization", b"Basic secret"), (b"authorization", b"secret"), (b"x-api-keys", b"secret")):
            self.assertEqual(self.agent("/v1/x", field, named(b"keyed")), "bad_key")

    def test_own_provider_keys(self) -> None:
        """A key that is none of the gateway's is the caller's own for its provider."""
        found = self.identified("/v1/x", named(b"coder"), (b"x-api-key", b"sk-own"))
        assert isinstance(found, Exchange)
        self.assertEqual(found.gateway_keys, frozenset())

    def test_both_keys(self) -> None:
        """Who proves itself in one header may bring the provider's key in another."""
        found = self.identified("/v1/x", (b"authorization", b"Bearer secret"), (b"x-api-key", b"sk-own"))
        assert isinstance(found, Exchange)
        self.assertEqual((found.agent_id, found.gateway_keys), ("keyed", {b"authorization"}))

    def test_key_in_the_query(self) -> None:
        """There, where Google's SDKs may put a key, a gateway key is refused before it travels; others' keys are theirs."""
        for query in ("key=secret", "alt=sse&key=secret&x=%20", "key=sec%72et&key=own"):
            found = self.identified(f"/providers/openai/v1/x?{query}", named(b"coder"))
            assert isinstance(found, Refusal)
            self.assertEqual(found.reason, "bad_key")
            self.assertIn("stands in the URL", found.message)
        own = self.identified("/v1/x?key=own&monkey=secret", named(b"coder"))
        assert isinstance(own, Exchange)
        self.assertEqual((own.agent_id, own.uri_upstream), ("coder", "/v1/x?key=own&monkey=secret"))

    def test_nobody(self) -> None:
        """Without a template nobody else gets in; with one, everybody with a proper id does."""
        for uri, *fields in (("/v1/x",), ("/v1/x", named(b"stranger")), ("/agents/stranger/v1/x",)):
            self.assertEqual(self.agent(uri, *fields), "unknown_agent")
        self.assertEqual(self.agent("/v1/x", config=OPEN), "anonymous")
        self.assertEqual(self.agent("/v1/x", named(b"stranger"), config=OPEN), "stranger")
        self.assertEqual(self.agent("/agents/stranger/v1/x", config=OPEN), "stranger")
        for bad in (b"a b", b"x" * 129, b"\xc3\xa4", b"a/b", b"*", b"a\tb"):
            self.assertEqual(self.agent("/v1/x", named(bad), config=OPEN), "unknown_agent")

    def test_made_from_the_template(self) -> None:
        """An agent made from the template has all of it but the id."""
        found = self.identified("/v1/x", named(b"stranger"), config=OPEN)
        assert isinstance(found, Exchange) and found.agent is not None
        self.assertEqual((found.agent.config.id, found.agent.config.tags), ("stranger", ("crowd",)))

    def test_not_without_end(self) -> None:
        """Strangers cannot make the gateway remember more than so many agents; the known ones go on."""
        identify = Identify(fleet_of(config_of(OPEN)))
        for at in range(MAX_UNNAMED):
            self.assertIsNone(identify.check(call("/v1/x", b"", named(b"s%d" % at)), NOW))
        answer = identify.check(call("/v1/x", b"", named(b"one-more")), NOW)
        assert isinstance(answer, Refusal)
        self.assertEqual(answer.reason, "unknown_agent")
        self.assertIsNone(identify.check(call("/v1/x", b"", named(b"s7")), NOW))
        self.assertIsNone(identify.check(call("/v1/x", b"", named(b"coder")), NOW))

    def test_ambiguous(self) -> None:
        """Two ids, or one that a hop may strip, are refused: two readers might see two callers."""
        self.assertEqual(self.agent("/v1/x", named(b"coder"), named(b"coder")), "bad_request")
        hop = (b"Connection", b"close, X-AGENT-ID")
        self.assertEqual(self.agent("/v1/x", named(b"coder"), hop), "bad_request")
        self.assertEqual(self.agent("/v1/x", hop, named(b"coder")), "bad_request")

    def test_refused_callers_have_a_name(self) -> None:
        """The record of a refusal says who it was, if that is a proper id, and nothing otherwise."""
        for value, expected in ((b"stranger", "stranger"), (b"a b", None), (b"keyed", "keyed")):
            exchange = call("/v1/x", b"", named(value))
            Identify(fleet_of(config_of(STRICT))).check(exchange, NOW)
            self.assertEqual((exchange.agent_id, exchange.agent), (expected, None))

    def test_paths(self) -> None:
        """The gateway's own prefixes are taken off; nothing else of a path is touched."""
        for uri, upstream, provider in (
            ("/v1/x?a=/agents/b", "/v1/x?a=/agents/b", None),
            ("/agents/coder/v1/x?q=1", "/v1/x?q=1", None),
            ("/agents/coder", "/", None),
            ("/agents/coder?q=1", "/?q=1", None),
            ("/agents/coder?q=/v1", "/?q=/v1", None),
            ("/agents/coder//v1", "//v1", None),
            ("/agents/coder/providers/groq/v1/x", "/v1/x", "groq"),
            ("/providers/groq/v1/x?q=1", "/v1/x?q=1", "groq"),
            ("/providers/groq", "/", "groq"),
            ("/v1/agents/coder", "/v1/agents/coder", None),
        ):
            found = self.identified(uri, named(b"coder"))
            assert isinstance(found, Exchange)
            self.assertEqual((found.uri_upstream, found.provider_named), (upstream, provider), uri)

    def test_the_admin_token(self) -> None:
        """What is shown the admin token is meant for the gateway: a mistyped path of its API takes it to no provider."""
        fleet = fleet_of(config_of(OPEN))
        fleet.admin = sha256(b"admin").digest()
        for field in ((b"Authorization", b"Bearer admin"), (b"x-api-key", b"admin")):
            exchange = call("/api/budget/writer/", b"{}", field, method="PUT")
            answer = Identify(fleet).check(exchange, NOW)
            assert isinstance(answer, Refusal)
            self.assertEqual((answer.reason, answer.status, exchange.agent), ("bad_request", 404, None))
        self.assertIsNone(Identify(fleet).check(call("/v1/x", b"", (b"x-api-key", b"another")), NOW))

    def test_the_same_head_again(self) -> None:
        """Who sent a head that comes again is known at once, and asked again after the configuration has changed."""
        config, derived = config_of(STRICT), dict[object, object]()
        fleet = fleet_of(config)
        identify = Identify(fleet)

        def ask() -> tuple[Exchange, object]:
            exchange = call("/agents/writer/providers/x/v1", b"", (b"session-id", b"s"), derived=derived)
            return exchange, identify.check(exchange, NOW)

        (first, _), (second, answer) = ask(), ask()
        self.assertIsNone(answer)
        for name in ("agent", "agent_id", "uri_upstream", "provider_named", "session", "gateway_keys"):
            self.assertEqual(getattr(second, name), getattr(first, name), name)
        self.assertEqual((second.agent_id, second.uri_upstream, second.session), ("writer", "/v1", "s"))
        fleet.configure(config_of(STRICT.replace("writer: {", 'writer: {key: "sha256:' + "0" * 64 + '", ')), NOW)
        changed, answer = ask()
        assert isinstance(answer, Refusal)
        self.assertEqual((answer.reason, changed.agent), ("bad_key", None))

    def test_a_refused_head_again(self) -> None:
        """A head that was refused is looked at anew: an agent may have become known meanwhile."""
        fleet, derived = fleet_of(config_of(STRICT)), dict[object, object]()
        for _ in range(2):
            exchange = call("/v1/x", b"", named(b"stranger"), derived=derived)
            self.assertIsInstance(Identify(fleet).check(exchange, NOW), Refusal)
        fleet.configure(config_of(OPEN), NOW)
        self.assertIsNone(Identify(fleet).check(call("/v1/x", b"", named(b"stranger"), derived=derived), NOW))

    def test_sessions(self) -> None:
        """The session a client names is kept for the record, cut to 200 characters."""
        for name in (b"X-Claude-Code-Session-Id", b"x-session-id", b"Session-Id", b"session_id"):
            found = self.identified("/v1/x", named(b"coder"), (name, b"s" * 300))
            assert isinstance(found, Exchange)
            self.assertEqual(found.session, "s" * 200)

    @given(
        st.text(st.characters(max_codepoint=255), max_size=40).map("/".__add__),
        st.lists(
            st.tuples(st.sampled_from([b"x-agent-id", b"connection", b"authorization", b"x-api-key"]), st.binary())
        ),
    )
    def test_anything(self, uri: str, fields: list[Field]) -> None:
        """Whatever is sent, the answer is an agent or a refusal, and a keyed agent only comes with its key."""
        found = self.identified(uri, *fields, config=OPEN)
        if isinstance(found, Exchange) and found.agent_id == "keyed":
            self.assertTrue(found.gateway_keys)
