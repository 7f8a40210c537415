"""Every call leaves a record: counted in when it begins, written down when it is over, refused or not."""

from typing import Protocol

from agentgateway.domain.audit import AuditRecord, record_of
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.pipeline.onion import Quiet


class Journal(Protocol):
    """Where records go; a record is with the kernel when `append` returns."""

    def append(self, record: AuditRecord) -> None:
        """Write one down."""


class Record(Quiet):
    """Outermost of all: it sees refusals, and is told the end last, when everything is settled."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def take(self, exchange: Exchange, now: Moment) -> None:
        """One more in flight."""
        assert exchange.agent is not None
        exchange.agent.in_flight += 1
        exchange.agent.last_call = now.wall

    def close(self, exchange: Exchange, now: Moment) -> None:
        """One less, and its record."""
        agent, target = exchange.agent, exchange.target
        if exchange.admitted and agent is not None:
            agent.in_flight -= 1
            if target is not None:
                agent.last_model, agent.last_provider = exchange.model or agent.last_model, target.provider.name
        self._journal.append(record_of(exchange, now))
