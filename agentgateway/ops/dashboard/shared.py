"""What the dashboard knows of the gateway: the state it shares with calls and with the management API."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from agentgateway.config.schema import Config
from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import AuditRecord
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.moment import Moment


class Stream(Protocol):
    """A streamed answer on its way to a caller."""

    @property
    def exchange(self) -> Exchange:
        """The call."""

    def end(self) -> bool:
        """Cut it; False where it has ended by itself."""


class Shared(Protocol):
    """The part of `web.live.Live` that is used here."""

    @property
    def config(self) -> Config:
        """In force now."""

    @property
    def fleet(self) -> Fleet:
        """All agents."""

    @property
    def moment(self) -> Callable[[], Moment]:
        """The clock."""

    @property
    def started(self) -> Moment:
        """When the process began."""

    @property
    def tail(self) -> deque[AuditRecord]:
        """The latest audit records, newest last."""

    @property
    def alerts(self) -> deque[Alert]:
        """The latest alerts, newest last."""

    @property
    def draining(self) -> bool:
        """Whether the gateway is about to stop."""

    @property
    def listeners(self) -> list[Callable[[AuditRecord], object]]:
        """Told each new audit record."""

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The open ones, by the call's id."""

    def next_id(self) -> str:
        """The id of one more audit record."""
