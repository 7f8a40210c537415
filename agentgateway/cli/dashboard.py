"""`agentgateway dashboard`: open it, or say where it is."""

import os
import sys
import webbrowser

import click

from agentgateway.cli.client import Client, Refused, Unreachable
from agentgateway.cli.options import Common, common
from agentgateway.cli.show import as_json
from agentgateway.cli.target import Target, dashboard_section, parts_of
from agentgateway.errors import GatewayError


class NoDashboard(GatewayError):
    """There is none; the message says why."""


@click.command("dashboard")
@common
@click.option("--print", "only_print", is_flag=True, help="Only print where it is.")
def command(common: Common, only_print: bool) -> None:
    """Print the dashboard's URL, and open it where there is a browser.

    \b
    Examples:
      agentgateway dashboard
      ssh -L 4040:127.0.0.1:4040 gateway.example   # then open http://127.0.0.1:4040/
    """
    found = url(common)
    click.echo(as_json({"url": found}) if common.as_json else found)
    _reach(found)
    if not (common.as_json or only_print) and _has_browser():
        webbrowser.open(found)


def url(common: Common) -> str:
    """Where the dashboard is. Raises ConfigError, WrongUrl or NoDashboard."""
    section = dashboard_section(common.path, os.environ)
    if section is None:
        raise NoDashboard(f"the dashboard is switched off in {common.path} (dashboard: false)")
    if section.port == 0:
        raise NoDashboard(f"{common.path} lets the system choose the dashboard's port: the gateway's log has it")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(section.host, section.host)
    if common.url is not None:
        host = parts_of(common.url).hostname or host
    return f"http://{f'[{host}]' if ':' in host else host}:{section.port}/"


def _reach(url: str) -> None:
    """Raises Unreachable where no dashboard answers."""
    try:
        Client(Target(url.rstrip("/"))).get("/session")
    except Refused:
        raise Unreachable(f"what answers at {url} is no dashboard")


def _has_browser() -> bool:
    """Whether somebody sits in front of a screen."""
    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(screen) and sys.stdout.isatty()
