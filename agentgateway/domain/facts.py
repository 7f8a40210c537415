"""What policies and status pages may know of one agent at one moment: the numbers of `lexicon.NAMES`, computed when read."""

from typing import TYPE_CHECKING

from agentgateway.domain.money import NANO

if TYPE_CHECKING:
    from agentgateway.domain.agent import AgentState

IDLE_AFTER = 300.0
"""Seconds without a call after which an agent is idle."""


class Facts:
    """The facts of `agent` at `wall` (epoch seconds). Costs are dollars, rates from 0 to 1.

    `asked`: the model that a call asks for which is about to begin.
    """

    __slots__ = ("_agent", "_asked", "_wall")

    def __init__(self, agent: "AgentState", wall: float, asked: str | None = None) -> None:
        self._agent = agent
        self._wall = wall
        self._asked = asked

    @property
    def id(self) -> str:
        """The agent's id."""
        return self._agent.config.id

    @property
    def status(self) -> str:
        """`paused`, `idle` (no call within five minutes) or `active`."""
        if self._agent.pause is not None:
            return "paused"
        last = self._agent.last_call
        return "idle" if not self._agent.in_flight and (last is None or self._wall - last > IDLE_AFTER) else "active"

    @property
    def model(self) -> str | None:
        """The model of the call that is about to begin, else of the latest one, else the configured one."""
        return self._asked or self._agent.last_model or self._agent.config.model

    @property
    def provider(self) -> str | None:
        """The provider of the latest call, else the configured one."""
        return self._agent.last_provider or self._agent.config.provider

    @property
    def tags(self) -> tuple[str, ...]:
        """The agent's tags."""
        return self._agent.config.tags

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return self._agent.in_flight

    @property
    def error_rate(self) -> float:
        """Errors a call in this clock hour."""
        return self._agent.account.hour(self._wall).error_rate

    @property
    def errors_this_hour(self) -> int:
        """Errors in this clock hour."""
        return self._agent.account.hour(self._wall).errors

    @property
    def cost_this_hour(self) -> float:
        """Dollars in this clock hour."""
        return self._agent.account.hour(self._wall).cost / NANO

    @property
    def cost_today(self) -> float:
        """Dollars in this day."""
        return self._agent.account.day(self._wall).cost / NANO

    @property
    def total_cost(self) -> float:
        """Dollars ever."""
        return self._agent.account.total.cost / NANO

    @property
    def cost_per_minute(self) -> float:
        """Dollars in the last minute, about."""
        return self._agent.account.cost_pace.value(self._wall) / NANO

    @property
    def calls_this_hour(self) -> int:
        """Answered calls in this clock hour."""
        return self._agent.account.hour(self._wall).calls

    @property
    def calls_per_minute(self) -> float:
        """Answered calls in the last minute, about."""
        return self._agent.account.call_pace.value(self._wall)

    @property
    def call_count(self) -> int:
        """Answered calls ever."""
        return self._agent.account.total.calls

    @property
    def error_count(self) -> int:
        """Errors ever."""
        return self._agent.account.total.errors

    @property
    def tokens_this_hour(self) -> int:
        """Input and output tokens in this clock hour."""
        return self._agent.account.hour(self._wall).tokens

    @property
    def input_tokens(self) -> int:
        """Input tokens ever."""
        return self._agent.account.total.input_tokens

    @property
    def output_tokens(self) -> int:
        """Output tokens ever."""
        return self._agent.account.total.output_tokens
