"""Why a call is not served: the reasons of the contract, each with its status and whether time heals it."""

from typing import Literal

import attrs

Reason = Literal[
    "unknown_agent",
    "bad_key",
    "agent_paused",
    "policy_denied",
    "rate_limited",
    "budget_exceeded",
    "circuit_open",
    "unpriced_model",
    "bad_request",
    "upstream_unreachable",
    "upstream_timeout",
    "draining",
    "overloaded",
]

STATUS: dict[str, int] = {
    "unknown_agent": 401,
    "bad_key": 401,
    "agent_paused": 403,
    "policy_denied": 403,
    "rate_limited": 429,
    "budget_exceeded": 402,
    "circuit_open": 503,
    "unpriced_model": 402,
    "bad_request": 400,
    "upstream_unreachable": 502,
    "upstream_timeout": 504,
    "draining": 503,
    "overloaded": 503,
}
RETRY = frozenset(
    {"rate_limited", "circuit_open", "upstream_unreachable", "upstream_timeout", "draining", "overloaded"}
)
"""Reasons that time heals; SDKs are told so with `x-should-retry`."""


@attrs.frozen(slots=True)
class Refusal:
    """`message` says what happened, which limit, and what to do; `retry_after` in seconds where it is known."""

    reason: Reason
    message: str
    retry_after: float | None = None
    status: int = attrs.field()

    @status.default
    def _status_of_reason(self) -> int:
        return STATUS[self.reason]

    @property
    def retry(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return self.reason in RETRY
