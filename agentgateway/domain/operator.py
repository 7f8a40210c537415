"""What an operator asks for as JSON, and what an agent becomes then: the same through the API and from the dashboard."""

from typing import Final, Literal

import attrs
import msgspec
from msgspec import UNSET, UnsetType

from agentgateway.config.schema import CAP_KEYS, Budget
from agentgateway.domain.caps import CapName
from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.lease import LARGEST_CAP
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import NANO, dollars, to_nano
from agentgateway.domain.standing import Caps
from agentgateway.domain.text import printable

MAX_REASON: Final = 500
"""Characters."""
MAX_DOLLARS: Final = 10**9
"""As in the configuration, caps stay below this."""

Amount = int | float | str | None | UnsetType


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """The body of whatever only needs a reason. Making one raises ValueError for a reason that is too long."""

    reason: str | None = None

    def __post_init__(self) -> None:
        if self.reason is not None and len(self.reason) > MAX_REASON:
            raise ValueError(f"reason: expected at most {MAX_REASON} characters, got {len(self.reason)}")

    def text(self, default: str) -> str:
        """The reason on one line; `default` where none is given."""
        return printable((self.reason or "").strip(), MAX_REASON) or default


class NewCaps(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a budget: dollars, null for no cap; what is left out stays, or with `set_by` is the file's again.

    Making one raises ValueError for what is no amount of money, and where nothing is given.
    """

    max_cost_per_hour: Amount = UNSET
    max_cost_per_day: Amount = UNSET
    max_cost_total: Amount = UNSET
    set_by: Literal["file"] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not self.nanos() and self.set_by is UNSET:
            raise ValueError(f"expected one or more of {', '.join(CAP_KEYS.values())}, got none")

    def nanos(self) -> dict[str, int | None]:
        """The caps that are given, in nano-dollars."""
        given = {name: getattr(self, name) for name in CAP_KEYS.values()}
        return {name: _nano(name, amount) for name, amount in given.items() if not isinstance(amount, UnsetType)}


def _nano(name: str, amount: int | float | str | None) -> int | None:
    if amount is None:
        return None
    try:
        # A float far below a nano-dollar has more digits than money: it is nothing.
        nano = to_nano(round(amount, 9) if isinstance(amount, float) else amount)
    except ValueError:
        nano = -1
    if not 0 <= nano < MAX_DOLLARS * NANO:
        got = printable(str(amount), 40)
        raise ValueError(f"{name}: expected dollars, 0 or more and below a billion, or null, got {got}")
    return nano


@attrs.define
class StillSpent(Exception):
    """A budget paused the agent and is spent still, as `reason` says: it has to be raised; nothing was changed."""

    reason: str
    caps: tuple[CapName, ...]
    """All that are spent."""

    @property
    def or_wait(self) -> str:
        """What else helps, as the end of a sentence: a total has no window that ends."""
        return "" if "total" in self.caps else ", or wait until its window ends"


@attrs.define
class CapTooLarge(Exception):
    """A cap that cannot be; `message` says which, and why."""

    message: str


def resume(fleet: Fleet, agent: AgentState, why: str, now: Moment) -> None:
    """Let the agent call again. Raises StillSpent."""
    if agent.pause is not None and agent.pause.by == "budget":
        spent = tuple(cap.name for cap in agent.account.caps(now.wall) if cap.exhausted)
        if spent:
            raise StillSpent(agent.pause.reason, spent)
    fleet.resume(agent, why, now)
    fleet.watch_budget(agent, now)  # a budget spent while an operator's pause stood in front of it


def change_caps(fleet: Fleet, agent: AgentState, asked: NewCaps, now: Moment) -> str:
    """Other caps in place of those asked for, or the file's again; what was and what is, in words.

    Raises CapTooLarge, and changes nothing, for a cap that a fleet of processes could not share.
    """
    given = asked.nanos()
    if agent.account.share is not None:
        for name, cap in given.items():
            if cap is not None and cap > LARGEST_CAP:
                raise CapTooLarge(f"{name}: expected at most {LARGEST_CAP // NANO:,} dollars with a shared store")
    before = _caps(agent.budget)
    rest = before if asked.set_by is UNSET else _caps(agent.config.budget)
    fleet.set_caps(agent, Caps(**{**rest, **given}) if given else None, now)
    after = _caps(agent.budget)
    changed = [f"{name} {_money(before[name])} -> {_money(cap)}" for name, cap in after.items() if cap != before[name]]
    return ("" if given else "the file's caps again: ") + (", ".join(changed) or "all caps as they were")


def _caps(budget: Budget) -> dict[str, int | None]:
    return {name: getattr(budget, name) for name in CAP_KEYS.values()}


def _money(nano: int | None) -> str:
    return "none" if nano is None else f"${dollars(nano)}"
