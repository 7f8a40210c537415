"""Every call leaves one record."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.identify import Identify
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.record import Record
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of, later


class Pages:
    """A journal in memory."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def append(self, record: AuditRecord) -> None:
        """Keep one."""
        self.records.append(record)


class RecordTests(SynchronousTestCase):
    """Counted in, counted out, and written down."""

    def setUp(self) -> None:
        """One agent and its journal."""
        self.fleet = fleet_of(config_of("agents: {coder: {tags: [x]}}"))
        self.pages = Pages()
        self.onion = Onion([Record(self.pages), Identify(self.fleet)])

    def test_admitted(self) -> None:
        """A call is in flight from the taking to the end, and its record says how long that was."""
        exchange = call(CHAT, b"", (b"x-agent-id", b"coder"))
        self.assertIsNone(self.onion.admit(exchange, NOW))
        agent = exchange.agent
        assert agent is not None
        self.assertEqual((agent.in_flight, agent.last_call, self.pages.records), (1, NOW.wall, []))
        exchange.status = 200
        self.onion.close(exchange, later(0.25))
        self.assertEqual(agent.in_flight, 0)
        [record] = self.pages.records
        self.assertEqual((record.agent, record.status, record.outcome), ("coder", 200, "ok"))
        self.assertEqual((record.latency_ms, record.tags), (250.0, ("x",)))

    def test_refused(self) -> None:
        """A refused call is written down too, but was never in flight."""
        exchange = call(CHAT, b"", (b"x-agent-id", b"stranger"))
        refusal = self.onion.admit(exchange, NOW)
        assert isinstance(refusal, Refusal)
        exchange.refuse(refusal)
        self.onion.close(exchange, NOW)
        [record] = self.pages.records
        self.assertEqual((record.agent, record.outcome, record.reason), ("stranger", "refused", "unknown_agent"))
        self.assertEqual([agent.in_flight for agent in self.fleet], [0])
