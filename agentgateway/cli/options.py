"""Options that the commands for a running gateway have in common, and the words for an agent it does not know."""

import difflib
import os
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from agentgateway.cli.client import Client, Refused
from agentgateway.cli.target import URL, agents, find

F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen
class Common:
    """What every such command is given."""

    path: str
    url: str | None
    as_json: bool
    chosen: bool = False
    """Whether `path` was given on the command line."""

    @property
    def client(self) -> Client:
        """A client of the gateway these options name. Raises ConfigError or NoTarget."""
        return Client(find(self.path, self.url, os.environ))


def common(command: F) -> F:
    """Adds -c, --url and --json, and gives the function a Common as its first argument."""

    def call(config: str, url: str | None, as_json: bool, **arguments: Any) -> Any:
        source = click.get_current_context().get_parameter_source("config")
        return command(Common(config, url, as_json, source == ParameterSource.COMMANDLINE), **arguments)

    call.__doc__ = command.__doc__
    call.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(call)
    click.option("--url", metavar="URL", envvar=URL, show_envvar=True, help="Where the gateway is; else by the file.")(
        call
    )
    click.option("-c", "--config", default="gateway.yaml", show_default=True, help="The configuration file.")(call)
    return call  # type: ignore[return-value]


def agent_argument(command: F) -> F:
    """Adds the agent's id, which the shell completes from the configuration file."""
    return click.argument("agent", shell_complete=_complete)(command)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    path = str(ctx.params.get("config") or "gateway.yaml")
    return [CompletionItem(agent) for agent in agents(path) if agent.startswith(incomplete)]


def with_nearest(client: Client, agent: str, error: Refused) -> Refused:
    """`error`, and where it is about an agent that there is none of, the one that was perhaps meant."""
    if error.code != "unknown_agent":
        return error
    known = [str(one["id"]) for one in client.get("/api/status")["agents"]]
    near = difflib.get_close_matches(agent, known, 1)
    hint = f": did you mean {near[0]}?" if near else f"; there are {', '.join(known[:10])}" if known else ""
    return Refused(f"no agent {agent}{hint}", error.code)
