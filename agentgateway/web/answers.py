"""The gateway's own answers: refusals in the caller's dialect, and what a failure on the wire is to the caller."""

from math import ceil

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.refusal import Refusal
from agentgateway.providers.dialect import Dialect
from agentgateway.providers.known import dialect_of
from agentgateway.wire.errors import (
    BadFraming,
    BodyTimeout,
    BodyTooLarge,
    CannotRead,
    ConnectFailed,
    ConnectTimeout,
    HeadTimeout,
    NoRoom,
    SilenceTimeout,
    WireError,
)
from agentgateway.wire.headers import Field


def dialect(exchange: Exchange) -> Dialect:
    """The dialect the caller expects errors in."""
    if exchange.surface is not None:
        return exchange.surface.dialect
    api = (exchange.agent.config.provider or "") if exchange.agent is not None else ""
    return dialect_of((exchange.uri_upstream or exchange.uri).partition("?")[0], api)


def refusal_answer(refusal: Refusal, dialect: Dialect, call_id: str) -> tuple[list[Field], bytes]:
    """(header fields, body) of a refusal, but for Content-Length."""
    body = dialect.refusal(refusal.status, refusal.reason, refusal.message, call_id)
    fields: list[Field] = [
        (b"Content-Type", b"application/json"),
        (b"x-agentgateway-reason", refusal.reason.encode()),
        (b"x-should-retry", b"true" if refusal.retry else b"false"),
        (b"x-agentgateway-request-id", call_id.encode()),
        (b"request-id" if dialect.name == "anthropic" else b"x-request-id", call_id.encode()),  # where its SDK looks
    ]
    if refusal.retry_after is not None:
        fields.append((b"retry-after", b"%d" % max(1, ceil(refusal.retry_after))))
    return fields, body


def refusal_of(error: Exception, provider: str) -> Refusal:
    """What a wire error means for the caller; `error.detail` holds nothing secret."""
    if isinstance(error, BodyTooLarge):
        return Refusal("bad_request", f"request too large: {error.detail}", status=413)
    if isinstance(error, NoRoom | CannotRead):
        return Refusal("overloaded", error.detail, 1)
    if isinstance(error, BodyTimeout):
        return Refusal("bad_request", error.detail, status=408)
    if isinstance(error, BadFraming):
        return Refusal("bad_request", error.detail, status=error.status)
    if isinstance(error, ConnectTimeout):
        return Refusal("upstream_timeout", f"provider {provider!r}: {error.detail}", 1)
    if isinstance(error, HeadTimeout | SilenceTimeout):
        return Refusal("upstream_timeout", f"provider {provider!r}: {error.detail}", 1)
    detail = error.detail if isinstance(error, WireError) else type(error).__name__
    kind = "cannot be reached" if isinstance(error, ConnectFailed) else "failed"
    return Refusal("upstream_unreachable", f"provider {provider!r} {kind}: {detail}", 1)
