"""What the gateway asks of a store, and what the two hand each other.

A store is opened once (blocking, before anything is served), told every change as it happens, and about once a second told
to make a checkpoint. What it was told is with the kernel when `append` returns: killing the process loses nothing of it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from agentgateway.domain.account import Account
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.batch import is_error
from agentgateway.domain.caps import Reservation
from agentgateway.domain.counters import Tally
from agentgateway.domain.history import Point
from agentgateway.domain.journal import Record, Reserved
from agentgateway.domain.lease import Ask, Kind, News, Synced
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.logquery import LogQuery
from agentgateway.domain.money import NANO
from agentgateway.domain.standing import Standing
from agentgateway.errors import GatewayError

Change = Record | Standing
Snapshot = Mapping[str, Any]
"""What `Account.snapshot` gives."""


class StoreError(GatewayError):
    """A store that cannot be used; the message names the file and says why."""


class StoreBusy(StoreError):
    """Too many queries wait already; a later one may get through."""


@attrs.frozen
class Recovered:
    """What an earlier process left: snapshots by agent, the changes after them in order, each agent's last standing."""

    snapshots: Mapping[str, Snapshot]
    records: Sequence[Record]
    standings: Sequence[Standing]
    history: Sequence[Point] = ()

    def into(
        self,
        ledger: Ledger,
        append: Callable[[Record], None],
        now: float,
        audited: Mapping[str, AuditRecord] = {},
        shared: bool = False,
    ) -> tuple[Reservation, ...]:
        """Make `ledger` what it was, let it tell `append` from now on, and settle what was in flight; gives those calls.

        A call that is in `audited` (by id) was settled already, a moment before the process died: it costs what that says.
        `shared`: caps are a fleet's, who took these calls for spent at the time. They are booked then, not now.
        """
        ledger.restore(self.snapshots, now)
        for record in self.records:
            ledger.replay(record)
        ledger.journal = append
        begun = max((record.at for record in self.records if isinstance(record, Reserved)), default=0.0)
        at = ledger.last_booked(now, begun) if shared else now
        for reservation in [call for account in ledger for call in account.open if call.id in audited]:
            _settle_as(audited[reservation.id], ledger.account(reservation.agent), reservation, at)
        return ledger.recover(at)


def _settle_as(record: AuditRecord, account: Account, reservation: Reservation, now: float) -> None:
    tokens = record.input_tokens + record.cache_read_tokens + record.cache_write_tokens
    counts = 1, int(is_error(record)), tokens, record.output_tokens
    account.close(now, reservation, Tally(round(record.cost_usd * NANO), *counts))


class IStore(Interface):
    """Where money, standings and the index of audit records survive."""

    def open() -> Recovered:
        """Take the store into use, blocking. Raises StoreError for what cannot be used, or is in use by another."""

    def append(*changes: Change) -> None:
        """Changes of one event, which survive together or not at all; with the kernel on return. Never raises."""

    def audit(record: AuditRecord, line: bytes = b"") -> None:
        """A record for the index of `logs`, there at the next checkpoint; `line` is its JSON, where that is made already."""

    def history(points: Sequence[Point]) -> None:
        """Rows of the charts; there at the next checkpoint, for as long as charts show them. Losing some is no harm."""

    def checkpoint(snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """Write down every account that changed, by id as of now, and shorten the journal.

        Fires when that is over, never with a failure: what could not be written is kept, alerted and tried again.
        """

    def logs(query: LogQuery) -> Deferred[list[bytes]]:
        """Audit records as JSON without line ends, newest last. Fails with StoreBusy or StoreError."""

    def settled() -> Deferred[None] | None:
        """None where `append` promises all there is; else it fires when all that was appended survives a power loss."""

    def close(snapshot_of: Callable[[str], Snapshot]) -> Deferred[None]:
        """A last checkpoint, then let go of everything."""


class IFleetHistory(Interface):
    """A store that also knows what the other processes of a fleet have counted."""

    def chart(key: str, span: int, since: float) -> Deferred[list[bytes]]:
        """Rows of a chart from `since` (epoch seconds) on, oldest first, summed over all processes.

        `key` is as in `domain.history`, `span` and the rows are as in `domain.series`. The current span is up to a minute
        old; of the quantiles the median is a mean by calls, the 95th percentile that of the slowest process. Fails with
        StoreBusy or StoreError.
        """

    def waits() -> float:
        """For how long the oldest record of this process has waited that others may not see yet, in seconds.

        At the start, when it is not known what an earlier process has left, it counts from there.
        """


class LiveError(GatewayError):
    """The shared live state gave no answer: it is away, slow, or was so a moment ago. Whatever was sent may have happened."""


class ILive(Interface):
    """The live state that all processes of a fleet share: who spent what, who may spend how much, and news.

    Nothing here waits long: a Deferred fires within 100 ms, or fails with LiveError. An answer that comes later is dropped.
    """

    up: bool = Attribute("""Whether the last question was answered.""")

    def start(news: Callable[[News], None]) -> None:
        """Connect, and stay connected. `news` is told what others and this process itself tell, each once, in order.

        What was told before the start, or missed while away, is told as well, as far as it is still the latest.
        """

    def sync(asks: Sequence[Ask], telling: bool = False) -> Deferred[Synced]:
        """Tell and ask, all at once; also without asks it says that this process is alive. One at a time.

        `telling`: there is more to tell of what the shared state has lost, before anything is granted.
        A lease is safe for `TTL` seconds from the moment that an answered sync was *sent*.
        """

    def tell(kind: Kind, agent: str, body: bytes, at: int | None = None) -> Deferred[None]:
        """Tell everybody, and keep it for those who come later; fires once it is kept.

        `at` says when it was said: then it is kept, and others told, only where nothing is kept of that time or later.
        """

    def once(key: str, seconds: int) -> Deferred[bool]:
        """Whether nobody else said `key` within `seconds`: so that a fleet warns once."""

    def close() -> Deferred[None]:
        """Disconnect for good."""


class Reply(Protocol):
    """What another worker of this gateway has answered, in the words of HTTP."""

    @property
    def number(self) -> int:
        """Which worker."""

    @property
    def status(self) -> int:
        """200 and so on."""

    @property
    def body(self) -> bytes:
        """All of it."""


class Siblings(Protocol):
    """The other workers of this gateway; who does not answer soon is left out."""

    @property
    def own(self) -> int:
        """This worker's number."""

    @property
    def others(self) -> list[int]:
        """Theirs."""

    def ask(self, method: bytes, target: bytes, patience: float = 1.0) -> Awaitable[Sequence[Reply]]:
        """What they answer, those that do within `patience` seconds."""

    def ask_one(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> Awaitable[Reply | None]:
        """What one of them answers, if it does."""

    def follow(self, target: bytes, take: Callable[[int, bytes | None], None]) -> Callable[[], None]:
        """Give `take` the lines that each of them answers, by its number, until what is returned is called.

        None in place of a line: what that one has said so far is over; it is asked again.
        """
