"""What `twistd agentgateway` and `twist agentgateway` need: the options, and the service made of them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError
from twisted.python import usage

from agentgateway.config.load import load
from agentgateway.config.schema import Config
from agentgateway.errors import GatewayError
from agentgateway.wiring import prepare


class Options(usage.Options):
    """What the plugin takes."""

    optParameters = [["config", "c", "gateway.yaml", "The configuration file."]]


def service_of(config: Config, reactor: Any) -> IService:
    """The gateway: in this process, or in workers of it. Raises GatewayError."""
    if config.workers > 1:
        from agentgateway.workers.supervisor import Supervisor

        return Supervisor(config, reactor)
    from agentgateway.service import GatewayService  # a parent of workers needs none of it

    return GatewayService(config, reactor)


class CannotStartError(SystemExit, Exception):
    """Ends the process with a line and status 1. As an `Exception`, `twistd` tells it to whom has started a daemon, too."""


@contextmanager
def told() -> Iterator[None]:
    """What hinders a start becomes a line; Twisted's commands would show a traceback."""
    try:
        yield
    except GatewayError as error:
        raise CannotStartError(str(error))
    except (CannotListenError, OSError) as error:
        raise CannotStartError(f"cannot listen: {error}")


class Plain(MultiService):
    """The gateway as Twisted's commands start it."""

    def privilegedStartService(self) -> None:
        """Listen."""
        with told():
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Serve calls."""
        with told():
            super().startService()  # type: ignore[no-untyped-call]


def makeService(options: Options) -> IService:
    """The gateway as one service; every mistake in the configuration is a line on stderr, and the exit status 1."""
    from twisted.internet import reactor

    plain = Plain()  # type: ignore[no-untyped-call]
    with told():
        config = load(options["config"], os.environ)
        prepare(reactor)
        service_of(config, reactor).setServiceParent(plain)
    made: IService = plain
    return made
