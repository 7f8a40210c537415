"""The money of all agents: their accounts by id, and how they come back after a crash.

A store keeps snapshots, and after each the journal's records that came later; `replay` makes of them the same ledger.
What was still reserved when the process died is then settled at its reserve: a lost call is never free. In order:
`restore`, `replay`, set `journal`, `recover`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.caps import Reservation
from agentgateway.domain.journal import Counted, Record, Released, Reserved, Settled
from agentgateway.domain.windows import Calendar


@attrs.define(eq=False)
class Ledger:
    """Accounts by agent id, in one time zone. `journal`, once it is set, is told each change of each account."""

    calendar: Calendar
    journal: Callable[[Record], None] | None = None
    _accounts: dict[str, Account] = attrs.Factory(dict)

    def account(self, agent: str, budget: Budget | None = None) -> Account:
        """The account of an agent, opened at its first mention; it goes by `budget`, where one is given."""
        account = self._accounts.get(agent)
        if account is None:
            account = self._accounts[agent] = Account.new(agent, budget or Budget(), self.calendar, self._tell)
        elif budget is not None and budget != account.budget:
            account.set_caps(budget)
        return account

    def forget(self, agent: str) -> None:
        """Drop an account, if there is one: what bounds the memory of agents that are gone."""
        self._accounts.pop(agent, None)

    def set_calendar(self, calendar: Calendar, now: float) -> None:
        """Hours and days of another zone from now on."""
        self.calendar = calendar
        for account in self:
            account.set_calendar(calendar, now)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Each account's snapshot, by agent id."""
        return {account.id: account.snapshot() for account in self}

    def restore(self, snapshots: Mapping[str, Mapping[str, Any]], now: float) -> None:
        """Make accounts be what their snapshots say; tells the journal nothing."""
        for agent, snapshot in snapshots.items():
            self.account(agent).restore(snapshot, now)

    def replay(self, record: Record) -> None:
        """Apply one record of a journal; one whose call is known, or closed, already changes nothing."""
        account = self.account(record.agent)
        if isinstance(record, Counted):
            tokens = {"input_tokens": record.input_tokens, "output_tokens": record.output_tokens}
            account.count(record.at, error=record.error, **tokens)
            return
        call = account.reservation(record.id)
        match record:
            case Reserved() if call is None:
                account.hold(record.id, record.amount, at=record.at)
            case Settled() if call is not None:
                account.close(record.at, call, record.tally)
            case Released() if call is not None:
                account.release(call)

    def last_booked(self, now: float, seen: float = 0.0) -> float:
        """`now`, or an instant of the latest hour in which anything was booked, where that is over.

        `seen`: when something else is known to have happened, which may be later.
        """
        latest = max([seen, *(float(account.own_windows()[0].start) for account in self)])
        return latest if 0 < latest < self.calendar.hour(now).start else now

    def recover(self, now: float) -> tuple[Reservation, ...]:
        """Settle what was in flight at a crash, at its reserve; gives those calls."""
        return tuple(reservation for account in self for reservation in account.recover(now))

    def _tell(self, record: Record) -> None:
        if self.journal is not None:
            self.journal(record)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)
