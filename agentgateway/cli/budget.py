"""`agentgateway budget`: an agent's caps and what is spent of them, and other caps for it."""

import re
from typing import Any, Final

import click

from agentgateway.cli.client import Client, Refused, agent_path
from agentgateway.cli.options import Common, agent_argument, common, with_nearest
from agentgateway.cli.show import as_json, money, safe

CAPS: Final = {"hourly": "max_cost_per_hour", "daily": "max_cost_per_day", "total": "max_cost_total"}
_SPENT: Final = {"hourly": "cost_this_hour", "daily": "cost_today", "total": "total_cost"}
_RESETS: Final = {"hourly": "hour", "daily": "day", "total": "total"}


class Amount(click.ParamType):  # type: ignore[type-arg]
    """Dollars, or `none` for no cap."""

    name = "dollars|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As given, a dollar sign aside."""
        text = str(value).removeprefix("$")
        if text != "none" and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None:
            self.fail(f"expected dollars such as 5 or 2.50, or none, got {safe(value)!r}", param, ctx)
        return text


@click.command("budget")
@common
@agent_argument
@click.option("--hourly", type=Amount(), help="The most it may spend in an hour.")
@click.option("--daily", type=Amount(), help="The most it may spend in a day.")
@click.option("--total", type=Amount(), help="The most it may spend at all.")
@click.option("--file", "of_file", is_flag=True, help="The caps of the configuration again, but for those given.")
def command(common: Common, agent: str, of_file: bool, **given: str | None) -> None:
    """Show AGENT's budget, or change it: at once, for calls under way too, and over restarts and reloads.

    \b
    Examples:
      agentgateway budget writer
      agentgateway budget writer --hourly 2.50 --total none
      agentgateway budget writer --file
    """
    client = common.client
    caps = {CAPS[name]: None if cap == "none" else cap for name, cap in given.items() if cap is not None}
    if of_file:
        caps["set_by"] = "file"
    try:
        if caps:
            client.change("PUT", agent_path("/api/budget", agent), caps)
        click.echo(_shown(client, agent, common.as_json))
    except Refused as error:
        raise with_nearest(client, agent, error)


def _shown(client: Client, agent: str, json: bool) -> str:
    if json:
        return as_json(client.get(agent_path("/api/budget", agent)))
    view = client.get(agent_path("/api/agents", agent))
    budget = view["budget"]
    lines = [": ".join(safe(part) for part in (view["id"], view["status"], view["pause_reason"]) if part)]
    for name, cap in CAPS.items():
        resets = budget["resets_at"].get(_RESETS[name])
        until = f", resets at {safe(resets[:16].replace('T', ' '))} UTC" if resets else ""
        limit = "no cap" if budget[cap] is None else f"of {money(budget[cap])}"
        lines.append(f"  {name:<7} {money(view[_SPENT[name]]):>10} spent, {limit}{until}")
    if budget.get("set_by") == "operator":
        lines.append("  an operator set these caps, whatever the configuration says (--file takes that again)")
    if budget["reserved"]:
        lines.append(f"  {money(budget['reserved'])} more is held by calls under way")
    if budget["remaining"] is not None:
        lines.append(f"  {money(budget['remaining'])} remains")
    return "\n".join(lines)
