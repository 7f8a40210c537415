"""What `twistd agentgateway` and `twist agentgateway` need: the options, and the service made of them."""

import os
from typing import Any

from twisted.application.service import IService
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


def makeService(options: Options) -> IService:
    """The gateway as one service; every mistake in the configuration is a line on stderr, and the exit status 1."""
    from twisted.internet import reactor

    try:
        config = load(options["config"], os.environ)
        prepare(reactor)
        return service_of(config, reactor)
    except GatewayError as error:
        raise SystemExit(str(error))  # a UsageError would be shown as a traceback
