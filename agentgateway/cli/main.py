"""The `agentgateway` command: a group whose commands are imported when they are asked for, so `--help` is quick.

A command `NAME` is the click command called `command` in `agentgateway/cli/NAME.py`. Exit status: 0 done, 1 refused or
wrong, 2 usage, 3 gateway not reachable; a `GatewayError` that a command lets through ends it with the error's own.
"""

import importlib
import importlib.metadata
from typing import Any, NoReturn

import click

from agentgateway.errors import GatewayError

COMMANDS = {
    "start": "Start the gateway.",
    "status": "Show the agents, what they do and what they spend.",
    "logs": "Show audit records; -f follows them.",
    "pause": "Pause an agent; -r resumes it.",
    "budget": "Show or change an agent's budget.",
    "dashboard": "Show where the dashboard is.",
    "check": "Check the configuration file.",
    "reload": "Let the running gateway re-read its configuration.",
    "demo": "Start a gateway with a stand-in provider and a simulated fleet.",
}
"""Names and one-line descriptions, in the order of `--help`."""


class LazyGroup(click.Group):
    """A group that imports the module of a command only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None (a usage error) when there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"agentgateway.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"agentgateway.cli.{cmd_name}.command is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours becomes its text on stderr and its exit status."""
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            fail(error)


def fail(error: GatewayError) -> NoReturn:
    """Leave with the error's text on stderr and its exit status."""
    click.echo(str(error), err=True)
    raise click.exceptions.Exit(error.exit_status)


def version() -> str:
    """The installed version; a checkout that was never installed has none."""
    try:
        return importlib.metadata.version("twisted-agentgateway")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="agentgateway")
def main() -> None:
    """A gateway between AI agents and the providers they call: budgets, limits, policies, one audit log.

    \b
    To have the shell complete commands, options and agents:
      bash: eval "$(_AGENTGATEWAY_COMPLETE=bash_source agentgateway)"      in ~/.bashrc
      zsh:  eval "$(_AGENTGATEWAY_COMPLETE=zsh_source agentgateway)"       in ~/.zshrc
      fish: _AGENTGATEWAY_COMPLETE=fish_source agentgateway | source       in ~/.config/fish/config.fish
    """
