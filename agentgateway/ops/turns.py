"""Which agents a process asks the shared store about next."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import attrs

from agentgateway.domain.agent import AgentState
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment

LOOKED_AT: Final = 100
"""Agents asked about in a second, by all processes together, just to know what the others do with them."""
LOOK_AGAIN: Final = 5
"""Beats after which an agent that its budget has paused is asked about, though nobody calls."""


@attrs.define(eq=False)
class Turns:
    """Those for which something is urgent come first (see `link`), then those that are due."""

    fleet: Fleet
    link: Link
    due: set[str] = attrs.Factory(set)
    """To be told of, when their turn comes."""
    holding: set[str] = attrs.Factory(set)
    """Agents that hold something, as of the latest answers."""
    untold: set[str] = attrs.Factory(set)
    """To be told of because the store has forgotten them."""
    _telling: set[str] = attrs.Factory(set)
    """Those among them that the question under way is about."""
    _beats: int = 0
    _looked: int = 0
    """Agents looked at of all, in this turn."""

    def states(self, names: Iterable[str]) -> list[AgentState]:
        """The agents of these names, as far as there are any."""
        return [state for name in names if (state := self.fleet.get(name)) is not None]

    def beat(self, now: Moment) -> None:
        """A second is over: everything that has changed is due, and what is held for nothing."""
        self._beats += 1
        self.due |= self.link.changed
        self.link.changed.clear()
        self.due.update(agent.id for agent in self.states(self.holding) if agent.holds_idle(now))
        self.due |= self._look_around()
        if self._beats % LOOK_AGAIN == 0:
            self.due.update(agent.id for agent in self.fleet if agent.pause is not None and agent.pause.by == "budget")

    def _look_around(self) -> set[str]:
        """The next few agents in turn: what is shown of them, and what policies go by, is to be everybody's."""
        agents, few = [agent.id for agent in self.fleet], max(1, LOOKED_AT // self.link.members)
        if self._looked >= len(agents):
            self._looked = 0
        start, self._looked = self._looked, self._looked + few
        return set(agents[start : self._looked])

    def forgotten(self) -> None:
        """The store has lost all it knew: whatever was spent or is held has to be told anew, and nothing besides."""
        self.untold = {agent.id for agent in self.fleet if agent.holds or _has_to_tell(agent)}

    def take(self, most: int, waiting: Iterable[str]) -> set[str]:
        """The next so many; those that calls wait for come first of all, but last where there is nothing to get yet."""
        names: set[str] = set()
        order = (waiting, self.link.urgent, self.untold, self.due)
        for some in reversed(order) if self.link.begins else order:
            names.update(islice(some, most - len(names)))
        self._telling = self.untold & names
        for done in (self.link.urgent, self.untold, self.due, self.link.changed):
            done -= names
        return names

    def missed(self, names: Iterable[str]) -> None:
        """There was no answer about those taken last: it is their turn again."""
        self.due.update(names)
        self.untold |= self._telling

    def learned(self, agent: AgentState) -> None:
        """There was an answer about this agent."""
        (self.holding.add if agent.holds else self.holding.discard)(agent.id)

    def all(self) -> set[str]:
        """Every agent there may be something to say of."""
        return self.holding | self.due | self.untold | self.link.changed | self.link.urgent


def _has_to_tell(agent: AgentState) -> bool:
    share, life = agent.account.share, agent.account.life
    return life.calls > 0 or life.cost > 0 or (share is not None and share.remembers)
