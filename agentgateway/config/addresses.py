"""Where things listen and where providers are: hosts, URLs and Twisted's endpoint strings, checked by their form.

Endpoint strings follow `twisted.internet.endpoints.serverFromString`: parts split at colons, a backslash escapes one,
`name=value` parts after the positional ones. Nothing is opened here.
"""

import re
from urllib.parse import urlsplit

from agentgateway.config.scalars import each, shown, text
from agentgateway.config.tree import Items, Node, Scalar, Table, Wrong

_ARGUMENTS = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "interface", "backlog"),
    "ssl": ("port", "interface", "backlog", "privateKey", "certKey", "extraCertChain", "sslmethod", "dhParameters"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,255}")
_FORM = 'an endpoint such as "tcp:8080:interface=127.0.0.1"'


def host(node: Node) -> str:
    """An address or a host name to bind to."""
    value = text(node)
    if _HOST.fullmatch(value) is None:
        raise Wrong(node, "an address such as 127.0.0.1", shown(node))
    return value


def tcp_endpoint(port: int, interface: str) -> str:
    """The endpoint string for `gateway.port` and `gateway.host`."""
    return f"tcp:{port}:interface=" + interface.replace(":", "\\:")


def endpoint(node: Node) -> str:
    """A server endpoint string: tcp, tcp6, ssl, unix or systemd."""
    value = text(node)
    kind, arguments = _split(node, value)
    known = _ARGUMENTS[kind]
    for name in arguments:
        if name not in known:
            raise Wrong(node, f"an endpoint whose arguments are among {', '.join(known)}", shown(node), name, known)
    needed = {"unix": "address", "systemd": "domain"}.get(kind, "port")
    if not arguments.get(needed):
        raise Wrong(node, f"an endpoint with its {needed}", shown(node))
    if kind == "systemd" and ("index" in arguments) == ("name" in arguments):
        raise Wrong(node, "a systemd endpoint with either index or name", shown(node))
    if needed == "port" and not _is_port(arguments["port"]):
        raise Wrong(node, "an endpoint with a port from 0 to 65535", shown(node))
    if re.fullmatch("[0-7]{3,4}", arguments.get("mode", "600")) is None:
        raise Wrong(node, "an endpoint with an octal mode such as 600", shown(node))
    if not arguments.get("backlog", "1").isdecimal() or not arguments.get("index", "0").isdecimal():
        raise Wrong(node, "an endpoint with a whole number as backlog or index", shown(node))
    return value


def listening(node: Node) -> tuple[str, ...]:
    """The endpoint strings of `gateway.listen`: a list of at least one."""
    found = each(node, endpoint, "a list of endpoints")
    if isinstance(node, Items) and not found:
        raise Wrong(node, "a list of at least one endpoint", "an empty one")
    return found


def manhole(node: Node) -> str:
    """The manhole's endpoint: a UNIX socket (mode 600 unless it says so), or any other with `authorized_keys`.

    A manhole is a Python prompt inside the gateway, so without keys only the file system may let people in.
    """
    value = endpoint(node)
    _, arguments = _split(node, value)
    siblings = node.parent.entries if isinstance(node.parent, Table) else {}
    keys = siblings.get("authorized_keys")
    if isinstance(keys, Scalar) and keys.text and not keys.is_null:
        return value
    if not value.startswith("unix:"):
        raise Wrong(node, "a unix: endpoint, or authorized_keys beside it", shown(node))
    if "mode" not in arguments:
        return value + ":mode=600"
    if int(arguments["mode"], 8) & 0o7:
        raise Wrong(node, "a mode that keeps other users out, such as 600", shown(node))
    return value


def base_url(node: Node) -> str:
    """An http(s) URL without query, fragment or credentials; its trailing slash goes."""
    value = _web(node, "a URL such as https://api.example.com", shown(node))
    parts = urlsplit(value)
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise Wrong(node, "a URL without query and fragment", "one that has them")
    return value.rstrip("/")


def webhook(node: Node, value: str) -> str:
    """An http(s) URL to post to; never shown, as the path of a webhook is often its password."""
    return _web(node, "an http(s) URL", "something else", value)


def _web(node: Node, expected: str, got: str, value: str | None = None) -> str:
    value = text(node, expected) if value is None else value
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = None
    if "@" in value.rpartition("//")[2].partition("/")[0]:
        raise Wrong(node, "a URL without credentials (api_key is the place for them)", "one that has them")
    if not fine or not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise Wrong(node, expected, got)
    return value


def arguments(value: str) -> tuple[str, dict[str, str]]:
    """The kind of an endpoint string that has been found right, and its arguments by name."""
    return _split(Scalar(0, None, "listen", value), value)


def _split(node: Node, value: str) -> tuple[str, dict[str, str]]:
    """The kind of endpoint and its arguments by name, positional ones under the names they stand for."""
    parts = [part.replace("\0", ":") for part in value.replace("\\\\", "\1").replace("\\:", "\0").split(":")]
    kind, positional = parts[0], list(_ARGUMENTS.get(parts[0], ()))
    if not positional:
        raise Wrong(node, _FORM, shown(node), kind, tuple(_ARGUMENTS))
    arguments: dict[str, str] = {}
    for part in parts[1:]:
        name, equals, argument = part.partition("=")
        if not equals:
            name, argument = (positional.pop(0) if positional else ""), part
        if not name or name in arguments:
            raise Wrong(node, _FORM, shown(node))
        arguments[name] = argument.replace("\1", "\\")
    return kind, arguments


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= 5 and int(value) <= 65535
