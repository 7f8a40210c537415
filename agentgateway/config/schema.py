"""The configuration as values: what `gateway.yaml` says, checked, with every default filled in.

Money is integer nano-dollars, durations are seconds unless a name says otherwise, secrets hide themselves in `repr`.
`load.py` makes these from YAML; everything else only reads them.
"""

from collections.abc import Mapping
from typing import Final, Literal

import attrs

Api = Literal["anthropic", "openai", "google"]
PolicyAction = Literal["pause", "deny", "alert", "throttle"]


@attrs.frozen
class Secret:
    """A value that must never be printed; `value` is the resolved text, `source` says where it came from."""

    value: str = attrs.field(repr=False)
    source: str = "file"

    def __str__(self) -> str:
        return "<secret>"


@attrs.frozen
class Rate:
    """`count` per `seconds`; as a token bucket its burst is `count`."""

    count: int
    seconds: int

    def __str__(self) -> str:
        unit = {1: "s", 60: "min", 3600: "h", 86400: "d"}.get(self.seconds, f"{self.seconds}s")
        return f"{self.count}/{unit}"


CAP_KEYS: Final = {"hour": "max_cost_per_hour", "day": "max_cost_per_day", "total": "max_cost_total"}
"""The keys of a budget that are caps, by the cap's name."""


@attrs.frozen
class Budget:
    """Caps in nano-dollars; None is no cap. `warn_at` are fractions of a cap, ascending."""

    max_cost_per_hour: int | None = None
    max_cost_per_day: int | None = None
    max_cost_total: int | None = None
    enforcement: Literal["estimate", "hard"] = "estimate"
    warn_at: tuple[float, ...] = (0.75, 0.95)


@attrs.frozen
class CircuitBreaker:
    """`error_threshold` errors within `window` ms open the circuit for `reset_timeout` ms."""

    error_threshold: int = 5
    reset_timeout: int = 30_000
    half_open_requests: int = 3
    window: int = 60_000


@attrs.frozen
class Agent:
    """One agent, or the template `*` for agents not named."""

    id: str
    model: str | None = None
    provider: str | None = None
    """A key of `Config.providers`; None chooses the built-in provider of the path's dialect."""
    api_key: Secret | None = None
    key_sha256: bytes | None = attrs.field(default=None, repr=False)
    """SHA-256 digest (32 bytes) of the gateway key this agent must present; None: none asked."""
    budget: Budget = Budget()
    rate_limit: Rate | None = None
    token_limit: Rate | None = None
    max_concurrency: int | None = None
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    fallback: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@attrs.frozen
class Provider:
    """One upstream and how to speak to it."""

    name: str
    api: Api
    base_url: str
    """Without a trailing slash; may carry a path, which goes before the call's own."""
    api_key: Secret | None = None
    connect_timeout: float = 10.0
    response_timeout: float = 600.0
    silence_timeout: float = 300.0
    on_disconnect: Literal["abort", "drain"] = "abort"
    ca_file: str | None = None


@attrs.frozen
class Policy:
    """One rule; `condition` has already been found to parse."""

    name: str
    condition: str
    action: PolicyAction
    params: Mapping[str, object] = attrs.field(factory=dict, repr=False)
    """As read: throttle has `rate` (a `Rate`), alert may have `webhook` (str, never shown) and `cooldown` (seconds)."""
    agents: tuple[str, ...] = ()
    """Agent ids or tags it is narrowed to; empty: all."""


@attrs.frozen
class Price:
    """Nano-dollars per million tokens; None falls back on `input` for caches."""

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None


@attrs.frozen
class Gateway:
    """The listening side and its limits."""

    listen: tuple[str, ...] = ("tcp:8080:interface=0.0.0.0",)
    """Twisted endpoint strings, made from `host` and `port` where `listen` is absent."""
    state_dir: str = ".agentgateway"
    admin_token: Secret | None = None
    loopback_reads: bool = True
    timezone: str = "UTC"
    max_body_bytes: int = 33_554_432
    max_header_bytes: int = 65_536
    header_timeout: float = 10.0
    idle_timeout: float = 75.0
    max_connections: int = 20_000
    drain_timeout: float = 30.0
    otlp_endpoint: str | None = None
    """OpenTelemetry collector (OTLP over HTTP), without a trailing slash; None: no traces."""
    short: bool = attrs.field(default=True, eq=False)
    """Whether `listen` was made from `host` and `port`."""


@attrs.frozen
class Dashboard:
    """Where the dashboard listens; port 0 lets the system choose."""

    port: int = 4040
    host: str = "0.0.0.0"

    @property
    def endpoint(self) -> str:
        """That as a Twisted endpoint string."""
        host = self.host.replace("\\", "\\\\").replace(":", "\\:")
        return f"tcp{'6' * (':' in self.host)}:{self.port}:interface={host}"


@attrs.frozen
class Audit:
    """`log_file` None keeps records in memory only; with `Config.shared` there always is one. `max_entries` bounds the
    in-memory tail."""

    log_file: str | None = None
    max_entries: int = 10_000


@attrs.frozen
class Admin:
    """The manhole's endpoint; None is off."""

    manhole: str | None = None
    authorized_keys: str | None = None


@attrs.frozen
class Shared:
    """Stores that several processes share; each process keeps books of its own besides."""

    live: Secret
    """Redis, for budgets, rates and pauses that hold for all processes together"""
    history: Secret
    """PostgreSQL, for audit records and charts of all processes"""
    on_outage: Literal["refuse", "spend"] | None = None
    """with Redis away, once what was borrowed from it is spent: refuse calls, or go on and alert; without it agents with
    `enforcement: hard` are refused, the others go on"""
    retention_months: int | None = None
    """months after which history is dropped, in whole months; without it never"""


@attrs.frozen
class Config:
    """A whole gateway.yaml."""

    gateway: Gateway = Gateway()
    providers: Mapping[str, Provider] = {}
    """The built-in ones and the file's, by name."""
    agents: Mapping[str, Agent] = {}
    policies: tuple[Policy, ...] = ()
    prices: Mapping[str, Price] = {}
    unpriced_models: Literal["refuse", "assume", "free"] = "assume"
    dashboard: Dashboard | None = Dashboard()
    """None where the file says `dashboard: false`."""
    audit: Audit = Audit()
    admin: Admin = Admin()
    store: str = "sqlite:.agentgateway/ledger.sqlite"
    shared: Shared | None = None
    """What `store` names where it is a mapping; `store` is then where this process keeps its own books."""
    workers: int = 1
    """Processes that serve calls; above 1 only with `shared`."""
    durability: Literal["process", "power"] = "process"
    """What the books survive before a caller sees the end of its answer: a killed process, or a power loss (fsync)."""
    path: str = "gateway.yaml"
