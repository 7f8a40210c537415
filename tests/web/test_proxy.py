"""The proxy as a resource: stock requests, stock responses, and a clock."""

from typing import Any

from treq.content import collect, content
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from agentgateway.domain.pricing import PriceBook
from agentgateway.pipeline import order
from agentgateway.pipeline.reckon import Reckoner
from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, Fixture
from tests.web.memory import Between


class Provider(Resource):
    """Answers with a fixture, at once or as the test says."""

    isLeaf = True

    def __init__(self, fixture: Fixture, at_once: bool = True) -> None:
        super().__init__()
        self.fixture = fixture
        self.at_once = at_once
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        """The answer, or later."""
        request.seen = request.content.read()
        self.requests.append(request)
        kind = b"text/event-stream" if self.fixture.stream else b"application/json"
        request.setHeader(b"content-type", kind)
        return self.fixture.answer if self.at_once else NOT_DONE_YET


class BrokenReckoner(Reckoner):
    """A mistake of ours: fails the first so many times."""

    def __init__(self, prices: PriceBook, times: int) -> None:
        super().__init__(prices)
        self.times = times

    def answered(self, *args: Any) -> None:
        """Cannot."""
        self.times -= 1
        if self.times >= 0:
            raise ZeroDivisionError("a mistake of ours")
        super().answered(*args)


class BrokenShelf(dict[str, Any]):
    """A mistake of ours: takes nothing."""

    def __setitem__(self, name: str, value: Any) -> None:
        """Cannot."""
        raise ZeroDivisionError("a mistake of ours")


class ProxyTests(SynchronousTestCase):
    """What the wire's own requests can do, stock ones can."""

    def ask(self, between: Between, fixture: Fixture, **headers: str) -> Any:
        """The Deferred of the answer to a fixture's request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = "http://gateway.test" + fixture.path
        asked: Deferred[Any] = between.caller.post(url, data=fixture.request, headers=named)
        between.flush()
        return asked

    def test_whole(self) -> None:
        """A call passes, is metered, and bears the id of its record."""
        provider = Provider(ANTHROPIC_WHOLE)
        between = Between(provider)
        answer = self.successResultOf(self.ask(between, ANTHROPIC_WHOLE, x_agent_id="researcher"))
        self.assertEqual(answer.code, 200)
        self.assertEqual(self.successResultOf(content(answer)), ANTHROPIC_WHOLE.answer)
        [request] = provider.requests
        self.assertEqual((request.seen, request.uri), (ANTHROPIC_WHOLE.request, ANTHROPIC_WHOLE.path.encode()))
        self.assertFalse(request.requestHeaders.hasHeader(b"x-agent-id"))
        [record] = between.pages
        self.assertEqual(answer.headers.getRawHeaders("x-agentgateway-request-id"), [record.id])
        self.assertEqual((record.agent, record.usage, record.output_tokens), ("researcher", "exact", 25))

    def test_stream(self) -> None:
        """A stream passes as it comes, and its terminal event comes when the call is in the books."""
        provider = Provider(ANTHROPIC_STREAM, False)
        between = Between(provider)
        asked = self.ask(between, ANTHROPIC_STREAM)
        [upstream] = provider.requests
        body, got = ANTHROPIC_STREAM.answer, []
        for at in range(0, len(body), 100):
            upstream.write(body[at : at + 100])
            between.flush()
            if at == 0:
                answer = self.successResultOf(asked)
                done = content_into(answer, got)
        self.assertEqual((b"".join(got), len(between.pages)), (body, 1))
        upstream.finish()
        between.flush()
        self.successResultOf(done)
        self.assertEqual((between.pages[0].outcome, between.pages[0].usage), ("ok", "exact"))

    def test_cut_stream(self) -> None:
        """A stream that ends without its terminal event is broken off behind an error event."""
        provider = Provider(ANTHROPIC_STREAM, False)
        between = Between(provider)
        asked = self.ask(between, ANTHROPIC_STREAM)
        [upstream] = provider.requests
        upstream.write(ANTHROPIC_STREAM.answer[:600])
        between.flush()
        got: list[bytes] = []
        done = content_into(self.successResultOf(asked), got)
        upstream.finish()
        between.flush()
        self.failureResultOf(done)
        self.assertIn(b"event: error", b"".join(got))
        self.assertEqual(between.pages[0].outcome, "truncated")

    def test_refusal(self) -> None:
        """A refusal is one, and the provider hears nothing."""
        provider = Provider(ANTHROPIC_WHOLE)
        between = Between(provider)
        answer = self.successResultOf(self.ask(between, ANTHROPIC_WHOLE, x_agent_id="a b"))
        self.assertEqual((answer.code, provider.requests), (401, []))
        self.assertIn(b"authentication_error", self.successResultOf(content(answer)))
        self.assertEqual([page.reason for page in between.pages], ["unknown_agent"])

    def test_mistakes_of_ours(self) -> None:
        """A bug in the gateway is logged; the call ends, is in the books, and holds nothing."""
        for fixture in (ANTHROPIC_WHOLE, ANTHROPIC_STREAM):
            between = Between(Provider(fixture))
            between.live.reckoner = BrokenReckoner(between.live.reckoner.prices, 1)
            self.failureResultOf(self.ask(between, fixture).addCallback(content))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            [record] = between.pages
            self.assertEqual([agent.in_flight for agent in between.live.fleet], [0] * len(between.live.fleet))
            self.assertEqual((record.outcome, record.reason, record.usage), ("cut", "internal_error", "estimated"))
            self.assertEqual((record.input_tokens > 0, record.output_tokens > 0), (True, True))

    def test_bug_in_taking(self) -> None:
        """A bug between two things that a call takes gives the first one back."""

        def cannot() -> None:
            raise ZeroDivisionError("a mistake of ours")

        between = Between(Provider(ANTHROPIC_WHOLE))
        live = between.live
        live.onion = order.build(live.config, live.fleet, live.reckoner.prices, between.pages, cannot)
        self.failureResultOf(self.ask(between, ANTHROPIC_WHOLE).addCallback(content))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        [record] = between.pages
        self.assertEqual((record.outcome, record.reason, record.cost_usd), ("cut", "internal_error", 0))
        self.assertEqual([(agent.in_flight, agent.account.reserved) for agent in live.fleet if agent.in_flight], [])
        self.assertEqual({agent.account.reserved for agent in live.fleet}, {0})

    def test_bug_in_reckoning(self) -> None:
        """A call that cannot be reckoned at all costs what was held for it: it is never free."""
        between = Between(Provider(ANTHROPIC_WHOLE))
        between.live.reckoner = BrokenReckoner(between.live.reckoner.prices, 2)
        self.failureResultOf(self.ask(between, ANTHROPIC_WHOLE).addCallback(content))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        [record] = between.pages
        self.assertEqual((record.outcome, record.usage, record.cost_usd > 0), ("cut", "estimated", True))
        self.assertEqual([agent.account.reserved for agent in between.live.fleet if agent.account.reserved], [])

    def test_bug_before_the_answer(self) -> None:
        """A bug while the answer's head is read: the input is charged, and the provider is left."""
        provider = Provider(ANTHROPIC_STREAM, False)
        between = Between(provider)
        between.live.streams = BrokenShelf()
        asked = self.ask(between, ANTHROPIC_STREAM)
        left: list[Any] = []
        provider.requests[0].notifyFinish().addErrback(left.append)
        provider.requests[0].write(ANTHROPIC_STREAM.answer[:300])
        between.flush()
        self.failureResultOf(asked.addCallback(content))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        [record] = between.pages
        self.assertEqual((record.outcome, record.reason, record.usage), ("cut", "internal_error", "estimated"))
        self.assertEqual((record.input_tokens > 0, record.cost_usd > 0, len(left)), (True, True, 1))

    def test_bug_mid_stream(self) -> None:
        """A bug while the provider has not ended its answer leaves it at once."""
        provider = Provider(ANTHROPIC_STREAM, False)
        between = Between(provider)
        between.live.reckoner = BrokenReckoner(between.live.reckoner.prices, 1)
        asked = self.ask(between, ANTHROPIC_STREAM)
        left: list[Any] = []
        provider.requests[0].notifyFinish().addErrback(left.append)
        provider.requests[0].write(ANTHROPIC_STREAM.answer)
        between.flush()
        self.failureResultOf(asked.addCallback(content))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((len(between.pages), len(left)), (1, 1))

    def test_time(self) -> None:
        """Latencies are those of the clock that was given."""
        provider = Provider(ANTHROPIC_WHOLE, False)
        between = Between(provider)
        asked = self.ask(between, ANTHROPIC_WHOLE)
        between.clock.advance(2)
        [upstream] = provider.requests
        upstream.write(ANTHROPIC_WHOLE.answer)
        between.flush()
        between.clock.advance(3)
        upstream.finish()
        between.flush()
        self.successResultOf(asked)
        self.assertEqual((between.pages[0].ttfb_ms, between.pages[0].latency_ms), (2000.0, 5000.0))


def content_into(answer: Any, got: list[bytes]) -> Any:
    """Collect the body in `got`; fires at its end, fails where it broke off."""
    return collect(answer, got.append)
