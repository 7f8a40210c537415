"""What `twistd agentgateway` and `twist agentgateway` need: the options, and the service made of them."""

import os

from twisted.application.service import IService
from twisted.python import usage

from agentgateway.config.load import load
from agentgateway.errors import GatewayError
from agentgateway.service import GatewayService
from agentgateway.wiring import prepare


class Options(usage.Options):
    """What the plugin takes."""

    optParameters = [["config", "c", "gateway.yaml", "The configuration file."]]


def makeService(options: Options) -> IService:
    """The gateway as one service; every mistake in the configuration is a line on stderr, and the exit status 1."""
    from twisted.internet import reactor

    try:
        config = load(options["config"], os.environ)
        prepare(reactor)
        return GatewayService(config, reactor)
    except GatewayError as error:
        raise SystemExit(str(error))  # a UsageError would be shown as a traceback
