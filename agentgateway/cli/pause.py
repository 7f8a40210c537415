"""`agentgateway pause`: stop an agent's calls, or let it call again."""

from typing import Any

import click

from agentgateway.cli.client import Refused, agent_path
from agentgateway.cli.options import Common, agent_argument, common, with_nearest
from agentgateway.cli.show import as_json, safe


@click.command("pause")
@common
@agent_argument
@click.option("-r", "--resume", is_flag=True, help="Let it call again.")
@click.option("--reason", help="Why: callers, the audit log and alerts say it.")
def command(common: Common, agent: str, resume: bool, reason: str | None) -> None:
    """Pause AGENT: its calls are refused from now on, those under way finish. -r resumes it.

    \b
    Examples:
      agentgateway pause writer --reason "loops since the last release"
      agentgateway pause -r writer
    """
    client = common.client
    body = {} if reason is None else {"reason": reason}
    try:
        answer = client.change("POST", agent_path("/api/agents", agent, "/resume" if resume else "/pause"), body)
    except Refused as error:
        raise with_nearest(client, agent, error)
    click.echo(as_json(answer) if common.as_json else _words(answer))


def _words(agent: Any) -> str:
    if agent["status"] == "paused":
        return f"{safe(agent['id'])} is paused: {safe(agent['pause_reason'])}"
    return f"{safe(agent['id'])} may call"
