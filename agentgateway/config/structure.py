"""The tree of a file as frozen classes: cattrs does the walking, a table of readers says what each field takes.

Every class is read by `_Record`: unknown keys are found, missing ones that are needed are filled with a null the
field's reader objects to, nulls elsewhere mean the default. All that is wrong anywhere comes out in one (nested)
ExceptionGroup whose leaves are `Wrong`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from agentgateway.config import addresses, fields, rules, stores
from agentgateway.config import scalars as read
from agentgateway.config import schema as s
from agentgateway.config.builtin import BUILTIN
from agentgateway.config.secret import SecretReader
from agentgateway.config.tree import Node, Scalar, Table, Wrong
from agentgateway.domain.text import printable

T = TypeVar("T")
Reader = Callable[[Node], object]
Given = Callable[[Table], Mapping[str, Node]]

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@attrs.frozen
class _Record:
    """How one class is read: `given` makes nodes the file need not hold, `needed` are keys without a default."""

    cls: type
    build: Callable[[Any, Any], Any]
    known: tuple[str, ...]
    needed: tuple[str, ...]
    given: Given

    def __call__(self, node: Node, _type: object = None) -> Any:
        """An instance from a mapping; an empty value counts as an empty mapping."""
        table = fields.table_of(node)
        problems: list[Exception] = []
        values: dict[str, Node] = dict(read.attempt(problems, lambda: self.given(table)) or {})
        for name, child in table.entries.items():
            if name not in self.known:
                problems.append(Wrong(child, "a known key", f'"{printable(name)}"', name, self.known))
            elif not fields.is_null(child):
                values[name] = child
        for name in self.needed:
            values.setdefault(name, Scalar(table.line, table, name, "", True))
        found = read.attempt(problems, lambda: self.build(values, self.cls))
        read.raise_all(problems)
        return found


@attrs.frozen
class Structure:
    """Reads one tree; `apis` are the dialects of all providers the file may name."""

    secrets: SecretReader
    apis: Mapping[str, str]
    state_dir: str | None = None
    """`gateway.state_dir` where the file is silent; None: the schema's default."""
    converter: Converter = attrs.field(factory=lambda: Converter(detailed_validation=True))
    names: dict[str, Node] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        by_type: tuple[tuple[type, Reader], ...] = (
            (str, read.text), (bool, read.boolean), (float, read.seconds), (s.Rate, read.rate),
            (s.Secret, self.secrets.secret),
        )  # fmt: skip
        for cls, reader in by_type:
            self.converter.register_structure_hook(cls, _hook(reader))
        self.converter.register_structure_hook_func(
            lambda t: str(get_origin(t)) == "typing.Literal", lambda node, t: read.choice(node, get_args(t))
        )
        self.converter.register_structure_hook_func(
            lambda t: t == tuple[str, ...], _hook(lambda node: read.each(node, read.text, "a list of strings"))
        )
        for cls in self._readers():
            self.converter.register_structure_hook(cls, self._record(cls))

    def config(self, root: Node) -> s.Config:
        """The whole file; raises an ExceptionGroup of `Wrong` or one `Wrong`."""
        return self.converter.structure(root, s.Config)

    def _record(self, cls: type) -> _Record:
        readers = self._readers()[cls]
        given, aside, hidden = self._special(cls)
        keys = {f.name: "key" if f.name == "key_sha256" else f.name for f in attrs.fields(cls)}
        overrides: dict[str, Any] = {
            name: override(rename=key, struct_hook=_hook(readers[name]) if name in readers else None)
            for name, key in keys.items()
        }
        build: Callable[[Any, Any], Any] = make_dict_structure_fn(
            cls, self.converter, _cattrs_detailed_validation=True, **overrides
        )
        known = tuple(key for key in keys.values() if key not in hidden) + aside
        needed = tuple(f.name for f in attrs.fields(cls) if f.default is attrs.NOTHING)
        return _Record(cls, build, known, needed, given)

    def _special(self, cls: type) -> tuple[Given, tuple[str, ...], tuple[str, ...]]:
        """What a class is given beside the file, keys that are no fields, and fields that are no keys."""
        special: dict[type, tuple[Given, tuple[str, ...], tuple[str, ...]]] = {
            s.Gateway: (self._gateway, ("host", "port"), ("short",)),
            s.Agent: (lambda table: {"id": fields.said(table, "id", str(table.key))}, (), ("id",)),
            s.Provider: (fields.inherited, (), ("name",)),
            s.Policy: (lambda table: {"params": Table(table.line, table, "params")}, (), ()),
            s.Config: (_sections, (), ("path", "shared")),
        }
        return special.get(cls, (lambda table: {}, (), ()))

    def _readers(self) -> dict[type, dict[str, Reader]]:
        """Readers of the fields whose type alone does not say enough; inner classes first, as cattrs wants them."""
        one, none = read.whole(1), read.whole(0)
        urls = stores.UrlReader(self.secrets)
        return {
            s.Budget: {**dict.fromkeys(s.CAP_KEYS.values(), stores.cap), "warn_at": fields.fractions},
            s.CircuitBreaker: {
                "error_threshold": one, "reset_timeout": none, "half_open_requests": one, "window": one,
            },
            s.Agent: {
                "key_sha256": self.secrets.key, "max_concurrency": one,
                "provider": self._provider, "fallback": self._fallback,
            },
            s.Provider: {"api": fields.api, "base_url": addresses.base_url, "ca_file": fields.ca_file},
            s.Policy: {
                "name": self._policy_name, "condition": rules.condition,
                "params": lambda node: rules.params(node, self.secrets),
            },
            s.Price: dict.fromkeys(("input", "output", "cache_read", "cache_write"), read.dollars),
            s.Gateway: {
                "listen": addresses.listening, "state_dir": fields.folder, "timezone": fields.timezone,
                "otlp_endpoint": fields.otlp_endpoint,
                "max_body_bytes": one, "max_header_bytes": one, "max_connections": one,
            },
            s.Dashboard: {"port": fields.port, "host": addresses.host},
            s.Audit: {"max_entries": none},
            s.Admin: {"manhole": addresses.manhole},
            s.Config: {
                "agents": lambda node: self._named(node, s.Agent, True),
                "providers": lambda node: {**BUILTIN, **self._named(node, s.Provider, True)},
                "prices": lambda node: self._named(node, s.Price, False),
                "policies": lambda node: read.each(node, self._policy, "a list of policies"),
                "dashboard": self._dashboard, "store": stores.store, "workers": stores.workers,
            },
            s.Shared: {"live": urls.live, "history": urls.history, "retention_months": one},
        }  # fmt: skip

    def _named(self, node: Node, cls: type[T], ids: bool) -> Mapping[str, T]:
        """A mapping of names to instances; under `ids` names are of the form of agent ids."""
        problems: list[Exception] = []
        found: dict[str, T] = {}
        for name, child in fields.table_of(node).entries.items():
            if ids and _ID.fullmatch(name) is None and not (name == "*" and cls is s.Agent):
                form = "[A-Za-z0-9._-]{1,128}" + (' or "*"' if cls is s.Agent else "")
                problems.append(Wrong(child, f"a name of the form {form}", f'"{printable(name)}"'))
            value = read.attempt(problems, lambda: self.converter.structure(child, cls))  # noqa: B023 - called at once
            if value is not None:
                found[name] = value
        read.raise_all(problems)
        return found

    def _gateway(self, table: Table) -> Mapping[str, Node]:
        state = {"state_dir": fields.said(table, "state_dir", self.state_dir)} if self.state_dir else {}
        return {**state, **fields.short_form(table)}

    def _policy(self, node: Node) -> s.Policy:
        return self.converter.structure(node, s.Policy)

    def _policy_name(self, node: Node) -> str:
        name = read.text(node)
        first = self.names.setdefault(name, node)
        if first is not node:
            raise Wrong(node, "a name of its own", f"the name of the policy on line {first.line}")
        return name

    def _dashboard(self, node: Node) -> s.Dashboard | None:
        if isinstance(node, Scalar):
            return s.Dashboard() if read.boolean(node) else None
        return self.converter.structure(node, s.Dashboard)

    def _provider(self, node: Node) -> str:
        name = read.text(node)
        if name not in self.apis:
            raise Wrong(node, "a built-in provider or one of this file", read.shown(node), name, tuple(self.apis))
        return name

    def _fallback(self, node: Node) -> tuple[str, ...]:
        siblings = node.parent.entries if isinstance(node.parent, Table) else {}
        first = siblings.get("provider")
        api = self.apis.get(first.text, "") if isinstance(first, Scalar) else ""

        def same_dialect(item: Node) -> str:
            name = self._provider(item)
            if api and self.apis[name] and self.apis[name] != api:
                raise Wrong(
                    item, f"a provider that speaks {api}", f"{read.shown(item)}, which speaks {self.apis[name]}"
                )
            return name

        return read.each(node, same_dialect, "a list of providers")


def _sections(root: Table) -> Mapping[str, Node]:
    """Sections that bring something along even when the file does not name them, and what a mapping under `store` says."""
    shared = stores.shared_of(root)
    given: dict[str, Node] = {name: Table(1, root, name) for name in ("gateway", "providers")}
    return given if shared is None else given | {"shared": shared}


def _hook(reader: Reader) -> Callable[[Any, Any], Any]:
    """A reader as a cattrs hook: the type it is also given says nothing new."""
    return lambda node, _type: reader(node)
