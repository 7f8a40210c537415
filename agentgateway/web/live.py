"""What is in force now: shared by every call, swapped as a whole by a reload."""

import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, succeed

from agentgateway.config.schema import Config
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.lease import News
from agentgateway.domain.moment import Moment
from agentgateway.interfaces import IStore
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.web.upstream import Upstreams


class Stream(Protocol):
    """A streamed answer on its way to a caller."""

    @property
    def exchange(self) -> Exchange:
        """The call."""

    def end(self) -> bool:
        """Cut it: an operator says so. False where it has ended by itself."""


@attrs.define(eq=False)
class Live:
    """The state objects that calls, management and timers share."""

    config: Config
    fleet: Fleet
    onion: Onion
    reckoner: Reckoner
    upstreams: Upstreams
    store: IStore
    moment: Callable[[], Moment]
    started: Moment
    tail: deque[AuditRecord]
    """The latest audit records, newest last."""
    alerts: deque[Alert]
    """The latest alerts, newest last."""
    reload: Callable[[], Mapping[str, Any]]
    """Re-read the configuration: gives what changed, or raises ConfigError and changes nothing."""
    draining: bool = False
    """The gateway is stopping: no new calls."""
    last_calls: bool = False
    """But for a moment those are served that were on their way when it began to."""
    overloaded: bool = False
    """Turns of the reactor come too late: no new calls."""
    borrowed: Callable[[str], Deferred[None]] = lambda agent: succeed(None)
    """Fires when the fleet has answered what an agent of that id may use; there is nobody to ask without one."""
    heard: Callable[[Sequence[News]], None] = lambda words: None
    """Told what another worker could not tell the shared store."""
    listeners: list[Callable[[AuditRecord], object]] = attrs.Factory(list)
    """Told each new audit record, in the middle of its call: they must be quick, and not raise."""
    calls: set[Any] = attrs.Factory(set)
    """Every call under way (`web.call.Call`)."""
    streams: dict[str, Stream] = attrs.Factory(dict)
    """The open ones, by the call's id, oldest first."""
    _prefix: str = attrs.Factory(lambda: "agw_" + secrets.token_hex(5))
    _numbers: "count[int]" = attrs.Factory(lambda: count(1))

    def next_id(self) -> str:
        """A call's id: unique among all gateways and restarts, in order within one."""
        return f"{self._prefix}{next(self._numbers):08x}"
