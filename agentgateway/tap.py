"""What `twistd agentgateway` and `twist agentgateway` need: the options, and the service made of them."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError
from twisted.python import usage

from agentgateway.config.addresses import arguments
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


def hindrance(error: Exception, config: Config) -> str:
    """Why the gateway cannot listen: the key of the file it is about, and what to do where that is known."""
    if not isinstance(error, CannotListenError):
        return f"cannot listen: {error}"
    reason: Any = error.socketError
    if isinstance(reason, socket.gaierror) or getattr(reason, "errno", None) == errno.EADDRNOTAVAIL:
        return f"cannot listen: {_key(error, config, host=True)}: {reason.strerror}"
    if getattr(reason, "errno", None) == errno.EADDRINUSE:
        return (
            f"cannot listen: {_key(error, config)} is in use, by another gateway perhaps: stop that or change the key"
        )
    return f"cannot listen: {_key(error, config)}: {getattr(reason, 'strerror', None) or reason}"


def _key(error: CannotListenError, config: Config, host: bool = False) -> str:
    """The key that names the place, or with `host` the machine's address in it, and the place as it stands there."""
    keys = [(endpoint, "gateway.listen") for endpoint in config.gateway.listen]
    keys += [] if config.dashboard is None else [(config.dashboard.endpoint, "dashboard.port")]
    keys += [] if config.admin.manhole is None else [(config.admin.manhole, "admin.manhole")]
    for endpoint, key in keys:
        _, given = arguments(endpoint)
        if str(error.port) == given.get("port", given.get("address")) and given.get("interface", "") == (
            error.interface or ""
        ):
            section = key.partition(".")[0]
            if key == "dashboard.port" or (key == "gateway.listen" and config.gateway.short):
                return f"{section}.host {error.interface}" if host else f"{section}.port {error.port}"
            return f"{key} {endpoint}"
    return f"{error.interface or ''}:{error.port}"


@contextmanager
def told(config: Config | None = None) -> Iterator[None]:
    """What hinders a start becomes a line; Twisted's commands would show a traceback."""
    try:
        yield
    except GatewayError as error:
        raise CannotStartError(str(error))
    except (CannotListenError, OSError) as error:
        raise CannotStartError(f"cannot listen: {error}" if config is None else hindrance(error, config))


class Plain(MultiService):
    """The gateway as Twisted's commands start it."""

    def __init__(self, config: Config) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._config = config

    def privilegedStartService(self) -> None:
        """Listen."""
        with told(self._config):
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Serve calls."""
        with told(self._config):
            super().startService()  # type: ignore[no-untyped-call]


def makeService(options: Options) -> IService:
    """The gateway as one service; every mistake in the configuration is a line on stderr, and the exit status 1."""
    from twisted.internet import reactor

    with told():
        config = load(options["config"], os.environ)
        prepare(reactor)
        plain = Plain(config)
        service_of(config, reactor).setServiceParent(plain)
    made: IService = plain
    return made
