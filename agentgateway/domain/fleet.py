"""The agents as they are now: one state object each, found by id or by gateway key."""

import re
from collections.abc import Iterator

import attrs

from agentgateway.config.schema import Agent, Config

AGENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
ANONYMOUS = "anonymous"
"""The id of callers that give none, where the template `*` serves them."""
MAX_UNNAMED = 10_000
"""Agents made from the template `*`: what strangers can make us remember."""


@attrs.define(slots=True, eq=False)
class AgentState:
    """What is known of one agent while the gateway runs."""

    config: Agent
    in_flight: int = 0
    last_call: float | None = None

    @property
    def id(self) -> str:
        """The agent's id."""
        return self.config.id


class Fleet:
    """All agents: the configured ones, and those that the template `*` has made on the way."""

    def __init__(self, config: Config) -> None:
        self._agents: dict[str, AgentState] = {}
        self.by_key: dict[bytes, AgentState] = {}
        self._template: Agent | None = None
        self._unnamed = 0
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over a (new) configuration; states of agents that stay are kept."""
        self._template = config.agents.get("*")
        named = {name: agent for name, agent in config.agents.items() if name != "*"}
        for name, state in list(self._agents.items()):
            if name not in named and self._template is None:
                del self._agents[name]
            elif name not in named and self._template is not None:
                state.config = attrs.evolve(self._template, id=name)
        for name, agent in named.items():
            state = self._agents.setdefault(name, AgentState(agent))
            state.config = agent
        self._unnamed = len(self._agents) - len(named)
        self.by_key = {agent.key_sha256: self._agents[name] for name, agent in named.items() if agent.key_sha256}

    def find(self, agent_id: str) -> AgentState | None:
        """The agent of that id; made from the template where there is one. None: unknown, or one too many."""
        state = self._agents.get(agent_id)
        if state is None and self._template is not None and self._unnamed < MAX_UNNAMED:
            if AGENT_ID.fullmatch(agent_id):
                state = self._agents[agent_id] = AgentState(attrs.evolve(self._template, id=agent_id))
                self._unnamed += 1
        return state

    def get(self, agent_id: str) -> AgentState | None:
        """The agent of that id, if it is known already."""
        return self._agents.get(agent_id)

    def __iter__(self) -> Iterator[AgentState]:
        return iter(self._agents.values())

    def __len__(self) -> int:
        return len(self._agents)
