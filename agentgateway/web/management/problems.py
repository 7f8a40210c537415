"""What the management API answers when it does not do what was asked: one shape, `{"error": {"code", "message"}}`."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import msgspec

Code = Literal[
    "bad_request",
    "unauthorized",
    "too_many_attempts",
    "not_found",
    "unknown_agent",
    "method_not_allowed",
    "too_large",
    "invalid",
    "invalid_config",
    "budget_exceeded",
    "unavailable",
    "internal",
]


@attrs.frozen
class Problem(Exception):
    """An answer with an error status; `message` is for people, `more` stands beside it in the error object."""

    status: int
    code: Code
    message: str
    more: Mapping[str, Any] = attrs.Factory(dict)
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Header fields of this answer, such as `Allow`."""

    @property
    def body(self) -> bytes:
        """The answer's JSON."""
        return msgspec.json.encode({"error": {"code": self.code, "message": self.message, **self.more}})


def too_large(limit: int) -> Problem:
    """For a request body of more than `limit` bytes."""
    return Problem(413, "too_large", f"a body of more than {limit} bytes")
