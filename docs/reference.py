"""What the code knows of itself, as Markdown: keys, providers, names, refusals, commands. `generate.py` puts it in place."""

import ast
import inspect
import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import click

from agentgateway.cli.main import COMMANDS, main
from agentgateway.config import schema
from agentgateway.config.builtin import BUILTIN
from agentgateway.domain.facts import Facts
from agentgateway.domain.lexicon import NAMES
from agentgateway.domain.refusal import RETRY, STATUS
from agentgateway.providers.known import DIALECTS

EXAMPLE = Path(__file__).resolve().parents[1] / "gateway.yaml"

_KEY = re.compile(r'(?P<indent> *)(?P<off>#)?(?P<item>- )?(?P<key>"\*"|[a-z_]+[a-z0-9_-]*):(?P<rest>.*)')

SECTIONS: tuple[tuple[str, type, str], ...] = (
    ("gateway", schema.Gateway, "gateway"),
    ("providers.<name>", schema.Provider, "providers *"),
    ("agents.<id>", schema.Agent, "agents *"),
    ("agents.<id>.budget", schema.Budget, "agents * budget"),
    ("agents.<id>.circuit_breaker", schema.CircuitBreaker, "agents * circuit_breaker"),
    ("policies[]", schema.Policy, "policies"),
    ("prices.<model>", schema.Price, "prices *"),
    ("dashboard", schema.Dashboard, "dashboard"),
    ("audit", schema.Audit, "audit"),
    ("admin", schema.Admin, "admin"),
    ("store", schema.Shared, "store"),
    ("(top level)", schema.Config, ""),
)
"""(path in the file, its class, where gateway.yaml has its comments)."""

HIDDEN = {
    schema.Agent: {"id"},
    schema.Provider: {"name"},
    schema.Config: {"path", "shared"},
    schema.Gateway: {"short"},
}
"""Fields that are no keys: the names of mappings, and what is known of the file itself."""
RENAMED = {"key_sha256": "key"}
SHORT = {
    "host": ("text", "`0.0.0.0`", "address to listen on; not together with `listen`"),
    "port": ("whole number", "`8080`", "port to listen on, 0 for any; not together with `listen`"),
}
"""Keys of `gateway` that are no fields: `listen` is made of them."""
MONEY = {schema.Budget, schema.Price}
WORDS: Mapping[str, str] = {
    "policies params": "`throttle` needs `rate`; `alert` may have `webhook` (a URL) and `cooldown` (seconds)",
    "agents * budget": "what it may spend: see [budgets](budgets.md)",
    "agents * circuit_breaker": "when a failing provider is left alone",
    "agents * key": "gateway key that the agent must present",
    "agents * rate_limit": "calls, as a rate; a burst of the whole count is fine",
    "agents * budget max_cost_per_hour": "the agent pauses until the hour ends",
    "agents * budget max_cost_per_day": "the agent pauses until the day ends",
    "agents * circuit_breaker error_threshold": "so many errors of a provider within the window open the circuit",
    "agents * circuit_breaker window": "milliseconds that an error counts",
    "agents * circuit_breaker half_open_requests": "successful tries that close it again",
    "providers * api": "the dialect on the wire",
    "providers * connect_timeout": "until the connection stands",
    "providers * response_timeout": "until the answer begins",
    "providers * silence_timeout": "between two pieces of an answer",
    "policies action": "see [policies](policies.md)",
    "store": "where spend is kept: `memory:` forgets it at the end, `sqlite:PATH` is for one process, a mapping for "
    "several: see [scaling](scaling.md)",
    "workers": "processes that serve calls, or `auto` for one a processor; above 1 needs a store that is a mapping",
    "durability": "what the books survive: a killed process, or a power loss too (waits for the disk)",
    "policies name": "what alerts, refusals and the log call it; each once",
    "policies condition": "when it holds: see [policies](policies.md)",
    "prices * input": "for tokens read",
    "prices * output": "for tokens written",
    "prices * cache_read": "for tokens read from a cache; without it the price of input",
    "prices * cache_write": "for tokens written to a cache; without it 1.25 times the price of input, 2 times for an hour",
    "agents": 'by id: `[A-Za-z0-9._-]{1,128}`; `"*"` is the template for agents not named',
    "providers": "by name; one with a built-in name inherits what it leaves out",
    "policies": "a list, looked at in order",
    "prices": "by model, in dollars per million tokens; they come before the bundled price list",
    "gateway": "where it listens, and its limits",
    "audit": "the audit log",
    "admin": "the manhole",
    "dashboard port": "where the dashboard listens; 0 for any",
    "dashboard host": "its address",
    "admin manhole": "endpoint of a Python prompt inside the gateway: a Unix socket, or SSH on TCP",
}
"""What gateway.yaml and the classes do not say of a key."""


def commented(text: str) -> dict[str, str]:
    """The comment beside each key of gateway.yaml, by path; names of agents, providers and models are a `*`."""
    found: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    latest = ""
    for line in text.splitlines():
        match = _KEY.fullmatch(line)
        if match is None:
            more = re.fullmatch(r" {20,}# (.*)", line)
            if more and latest:
                found[latest] += " " + more[1]
            continue
        indent = len(match["indent"]) + len(match["item"] or "")
        stack = [entry for entry in stack if entry[0] < indent]
        parents = [name for _, name in stack]
        name = "*" if len(parents) == 1 and parents[0] in ("agents", "providers", "prices") else match["key"]
        stack.append((indent, name))
        latest = " ".join([*parents, name])
        comment = re.search(r"(?:^|\s)# (.*)$", match["rest"])
        found[latest] = comment[1] if comment else found.get(latest, "")
    return {key: comment for key, comment in found.items() if comment}


def said(cls: type) -> dict[str, str]:
    """The first line of the docstring under each field of a class."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(after.value.value).split())
    return found


def kind(cls: type, name: str, hint: Any) -> str:
    """A field's type in words."""
    options = [option for option in get_args(hint) if option is not type(None)]
    if get_origin(hint) in (Union, types.UnionType):
        hint = options[0]
    if get_origin(hint) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(hint))
    if get_origin(hint) is tuple:
        return (
            "list of policies" if name == "policies" else "list of fractions" if name == "warn_at" else "list of text"
        )
    if cls in MONEY and hint is int:
        return "dollars" if cls is schema.Budget else "dollars per million tokens"
    if attrs.has(hint) and hint not in (schema.Secret, schema.Rate):
        return "mapping"
    words = {int: "whole number", float: "seconds", str: "text", bool: "true or false", schema.Secret: "secret",
             bytes: "secret, or `sha256:` and 64 hex digits", schema.Rate: "rate"}  # fmt: skip
    return words.get(hint, "mapping")


def default(cls: type, field: "attrs.Attribute[Any]") -> str:
    """A field's default as the file would say it."""
    value = field.default
    if value is attrs.NOTHING:
        return "needed" if cls is not schema.Provider else "needed, but for built-in ones"
    if value is None:
        return "none"
    if isinstance(value, attrs.Factory) or attrs.has(type(value)) or value in ((), {}):  # type: ignore[arg-type]
        return "empty" if not attrs.has(type(value)) else "see below"
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def keys(cls: type, where: str, comments: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """(key, type, default, meaning) of one section."""
    hints, docs = attrs.resolve_types(cls), said(cls)
    if cls is schema.Gateway:
        for key, (type_, value, meaning) in SHORT.items():
            yield key, type_, value, meaning
    for field in attrs.fields(hints):
        if field.name in HIDDEN.get(cls, ()):
            continue
        key = RENAMED.get(field.name, field.name)
        path = f"{where} {key}".strip()
        meaning = WORDS.get(path) or comments.get(path) or docs.get(field.name, "")
        yield key, kind(cls, field.name, field.type), default(cls, field), meaning


def configuration() -> str:
    """A table for each section of the file."""
    comments = commented(EXAMPLE.read_text())
    parts = []
    for title, cls, where in (SECTIONS[-1], *SECTIONS[:-1]):
        rows = [
            f"| `{key}` | {type_} | {value} | {meaning} |" for key, type_, value, meaning in keys(cls, where, comments)
        ]
        parts += [f"### `{title}`", "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def providers() -> str:
    """The built-in providers."""
    rows = [f"| `{name}` | {provider.api} | `{provider.base_url}` |" for name, provider in BUILTIN.items()]
    return "\n".join(["| name | dialect | base URL |", "|---|---|---|", *rows])


def names() -> str:
    """What a condition may name."""
    rows = [
        f"| `{name}` | {kind_} | {(getattr(Facts, name).__doc__ or '').rstrip('.')} |" for name, kind_ in NAMES.items()
    ]
    return "\n".join(["| name | kind | meaning |", "|---|---|---|", *rows])


def reasons() -> str:
    """Every refusal, with what it looks like in each dialect."""
    rows = []
    for reason, status in STATUS.items():
        anthropic = json.loads(DIALECTS["anthropic"].refusal(status, reason, "", ""))["error"]["type"]
        openai = json.loads(DIALECTS["openai"].refusal(status, reason, "", ""))["error"]["code"]
        again = "yes" if reason in RETRY else "no"
        rows.append(f"| [`{reason}`](#{reason}) | {status} | `{anthropic}` | `{openai}` | {again} |")
    head = ["| reason | status | Anthropic `error.type` | OpenAI `error.code` | try again? |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def commands() -> str:
    """What `--help` says of each command."""
    parts = []
    context = click.Context(main, info_name="agentgateway", terminal_width=100, help_option_names=["-h", "--help"])
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        text = command.get_help(click.Context(command, parent=context, info_name=name))
        parts += [f"## agentgateway {name}", "", "```text", text, "```", ""]
    return "\n".join(parts)
