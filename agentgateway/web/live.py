"""What is in force now: shared by every call, swapped as a whole by a reload."""

import secrets
from collections.abc import Callable
from itertools import count

import attrs

from agentgateway.config.schema import Config
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.moment import Moment
from agentgateway.pipeline.onion import Onion
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.web.upstream import Upstreams


@attrs.define(eq=False)
class Live:
    """The state objects that calls, management and timers share."""

    config: Config
    fleet: Fleet
    onion: Onion
    reckoner: Reckoner
    upstreams: Upstreams
    moment: Callable[[], Moment]
    started: Moment
    draining: bool = False
    _prefix: str = attrs.Factory(lambda: "agw_" + secrets.token_hex(5))
    _numbers: "count[int]" = attrs.Factory(lambda: count(1))

    def next_id(self) -> str:
        """A call's id: unique among all gateways and restarts, in order within one."""
        return f"{self._prefix}{next(self._numbers):08x}"
