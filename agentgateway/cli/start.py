"""`agentgateway start`: the same service as `twistd -n agentgateway`, in the foreground."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

import attrs
import click

from agentgateway.config.addresses import arguments
from agentgateway.config.load import load
from agentgateway.config.schema import Agent, Config
from agentgateway.errors import GatewayError

_LINES: Final = {
    "anthropic": ("Anthropic SDK, Claude Code", "ANTHROPIC_BASE_URL={url}/agents/{agent}"),
    "openai": ("OpenAI SDK", "OPENAI_BASE_URL={url}/agents/{agent}/v1"),
    "google": ("Google Gen AI SDK", "GOOGLE_GEMINI_BASE_URL={url}/agents/{agent}"),
}
"""What points a client of each dialect at the gateway."""


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
    service = service_of(config, reactor)
    run(service, reactor, config, lambda: welcome(config, ports(config, service)))


def run(service: Any, reactor: Any, config: Config, words: Callable[[], str]) -> None:
    """Run `service` until a signal stops it, with `words` once it listens; raises StartError where it cannot."""
    from twisted.internet.error import CannotListenError
    from twisted.logger import globalLogBeginner, textFileLogObserver

    from agentgateway.tap import hindrance

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    service.open()
    try:
        service.privilegedStartService()
    except (CannotListenError, OSError) as error:
        raise StartError(hindrance(error, config))
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    click.echo(words())
    reactor.run()


def _endpoints(config: Config) -> list[str]:
    """The gateway's, and the dashboard's where there is one."""
    return [*config.gateway.listen, *([] if config.dashboard is None else [config.dashboard.endpoint])]


def ports(config: Config, service: Any) -> list[int | None]:
    """The ports that `service` listens on, which the system may have chosen: one for each of `_endpoints`, None for none."""
    found, left = list[int | None](), list(_listening(service))
    for endpoint in _endpoints(config):
        one = next((one for one in left if one.text == endpoint), None)
        if one is not None:
            left.remove(one)
        found.append(None if one is None else one.port)
    return found


def _listening(service: Any) -> Iterator[Any]:
    """Whatever listens in `service`; the dashboard comes last."""
    from twisted.application.service import IServiceCollection

    from agentgateway.ops.listening import Listening

    if isinstance(service, Listening):
        yield service
    for part in service if IServiceCollection.providedBy(service) else ():
        yield from _listening(part)


def welcome(config: Config, ports: Sequence[int | None] = ()) -> str:
    """What to do next, for somebody who sees it for the first time; `ports` are those of the function `ports`."""
    places = list(zip_longest(_endpoints(config), ports))
    board = None if config.dashboard is None else places.pop()
    url = next((url for place in places if (url := _url(*place)) is not None), None)
    lines = [f"agentgateway is running on {', '.join(_place(*place) for place in places)} with {config.path}"]
    if board is not None:
        lines.append(f"The dashboard is {_place(*board, path='/')}")
    lines += ["", *_advice(config, url or "http://HOST:PORT")]
    if url is None and config.agents:
        lines.append("HOST:PORT is where callers reach that; SDKs want a URL.")
    demo = "`make demo` (or `agentgateway demo`) shows it with a stand-in provider and a simulated fleet."
    return "\n".join(["", *lines, "", f"No provider key at hand?  {demo}", ""])


def _advice(config: Config, url: str) -> Iterator[str]:
    """How an agent calls: lines that work for the first one of the file."""
    named = [agent for agent in config.agents.values() if agent.id != "*"]
    if not config.agents:
        yield f"No agent may call yet: name one under `agents` in {config.path}, then `agentgateway reload`."
        return
    agent = named[0] if named else attrs.evolve(config.agents["*"], id="my-agent")
    yield f"Point an agent at it, {agent.id} for one:" if named else "Point an agent at it, by a name that you choose:"
    apis = ["anthropic", "openai"] if agent.provider is None else [config.providers[agent.provider].api]
    rows = [(name, line.format(url=url, agent=agent.id)) for name, line in map(_LINES.__getitem__, apis)]
    if agent.key_sha256 is None:
        rows.append(("or send the header", f"x-agent-id: {agent.id}"))
    yield from (f"  {name:<28} {line}" for name, line in [*rows, ("API key", _api_key(agent, config))])


def _api_key(agent: Agent, config: Config) -> str:
    """What the client gives as its API key."""
    if agent.key_sha256 is not None:
        return "the agent's gateway key (`key` in the file)"
    provider = None if agent.provider is None else config.providers[agent.provider]
    if agent.api_key is not None or (provider is not None and provider.api_key is not None):
        return "any: the provider's stands in the file"
    return "the provider's own"


def _place(endpoint: str, port: int | None, path: str = "") -> str:
    """Where an endpoint listens: a URL as somebody on this machine would type it, or in words where there is none."""
    url, (kind, given) = _url(endpoint, port), arguments(endpoint)
    if url is not None:
        everywhere = given.get("interface", "") in ("", "0.0.0.0", "::")
        return url + path + (" (on all interfaces)" if everywhere else "")
    if kind == "systemd":
        return f"the {given['domain']} socket that systemd holds ({given.get('name') or 'index ' + given['index']})"
    return f"the UNIX socket {given['address']}" if kind == "unix" else "a port that the system chose"


def _url(endpoint: str, port: int | None) -> str | None:
    kind, given = arguments(endpoint)
    if kind in ("systemd", "unix"):
        return None
    number, host = port or int(given["port"]), given.get("interface", "")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return (
        f"{'https' if kind == 'ssl' else 'http'}://{f'[{host}]' if ':' in host else host}:{number}" if number else None
    )
