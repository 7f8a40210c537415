"""OpenTelemetry traces: one span a call, made from its audit record, sent by OTLP over HTTP in a thread of the SDK's.

Names follow OpenTelemetry's semantic conventions for generative AI (semconv 1.38, `gen_ai.*`). A call only puts its
record into a queue: spans are made, encoded and sent in the thread. The queue is bounded, and what does not fit, or what
the collector does not take, is counted. The SDK is an optional extra, loaded when the service starts.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.logger import Logger

from agentgateway import __version__
from agentgateway.domain.audit import AuditRecord

WAITING: Final = 2048
"""Records that wait for the thread; beyond, new ones are dropped."""
BATCH: Final = 512
DELAY: Final = 1000
"""Milliseconds for which records are gathered."""
PATIENCE: Final = 5.0
"""Seconds that the collector has for a batch, second tries included."""
FAREWELL: Final = 2.0
"""Seconds that the stop of the gateway waits for the last batch."""
PATH: Final = "/v1/traces"

_OPERATIONS: Final = {
    "messages": "chat",
    "chat/completions": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
}
"""`gen_ai.operation.name` by the end of a path; longer ends come first."""
_PROVIDERS: Final = {"google": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
"""Where the conventions name a provider otherwise than the configuration does."""
_FAILED: Final = frozenset({"refused", "upstream_error", "cut", "truncated"})

Attributes = dict[str, str | int | float | bool]


def is_call(record: AuditRecord) -> bool:
    """Whether it is the record of a call; the others are changes by operators."""
    return record.provider is not None or record.outcome != "ok"


def operation(path: str) -> str | None:
    """What a call does, in the conventions' words; None where they have none, as for lists of models."""
    last = path.rpartition("/")[2].rpartition(":")[2]
    return next((name for end, name in _OPERATIONS.items() if path.endswith("/" + end) or last == end), None)


def error_type(record: AuditRecord) -> str | None:
    """Why a call failed: the gateway's reason, the provider's status, or how it ended; None where it did not."""
    if record.outcome not in _FAILED:
        return None
    if record.outcome == "upstream_error" and record.status >= 400:
        return str(record.status)
    return record.reason or record.outcome


def attributes(record: AuditRecord) -> Attributes:
    """The span's attributes. Its input tokens include those read from and written to caches, as the conventions want."""
    cached = record.cache_read_tokens + record.cache_write_tokens
    apart = record.path.endswith("/messages")  # Anthropic counts them beside the input, others within it
    found: Mapping[str, str | int | float | bool | None] = {
        "gen_ai.operation.name": operation(record.path),
        "gen_ai.provider.name": _PROVIDERS.get(record.provider or "", record.provider),
        "gen_ai.request.model": record.requested_model or record.model,
        "gen_ai.response.model": record.model if record.usage != "none" else None,
        "gen_ai.request.stream": record.stream or None,
        "gen_ai.agent.id": record.agent,
        "gen_ai.conversation.id": record.session,
        "gen_ai.response.time_to_first_chunk": record.ttfb_ms / 1000 if record.stream and record.ttfb_ms else None,
        "error.type": error_type(record),
        "http.response.status_code": record.status or None,
        "agentgateway.call.id": record.id,
        "agentgateway.outcome": record.outcome,
        "agentgateway.cost_usd": record.cost_usd,
    }
    tokens = {
        "gen_ai.usage.input_tokens": record.input_tokens + (cached if apart else 0),
        "gen_ai.usage.output_tokens": record.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": record.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": record.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": record.reasoning_tokens,
    }
    told: Attributes = {name: value for name, value in found.items() if value is not None}
    return told if record.usage == "none" else told | tokens


def times(record: AuditRecord) -> tuple[int, int]:
    """When a call began and ended, in nanoseconds since the epoch."""
    began = round(datetime.fromisoformat(record.ts).timestamp() * 1000) * 1_000_000
    return began, began + round(record.latency_ms * 1_000_000)


@attrs.frozen(slots=True)
class _Queued:
    """A record on its way to the thread, in the place of a span: `context` says that it is to be exported."""

    record: AuditRecord
    context: Any


def _pipeline(endpoint: str, taken: Callable[[int], None], over: Callable[[int, bool], None]) -> tuple[Any, Any]:
    """The SDK's batch processor in front of an OTLP exporter, and a context for what it is given.

    In the thread, `taken` is told how many left the queue, and `over` how many of them were sent, or were not.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # `Traces` says what matters, once
    logging.getLogger("opentelemetry").propagate = False
    resource = Resource.create({"service.name": "agentgateway", "service.version": __version__})
    scope = InstrumentationScope("agentgateway", __version__)
    sampled = TraceFlags(TraceFlags.SAMPLED)
    random_bits = random.SystemRandom().getrandbits

    def span(record: AuditRecord) -> ReadableSpan:
        told, (began, ended) = attributes(record), times(record)
        named = [str(told[key]) for key in ("gen_ai.operation.name", "gen_ai.request.model") if key in told]
        return ReadableSpan(
            " ".join(named) if "gen_ai.operation.name" in told else record.method or "call",
            SpanContext(random_bits(128) or 1, random_bits(64) or 1, False, sampled),
            resource=resource,
            attributes=told,
            kind=SpanKind.CLIENT,
            status=Status(StatusCode.ERROR if "error.type" in told else StatusCode.UNSET),
            start_time=began,
            end_time=ended,
            instrumentation_scope=scope,
        )

    class Late(SpanExporter):
        """Makes spans of what was queued, and sends them."""

        def __init__(self) -> None:
            self._sender = OTLPSpanExporter(endpoint, timeout=PATIENCE)

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            queued = cast(Sequence[_Queued], spans)
            taken(len(queued))
            result = SpanExportResult.FAILURE
            try:
                result = self._sender.export([span(one.record) for one in queued])
            finally:
                over(len(queued), result is SpanExportResult.SUCCESS)
            return result

        def shutdown(self) -> None:
            self._sender.shutdown()  # type: ignore[no-untyped-call]

    processor = BatchSpanProcessor(
        Late(), max_queue_size=WAITING, schedule_delay_millis=DELAY, max_export_batch_size=BATCH
    )
    return processor, SpanContext(1, 1, False, sampled)


class Traces(Service):
    """Sends spans to the collector at `base` (a URL, with or without `/v1/traces`) from its start to its stop.

    Further headers, such as a collector's key, come from the variable OTEL_EXPORTER_OTLP_HEADERS, and attributes of the
    resource from OTEL_RESOURCE_ATTRIBUTES, as the SDK has it.
    """

    _log = Logger()

    def __init__(self, base: str, reactor: Any) -> None:
        self.endpoint = base if base.endswith(PATH) else base + PATH
        self._reactor = reactor
        self._processor: Any = None
        self._context: Any = None
        self._added = self._taken = self._sent = self._unsent = self._full = self._told = self._seen = 0
        self._failing = False

    @property
    def dropped(self) -> int:
        """Calls of which the collector has no span, for want of room or of a collector that takes it."""
        return self._full + self._unsent

    def add(self, record: AuditRecord) -> None:
        """One more record; never waits, never raises."""
        if self._processor is None or not is_call(record):
            return
        if self._added - self._taken >= WAITING:
            self._full += 1
            return
        self._added += 1
        self._processor.on_end(_Queued(record, self._context))

    def tell(self) -> None:
        """Once a second: say so when spans begin to get lost, and when none does any more."""
        lost, self._told = self.dropped - self._told, self.dropped
        if lost and not self._failing:
            self._failing = True
            self._log.warn("spans are dropped: {endpoint} does not take them", endpoint=self.endpoint)
        elif self._failing and not lost and self._sent > self._seen:
            self._failing = False
            self._log.warn("spans are taken again; {count} were dropped", count=self.dropped)
        self._seen = self._sent

    def startService(self) -> None:
        """Start the thread."""
        super().startService()  # type: ignore[no-untyped-call]
        self._processor, self._context = _pipeline(self.endpoint, self._leave, self._over)

    def stopService(self) -> "Deferred[None]":
        """Send what is left; a collector that takes longer than `FAREWELL` seconds is not waited for."""
        super().stopService()  # type: ignore[no-untyped-call]
        processor, self._processor = self._processor, None
        if processor is None:
            return succeed(None)
        done: Deferred[None] = Deferred()

        def work() -> None:
            processor.shutdown()
            self._reactor.callFromThread(finish)

        def finish() -> None:
            if not done.called:
                done.callback(None)

        threading.Thread(target=work, name="last-traces", daemon=True).start()
        return done.addTimeout(FAREWELL, self._reactor).addErrback(lambda failure: failure.trap(TimeoutError) and None)

    # in the thread

    def _leave(self, count: int) -> None:
        self._taken += count

    def _over(self, count: int, sent: bool) -> None:
        if sent:
            self._sent += count
        else:
            self._unsent += count
