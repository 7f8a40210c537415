"""What a reload changes: by name, for people; and what only a restart can."""

from collections.abc import Mapping
from typing import Any

from agentgateway.config.addresses import arguments
from agentgateway.config.schema import Config

_TABLES = ("agents", "providers", "prices")
_AT_ONCE = (
    "timezone",
    "loopback_reads",
    "max_body_bytes",
    "max_header_bytes",
    "header_timeout",
    "idle_timeout",
    "max_connections",
    "drain_timeout",
)
_AT_START = (
    "gateway.state_dir",
    "gateway.admin_token",
    "gateway.otlp_endpoint",
    "dashboard",
    "audit",
    "admin",
    "store",
    "shared",
    "workers",
    "durability",
)


def changes(old: Config, new: Config, begun: Config | None = None) -> dict[str, Any]:
    """Names added, changed and removed in each table, other keys that changed, and those that need a restart.

    These last are told as long as they differ from what the process has `begun` with (None: with `old`).
    """
    told: dict[str, Any] = {table: _diff(getattr(old, table), getattr(new, table)) for table in _TABLES}
    told["policies"] = _diff({one.name: one for one in old.policies}, {one.name: one for one in new.policies})
    told["gateway"] = sorted(name for name in _AT_ONCE if getattr(old.gateway, name) != getattr(new.gateway, name))
    if old.unpriced_models != new.unpriced_models:
        told["gateway"].append("unpriced_models")
    begun = begun or old
    told["needs_restart"] = _places(begun, new) + [path for path in _AT_START if _at(begun, path) != _at(new, path)]
    return told


def _places(begun: Config, new: Config) -> list[str]:
    """The keys of another place to listen, as the file has them."""
    was, now = begun.gateway, new.gateway
    if was.listen == now.listen:
        return []
    if not (was.short and now.short):
        return ["gateway.port" if now.short else "gateway.listen"]
    (_, before), (_, after) = arguments(was.listen[0]), arguments(now.listen[0])
    keys = {"port": "gateway.port", "interface": "gateway.host"}
    return [key for name, key in keys.items() if before[name] != after[name]]


def _diff(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, list[str]]:
    return {
        "added": sorted(new.keys() - old.keys()),
        "changed": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
        "removed": sorted(old.keys() - new.keys()),
    }


def _at(config: Config, path: str) -> object:
    value: object = config
    for name in path.split("."):
        value = getattr(value, name)
    return value
