"""Errors in OpenAI's dialect."""

import json

_CODES = {
    "unknown_agent": ("authentication_error", "invalid_api_key"),
    "bad_key": ("authentication_error", "invalid_api_key"),
    "agent_paused": ("permission_error", "agent_paused"),
    "policy_denied": ("permission_error", "policy_denied"),
    "rate_limited": ("rate_limit_error", "rate_limit_exceeded"),
    "budget_exceeded": ("insufficient_quota", "insufficient_quota"),
    "circuit_open": ("server_error", "circuit_open"),
    "unpriced_model": ("invalid_request_error", "unpriced_model"),
    "bad_request": ("invalid_request_error", "invalid_request_error"),
    "draining": ("server_error", "overloaded"),
    "overloaded": ("server_error", "overloaded"),
}


class OpenAiDialect:
    """Errors as OpenAI's API words them."""

    name = "openai"

    def error(self, reason: str, message: str) -> dict[str, str | None]:
        """The error object itself."""
        type_, code = _CODES.get(reason, ("server_error", "upstream_error"))
        return {"message": message, "type": type_, "param": None, "code": code}

    def refusal(self, status: int, reason: str, message: str, call_id: str) -> bytes:
        """`{"error": {"message", "type", "param", "code"}}`."""
        return json.dumps({"error": self.error(reason, message)}).encode("ascii")

    def error_event(self, reason: str, message: str, call_id: str) -> bytes:
        """The same as an event without a name, which SDKs raise on."""
        return b"data: " + self.refusal(0, reason, message, call_id) + b"\n\n"


OPENAI = OpenAiDialect()
