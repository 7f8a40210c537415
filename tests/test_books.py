"""The books across a kill: audit log and ledger say the same, wherever it hit."""

import json
import os
from typing import Any

from msgspec.structs import replace
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.books import Books
from agentgateway.domain.audit import iso, record_of_change
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.pricing import PriceBook
from agentgateway.domain.usage import Usage
from agentgateway.domain.windows import Calendar
from agentgateway.pipeline import order
from agentgateway.wire.outbox import Outbox
from tests.pipeline.calls import CHAT, NOW, call, config_of, later

CONFIG = """
gateway: {{state_dir: {folder}}}
agents:
  writer: {{provider: openai, budget: {{max_cost_total: 5}}}}
audit: {{log_file: {folder}/audit.jsonl}}
store: "sqlite:{folder}/ledger.sqlite"
"""
BODY = b'{"model":"gpt-4o","max_tokens":10,"messages":[]}'


class Life:
    """One process, as far as its books go; `kill` leaves everything as it is."""

    def __init__(self, folder: str) -> None:
        config = config_of(CONFIG.format(folder=folder))
        self.ledger = Ledger(Calendar.of("UTC"))
        self.alerts: list[Any] = []
        self.clock = Clock()
        self.outbox = Outbox(self.clock)
        self.books = Books(config, self.ledger, self.clock, self.alerts.append, self.alerts.append, self.outbox)
        self.fleet = Fleet(config, self.ledger, NOW, self.books.stand, self.alerts.append)
        self.books.open(self.fleet, NOW)
        self.onion = order.build(config, self.fleet, PriceBook({}), self.books, self.books.commit)

    def begin(self) -> Any:
        """A call that has been let through."""
        exchange = call(CHAT, BODY, (b"x-agent-id", b"writer"))
        assert self.onion.admit(exchange, NOW) is None
        self.clock.advance(0)
        return exchange

    def end(self, exchange: Any, cost: int) -> None:
        """It is answered."""
        exchange.status, exchange.cost = 200, cost
        exchange.usage = Usage(input=7, output=3, reported_input=7)
        self.onion.close(exchange, later(1))
        self.clock.advance(0)

    def kill(self) -> None:
        """Nothing more is written."""
        self.books.log.close()
        self.books.store._release()


class KilledTests(SynchronousTestCase):
    """Three calls, and a kill."""

    def setUp(self) -> None:
        """A folder, and a process that has settled one call."""
        self.folder = os.path.abspath(self.mktemp())
        self.life = Life(self.folder)
        self.life.end(self.life.begin(), 100)

    def again(self) -> Life:
        """The next process; it is killed with the test."""
        self.life.kill()
        life = Life(self.folder)
        self.addCleanup(life.kill)
        return life

    def audited(self) -> list[dict[str, Any]]:
        """The log's lines."""
        with open(os.path.join(self.folder, "audit.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def check(self, life: Life) -> None:
        """Ledger and log agree, and nothing is in flight."""
        writer = life.ledger.account("writer")
        self.assertEqual(writer.life.cost, sum(round(line["cost_usd"] * 10**9) for line in self.audited()))
        self.assertEqual(writer.open, ())

    def test_between_calls(self) -> None:
        """What was settled is there."""
        life = self.again()
        self.check(life)
        self.assertEqual(life.ledger.account("writer").life.calls, 1)

    def test_memory(self) -> None:
        """The latest records are in memory after a start as they were before, each once, and nobody is told them again."""
        for cost in (200, 300):
            self.life.end(self.life.begin(), cost)
        before, lost = [one.id for one in self.life.books.log.tail], self.life.begin()
        life = self.again()
        self.assertEqual([one.id for one in life.books.log.tail], [*before, lost.id])
        life.end(after := life.begin(), 5)
        self.assertEqual([one.id for one in life.books.log.tail], [*before, lost.id, after.id])

    def test_in_flight(self) -> None:
        """A call in flight costs what it held, and the log says so."""
        exchange = self.life.begin()
        life = self.again()
        self.check(life)
        last = self.audited()[-1]
        self.assertEqual((last["id"], last["agent"], last["outcome"]), (exchange.id, "writer", "cut"))
        self.assertEqual((last["reason"], last["usage"]), ("gateway_killed", "estimated"))
        self.assertEqual(round(last["cost_usd"] * 10**9), exchange.amount)

    def test_between_log_and_journal(self) -> None:
        """A call whose record is in the log, and whose settlement is not in the journal, is settled as the log says."""
        exchange = self.life.begin()
        self.life.outbox.before = self.life.books.log.flush
        self.life.end(exchange, 4321)
        life = self.again()
        self.check(life)
        writer = life.ledger.account("writer")
        self.assertEqual((writer.life.cost, writer.life.calls, writer.life.output_tokens), (4421, 2, 6))
        self.assertEqual(len(self.audited()), 2)

    def test_in_the_middle_of_starting(self) -> None:
        """A kill while the calls in flight are being written down changes nothing of what they cost."""
        for _ in range(3):
            self.life.begin()
        self.life.kill()
        flush, Books.flush = Books.flush, lambda self: None  # type: ignore[method-assign]
        try:
            self.life = Life(self.folder)
        finally:
            Books.flush = flush  # type: ignore[method-assign]
        life = self.again()
        self.check(life)
        self.assertEqual(len(self.audited()), 4)

    def last(self, life: Life) -> tuple[Any, ...]:
        """When and what the agent called last."""
        agent = life.fleet.get("writer")
        assert agent is not None
        return agent.last_call, agent.last_model, agent.last_provider

    def test_last_call(self) -> None:
        """When an agent last called, and with which model, is known after a kill, by the log."""
        self.assertEqual(self.last(self.again()), (NOW.wall, "gpt-4o", "openai"))

    def test_last_call_of_old(self) -> None:
        """It is known also where the log has begun anew since, by the latest checkpoint."""
        store = self.life.books.store
        store._write(store._take(self.life.books._snapshot_of))
        self.life.kill()
        os.remove(os.path.join(self.folder, "audit.jsonl"))
        self.assertEqual(self.last(self.again()), (NOW.wall, "gpt-4o", "openai"))

    def test_no_calls(self) -> None:
        """What was refused, or an operator did, is no call, and a line that is older than the checkpoint changes nothing."""
        [answered] = self.life.books.log.tail
        others = {"refused": iso(NOW.wall + 5), "ok": iso(NOW.wall - 5)}
        for number, (outcome, ts) in enumerate(others.items()):
            self.life.books.append(replace(answered, id=f"{number}", outcome=outcome, ts=ts, model="other"))
        self.life.books.append(record_of_change("1", NOW.wall + 9, "writer", "POST", "/api", "pause"))
        self.life.books.flush()
        self.assertEqual(self.last(self.again()), (NOW.wall, "gpt-4o", "openai"))

    def test_pauses_and_caps(self) -> None:
        """A pause stands after a kill."""
        agent = self.life.fleet.get("writer")
        assert agent is not None
        self.life.fleet.pause(agent, "operator", "enough", NOW)
        self.life.books.flush()
        again = self.again().fleet.get("writer")
        assert again is not None and again.pause is not None
        self.assertEqual((again.pause.by, again.pause.reason), ("operator", "enough"))


class ListenerTests(SynchronousTestCase):
    """Who is told of records."""

    def test_once(self) -> None:
        """A listener hears of each record once; one that leaves hears no more."""
        folder = os.path.abspath(self.mktemp())
        life = Life(folder)
        self.addCleanup(life.kill)
        heard: list[str] = []

        def listen(record: Any) -> None:
            heard.append(record.id)

        life.books.listeners.append(listen)
        calls = [life.begin(), life.begin()]
        for exchange in calls:
            life.end(exchange, 5)
        self.assertEqual(heard, [calls[0].id, calls[1].id])
        life.books.listeners.remove(listen)
        life.end(life.begin(), 5)
        self.assertEqual(len(heard), 2)
