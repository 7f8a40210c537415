"""One call, from its head to its audit record: each step reads what it needs and fills in what it learned."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from agentgateway.config.schema import Provider
from agentgateway.domain.caps import Reservation
from agentgateway.domain.moment import Moment
from agentgateway.domain.policy import NOTHING, Verdict
from agentgateway.domain.pricing import Rates
from agentgateway.domain.refusal import Refusal
from agentgateway.domain.usage import Usage

if TYPE_CHECKING:
    from agentgateway.domain.agent import AgentState
    from agentgateway.providers.dialect import Asked, Surface

Outcome = Literal["ok", "refused", "upstream_error", "client_gone", "cut", "truncated"]
Field = tuple[bytes, bytes]


class Target(msgspec.Struct, frozen=True):
    """Where a call can go, and what it would cost there; `rates` None: no price and none assumed."""

    provider: Provider
    rates: Rates | None


class Sending(Protocol):
    """A request's body on its way to a provider."""

    sent: bool
    """Whether it has been handed to a connection."""

    def let_go(self) -> None:
        """It will not be sent again: keep nothing of it."""


class Exchange(msgspec.Struct, eq=False):
    """A call on its way. Empty values mean "not known yet", or not at all for a call refused early."""

    id: str
    began: Moment
    method: str
    uri: str
    """As received: path and query."""
    fields: Sequence[Field]
    """The caller's header fields as received."""
    head: Mapping[bytes, bytes] = {}
    """The same by lower-case name; of a repeated one the last, and then it is shorter than `fields`."""
    body: bytes | None = None
    """The whole body, once it is there; None where it streams through or has not arrived."""
    body_pending: bool = False
    """Whether (more of) the body is still to come."""
    derived: dict[object, Any] | None = None
    """What was made of the head alone, by whose it is: calls with the very same head share it. None: it may not recur."""

    # identify
    agent: "AgentState | None" = None
    agent_id: str | None = None
    uri_upstream: str = ""
    """`uri` without the gateway's own prefixes."""
    provider_named: str | None = None
    gateway_keys: frozenset[bytes] = frozenset()
    """Names of the credential fields that hold one: they do not travel on."""
    session: str | None = None

    # understand
    surface: "Surface | None" = None
    asked: "Asked | None" = None

    strip_usage: bool = False
    """The gateway asked for a usage chunk that the caller did not ask for, and takes it out again."""

    # choose
    targets: Sequence[Target] = ()
    target: Target | None = None

    # screen, throttle, reserve
    verdict: Verdict = NOTHING
    """What the policies say."""
    tokens_taken: int = 0
    """Taken from the agent's token limit, by estimate."""
    circuit: int | None = None
    """The breaker's generation, while `target` is being tried."""
    amount: int = 0
    """Nano-dollars to reserve."""
    risk: int = 0
    """Nano-dollars that may be spent before the call could be stopped."""
    reservation: Reservation | None = None
    borrowed: int = 0
    """How often it waited for what the fleet has to lend."""

    # how it went
    position: int = 0
    admitted: bool = False
    closed: bool = False
    sendings: list["Sending | None"] = msgspec.field(default_factory=list)
    """The bodies that were to go to a provider, one for each that was tried; None for a request without one."""
    body_let_go: int = 0
    """Bytes of the body that is not kept any more."""
    refusal: Refusal | None = None
    status: int = 0
    outcome: Outcome = "ok"
    reason: str | None = None
    streamed: bool = False
    compressed: bool = False
    """The answer has a Content-Encoding, although none was accepted."""
    model: str | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    usage_kind: Literal["exact", "estimated", "none"] = "none"
    cost: int = 0
    """Nano-dollars."""
    lost: int = 0
    """The part of `cost` that went to providers that were given up before they answered."""
    rates: Rates | None = None
    """What `cost` was reckoned with."""
    first_byte: float | None = None
    """Seconds from `began` to the first byte from upstream."""

    def refuse(self, refusal: Refusal) -> None:
        """This call ends with a refusal of ours."""
        self.refusal = refusal
        self.status = refusal.status
        self.reason = refusal.reason
        self.outcome = "upstream_error" if refusal.reason.startswith("upstream_") else "refused"

    @property
    def sent(self) -> bool:
        """Whether the request has reached a provider, which may have begun to work (and to bill)."""
        return True in [body is None or body.sent for body in self.sendings]

    @property
    def body_size(self) -> int:
        """Bytes of the body, as far as it was read whole."""
        return self.body_let_go if self.body is None else len(self.body)

    def let_go_of_body(self) -> None:
        """An answer has begun, so nothing is sent again: a long stream must not hold a long prompt in memory."""
        body, self.body = self.body, None
        if body is not None:
            self.body_let_go = len(body)
        for sending in self.sendings:
            if sending is not None:
                sending.let_go()

    @property
    def requested_model(self) -> str | None:
        """The model the caller named."""
        return self.asked.model if self.asked is not None else None

    @property
    def wanted_model(self) -> str | None:
        """The model that an answer is asked of: the one that the caller named, else the agent's, which is put in."""
        return self.requested_model or (self.agent.config.model if self.agent is not None else None)

    @property
    def path(self) -> str:
        """The path that goes upstream, without its query."""
        return self.uri_upstream.partition("?")[0]
