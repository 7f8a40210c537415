"""The reactor and both ends of the wire, set up as the configuration says."""

import gc
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet import epollreactor
from twisted.python import log

from agentgateway.config.schema import Gateway, Provider
from agentgateway.wire.agent import Agent
from agentgateway.wire.endpoints import make_endpoint
from agentgateway.wire.outbox import Outbox
from agentgateway.wire.pool import ClientLimits
from agentgateway.wire.resolver import Resolver
from agentgateway.wire.server import Limits


def prepare(reactor: Any) -> None:
    """Make a reactor fit for this service, before anything is scheduled.

    Twisted's clock is the wall clock, which set back by an hour freezes every timer for an hour; and its name lookups
    share ten threads, so that slow names delay everything else. Python's search for reference cycles looks at every
    object there is, a tenth of a second of it with all that is loaded: what is there when the service runs is left out
    of it, and it comes less often. Every event gets a log context of its own, which takes longer than some events do.
    And a crash would leave a core, with every key and prompt in it, in the folder where the process runs.
    """
    with suppress(OSError, ValueError):  # where limits may not be touched, the unit or the container sets them
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    type(reactor).seconds = staticmethod(time.monotonic)
    epollreactor.log = _Log  # type: ignore[assignment,attr-defined]
    reactor.installNameResolver(Resolver(reactor))
    gc.set_threshold(5_000, 3, 3)
    reactor.callWhenRunning(gc.freeze)


class _Log:
    """What the reactor needs of `twisted.python.log`, without a context for messages that nobody writes."""

    err = staticmethod(log.err)

    @staticmethod
    def callWithLogger(logger: Any, function: Callable[..., object], *args: Any) -> object:
        """Call `function`; what it raises is logged."""
        try:
            return function(*args)
        except KeyboardInterrupt:
            raise
        except BaseException:
            log.err(system=logger.logPrefix())
            return None


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
