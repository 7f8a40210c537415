"""Which fields pass, which do not, and whose key goes along."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Provider, Secret
from agentgateway.pipeline.identify import Identify
from agentgateway.web.headers import answer_fields, credential, learned, upstream_fields
from agentgateway.wire.headers import Field, RawHeaders
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of

IDENTITY = (b"Accept-Encoding", b"identity")
NAMES = [
    b"Connection",
    b"x-a",
    b"X-A",
    b"te",
    b"Keep-Alive",
    b"Accept-Encoding",
    b"Authorization",
    b"x-agent-id",
    b"Host",
]


class UpstreamFieldsTests(SynchronousTestCase):
    """From caller to provider."""

    def passed(self, *fields: Field, ours: Field | None = None, drop: bool = False) -> list[Field]:
        """What goes upstream."""
        return upstream_fields(call(CHAT, b"", *fields), ours, drop)

    def test_end_to_end(self) -> None:
        """Repeated and unknown fields pass in order, whether names are repeated or not."""
        fields = ((b"B", b"1"), (b"a", b"2"), (b"b", b"3"))
        self.assertEqual(self.passed(*fields), [*fields, IDENTITY])
        self.assertEqual(self.passed(*fields[:2]), [*fields[:2], IDENTITY])

    def test_hop_by_hop(self) -> None:
        """What belongs to this connection, and what `Connection` names, stays here."""
        self.assertEqual(self.passed((b"TE", b"x"), (b"Connection", b"close, B"), (b"b", b"1"), (b"c", b"2")),
                         [(b"c", b"2"), IDENTITY])  # fmt: skip

    def test_keys(self) -> None:
        """The caller's key goes where the gateway has one, or where it is meant for others."""
        own, ours = (b"x-api-key", b"own"), (b"Authorization", b"Bearer ours")
        self.assertEqual(self.passed(own), [own, IDENTITY])
        self.assertEqual(self.passed(own, ours=ours), [IDENTITY, ours])
        self.assertEqual(self.passed(own, drop=True), [IDENTITY])

    def test_gateway_keys(self) -> None:
        """A gateway key stays here; the key that its caller has brought for the provider goes."""
        own, gateway = (b"x-api-key", b"own"), (b"Authorization", b"Bearer ours")
        exchange = call(CHAT, b"", own, gateway)
        exchange.gateway_keys = frozenset({b"authorization"})
        self.assertEqual(upstream_fields(exchange, None, False), [own, IDENTITY])

    @given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([b"x-a", b"close", b"authorization", b"1"]))))
    def test_anything(self, fields: list[Field]) -> None:
        """What passes is a part of what came, in its order, and never our own business."""
        passed = self.passed(*fields)
        self.assertEqual(passed.pop(), IDENTITY)
        rest = iter(fields)
        self.assertTrue(all(field in rest for field in passed))
        private = {b"connection", b"te", b"keep-alive", b"accept-encoding", b"x-agent-id", b"host"}
        self.assertFalse({name.lower() for name, _ in passed} & private)


class AnswerFieldsTests(SynchronousTestCase):
    """From provider to caller."""

    def test_passed(self) -> None:
        """End-to-end fields pass and the record's id is added; a length goes where bytes are taken out."""
        headers = RawHeaders([(b"A", b"1"), (b"Keep-Alive", b"x"), (b"content-Length", b"9"), (b"a", b"2")])
        id_ = (b"x-agentgateway-request-id", b"agw_1")
        self.assertEqual(
            answer_fields(headers.pairs(), headers.lowered, b"agw_1", False),
            [(b"A", b"1"), (b"content-Length", b"9"), (b"a", b"2"), id_],
        )
        self.assertEqual(
            answer_fields(headers.pairs(), headers.lowered, b"agw_1", True), [(b"A", b"1"), (b"a", b"2"), id_]
        )

    def test_a_gateway_behind_a_gateway(self) -> None:
        """What the other one says of its own record and budget stays there; why it refused goes on."""
        inner = [(b"X-Agentgateway-Request-Id", b"agw_9"), (b"x-agentgateway-budget-reset", b"3")]
        reason = (b"x-agentgateway-reason", b"rate_limited")
        headers = RawHeaders([*inner, reason])
        self.assertEqual(
            answer_fields(headers.pairs(), headers.lowered, b"agw_1", False),
            [reason, (b"x-agentgateway-request-id", b"agw_1")],
        )


class CredentialTests(SynchronousTestCase):
    """The gateway's own key for a provider."""

    def test_header(self) -> None:
        """Each dialect has its header; the agent's key comes before the provider's."""
        for api, field in (
            ("anthropic", (b"x-api-key", b"theirs")),
            ("google", (b"x-goog-api-key", b"theirs")),
            ("openai", (b"Authorization", b"Bearer theirs")),
        ):
            provider = Provider("p", api, "http://x", Secret("theirs"))  # type: ignore[arg-type]
            self.assertEqual(credential(provider, None), field)
            agents = credential(provider, Secret("agents"))
            assert agents is not None
            self.assertIn(b"agents", agents[1])
        self.assertIsNone(credential(Provider("p", "openai", "http://x"), None))


class LearnedTests(SynchronousTestCase):
    """What an agent is told of its limits with each answer."""

    def test_limits(self) -> None:
        """Dollars left of the tightest cap and calls left of the rate; nothing where there is no limit."""
        fleet = fleet_of(
            config_of("agents: {a: {rate_limit: 10/min, budget: {max_cost_total: 2.5, max_cost_per_hour: 5}}, b: {}}")
        )
        exchange = call(CHAT, b"", (b"x-agent-id", b"a"))
        Identify(fleet).check(exchange, NOW)
        said = dict(learned(exchange, NOW))
        self.assertEqual(said[b"x-agentgateway-budget-remaining"], b"2.5")
        self.assertNotIn(b"x-agentgateway-budget-reset", said)
        self.assertEqual((said[b"ratelimit-limit"], said[b"ratelimit-remaining"]), (b"10", b"10"))
        for fields in ((), ((b"x-agent-id", b"b"),)):
            exchange = call(CHAT, b"", *fields)
            Identify(fleet).check(exchange, NOW)
            self.assertEqual(learned(exchange, NOW), [])
