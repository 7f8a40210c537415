"""The last words of an answer that was cut or broke off: the dialect's error event, where a stream has begun."""

from agentgateway.domain.exchange import Exchange
from agentgateway.providers.sse import whole_events
from agentgateway.web.answers import dialect, refusal_of
from agentgateway.web.outcome import provider_of
from agentgateway.web.relay import Cut, Ending, Relay
from agentgateway.wire.errors import WireError


def last_words(exchange: Exchange, held: bytes, ending: Ending, relay: Relay | None) -> bytes:
    """`held`, what was not passed on yet, and behind it why nothing follows; an event without its end is ended first."""
    readable = exchange.streamed and not exchange.compressed  # plain text would only break what is compressed
    words = _words(exchange, ending.error) if readable else b""
    torn = relay.torn if relay is not None else whole_events(held) != held
    return held + (b"\n\n" if torn and words else b"") + words


def _words(exchange: Exchange, error: Exception | None) -> bytes:
    if exchange.outcome == "cut" and isinstance(error, Cut):
        return _event(exchange, error.reason, error.message)
    if exchange.outcome == "truncated":
        why = error or WireError("the stream ended without its terminal event")
        refusal = refusal_of(why, provider_of(exchange))
        return _event(exchange, refusal.reason, refusal.message)
    return b""


def _event(exchange: Exchange, reason: str, message: str) -> bytes:
    return dialect(exchange).error_event(reason, message, exchange.id)
