"""Which header fields pass: all end-to-end ones, both ways (RFC 9110 section 7.6.1), but for what the gateway must change."""

from collections.abc import Mapping, Sequence
from math import ceil

from agentgateway.config.schema import Provider, Secret
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import dollars
from agentgateway.pipeline.identify import CREDENTIALS
from agentgateway.wire.headers import Field

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_FROM_CALLER = HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"accept-encoding",
    b"x-agent-id",
    b"http2-settings",
}
_WITHOUT_CREDENTIALS = _FROM_CALLER.union(CREDENTIALS)
_IDENTITY = (b"Accept-Encoding", b"identity")
_FROM_PROVIDER = HOP_BY_HOP | {
    b"x-agentgateway-request-id",
    b"x-agentgateway-budget-remaining",
    b"x-agentgateway-budget-reset",
}
"""What it says of a call's record and budget it says as a gateway, too: the caller's is this one."""
_AND_LENGTH = _FROM_PROVIDER | {b"content-length"}
_PROTECTED = frozenset({b"content-length", b"content-type", b"content-encoding", b"host", *CREDENTIALS})
"""What `Connection` may not take away: the message would change its meaning."""


def upstream_fields(exchange: Exchange, ours: Field | None, foreign: bool) -> list[Field]:
    """The caller's fields as they go to the provider; `ours` is the credential that stands in for the caller's.

    `foreign`: the caller's credentials are meant for another provider. Gateway keys travel to none.
    """
    drop = _WITHOUT_CREDENTIALS if ours is not None or foreign else _FROM_CALLER | exchange.gateway_keys
    passed = _end_to_end(exchange.fields, exchange.head, drop)
    passed.append(_IDENTITY)
    if ours is not None:
        passed.append(ours)
    return passed


def answer_fields(
    fields: Sequence[Field], lowered: Mapping[bytes, bytes], call_id: bytes, without_length: bool
) -> list[Field]:
    """The provider's fields (`lowered`: by lower-case name) as they go to the caller, and the id of the call's record."""
    passed = _end_to_end(fields, lowered, _AND_LENGTH if without_length else _FROM_PROVIDER)
    passed.append((b"x-agentgateway-request-id", call_id))
    return passed


def _end_to_end(fields: Sequence[Field], lowered: Mapping[bytes, bytes], drop: frozenset[bytes]) -> list[Field]:
    """The fields but for those in `drop` and those that `Connection` names."""
    if b"connection" in lowered:
        values = b",".join(value for name, value in fields if name.lower() == b"connection")
        drop = drop | (frozenset(token.strip().lower() for token in values.split(b",")) - _PROTECTED)
    if drop.isdisjoint(lowered):
        return list(fields)
    if len(lowered) == len(fields):  # no name is repeated: the lower-case ones stand in the same order
        return [field for name, field in zip(lowered, fields, strict=True) if name not in drop]
    return [field for field in fields if field[0].lower() not in drop]


def credential(provider: Provider, agent_key: Secret | None) -> Field | None:
    """The header that carries the gateway's own key for `provider`; None: the caller's own goes through."""
    secret = agent_key or provider.api_key
    if secret is None:
        return None
    key = secret.value.encode()
    if provider.api == "anthropic":
        return (b"x-api-key", key)
    if provider.api == "google":
        return (b"x-goog-api-key", key)
    return (b"Authorization", b"Bearer " + key)


def learned(exchange: Exchange, now: Moment) -> list[Field]:
    """What an agent learns of its limits: dollars left and seconds to their reset, calls left and seconds to the full rate."""
    agent = exchange.agent
    if agent is None:
        return []
    fields: list[Field] = []
    least, bucket = agent.account.least(now.wall), agent.bucket
    if least is not None:
        remaining, resets_at = least
        fields.append((b"x-agentgateway-budget-remaining", dollars(remaining).encode()))
        if resets_at is not None:
            fields.append((b"x-agentgateway-budget-reset", b"%d" % ceil(resets_at - now.wall)))
    if bucket is not None:
        fields.append((b"ratelimit-limit", b"%d" % bucket.rate.count))
        fields.append((b"ratelimit-remaining", b"%d" % bucket.available(now.monotonic)))
        fields.append((b"ratelimit-reset", b"%d" % ceil(bucket.full_in(now.monotonic))))
    return fields
