"""`agentgateway status`: the agents, what they do and what they spend; once, or live."""

import time
from typing import Any

import click

from agentgateway.cli.client import Client, Unreachable
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json, money, safe, spent

_STYLES = {"active": "green", "paused": "red", "idle": "dim"}
_COLUMNS = ("agent", "status", "model", "this hour", "today", "total", "calls/h", "errors", "now", "last call")
_NUMBERS = _COLUMNS[3:]
_SPARE = ("model", "total", "last call", "now", "errors", "calls/h")
"""Left out one after the other where there is little room."""
_GAP = 3
"""Columns of the terminal that a column takes beside its text."""
_ENDLESS = 10_000
"""Columns of a terminal that is none."""


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

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _ENDLESS  # for programs, a line stays a line
    console.print(shown(status, console.width))


def _watch(client: Client, status: Any, interval: float) -> None:
    """A live table; while the gateway is away, the last one with a word about it."""
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        trouble = ""
        while True:
            live.update(shown(status, live.console.width, trouble), refresh=True)
            time.sleep(interval)
            try:
                status, trouble = client.get("/api/status"), ""
            except Unreachable as error:
                trouble = str(error)


def shown(status: Any, width: int, trouble: str = "") -> Any:
    """The status as something rich can print, in so many columns."""
    from rich.console import Group
    from rich.text import Text

    gateway = status["gateway"]
    up, flying = _span(gateway["uptime_s"]), f"{gateway['in_flight']} calls in flight"
    state = gateway["status"] + ("" if gateway.get("store", "ok") == "ok" else ", the shared store is away")
    head = f"agentgateway {gateway['version']}: {state}, up {up}, {flying}, {money(gateway['cost_today'])} today"
    why = [f"{agent['id']}: {agent['pause_reason']}" for agent in status["agents"] if agent["pause_reason"]]
    parts = [Text(safe(head), style="bold"), _table(status["agents"], width)]
    parts += [Text(safe(line), style="red") for line in [*why, trouble] if line]
    return Group(*parts)


def _table(agents: Any, width: int) -> Any:
    """What there is no room for folds, so that names and caps are never cut."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [(_cells(agent), agent["status"]) for agent in sorted(agents, key=lambda agent: -agent["cost_today"])]
    wanted = _fitting([cells for cells, _ in rows], width)
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in wanted:
        found.add_column(name, justify="right" if name in _NUMBERS else "left", overflow="fold")
    for cells, status in rows:
        style = _STYLES.get(status, "")
        found.add_row(*(Text(cells[name], style=style if name == "status" else "") for name in wanted))
    return found


def _fitting(rows: list[dict[str, str]], width: int) -> list[str]:
    """The columns that there is room for: all, or without some that can be spared."""
    from rich.cells import cell_len

    takes = {name: max(map(cell_len, [name, *(row[name] for row in rows)])) + _GAP for name in _COLUMNS}
    for name in _SPARE:
        if sum(takes.values()) <= width:
            break
        del takes[name]
    return list(takes)


def _cells(agent: Any) -> dict[str, str]:
    budget, circuit = agent["budget"], agent["circuit_breaker"]["state"]
    cells = {
        "agent": agent["id"],
        "status": agent["status"] + ("" if circuit == "closed" else f", circuit {circuit.replace('_', ' ')}"),
        "model": agent["model"] or "-",
        "this hour": spent(agent["cost_this_hour"], budget["max_cost_per_hour"]),
        "today": spent(agent["cost_today"], budget["max_cost_per_day"]),
        "total": spent(agent["total_cost"], budget["max_cost_total"]),
        "calls/h": f"{agent['calls_this_hour']:,}",
        "errors": f"{agent['error_rate']:.0%}" if agent["error_rate"] else "-",
        "now": str(agent["in_flight"] or "-"),
        "last call": (agent["last_call"] or "-")[11:19] or "-",
    }
    return {name: safe(text) for name, text in cells.items()}


def _span(seconds: float) -> str:
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if minutes < 1:
        return f"{int(seconds)} s"
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} d {hours % 24} h"
