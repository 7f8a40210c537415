"""`agentgateway logs`: audit records, the latest ones or as they come."""

import json
import re
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import click

from agentgateway.cli.client import Unreachable
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json, money, safe

_AGO = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COLOURS = {"ok": "green", "refused": "yellow"}
_OUTCOMES = ("ok", "refused", "upstream_error", "client_gone", "cut", "truncated")


class Time(click.ParamType):  # type: ignore[type-arg]
    """ISO-8601, or so long ago: 90s, 15m, 2h, 1d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """ISO-8601 in UTC."""
        ago = _AGO.fullmatch(value)
        if ago is not None:
            at = datetime.fromtimestamp(time.time() - int(ago[1]) * _SECONDS[ago[2]], UTC)
        else:
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                self.fail("expected a time such as 2026-11-23T15:00 or so long ago: 90s, 15m, 2h, 1d", param, ctx)
        return at.astimezone(UTC).isoformat()


@click.command("logs")
@common
@click.option("-f", "--follow", is_flag=True, help="Go on with new records as they come, until Ctrl-C.")
@click.option("-n", "--limit", type=click.IntRange(0, 10_000), help="How many; 20, with --follow 10.")
@click.option("--agent", help="Only this agent's.")
@click.option("--status", type=click.IntRange(100, 599), help="Only with this HTTP status.")
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only those that ended so.")
@click.option("--since", type=Time(), help="From then on: 2026-11-23T15:00, or so long ago: 90s, 15m, 2h, 1d.")
@click.option("--until", type=Time(), help="Before then.")
def command(common: Common, follow: bool, limit: int | None, **filters: Any) -> None:
    """Show audit records, newest last; -f follows them.

    \b
    Examples:
      agentgateway logs -f
      agentgateway logs --agent writer --since 2h --outcome refused
      agentgateway logs -n 1000 --json | jq -s 'map(.cost_usd) | add'
    """
    if follow and filters["until"] is not None:
        raise click.UsageError("--follow has no end: give it or --until, not both")
    asked = {name: value for name, value in filters.items() if value is not None}
    asked |= {"format": "jsonl", "limit": limit if limit is not None else 10 if follow else 20}
    if follow:
        asked["follow"] = "true"
    some = False
    try:
        for raw in common.client.lines(f"/api/logs?{urlencode(asked)}"):
            some, record = True, _record(raw)
            click.echo(as_json(record, None) if common.as_json else line(record))
    except KeyboardInterrupt:
        return
    if follow:
        raise Unreachable("the gateway has stopped")
    if not some and not common.as_json:
        click.echo("no records", err=True)


def _record(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise Unreachable("the stream broke off within a record")


def line(record: Any) -> str:
    """One record for people."""
    outcome = record["outcome"]
    colour = _COLOURS.get(outcome, "red")
    change = record["provider"] is None and outcome == "ok"
    what = f"{record['method']} {record['path']}" if change else record["model"] or record["path"]
    parts = [
        click.style(safe(record["ts"][:19].replace("T", " ")), dim=True),
        click.style(f"{safe(record['agent'] or '-'):<16}", bold=True),
        click.style(f"{record['status']} {safe(outcome):<14}", fg="cyan" if change else colour),
        safe(what),
    ]
    if record["usage"] != "none":
        about = "~" if record["usage"] == "estimated" else ""
        parts.append(f"{about}{record['input_tokens']:,} in, {about}{record['output_tokens']:,} out")
        parts.append(money(record["cost_usd"]))
    if not change:
        parts.append(click.style(f"{record['latency_ms']:,.0f} ms", dim=True))
    if record["reason"]:
        parts.append(click.style(safe(record["reason"]), fg=None if change else colour))
    return "  ".join(parts)
