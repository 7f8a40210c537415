"""The books: audit log, journal and store as one. What the kernel has been handed here survives a killed process."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from agentgateway.config.schema import Config
from agentgateway.domain.audit import AuditRecord, lost_record
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.logquery import millis
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Standing
from agentgateway.interfaces import Change, Recovered, Snapshot
from agentgateway.stores.audit import AuditLog
from agentgateway.stores.make import make_store
from agentgateway.wire.outbox import Outbox

Alerting = Callable[[str], None]
LAST: Final = "last"
"""Beside an account's money in its snapshot: when, and with which model at which provider, the agent called last."""


class Books:
    """Keeps what calls cost and how they went; `listeners` are told each audit record."""

    def __init__(
        self, config: Config, ledger: Ledger, reactor: Any, log: Alerting, store: Alerting, outbox: Outbox
    ) -> None:
        """`log` and `store` are told what goes wrong with either. Raises AuditLogError and StoreError.

        What is written down in a turn of the reactor goes to the kernel in one write, before anything leaves by `outbox`.
        """
        self._ledger = ledger
        self._fleet: Fleet
        self._changes: list[Change] = []
        self._opened = False
        self._shared = config.shared is not None
        self.log = AuditLog(config.audit.log_file, config.audit.max_entries, log)
        shared = (config.shared, config.audit.log_file)
        self.store = make_store(config.store, config.gateway.state_dir, reactor, store, config.durability, *shared)
        outbox.before = self.flush
        self.commit = self.flush if config.durability == "power" else outbox.ask
        """What has changed is with the kernel before anything else leaves the process; with `power`, on return."""
        self.listeners: list[Callable[[AuditRecord], object]] = []

    def open(self, fleet: Fleet, now: Moment) -> Recovered:
        """Take the store into use and be what an earlier process was; blocking. Raises StoreError.

        The end of its log is remembered too, but no listener is told: whoever counts has counted that before.
        Not done when the service is made: `twistd` forks between that and starting, and a database must not be forked.
        """
        recovered = self.store.open()
        self._fleet, self._opened = fleet, True
        audited, append = self.log.latest(), self._changes.append
        self.log.tail.extend(audited.values())
        for lost in recovered.into(self._ledger, append, now.wall, audited, self._shared):
            self.log.append(lost_record(lost, now.wall))
        self.flush()
        fleet.restore(recovered.standings, now)
        _remember(fleet, recovered.snapshots, audited.values())
        return recovered

    def append(self, record: AuditRecord) -> None:
        """An audit record: into the log, and into the store's index."""
        line = self.log.append(record)
        self.commit()
        self.store.audit(record, line)
        for listener in self.listeners:
            listener(record)

    def flush(self) -> None:
        """Hand what has changed to the kernel, in one write to the log and one to the journal.

        The journal hears of a call's money after the log has its record: the start after a kill in between goes by it.
        """
        self.log.flush()
        if self._changes:
            self.store.append(*self._changes)
            self._changes.clear()

    def stand(self, standing: Standing) -> None:
        """An agent stands otherwise from now on; written with what brought it about."""
        self._changes.append(standing)

    def checkpoint(self) -> None:
        """Once a second: the store takes over what the journal has."""
        self.flush()
        self.store.checkpoint(self._snapshot_of)

    async def close(self) -> None:
        """A last checkpoint, then let go of everything."""
        self.flush()
        if self._opened:
            await self.store.close(self._snapshot_of)
        self.log.close()

    def _snapshot_of(self, agent: str) -> Snapshot:
        money, state = self._ledger.account(agent).snapshot(), self._fleet.get(agent)
        return money if state is None else {**money, LAST: [state.last_call, state.last_model, state.last_provider]}


def _remember(fleet: Fleet, snapshots: Mapping[str, Snapshot], audited: Iterable[AuditRecord]) -> None:
    """When and what agents called last: as of the latest checkpoint, and by the log since."""
    for agent, snapshot in snapshots.items():
        state = fleet.get(agent)
        if state is not None and LAST in snapshot:
            state.last_call, state.last_model, state.last_provider = snapshot[LAST]
    for record in audited:
        state = fleet.get(record.agent or "")
        if state is None or record.provider is None or record.outcome == "refused":
            continue
        at, known = millis(record.ts) / 1000, state.last_call or 0.0
        if at > known - 0.001:  # the record's time has no finer parts
            state.last_call = max(at, known)
            state.last_model, state.last_provider = record.model or state.last_model, record.provider
