"""What an operator changes, whoever asks for it: done at once, written into the audit log, and told as an alert.

The record of a change has the shape of all others: the agent it is about, the request's method and path, `reason` says
who it was and what was before and after, and there is no provider, no model and no cost.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from agentgateway.domain import operator
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord, record_of_change
from agentgateway.domain.changed import in_words
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.moment import Moment
from agentgateway.domain.text import printable
from agentgateway.errors import ConfigError
from agentgateway.web.live import Live
from agentgateway.web.management.problems import Problem

_OPTIONS: Final = {"hour": "--hourly", "day": "--daily", "total": "--total"}
"""Of `agentgateway budget`, by cap."""


@attrs.frozen
class Order:
    """A change as it was asked for: by whom ("admin at 10.0.0.7"), with which method and path."""

    by: str
    method: str
    path: str


class Controls:
    """Pause, resume, budgets and reload; `note` writes an audit record down, `alert` tells what an operator should know."""

    def __init__(self, live: Live, note: Callable[[AuditRecord], None], alert: Callable[[Alert], None]) -> None:
        self._live = live
        self._note = note
        self._alert = alert

    def pause(self, order: Order, agent: AgentState, reason: str) -> None:
        """Refuse the agent's calls from now on; those in flight finish."""
        now, before = self._live.moment(), _standing(agent)
        self._live.fleet.pause(agent, "operator", reason, now)
        self._record(order, now, agent.id, f"{before} -> {_standing(agent)}")

    def resume(self, order: Order, agent: AgentState, reason: str) -> None:
        """Let the agent call again. Raises Problem (422) where a spent budget is in the way: that has to be raised."""
        now, before = self._live.moment(), _standing(agent)
        try:
            operator.resume(self._live.fleet, agent, reason, now)
        except operator.StillSpent as spent:
            options = " ".join(f"{_OPTIONS[cap]} N" for cap in spent.caps)
            how = f"agentgateway budget {agent.id} {options}, or PUT /api/budget/{agent.id}"
            raise Problem(422, "budget_exceeded", f"{spent.reason}: raise it ({how}){spent.or_wait}")
        self._record(order, now, agent.id, f"{before} -> {_standing(agent)}: {reason}")

    def set_caps(self, order: Order, agent: AgentState, asked: operator.NewCaps) -> None:
        """Other caps in place of those asked for, or the file's again, for calls in flight too.

        Raises Problem (422) for one that cannot be shared with other processes.
        """
        now = self._live.moment()
        try:
            told = operator.change_caps(self._live.fleet, agent, asked, now)
        except operator.CapTooLarge as large:
            raise Problem(422, "invalid", large.message)
        self._record(order, now, agent.id, told)
        self._alert(Alert(now.wall, "budget", f"{agent.id}: {told}, by {order.by}", agent.id))

    def reload(self, order: Order) -> Mapping[str, Any]:
        """Re-read the configuration file; what changed. Raises Problem (422) with every mistake, and changes nothing."""
        now = self._live.moment()
        try:
            changed = self._live.reload()
        except ConfigError as error:
            count = "1 mistake" if len(error.mistakes) == 1 else f"{len(error.mistakes)} mistakes"
            text = f"{order.by} asked for a reload: nothing changed, the configuration has {count}"
            self._alert(Alert(now.wall, "reload", text))
            mistakes = [attrs.asdict(mistake) | {"message": str(mistake)} for mistake in error.mistakes]
            raise Problem(422, "invalid_config", str(error), {"mistakes": mistakes})
        told = "; ".join(in_words(changed)) or "nothing changed"
        self._record(order, now, None, told)
        self._alert(Alert(now.wall, "reload", f"configuration reloaded by {order.by}: {told}"))
        return changed

    def _record(self, order: Order, now: Moment, agent: str | None, what: str) -> None:
        took = round((self._live.moment().monotonic - now.monotonic) * 1000, 3)
        reason = printable(f"{order.by}: {what}", 1000)
        id = self._live.next_id()
        self._note(record_of_change(id, now.wall, agent, order.method, order.path, reason, took))


def _standing(agent: AgentState) -> str:
    pause = agent.pause
    return "active" if pause is None else f"paused by {pause.by} ({pause.reason})"
