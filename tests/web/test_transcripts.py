"""Every recorded exchange with a real provider passes through a running gateway unchanged, metered and priced."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from agentgateway.domain.moment import Moment
from agentgateway.domain.money import to_nano
from tests.harness import Running, reactor, start_gateway
from tests.peers import STREAM_HEAD, Answer, Field, Origin, Received, Visit, call_in, chunk, post, response
from tests.pipeline.test_meter import EXCEPTIONS
from tests.transcripts import FOLDER, PROVIDERS, Exchange, exchanges

ASKED = b'"stream_options":{"include_usage":true},'
CALLERS = 8
DRIPPED = 4_500
"""Streams up to this many bytes are also delivered a byte at a time."""
PATIENT = "circuit_breaker: {{error_threshold: 1000000}}"
REASONS = {200: b"200 OK", 400: b"400 Bad Request", 404: b"404 Not Found", 429: b"429 Too Many Requests"}

PRICED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
"""When the expectations were reckoned: some models cost less at night."""


def config() -> str:
    """A provider and an agent for each of those recorded, at the paths of the real base URLs."""
    providers = "".join(
        f'  {name}: {{{{api: {provider.api}, base_url: "{{provider}}{_base(provider.base_url)}"}}}}\n'
        for name, provider in PROVIDERS.items()
    )
    agents = "".join(f"  {name}: {{{{provider: {name}, {PATIENT}}}}}\n" for name in PROVIDERS)
    return f"""
gateway: {{{{port: 0, host: 127.0.0.1, state_dir: {{state}}}}}}
providers:
{providers}agents:
{agents}audit: {{{{log_file: {{state}}/audit.jsonl}}}}
dashboard: false
store: "memory:"
"""


def _base(url: str) -> str:
    return urlsplit(url).path


def recorded_fields() -> dict[str, list[Field]]:
    """The recorded response header fields of each exchange."""
    lines = [line for name in sorted(FOLDER.glob("*.jsonl")) for line in name.read_text().splitlines()]
    return {
        record["id"]: [(key.encode(), value.encode()) for key, value in record["response"]["headers"].items()]
        for record in map(json.loads, lines)
    }


class Player:
    """The origin's script: gives each request the answer recorded for it, cut as its `x-cut` says."""

    def __init__(self, known: dict[str, Exchange], fields: dict[str, list[Field]]) -> None:
        self._known = known
        self._fields = fields

    def __call__(self, visit: Visit, request: Received) -> None:
        """Answer."""
        [id_], [cut] = request.all(b"x-exchange"), request.all(b"x-cut")
        exchange = self._known[id_.decode()]
        fields, body = self._fields[exchange.id], exchange.response
        if not exchange.streaming:
            visit.say(response(body, *fields, status=REASONS[exchange.status]))
            return
        head = STREAM_HEAD.split(b"\r\n", 1)[0] + b"\r\n"
        head += b"".join(b"%b: %b\r\n" % field for field in fields) + b"Transfer-Encoding: chunked\r\n\r\n"
        visit.say(head, *map(chunk, cuts(body, cut.decode())), chunk(b""))


def cuts(body: bytes, way: str) -> list[bytes]:
    """`body` in pieces: "whole", "bytes", or at places that a seed chooses."""
    if way == "whole":
        return [body]
    if way == "bytes":
        return [body[at : at + 1] for at in range(len(body))]
    chance = random.Random(way)
    places = sorted(chance.sample(range(1, len(body)), min(len(body) - 1, chance.randrange(1, 60))))
    return [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]


class TranscriptTests(TestCase):
    """What agents said to providers and heard from them, once more, with the gateway between."""

    timeout = 110

    def test_all(self) -> Any:
        """Bodies are the same byte for byte both ways, and the audit log says what was used and what it cost."""
        recorded = exchanges()
        if recorded is None:
            print(f"recorded exchanges: NOT RUN, there is no {FOLDER}")
            return None
        known = {exchange.id: exchange for exchange in recorded}
        calls = [(exchange, "whole") for exchange in recorded]
        streams = [exchange for exchange in recorded if exchange.streaming]
        calls += [(exchange, f"seed {n} {exchange.id}") for exchange in streams for n in range(2)]
        calls += [(exchange, "bytes") for exchange in streams if len(exchange.response) <= DRIPPED]

        async def scenario() -> None:
            origin = Origin(Player(known, recorded_fields()))
            running = await start_gateway(self, config(), origin)
            running.service.live.moment = lambda: Moment(reactor.seconds(), PRICED_AT)
            answers: dict[str, tuple[Exchange, Answer]] = {}
            queue = iter(calls)
            await gatherResults([ensureDeferred(self.caller(running, queue, answers)) for _ in range(CALLERS)])
            self.assertEqual(len(answers), len(calls))
            self.check_requests(origin, known)
            records = {record["id"]: record for record in running.records}
            self.assertEqual(len(records), len(calls))
            wrong = [line for id_, (exchange, _) in answers.items() for line in differences(exchange, records[id_])]
            self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

        return ensureDeferred(scenario())

    async def caller(self, running: Running, queue: Any, answers: dict[str, tuple[Exchange, Answer]]) -> None:
        """One kept-alive connection that works the queue off."""
        caller = await call_in(self, running.port)
        for exchange, cut in queue:
            fields = (b"x-agent-id", exchange.provider.name.encode()), (b"x-exchange", exchange.id.encode())
            answer = await caller.ask(post(exchange.path.encode(), exchange.request, *fields, (b"x-cut", cut.encode())))
            self.assertEqual((answer.status, answer.ended), (exchange.status, True), exchange.id)
            self.assertEqual(bytes(answer.body), exchange.response, f"{exchange.id} {cut}")
            answers[answer.one(b"x-agentgateway-request-id")] = (exchange, answer)

    def check_requests(self, origin: Origin, known: dict[str, Exchange]) -> None:
        """What reached the provider: its path below the base URL, and the body, but for the usage asked for."""
        for request in origin.requests:
            exchange = known[request.all(b"x-exchange")[0].decode()]
            base = _base(exchange.provider.base_url).encode()
            path = exchange.path.encode()
            self.assertEqual(request.target, path if base and path.startswith(base + b"/") else base + path)
            body = exchange.request.replace(b"{", b"{" + ASKED, 1) if asks_usage(exchange) else exchange.request
            self.assertEqual(bytes(request.body), body, exchange.id)


def differences(exchange: Exchange, record: dict[str, Any]) -> list[str]:
    """Where the audit record of a call differs from what is expected of it."""
    certainty, counts, cost = wanted(exchange)
    total = record["input_tokens"]
    if exchange.provider.api == "anthropic":  # whose own figure excludes what was cached
        total += record["cache_read_tokens"] + record["cache_write_tokens"]
    got = (total, record["output_tokens"], record["cache_read_tokens"], record["cache_write_tokens"])
    spent = Decimal(str(record["cost_usd"])) * 10**9
    found = []
    if (record["usage"], got) != (certainty, counts):
        found.append(f"{exchange.id} {exchange.path}: {record['usage']} {got}, expected {certainty} {counts}")
    if cost is not None and spent != cost:
        found.append(f"{exchange.id} {record['model']}: {spent} nano-dollars, expected {cost}")
    return found


def wanted(exchange: Exchange) -> tuple[str, tuple[int, ...], int | None]:
    """(certainty, tokens, nano-dollars) of an exchange; None where no price is known."""
    said = exchange.expected
    if said is not None:
        cost = None if said.cost is None else to_nano(said.cost)
        counts = (said.input_tokens, said.output_tokens, said.cache_read_tokens, said.cache_write_tokens)
        return "exact", counts, cost
    if exchange.status >= 400:
        return "none", (0, 0, 0, 0), 0
    certainty, counts, cost, _ = EXCEPTIONS.get(exchange.id, ("none", (0, 0, 0, 0), 0, ""))
    if certainty == "estimated" and asks_usage(exchange):  # the estimate goes by the bytes sent, ours included
        return certainty, (counts[0] + len(ASKED) // 4, *counts[1:]), None
    return certainty, counts, cost


def asks_usage(exchange: Exchange) -> bool:
    """Whether the gateway has to ask for the usage of this stream."""
    chat = exchange.path.endswith("/chat/completions") and exchange.streaming
    return chat and b'"include_usage":true' not in exchange.request
