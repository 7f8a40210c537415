"""`agentgateway reload`: let the running gateway re-read its configuration."""

from typing import Any

import click

from agentgateway.cli.client import Refused
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json, safe
from agentgateway.errors import GatewayError


@click.command("reload")
@common
def command(common: Common) -> None:
    """Let the running gateway re-read its configuration: all of it or, with every mistake told, none.

    \b
    Examples:
      agentgateway check && agentgateway reload
    """
    try:
        changed = common.client.change("POST", "/api/reload")
    except Refused as error:
        if common.as_json and "mistakes" in error.more:
            click.echo(as_json(error.more))
            raise click.exceptions.Exit(error.exit_status)
        raise GatewayError("\n".join(map(safe, str(error).splitlines())))
    click.echo(as_json(changed) if common.as_json else "\n".join(_lines(changed)))


def _lines(changed: Any) -> list[str]:
    lines = []
    for table, found in changed.items():
        for how, names in found.items() if isinstance(found, dict) else ():
            lines += [f"{safe(table)} {safe(how)}: {', '.join(map(safe, names))}"] if names else []
    if changed.get("gateway"):
        lines.append(f"changed: {', '.join(map(safe, changed['gateway']))}")
    if changed.get("needs_restart"):
        lines.append(f"in force after a restart only: {', '.join(map(safe, changed['needs_restart']))}")
    if changed.get("kept_caps"):
        names = ", ".join(map(safe, changed["kept_caps"]))
        lines.append(
            f"caps as an operator set them, not as the file has them: {names} (agentgateway budget AGENT --file)"
        )
    return lines or ["nothing changed"]
