"""`agentgateway status`: the agents, what they do and what they spend; once, or live."""

import time
from typing import Any

import click

from agentgateway.cli.client import Client, Unreachable
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json, safe, spent

_STYLES = {"active": "green", "paused": "red", "idle": "dim"}


@click.command("status")
@common
@click.option("-w", "--watch", is_flag=True, help="Keep showing it, until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds, to --watch."
)
def command(common: Common, watch: bool, interval: float) -> None:
    """Show the agents, what they do and what they spend.

    \b
    Examples:
      agentgateway status
      agentgateway status --watch
      agentgateway status --json | jq '.agents[] | select(.status == "paused")'
    """
    client = common.client
    status = client.get("/api/status")
    try:
        if watch and not common.as_json:
            _watch(client, status, interval)
            return
        _print(status, common.as_json, not watch)
        while watch:
            time.sleep(interval)
            _print(client.get("/api/status"), common.as_json, False)
    except KeyboardInterrupt:
        pass


def _print(status: Any, json: bool, indented: bool) -> None:
    if json:
        click.echo(as_json(status, 2 if indented else None))
        return
    from rich.console import Console

    Console(highlight=False).print(table(status))


def _watch(client: Client, status: Any, interval: float) -> None:
    """A live table; while the gateway is away, the last one with a word about it."""
    from rich.live import Live

    with Live(table(status), auto_refresh=False) as live:
        while True:
            time.sleep(interval)
            try:
                status, trouble = client.get("/api/status"), ""
            except Unreachable as error:
                trouble = str(error)
            live.update(table(status, trouble), refresh=True)


def table(status: Any, trouble: str = "") -> Any:
    """The status as a rich table."""
    from rich.table import Table
    from rich.text import Text

    gateway, agents = status["gateway"], status["agents"]
    title = f"{gateway['status']}, up {_span(gateway['uptime_s'])}, {gateway['in_flight']} calls in flight"
    found = Table(title=f"agentgateway {safe(gateway['version'])}: {safe(title)}", caption=safe(trouble) or None)
    for name in ("agent", "status", "model"):
        found.add_column(name, overflow="fold")
    for name in ("this hour", "today", "total", "calls/h", "errors", "now", "last call"):
        found.add_column(name, justify="right", no_wrap=True)
    for agent in sorted(agents, key=lambda agent: -agent["cost_today"]):
        found.add_row(*(Text(safe(cell), style=_style(agent, index)) for index, cell in enumerate(_cells(agent))))
        if agent["pause_reason"]:
            found.add_row("", Text(safe(agent["pause_reason"]), style="red"), end_section=False)
    return found


def _style(agent: Any, index: int) -> str:
    return _STYLES.get(agent["status"], "") if index == 1 or agent["status"] == "idle" else ""


def _cells(agent: Any) -> list[str]:
    budget, circuit = agent["budget"], agent["circuit_breaker"]["state"]
    return [
        agent["id"],
        agent["status"] + ("" if circuit == "closed" else f", circuit {circuit}"),
        agent["model"] or "-",
        spent(agent["cost_this_hour"], budget["max_cost_per_hour"]),
        spent(agent["cost_today"], budget["max_cost_per_day"]),
        spent(agent["total_cost"], budget["max_cost_total"]),
        f"{agent['calls_this_hour']:,}",
        f"{agent['error_rate']:.0%}" if agent["error_rate"] else "-",
        str(agent["in_flight"] or "-"),
        (agent["last_call"] or "-")[11:19] or "-",
    ]


def _span(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if minutes < 1:
        return f"{int(seconds)} s"
    return f"{minutes} min" if hours < 1 else f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h"
