"""The reactor and both ends of the wire, set up as the configuration says."""

import ctypes
import gc
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from agentgateway.config.schema import Gateway, Provider
from agentgateway.wire import polling
from agentgateway.wire.agent import Agent
from agentgateway.wire.endpoints import make_endpoint
from agentgateway.wire.outbox import Outbox
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.resolver import Resolver
from agentgateway.wire.server import Limits

LARGE: Final = 1_048_576
"""Bytes of a piece of memory from which on it is given back as soon as it is free."""
_M_MMAP_THRESHOLD: Final = -3
"""mallopt(3)."""


def prepare(reactor: Any) -> None:
    """Make a reactor fit for this service, before anything is scheduled.

    Twisted's clock is the wall clock, which set back by an hour freezes every timer for an hour; and its name lookups
    share ten threads, so that slow names delay everything else. Python's search for reference cycles looks at every
    object there is, a tenth of a second of it with all that is loaded: what is there when the service runs is left out
    of it, and it comes less often. The C library keeps what large requests took once it has seen some, in case more
    come. And a crash would leave a core, with every key and prompt in it, in the folder where the process runs.
    """
    with suppress(OSError, ValueError):  # where limits may not be touched, the unit or the container sets them
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
    type(reactor).seconds = staticmethod(time.monotonic)
    polling.install(reactor)
    reactor.installNameResolver(Resolver(reactor))
    gc.set_threshold(5_000, 3, 3)
    reactor.callWhenRunning(gc.freeze)


def maker(reactor: Any, outbox: Outbox) -> Callable[[Provider], Agent]:
    """A maker of HTTP clients, one for each provider."""

    def make(provider: Provider) -> Agent:
        endpoint = make_endpoint(reactor, provider.connect_timeout, provider.ca_file)
        limits = ClientLimits(provider.connect_timeout, provider.response_timeout, provider.silence_timeout)
        return Agent(reactor, endpoint, limits, outbox)

    return make


def server_limits(gateway: Gateway) -> Limits:
    """What a caller's connection may take."""
    return Limits(
        gateway.max_header_bytes,
        gateway.max_body_bytes,
        gateway.header_timeout,
        gateway.idle_timeout,
        gateway.max_connections,
    )
