"""`agentgateway start`: the same service as `twistd -n agentgateway`, in the foreground."""

import os
import sys
from typing import Any

import click

from agentgateway.config.addresses import arguments
from agentgateway.config.load import load
from agentgateway.config.schema import Config
from agentgateway.errors import GatewayError


class StartError(GatewayError):
    """The gateway could not start; the message says why."""


@click.command("start")
@click.option("-c", "--config", "path", default="gateway.yaml", show_default=True, help="The configuration file.")
def command(path: str) -> None:
    """Start the gateway in the foreground; it stops on SIGINT and SIGTERM.

    \b
    Examples:
      agentgateway start
      agentgateway start -c /etc/agentgateway/gateway.yaml
    """
    config = load(path, os.environ)  # mistakes are told before anything of Twisted is loaded
    from twisted.internet import reactor

    from agentgateway.tap import service_of
    from agentgateway.wiring import prepare

    prepare(reactor)
    run(service_of(config, reactor), reactor, welcome(config))


def run(service: Any, reactor: Any, words: str) -> None:
    """Run `service` until a signal stops it; raises StartError where it cannot listen."""
    from twisted.internet.error import CannotListenError
    from twisted.logger import globalLogBeginner, textFileLogObserver

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    service.open()
    try:
        service.privilegedStartService()
    except (CannotListenError, OSError) as error:
        raise StartError(f"cannot listen: {error}")
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    click.echo(words)
    reactor.run()


def welcome(config: Config) -> str:
    """What to do next, for somebody who sees it for the first time."""
    places = [_place(endpoint) for endpoint in config.gateway.listen]
    url = next((place for place in places if "//" in place), None)
    known = "" if url else "\nHOST:PORT is where callers reach that; SDKs want a URL.\n"
    url = url or "http://HOST:PORT"
    agent = next((name for name in config.agents if name != "*"), "my-agent")
    return f"""
agentgateway is running on {", ".join(places)} with {config.path}
{known}
Point an agent at it; it may bring its own provider key:
  Anthropic SDK, Claude Code   ANTHROPIC_BASE_URL={url}/agents/{agent}
  OpenAI SDK                   OPENAI_BASE_URL={url}/agents/{agent}/v1
  or send the header           x-agent-id: {agent}

No provider key at hand?  `make demo` (or `agentgateway demo`) shows it with a stand-in provider and a simulated fleet.
"""


def _place(endpoint: str) -> str:
    """Where an endpoint listens: a URL as somebody on this machine would type it, or in words where there is none."""
    kind, given = arguments(endpoint)
    if kind == "systemd":
        return f"the {given['domain']} socket that systemd holds ({given.get('name') or 'index ' + given['index']})"
    if kind == "unix":
        return f"the UNIX socket {given['address']}"
    if given["port"] == "0":
        return "a port that the system chose"
    host = given.get("interface", "")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{'https' if kind == 'ssl' else 'http'}://{f'[{host}]' if ':' in host else host}:{given['port']}"
