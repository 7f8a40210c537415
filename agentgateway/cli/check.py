"""`agentgateway check`: is this configuration file right, and what does it amount to?"""

import json
import os
from typing import Any

import attrs
import click

from agentgateway.config.builtin import BUILTIN
from agentgateway.config.doubts import doubts
from agentgateway.config.load import load
from agentgateway.config.schema import Config
from agentgateway.errors import ConfigError


@click.command("check")
@click.option("-c", "--config", "path", default="gateway.yaml", show_default=True, help="The configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(path: str, as_json: bool) -> None:
    """Check the configuration file and exit.

    Every mistake is printed on a line of its own, with file, line, key and what was expected; the exit
    status is then 1. A file that is right, but perhaps not what was meant, is told with a warning on stderr.
    """
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        if not as_json:
            raise
        mistakes = [attrs.asdict(mistake) | {"message": str(mistake)} for mistake in error.mistakes]
        click.echo(json.dumps({"ok": False, "file": path, "mistakes": mistakes}, indent=2))
        raise click.exceptions.Exit(error.exit_status)
    click.echo(json.dumps(summary(config), indent=2) if as_json else _for_people(config))
    for doubt in () if as_json else doubts(config):
        click.echo(f"warning: {doubt}", err=True)


def summary(config: Config) -> dict[str, Any]:
    """What the file amounts to, without a secret in it."""
    dashboard = config.dashboard
    return {
        "ok": True,
        "file": config.path,
        "agents": list(config.agents),
        "providers": list(config.providers),
        "policies": [policy.name for policy in config.policies],
        "listen": list(config.gateway.listen),
        "dashboard": None if dashboard is None else {"host": dashboard.host, "port": dashboard.port},
        "audit": config.audit.log_file,
        "store": config.store,
        "shared": config.shared is not None,
        "workers": config.workers,
        "warnings": list(doubts(config)),
        "books": [{"store": own.store, "audit": own.audit.log_file} for own in _books(config)],
    }


def _books(config: Config) -> list[Config]:
    """The file as each process has it that keeps books of its own."""
    if config.workers == 1:
        return [config]
    from agentgateway.workers.place import books_of  # loads some of Twisted

    return [books_of(config, config.gateway.state_dir, number) for number in range(config.workers)]


def _for_people(config: Config) -> str:
    named = [agent for agent in config.agents if agent != "*"]
    own = [name for name in config.providers if config.providers[name] is not BUILTIN.get(name)]
    unnamed = "others by the template" if "*" in config.agents else "others refused"
    dashboard = config.dashboard
    lines = {
        "agents": f"{len(named)} named ({_some(named)}), {unnamed}" if named else f"none named, {unnamed}",
        "providers": f"{len(config.providers)}, from this file: {_some(own) if own else 'none'}",
        "policies": _some([policy.name for policy in config.policies]) if config.policies else "none",
        "listening": ", ".join(config.gateway.listen),
        "dashboard": "off" if dashboard is None else f"{dashboard.host} port {dashboard.port}",
        "audit log": config.audit.log_file or "in memory only",
        "store": config.store + (", and what Redis and PostgreSQL share" if config.shared else ""),
    } | ({"workers": _workers(config)} if config.shared else {})
    return "\n".join([f"{config.path}: ok", *(f"  {name:<10} {value}" for name, value in lines.items())])


def _workers(config: Config) -> str:
    """How many, and where those have their own that are not the first."""
    number = str(config.workers)
    places = [f"{own.audit.log_file} and {own.store}" for own in _books(config)[1:2]]
    return number + "".join(f", worker 1 with {place}" for place in places) + ", and so on" * (config.workers > 2)


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
