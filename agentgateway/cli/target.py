"""Where the running gateway is, and the token it wants: from `--url`, the environment and the configuration file.

Only what is needed is read of the file: a command must work in a shell without the providers' keys, and with a file
that somebody is in the middle of changing.
"""

import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from agentgateway.config import addresses, scalars
from agentgateway.config.fields import is_null
from agentgateway.config.schema import Dashboard, Gateway
from agentgateway.config.secret import SecretReader
from agentgateway.config.structure import Structure
from agentgateway.config.tree import MAX_CHARACTERS, Node, Scalar, Table, Wrong, read_tree
from agentgateway.errors import ConfigError, GatewayError, Mistake

URL: Final = "AGENTGATEWAY_URL"
TOKEN: Final = "AGENTGATEWAY_ADMIN_TOKEN"


class NoTarget(GatewayError):
    """It cannot be told where the gateway is; the message says what to do."""


class WrongUrl(NoTarget):
    """The URL that was given leads to no gateway."""

    exit_status = 2


@attrs.frozen
class Target:
    """`url` without a path; `socket` is the path of a Unix socket to be used in place of the URL's host."""

    url: str
    socket: str | None = None
    token: str | None = attrs.field(default=None, repr=False)
    source: str = ""
    """Where the token comes from, or was looked for."""
    by_file: bool = False
    """Whether the place is what the configuration file says now, which may not be what it said when the gateway started."""

    @property
    def place(self) -> str:
        """For messages."""
        return f"unix:{self.socket}" if self.socket else self.url


def find(path: str, url: str | None, environ: Mapping[str, str]) -> Target:
    """The gateway of the configuration file at `path`, or at `url`. Raises ConfigError or NoTarget."""
    if url is None:
        gateway, token = gateway_section(path, environ)
        place = next((found for found in map(_place, gateway.listen) if found is not None), None)
        if place is None:
            raise NoTarget(f"{path} does not say where the gateway listens: give --url, or set {URL}")
        return _with_token(Target(*place, by_file=True), gateway, token, environ)
    parts = parts_of(url)
    target = Target(f"{parts.scheme}://{parts.netloc}")
    if parts.hostname in ("localhost", "127.0.0.1", "::1") and os.path.exists(path):
        return _with_token(target, *gateway_section(path, environ), environ)
    # The token of this machine's gateway is nothing for others.
    return attrs.evolve(target, token=environ.get(TOKEN), source=TOKEN)


def parts_of(url: str) -> SplitResult:
    """Those of a URL that leads to a gateway: below a path it would take ours for calls of agents. Raises WrongUrl."""
    expected = "expected a URL such as http://127.0.0.1:8080"
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fine = None
    if not fine:
        raise WrongUrl(f"{expected}, got {url!r}")
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        raise WrongUrl(f"{expected}, without path, query and fragment, got {url!r}")
    return parts


def _with_token(target: Target, gateway: Gateway, configured: str | None, environ: Mapping[str, str]) -> Target:
    if environ.get(TOKEN):
        return attrs.evolve(target, token=environ[TOKEN], source=TOKEN)
    if configured is not None:
        return attrs.evolve(target, token=configured, source="gateway.admin_token")
    file = os.path.join(gateway.state_dir, "admin-token")
    try:
        with open(file, encoding="utf-8") as stream:
            return attrs.evolve(target, token=stream.read(4096).strip(), source=file)
    except (OSError, UnicodeDecodeError):
        return attrs.evolve(target, source=file)


def gateway_section(path: str, environ: Mapping[str, str]) -> tuple[Gateway, str | None]:
    """`gateway` in the file at `path`, and the token it names, if that can be had. Raises ConfigError."""
    node = _section(path, "gateway")
    token = None
    if isinstance(node, Table) and (secret := node.entries.pop("admin_token", None)) is not None:
        try:
            token = SecretReader(environ).secret(secret).value
        except Wrong:
            pass  # of a variable that only the gateway's own environment has
    state_dir = environ.get("STATE_DIRECTORY", "").partition(":")[0] or None
    structure = Structure(SecretReader(environ), {}, state_dir)
    try:
        gateway: Gateway = structure.converter.structure(node or Table(0, None, "gateway"), Gateway)
    except (Wrong, ExceptionGroup) as error:
        raise ConfigError([_mistake(path, error)])
    return gateway, token


def dashboard_section(path: str, environ: Mapping[str, str]) -> Dashboard | None:
    """`dashboard` in the file at `path`; None where it is switched off. Raises ConfigError."""
    node = _section(path, "dashboard")
    if node is None or is_null(node):
        return Dashboard()
    try:
        if isinstance(node, Scalar):
            return Dashboard() if scalars.boolean(node) else None
        found: Dashboard = Structure(SecretReader(environ), {}).converter.structure(node, Dashboard)
        return found
    except (Wrong, ExceptionGroup) as error:
        raise ConfigError([_mistake(path, error)])


def agents(path: str) -> list[str]:
    """The ids of the agents in the file; none where it cannot be read."""
    try:
        node = _section(path, "agents")
    except ConfigError:
        return []
    return [name for name in node.entries if name != "*"] if isinstance(node, Table) else []


def _section(path: str, name: str) -> Node | None:
    try:
        with open(path, encoding="utf-8-sig") as stream:
            root, _ = read_tree(stream.read(MAX_CHARACTERS + 1))
    except Wrong as error:
        raise ConfigError([_mistake(path, error)])
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "other bytes than UTF-8"
        hint = f"a readable file (give -c FILE, or --url where the gateway is, or set {URL})"
        raise ConfigError([Mistake(path, 0, "", hint, why)])
    return root.entries.get(name) if isinstance(root, Table) else None


def _mistake(path: str, error: Exception) -> Mistake:
    """The first of what is wrong; `agentgateway check` tells the rest."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, Wrong):
        raise error
    return Mistake(path, error.node.line, error.node.path, error.expected, error.got)


def _place(endpoint: str) -> tuple[str, str | None] | None:
    """URL and socket of an endpoint string, for somebody on this machine; None where it does not say."""
    kind, given = addresses.arguments(endpoint)
    if kind == "unix":
        return "http://localhost", given["address"]
    if kind not in ("tcp", "tcp6", "ssl") or given["port"] == "0":
        return None
    host = given.get("interface", "")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    scheme = "https" if kind == "ssl" else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{given['port']}", None
