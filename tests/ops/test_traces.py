"""Spans as a collector gets them, by OpenTelemetry's conventions for generative AI."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.ops import traces
from agentgateway.ops.traces import Traces, attributes, error_type, is_call, operation, times
from tests.harness import CONFIG, reactor, start_gateway, until
from tests.peers import ask, post
from tests.web.management.doubles import record

BODY = b'{"model":"claude-sonnet-4-5","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}'


class Collector(ThreadingHTTPServer):
    """A collector on a free port of this machine: `spans` is what it was sent; told to hang, it answers nothing."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, testcase: Any, hangs: bool = False, status: int = 200) -> None:
        self.hangs, self.status = hangs, status
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        self.let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        testcase.addCleanup(self.server_close)
        testcase.addCleanup(self.shutdown)
        testcase.addCleanup(self.let_go.set)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def spans(self) -> list[Any]:
        """All spans so far."""
        scopes = [scope for one in self.requests for found in one.resource_spans for scope in found.scope_spans]
        return [span for scope in scopes for span in scope.spans]


class Receiver(BaseHTTPRequestHandler):
    """One request."""

    server: Collector

    def do_POST(self) -> None:
        """Decode, and answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        if self.server.hangs:
            self.server.let_go.wait()
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


def told(span: Any) -> dict[str, Any]:
    """A span's attributes."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


class AttributesTests(SynchronousTestCase):
    """What a record says as attributes of a span."""

    def test_good_call(self) -> None:
        """Operation, provider, models, tokens, agent and session have the names of the conventions."""
        found = attributes(record(session="s-1", model="claude-4-5", requested_model="claude", reasoning_tokens=2))
        wanted = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude",
            "gen_ai.response.model": "claude-4-5",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 0,
            "gen_ai.usage.cache_creation.input_tokens": 0,
            "gen_ai.usage.reasoning.output_tokens": 2,
            "gen_ai.agent.id": "writer",
            "gen_ai.conversation.id": "s-1",
            "http.response.status_code": 200,
            "agentgateway.call.id": "agw_1",
        }
        self.assertEqual({key: found.get(key) for key in wanted}, wanted)
        self.assertNotIn("error.type", found)

    def test_cached_input(self) -> None:
        """Input tokens include cached ones: Anthropic's are added to the input, OpenAI's are in it already."""
        cached = {"cache_read_tokens": 100, "cache_write_tokens": 20}
        apart = attributes(record(path="/agents/writer/v1/messages", **cached))
        within = attributes(record(path="/v1/chat/completions", provider="openai", input_tokens=130, **cached))
        self.assertEqual(apart["gen_ai.usage.input_tokens"], within["gen_ai.usage.input_tokens"])
        self.assertEqual(apart["gen_ai.usage.cache_read.input_tokens"], 100)
        self.assertEqual(apart["gen_ai.usage.cache_creation.input_tokens"], 20)

    def test_operations(self) -> None:
        """A path says what is done, in every dialect; lists and counts have no name for it."""
        named = {
            "/v1/messages": "chat",
            "/v1/chat/completions": "chat",
            "/v1/responses": "chat",
            "/v1/completions": "text_completion",
            "/v1/embeddings": "embeddings",
            "/v1beta/models/gemini-2.5-pro:streamGenerateContent": "generate_content",
            "/v1/messages/count_tokens": None,
            "/v1/models": None,
        }
        self.assertEqual({path: operation(path) for path in named}, named)

    def test_providers(self) -> None:
        """Providers have the names of the conventions where these have one."""
        names = {"google": "gcp.gemini", "mistral": "mistral_ai", "groq": "groq"}
        found = {name: attributes(record(provider=name))["gen_ai.provider.name"] for name in names}
        self.assertEqual(found, names)

    def test_errors(self) -> None:
        """What failed says why: our reason, the provider's status, or how it ended. A caller that left is no error."""
        self.assertEqual(error_type(record(outcome="refused", reason="rate_limited", status=429)), "rate_limited")
        self.assertEqual(error_type(record(outcome="upstream_error", status=529)), "529")
        self.assertEqual(error_type(record(outcome="truncated")), "truncated")
        self.assertEqual(error_type(record(outcome="cut", reason="draining")), "draining")
        self.assertIsNone(error_type(record(outcome="client_gone")))
        refused = attributes(record(outcome="refused", reason="agent_paused", usage="none", provider=None, model=None))
        self.assertNotIn("gen_ai.usage.input_tokens", refused)

    def test_calls_only(self) -> None:
        """A change by an operator is no call."""
        self.assertFalse(is_call(record(provider=None)))
        self.assertTrue(is_call(record(provider=None, outcome="refused")))

    def test_times(self) -> None:
        """A span begins when its call does and takes as long."""
        began, ended = times(record(ts="2027-01-15T08:00:00.250Z", latency_ms=812.5))
        self.assertEqual((began, ended - began), (1_800_000_000_250_000_000, 812_500_000))


class TracesTests(TestCase):
    """Over HTTP."""

    def setUp(self) -> None:
        """Batches go at once."""
        self.patch(traces, "DELAY", 20)

    def begin(self, collector: Collector) -> Traces:
        """Traces to a collector; stopped with the test."""
        found = Traces(collector.url, reactor)
        found.startService()
        self.addCleanup(found.stopService)
        return found

    def test_gateway(self) -> Any:
        """Where the configuration names a collector it gets a span for each call, good or refused, with its record's id."""

        async def scenario() -> None:
            collector = Collector(self)
            config = CONFIG.replace("gateway: {{", f"gateway: {{{{otlp_endpoint: {collector.url!r}, ", 1)
            running = await start_gateway(self, config)
            answer = await ask(self, running.port, post(b"/agents/researcher/v1/messages", BODY))
            twice = ((b"x-agent-id", b"researcher"),) * 2
            refused = await ask(self, running.port, post(b"/v1/messages", BODY, *twice))
            await until(lambda: len(collector.spans) == 2)
            good, bad = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
            self.assertEqual(good.name, "chat claude-sonnet-4-5")
            self.assertEqual(told(good)["agentgateway.call.id"], answer.one(b"x-agentgateway-request-id"))
            self.assertEqual(told(good)["gen_ai.usage.output_tokens"], running.records[0]["output_tokens"])
            self.assertEqual(told(bad).get("error.type"), refused.one(b"x-agentgateway-reason"))
            self.assertEqual((len(good.trace_id), len(good.span_id)), (16, 8))
            self.assertNotEqual(good.trace_id, bad.trace_id)
            self.assertEqual((good.kind, good.status.code, bad.status.code), (3, 0, 2))
            [resource] = {str(one.resource_spans[0].resource) for one in collector.requests}
            self.assertIn('"agentgateway"', resource)
            self.assertEqual(set(collector.paths), {"/v1/traces"})

        return ensureDeferred(scenario())

    async def test_last_batch(self) -> None:
        """What waits when the gateway stops is sent before it ends."""
        self.patch(traces, "DELAY", 60_000)
        collector = Collector(self)
        found = Traces(collector.url + traces.PATH, reactor)
        found.startService()
        for _ in range(10):
            found.add(record())
        await found.stopService()
        self.assertEqual((len(collector.spans), found.dropped), (10, 0))
        found.add(record())

    async def test_hanging(self) -> None:
        """A collector that hangs costs no call anything: the queue stays bounded, the rest is counted, the stop goes on."""
        self.patch(traces, "FAREWELL", 0.05)
        collector = Collector(self, hangs=True)
        found = self.begin(collector)
        found.add(record())
        await until(lambda: collector.requests)
        for _ in range(traces.WAITING + 100):
            found.add(record())
        self.assertEqual(found.dropped, 100)
        await found.stopService()

    async def test_refusing(self) -> None:
        """Spans that a collector does not take are counted, and that is said once; so is that it takes them again."""
        collector = Collector(self, status=400)
        found, said = self.begin(collector), list[str]()
        log = Logger(observer=lambda event: said.append(event["log_format"].partition(":")[0].partition(";")[0]))
        self.patch(Traces, "_log", log)
        for number in (1, 2):
            found.add(record())
            await until(lambda: found.dropped == number)  # noqa: B023 - called at once
            found.tell()
        collector.status = 200
        found.add(record())
        await until(lambda: len(collector.spans) == 3 and found._sent == 1)
        found.tell()
        found.tell()
        self.assertEqual(said, ["spans are dropped", "spans are taken again"])

    async def test_never_started(self) -> None:
        """A service that never ran stops at once."""
        done: Deferred[None] = Traces("http://127.0.0.1:1", reactor).stopService()
        self.assertTrue(done.called)
