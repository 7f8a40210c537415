"""Tests of the meter: what is read from an answer, however it is cut, and what is charged for it."""

import gzip
import json
import random
import zlib
from datetime import UTC, datetime
from itertools import pairwise
from unittest import SkipTest

import brotli
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.money import to_nano
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.usage import Usage
from agentgateway.pipeline.meter import Meter, settle
from agentgateway.providers.dialect import Asked, Reading
from agentgateway.providers.known import surface
from tests import fixtures
from tests.fixtures import Fixture
from tests.transcripts import FOLDER, Exchange, exchanges

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()

EXCEPTIONS = {
    # id: (certainty, (input in all, output, cache read, cache write), nano-dollars, why this and not null)
    "82352495c7039631": ("exact", (366, 63, 256, 0), 55068, "DeepSeek's Responses API says its usage"),
    "47a76489f3763479": ("exact", (91, 20, 0, 0), 25650, "DeepSeek's Responses API says its usage"),
    "33f9e27879406901": ("exact", (90, 15, 0, 0), 22500, "DeepSeek's Responses API says its usage"),
    "f6d15a99827d49fb": ("exact", (97, 59, 0, 0), 49950, "DeepSeek's Responses API says its usage"),
    "bfc48ed06a2807d3": ("exact", (189, 102, 128, 0), 70734, "DeepSeek's Responses API says its usage"),
    "a3191451ccb84f81": ("exact", (200, 16, 128, 0), 20784, "DeepSeek's Responses API says its usage"),
    "31809b5f76ede265": (
        "exact",
        (15, 283, 0, 0),
        2848750,
        "the model is gemini-2.5-pro, written models/gemini-2.5-pro",
    ),
    "d804427c4e3579e7": ("exact", (687, 187, 679, 0), 3338250, "the answer says usage, and this very cost"),
    "191f649709beef91": ("exact", (14100, 921, 0, 0), 93525000, "usage is said; groq/compound has no price: assumed"),
    "164009547358dc29": ("estimated", (41, 0, 0, 0), 8200, "embeddings were delivered, without usage"),
    "810e29fd7365a60d": ("estimated", (140, 103, 0, 0), 82800, "410 characters were delivered before the error"),
    "19d93d640c269059": ("estimated", (26, 1024, 0, 0), 10305000, "made in the background: its usage is never seen"),
    "6947bf18b76ca6bd": ("estimated", (26, 1024, 0, 0), 10305000, "made in the background: its usage is never seen"),
    "b3006abdb272af81": ("estimated", (158, 1024, 0, 0), 10635000, "made in the background: its usage is never seen"),
    "74e5267c78733c5b": ("estimated", (160, 92, 0, 0), 79200, "366 characters were delivered before the error"),
}
"""Recorded exchanges for which nothing is expected, but which were paid for."""


def pieces(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces of `size` bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def metered(path: str, api: str, stream: bool, chunks: list[bytes], encoding: str = "", strip: bool = False) -> Meter:
    """A meter that has seen a whole answer to a POST of `path`."""
    meter = Meter(surface("POST", path, api), stream, encoding, strip)
    for chunk in chunks:
        meter.feed(chunk)
    meter.end()
    return meter


def of(fixture: Fixture, chunks: list[bytes], encoding: str = "") -> Meter:
    """A meter that has seen `chunks` as the answer of `fixture`."""
    return metered(fixture.path, fixture.api, fixture.stream, chunks, encoding)


class ReadingAnswers(SynchronousTestCase):
    """Every dialect and shape, whole and in pieces."""

    def check(self, fixture: Fixture, chunks: list[bytes], encoding: str = "") -> None:
        """The usage, model and end of `fixture` must be read from `chunks`."""
        meter = of(fixture, chunks, encoding)
        reading = meter.reading
        self.assertEqual((reading.usage, reading.model), (fixture.usage, fixture.model), fixture.name)
        self.assertTrue(reading.known and reading.terminal and reading.final and not reading.failed, fixture.name)
        self.assertFalse(reading.odd or reading.blind, fixture.name)
        asked = surface("POST", fixture.path, fixture.api).understand(fixture.path, fixture.request)
        self.assertEqual(settle(reading, asked, 9, complete=True), (fixture.usage, "exact"), fixture.name)
        if fixture.stream:
            self.assertEqual(reading.sent_chars, fixture.written, fixture.name)

    def test_as_a_whole(self) -> None:
        """An answer that comes in one piece is charged as the provider says."""
        for fixture in fixtures.ALL:
            self.check(fixture, [fixture.answer])

    def test_byte_by_byte(self) -> None:
        """An answer that comes one byte at a time is charged the same."""
        for fixture in fixtures.ALL:
            self.check(fixture, pieces(fixture.answer, 1))

    def test_compressed(self) -> None:
        """An answer that is compressed although nobody asked for it is charged the same, however it is cut."""
        for fixture in fixtures.ALL:
            for encoding, packed in (
                ("gzip", gzip.compress(fixture.answer)),
                ("gzip", gzip.compress(fixture.answer[:40]) + gzip.compress(fixture.answer[40:])),
                ("deflate", zlib.compress(fixture.answer)),
                ("deflate", zlib.compress(fixture.answer)[2:-4]),
                ("br", brotli.compress(fixture.answer)),
            ):
                self.check(fixture, [packed], encoding)
                self.check(fixture, pieces(packed, 3), encoding)

    def test_longer_than_memory_allows(self) -> None:
        """Of a whole answer of many megabytes the usage at its end is found all the same."""
        body = b'{"model":"gpt-4o","choices":[{"message":{"content":"%s"}}],"usage":{"prompt_tokens":7,'
        body = body % (b"x" * 9_000_000) + b'"completion_tokens":3,"total_tokens":10}}'
        meter = metered("/v1/chat/completions", "openai", False, pieces(body, 65536))
        self.assertEqual(meter.reading.usage, Usage(7, 3, reported_input=7))
        self.assertEqual(meter.reading.model, "gpt-4o")

    def test_an_event_longer_than_memory_allows(self) -> None:
        """Of a last event of many megabytes the usage and the end of the stream are seen all the same."""
        event = b'event: response.completed\ndata: {"type":"response.completed","response":{"model":"gpt-4o","output":"'
        event += b"x" * 6_000_000 + b'","usage":{"input_tokens":7,"output_tokens":3}}}\n\n'
        meter = metered("/v1/responses", "openai", True, pieces(event, 65536))
        self.assertEqual(meter.reading.usage, Usage(7, 3, reported_input=7))
        self.assertTrue(meter.reading.terminal)

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_any_cut(self, data: st.DataObject) -> None:
        """However the network cuts a stream, the same is charged."""
        fixture = data.draw(st.sampled_from(fixtures.STREAMS))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(fixture.answer)), max_size=6)))
        bounds = [0, *cuts, len(fixture.answer)]
        self.check(fixture, [fixture.answer[a:b] for a, b in pairwise(bounds)])

    def test_bytes_pass_untouched(self) -> None:
        """The caller gets the very bytes that came, the same object where nothing is taken out."""
        for fixture in fixtures.ALL:
            meter = Meter(surface("POST", fixture.path, fixture.api), fixture.stream, "", False)
            self.assertIs(meter.feed(fixture.answer), fixture.answer)
            self.assertEqual(meter.end(), b"")

    def test_usage_taken_out(self) -> None:
        """The chunk that came only because the gateway asked for it is taken out, and still counted."""
        fixture = fixtures.CHAT_STREAM
        start = fixture.answer.index(b'data: {"model": "gpt-4o-2024-08-06", "choices": [],')
        rest = fixture.answer.index(b"data: [DONE]")
        for size in (1, 7, 4096):
            meter = Meter(surface("POST", fixture.path, "openai"), True, "", True)
            passed = b"".join(map(meter.feed, pieces(fixture.answer, size))) + meter.end()
            self.assertEqual(passed, fixture.answer[:start] + fixture.answer[rest:])
            self.assertEqual(meter.reading.usage, fixture.usage)

    def test_free_calls(self) -> None:
        """Counting tokens, listing models and handling files cost nothing, whatever they answer."""
        answer = b'{"input_tokens": 671, "usage": {"input_tokens": 5, "output_tokens": 5}, "usageMetadata": {}}'
        for method, path in (
            ("POST", "/v1/messages/count_tokens"),
            ("POST", "/v1/responses/input_tokens"),
            ("POST", "/v1beta/models/g:countTokens"),
            ("GET", "/v1/models"),
            ("POST", "/v1/files"),
        ):
            meter = Meter(surface(method, path, "openai"), False, "", False)
            meter.feed(answer)
            meter.end()
            self.assertEqual(settle(meter.reading, Asked(), 400, complete=True), (Usage(), "none"), path)

    def test_standing_inside_an_event(self) -> None:
        """A caller who is cut off in the middle of an event can be told so."""
        meter = Meter(surface("POST", "/v1/messages", "anthropic"), True, "", False)
        self.assertFalse(meter.inside_event)
        meter.feed(b"event: ping\nda")
        self.assertTrue(meter.inside_event)
        meter.feed(b"ta: {}\n\n")
        self.assertFalse(meter.inside_event)


class HostileAnswers(SynchronousTestCase):
    """What a broken or malicious provider sends costs the gateway little and the budget nothing too low."""

    def test_bombs(self) -> None:
        """A decompression bomb is given up early, passes on as it came, and is charged as an estimate."""
        zeros = b"\0" * 20_000_000
        for encoding, packed in (
            ("gzip", gzip.compress(zeros)),
            ("deflate", zlib.compress(zeros)),
            ("br", brotli.compress(zeros)),
        ):
            for stream in (True, False):
                meter = metered("/v1/chat/completions", "openai", stream, pieces(packed, 1024), encoding)
                self.assertTrue(meter.reading.blind and meter.reading.terminal, encoding)
                self.assertEqual(settle(meter.reading, Asked(max_output=7), 40, True)[1], "estimated")

    def test_unknown_encodings(self) -> None:
        """An answer in an encoding nobody here reads is estimated, its output never above what the request allowed."""
        meter = metered("/v1/messages", "anthropic", True, [b"\x28\xb5\x2f\xfd" * 100], "zstd")
        usage, certainty = settle(meter.reading, Asked(max_output=50), 400, complete=True)
        self.assertEqual((usage.input, usage.output, certainty), (100, 50, "estimated"))

    def test_broken_compression(self) -> None:
        """Bytes that are not what Content-Encoding says are passed on and estimated."""
        for encoding in ("gzip", "deflate", "br"):
            meter = metered("/v1/messages", "anthropic", False, [b"\x78\xff no such thing" * 9], encoding)
            self.assertEqual(settle(meter.reading, Asked(), 400, complete=True)[1], "estimated", encoding)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=300), st.sampled_from(fixtures.ALL), st.booleans())
    def test_junk(self, junk: bytes, fixture: Fixture, stream: bool) -> None:
        """Whatever bytes come, nothing is raised and nothing counts below zero."""
        meter = metered(fixture.path, fixture.api, stream, [b"data: " + junk + b"\n\n", junk])
        usage, _ = settle(meter.reading, Asked(), len(junk), complete=True)
        self.assertGreaterEqual(min(usage.input, usage.output, usage.cache_read, usage.cache_write), 0)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_odd_usage(self, data: st.DataObject) -> None:
        """Usage that is no usage never raises, never counts below zero, and makes the charge an estimate."""
        fixture = data.draw(st.sampled_from([fixture for fixture in fixtures.ALL if not fixture.stream]))
        odd = st.sampled_from([-1, "7", 1.5, True, [], {}, [1], 10**40, float("inf"), float("nan"), {"a": {"b": None}}])
        answer = json.loads(fixture.answer.splitlines()[-1] if b"}\n{" in fixture.answer else fixture.answer)
        answer = answer[-1] if isinstance(answer, list) else answer
        for key in data.draw(st.lists(st.sampled_from(_counts(answer)), min_size=1, max_size=3)):
            holder = answer
            for step in key[:-1]:
                holder = holder[step]
            holder[key[-1]] = data.draw(odd)
        meter = of(fixture, [json.dumps(answer).encode()])
        usage, certainty = settle(meter.reading, Asked(), 400, complete=True)
        for name in Usage.__slots__:
            if not name.startswith("_"):
                self.assertGreaterEqual(getattr(usage, name), 0, name)
        self.assertIn(certainty, ("estimated", "none") if not meter.reading.owed else ("estimated",))
        self.assertGreaterEqual(PriceBook({}).rates_of_call(fixture.provider, "gpt-4o", None, NOON).cost(usage), 0)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_anything_anywhere(self, data: st.DataObject) -> None:
        """Whatever stands in the place of whatever in an answer or event, nothing is raised or counted below zero."""
        fixture = data.draw(st.sampled_from(fixtures.ALL))
        lines = [line for line in fixture.answer.split(b"\n") if b"{" in line]
        line = data.draw(st.sampled_from(lines if fixture.stream else [fixture.answer.splitlines()[-1]]))
        start = data.draw(st.integers(0, len(line)))
        kinds = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just([]) | st.just({"a": [1]})
        value = json.dumps(data.draw(st.recursive(kinds, lambda inner: st.lists(inner, max_size=2), max_leaves=3)))
        colon = line.find(b":", start)
        end = min((at for at in (line.find(sign, colon) for sign in (b",", b"}")) if at > 0), default=len(line))
        broken = line[: colon + 1] + value.encode() + line[end:]
        meter = metered(fixture.path, fixture.api, fixture.stream, [broken + b"\n\n"])
        usage, _ = settle(meter.reading, Asked(), 400, complete=data.draw(st.booleans()))
        self.assertGreaterEqual(min(usage.input, usage.output, usage.cache_read, usage.cache_write), 0)


_READ = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cached_tokens"),
    *("prompt_tokens", "completion_tokens", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
    *("prompt_eval_count", "eval_count"),
)


def _counts(value: object, path: tuple = ()) -> list[tuple]:
    """Where in the usage of an answer the token counts stand that are read."""
    if isinstance(value, dict):
        inner = [found for key, item in value.items() if key != "tokens" for found in _counts(item, (*path, key))]
        return [(*path, key) for key, item in value.items() if key in _READ and isinstance(item, int)] + inner
    return []


class Settling(SynchronousTestCase):
    """What is charged when the provider's word is missing."""

    def test_cut_stream(self) -> None:
        """A stream that ends early is charged its input in full and a token for every four characters sent."""
        fixture = fixtures.ANTHROPIC_STREAM
        cut = fixture.answer.index(b"event: message_delta")
        meter = of(fixture, [fixture.answer[:cut]])
        usage, certainty = settle(meter.reading, Asked(), 9_999, complete=False)
        self.assertFalse(meter.reading.terminal)
        self.assertEqual(usage, Usage(40, 6, 2000, 100, 200, reported_input=40))
        self.assertEqual(certainty, "estimated")

    def test_cut_stream_without_any_usage(self) -> None:
        """Where a cut stream has not said its input, that is a token for every four bytes of the request."""
        fixture = fixtures.CHAT_STREAM
        cut = fixture.answer.index(b'data: {"model": "gpt-4o-2024-08-06", "choices": [],')
        meter = of(fixture, [fixture.answer[:cut]])
        self.assertEqual(
            settle(meter.reading, Asked(), 401, complete=False), (Usage(101, 5, reported_input=101), "estimated")
        )

    def test_every_stream_cut_everywhere(self) -> None:
        """A cut stream is never free and never refunded below what it said, wherever it is cut."""
        for fixture in fixtures.STREAMS:
            for end in range(0, len(fixture.answer), 3):
                meter = of(fixture, [fixture.answer[:end]])
                usage, certainty = settle(meter.reading, Asked(), 100, complete=False)
                self.assertEqual(certainty, "estimated")
                self.assertGreater(usage.total_input, 0)
                self.assertGreaterEqual(usage.output * 4, meter.reading.sent_chars)

    def test_settling_twice(self) -> None:
        """Settling does not change the reading: asked again it says the same."""
        reading = Reading(sent_chars=10)
        self.assertEqual(settle(reading, Asked(), 8, False), settle(reading, Asked(), 8, False))

    def test_whole_answer_without_usage(self) -> None:
        """A delivered answer that says no usage, or only zeros, is estimated and never free."""
        for usage in (b"null", b"{}", b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', b"[]", b'"x"'):
            body = b'{"choices":[{"message":{"content":"12345678"}}],"usage":%s}' % usage
            meter = metered("/v1/chat/completions", "openai", False, [body])
            got, certainty = settle(meter.reading, Asked(), 40, complete=True)
            self.assertEqual((got.input, got.output, certainty), (10, 2, "estimated"), usage)

    def test_an_error_in_place_of_an_answer(self) -> None:
        """A 200 that holds an error and no output, as OpenRouter sends, costs nothing."""
        for stream in (False, True):
            body = b'{"error":{"code":502,"message":"no provider"}}'
            chunks = [b"data: " + body + b"\n\n"] if stream else [body]
            meter = metered("/api/v1/chat/completions", "openai", stream, chunks)
            self.assertTrue(meter.reading.failed)
            self.assertEqual(settle(meter.reading, Asked(), 40, complete=False), (Usage(), "none"))

    def test_an_error_after_output(self) -> None:
        """A stream that fails after it delivered something is charged for that."""
        stream = fixtures.sse(
            {"choices": [{"delta": {"content": "12345678"}}]}, {"error": {"message": "tool call failed"}}
        )
        meter = metered("/openai/v1/chat/completions", "openai", True, [stream])
        self.assertTrue(meter.reading.failed)
        usage, certainty = settle(meter.reading, Asked(), 40, complete=False)
        self.assertEqual((usage.input, usage.output, certainty), (10, 2, "estimated"))

    def test_a_response_in_the_background(self) -> None:
        """A response that is queued is taken for as long as it may become."""
        meter = metered("/v1/responses", "openai", False, [b'{"status":"queued","model":"gpt-4o","usage":null}'])
        usage, certainty = settle(meter.reading, Asked(), 40, complete=True)
        self.assertEqual((usage.input, usage.output, certainty), (10, 1024, "estimated"))
        usage, _ = settle(meter.reading, Asked(max_output=50), 40, complete=True)
        self.assertEqual(usage.output, 50)

    def test_unknown_calls(self) -> None:
        """A call of no known kind is charged what its answer says, and nothing where it says nothing."""
        meter = metered("/v1/audio/speech", "openai", False, [b"\xff\xfbMP3"])
        self.assertEqual(settle(meter.reading, Asked(), 40, complete=True), (Usage(), "none"))


class RecordedExchanges(SynchronousTestCase):
    """Traffic recorded from real providers."""

    def setUp(self) -> None:
        """Without the recordings these tests have nothing to look at, and say so."""
        found = exchanges()
        if found is None:
            raise SkipTest(f"not run: there are no recordings in {FOLDER.name} beside the checkout")
        self.exchanges = [exchange for exchange in found if exchange.status < 300]
        self.book = PriceBook({})

    def charged(self, exchange: Exchange, chunks: list[bytes]) -> tuple[str, tuple[int, int, int, int], int]:
        """(certainty, token counts, nano-dollars) of an exchange whose answer comes in `chunks`."""
        kind = surface("POST", exchange.path, exchange.provider.api)
        asked = kind.understand(exchange.path, exchange.request)
        meter = metered(exchange.path, exchange.provider.api, exchange.streaming, chunks)
        reading = meter.reading
        usage, certainty = settle(reading, asked, len(exchange.request), reading.terminal)
        context = asked.context if reading.context is None else reading.context
        rates = self.book.rates_of_call(exchange.provider, reading.model, asked.model, NOON, context)
        assert rates is not None
        written = usage.cache_write + usage.cache_write_1h
        return certainty, (usage.total_input, usage.output, usage.cache_read, written), rates.cost(usage)

    def check(self, exchange: Exchange, chunks: list[bytes]) -> None:
        """The exchange must be charged as expected."""
        certainty, counts, cost = self.charged(exchange, chunks)
        said = exchange.expected
        if said is None:
            wanted = EXCEPTIONS.get(exchange.id, ("none", (0, 0, 0, 0), 0, ""))
            self.assertEqual((certainty, counts, cost), wanted[:3], exchange.id)
            return
        expected = (said.input_tokens, said.output_tokens, said.cache_read_tokens, said.cache_write_tokens)
        self.assertEqual((certainty, counts), ("exact", expected), exchange.id)
        if said.cost is not None:
            self.assertEqual(cost, to_nano(said.cost), exchange.id)

    def test_whole(self) -> None:
        """Every recorded answer is charged to the nano-dollar as expected."""
        self.assertGreater(len(self.exchanges), 600)
        for exchange in self.exchanges:
            self.check(exchange, [exchange.response])

    def test_cut_anywhere(self) -> None:
        """The same answers cut at arbitrary points are charged the same."""
        chance = random.Random(1)
        for exchange in self.exchanges:
            body = exchange.response
            cuts = sorted(chance.sample(range(len(body) + 1), min(5, len(body))))
            bounds = [0, *cuts, len(body)]
            self.check(exchange, [body[a:b] for a, b in pairwise(bounds)])

    def test_streams_byte_by_byte(self) -> None:
        """Every recorded stream, one byte at a time, is charged the same."""
        streams = [exchange for exchange in self.exchanges if exchange.streaming]
        self.assertEqual(len(streams), 44)
        for exchange in streams:
            self.check(exchange, pieces(exchange.response, 1))

    def test_streams_end_where_they_end(self) -> None:
        """Each recorded stream that came to its end is seen to, and none is seen to before."""
        for exchange in self.exchanges:
            if not exchange.streaming or exchange.id in EXCEPTIONS:
                continue
            meter = metered(exchange.path, exchange.provider.api, True, [exchange.response])
            self.assertTrue(meter.reading.terminal, exchange.id)
            last = exchange.response.rstrip().rindex(b"\n\n") if b"\n\n" in exchange.response.strip() else 0
            meter = metered(exchange.path, exchange.provider.api, True, [exchange.response[:last]])
            self.assertFalse(meter.reading.terminal, exchange.id)

    def test_stripping_recorded_streams(self) -> None:
        """From a recorded chat stream nothing but the usage chunk is taken, and usage is counted all the same."""
        for exchange in self.exchanges:
            if not (exchange.streaming and exchange.path.endswith("/chat/completions")):
                continue
            kind = surface("POST", exchange.path, "openai")
            events = exchange.response.split(b"\n\n")
            kept = b"\n\n".join(event for event in events if not kind.is_usage_only(event.removeprefix(b"data: ")))
            meter = Meter(kind, True, "", True)
            passed = b"".join(map(meter.feed, pieces(exchange.response, 100))) + meter.end()
            self.assertEqual(passed, kept, exchange.id)
