"""`agentgateway reload`: let the running gateway re-read its configuration."""

import os

import click

from agentgateway.cli.client import Client, Refused
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json, safe
from agentgateway.domain.changed import in_words
from agentgateway.errors import GatewayError


@click.command("reload")
@common
def command(common: Common) -> None:
    """Let the running gateway re-read its configuration: all of it or, with every mistake told, none.

    \b
    Examples:
      agentgateway check && agentgateway reload
    """
    client = common.client
    if common.chosen and common.url is None:
        _same_file(client, common.path)
    try:
        changed = client.change("POST", "/api/reload")
    except Refused as error:
        if common.as_json and "mistakes" in error.more:
            click.echo(as_json(error.more))
            raise click.exceptions.Exit(error.exit_status)
        raise GatewayError("\n".join(map(safe, str(error).splitlines())))
    click.echo(as_json(changed) if common.as_json else "\n".join(in_words(changed, ":", safe) or ["nothing changed"]))


def _same_file(client: Client, path: str) -> None:
    """Raises GatewayError where the gateway runs with another file than the one at `path`."""
    its = client.get("/api/status")["gateway"]["config"]
    if not _may_be_one(its, path):
        raise GatewayError(f"the gateway runs with {safe(its)}, not {safe(path)}: nothing is reloaded")


def _may_be_one(its: str, path: str) -> bool:
    """Whether both can be one file. What a gateway in another folder or a container calls `its` is not there for us."""
    try:
        if os.path.samefile(its, path):
            return True
    except OSError:
        pass
    there = os.path.isabs(its) and os.path.exists(its)
    return not there and os.path.basename(its) == os.path.basename(path)
