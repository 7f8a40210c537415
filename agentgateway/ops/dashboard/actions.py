"""What an operator can do from the page: each change is made at once, alerted, and written into the audit log."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import msgspec

from agentgateway.domain import operator
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord, record_of_change
from agentgateway.domain.fleet import AgentState
from agentgateway.domain.operator import NewCaps, Why
from agentgateway.ops.dashboard.shared import Shared

T = TypeVar("T", bound=msgspec.Struct)


@attrs.frozen
class CannotDo(Exception):
    """`status` as HTTP has it; `message` says why, for people."""

    status: int
    message: str


@attrs.frozen
class Actions:
    """`note` writes an audit record down. All of these raise CannotDo; then nothing has changed."""

    _live: Shared
    _note: Callable[[AuditRecord], None]

    def on_agent(self, agent: AgentState, verb: str, body: bytes, by: str) -> None:
        """`verb` is pause, resume, budget or breaker."""
        if verb == "budget":
            told = self._budget(agent, _parse(body, NewCaps))
        else:
            act = {"pause": self._pause, "resume": self._resume, "breaker": self._mend}[verb]
            told = act(agent, _parse(body, Why).text(f"from the {by}"))
        self._record(agent.id, f"/act/agents/{agent.id}/{verb}", f"{by}: {told}")

    def end(self, call_id: str, by: str) -> None:
        """Cut the stream of the call `call_id`."""
        stream = self._live.streams.get(call_id)
        if stream is None or not stream.end():
            raise CannotDo(404, "this stream has ended already")
        self._record(stream.exchange.agent_id, f"/act/streams/{call_id}/end", f"{by}: ended the stream {call_id}")

    def _pause(self, agent: AgentState, why: str) -> str:
        self._live.fleet.pause(agent, "operator", why, self._live.moment())
        return f"paused: {why}"

    def _resume(self, agent: AgentState, why: str) -> str:
        try:
            operator.resume(self._live.fleet, agent, why, self._live.moment())
        except operator.StillSpent as spent:
            raise CannotDo(422, f"{spent.reason}: raise it{spent.or_wait}")
        return f"resumed: {why}"

    def _mend(self, agent: AgentState, why: str) -> str:
        for breaker in agent.breakers.values():
            breaker.reset()
        self._alert("breaker", f"the circuits of {agent.id} were closed: {why}", agent.id, good=True)
        return f"circuits closed: {why}"

    def _budget(self, agent: AgentState, asked: NewCaps) -> str:
        try:
            told = operator.change_caps(self._live.fleet, agent, asked, self._live.moment())
        except operator.CapTooLarge as large:
            raise CannotDo(422, large.message)
        self._alert("budget", f"{agent.id}: {told}", agent.id)
        return told

    def _alert(self, kind: Any, text: str, agent: str, good: bool = False) -> None:
        self._live.fleet.alert(Alert(self._live.moment().wall, kind, text, agent, good=good))

    def _record(self, agent: str | None, path: str, what: str) -> None:
        now = self._live.moment().wall
        self._note(record_of_change(self._live.next_id(), now, agent, "POST", path, what))


def _parse(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise CannotDo(422, str(error))
    except (ValueError, RecursionError) as error:
        raise CannotDo(400, f"this is no JSON: {error}")
