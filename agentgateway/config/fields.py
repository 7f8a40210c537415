"""Readers of single fields that need more than their type, and nodes a section is given beside what the file says."""

import os
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from typing import get_args
from zoneinfo import ZoneInfo

from agentgateway.config import addresses
from agentgateway.config.builtin import BUILTIN
from agentgateway.config.scalars import attempt, choice, each, either, fraction, raise_all, shown, text, whole
from agentgateway.config.schema import Api
from agentgateway.config.secret import read_small
from agentgateway.config.tree import Items, Node, Scalar, Table, Wrong
from agentgateway.domain.text import printable

port = whole(0, 65535)


def is_null(node: Node) -> bool:
    """Whether a key stands there without a value."""
    return isinstance(node, Scalar) and node.is_null


def table_of(node: Node) -> Table:
    """The mapping at `node`; nothing counts as an empty one."""
    if isinstance(node, Table):
        return node
    if is_null(node):
        return Table(node.line, node.parent, node.key)
    raise Wrong(node, "a mapping", "a list" if isinstance(node, Items) else "a single value")


def said(table: Table, key: str, value: str) -> Scalar:
    """A node as if `table` held `key: "value"`."""
    return Scalar(table.line, table, key, value)


def short_form(table: Table) -> Mapping[str, Node]:
    """`listen` out of `host` and `port`, and whether it is that."""
    short = {k: v for k, v in table.entries.items() if k in ("host", "port") and not is_null(v)}
    listen = table.entries.get("listen")
    problems: list[Exception] = []
    number = attempt(problems, lambda: port(short["port"])) if "port" in short else 8080
    host = attempt(problems, lambda: addresses.host(short["host"])) if "host" in short else "0.0.0.0"
    if listen is None or is_null(listen):
        raise_all(problems)
        made = Items(table.line, table, "listen")
        made.items.append(Scalar(table.line, made, 0, addresses.tcp_endpoint(number or 0, host or "")))
        return {"listen": made}
    if short:
        problems.append(Wrong(listen, "either listen, or host and port", "both"))
    raise_all(problems)
    return {"short": Scalar(table.line, table, "short", "no", True)}


def inherited(table: Table) -> Mapping[str, Node]:
    """A provider's name, and what a built-in one of that name brings along."""
    name = str(table.key)
    own = {"name": said(table, "name", name)}
    builtin = BUILTIN.get(name)
    if builtin is None:
        return own
    return own | {"api": said(table, "api", builtin.api), "base_url": said(table, "base_url", builtin.base_url)}


def api(node: Node) -> str:
    """The dialect of a provider. One that says none may be a built-in one by a misspelt name."""
    options = get_args(Api)
    if is_null(node) and isinstance(node.parent, Table):
        expected = f"{either(options)}, as it is not built in"
        raise Wrong(node, expected, "nothing", str(node.parent.key), tuple(BUILTIN))
    return choice(node, options)


def dialects(root: Node) -> dict[str, str]:
    """Dialects of all providers by name, the built-in ones and the file's; empty text where the file's is amiss."""
    apis: dict[str, str] = {name: provider.api for name, provider in BUILTIN.items()}
    providers = root.entries.get("providers") if isinstance(root, Table) else None
    for name, node in providers.entries.items() if isinstance(providers, Table) else ():
        api = node.entries.get("api") if isinstance(node, Table) else None
        if isinstance(api, Scalar) and not api.is_null:
            apis[name] = api.text if api.text in ("anthropic", "openai", "google") else ""
        else:
            apis.setdefault(name, "")
    return apis


def fractions(node: Node) -> tuple[float, ...]:
    """Shares of a cap, ascending, each once."""
    return tuple(sorted(set(each(node, fraction, "a list of fractions"))))


def folder(node: Node) -> str:
    """A path at which there is a folder, or nothing yet."""
    path = above = text(node)
    while above and not os.path.exists(above):
        above = os.path.dirname(above.rstrip("/"))
    if above and not os.path.isdir(above):
        raise Wrong(node, "a folder", f"{printable(above)}, which is a file")
    return path


def timezone(node: Node) -> str:
    """A name of the time zone database."""
    name = text(node)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise Wrong(node, "a time zone such as Europe/Berlin", shown(node))
    return name


def otlp_endpoint(node: Node) -> str:
    """The URL of an OpenTelemetry collector; sending to it takes packages that are an extra."""
    url = addresses.base_url(node)
    if not exports_traces():
        package = "twisted-agentgateway[otel]; in a checkout, .venv/bin/pip install -e '.[otel]'"
        raise Wrong(node, f'the extra "otel" for it ({package})', "an installation without it")
    return url


def exports_traces() -> bool:
    """Whether OpenTelemetry's SDK and its exporter are installed."""
    try:
        return (
            find_spec("opentelemetry.sdk") is not None
            and find_spec("opentelemetry.exporter.otlp.proto.http") is not None
        )
    except ModuleNotFoundError:
        return False


def ca_file(node: Node) -> str:
    """A path to certificates in PEM."""
    path = text(node)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=read_small(node, path))
    except (ssl.SSLError, ValueError):
        raise Wrong(node, "a file of certificates in PEM", shown(node))
    return path
