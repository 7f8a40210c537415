"""Tests of errors in OpenAI's dialect."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.openai_errors import OPENAI


class Refusals(SynchronousTestCase):
    """Errors of our own."""

    def test_body(self) -> None:
        """A refusal has OpenAI's shape, whatever its message holds."""
        body = OPENAI.refusal(402, "budget_exceeded", 'spent "all"\u2028\n', "c")
        error = {"message": 'spent "all"\u2028\n', "type": "insufficient_quota", "param": None}
        self.assertEqual(json.loads(body), {"error": {**error, "code": "insufficient_quota"}})

    def test_codes(self) -> None:
        """Each reason has the code of the contract; a new one is an upstream error."""
        for reason, code in (
            ("unknown_agent", "invalid_api_key"),
            ("bad_key", "invalid_api_key"),
            ("agent_paused", "agent_paused"),
            ("policy_denied", "policy_denied"),
            ("rate_limited", "rate_limit_exceeded"),
            ("circuit_open", "circuit_open"),
            ("unpriced_model", "unpriced_model"),
            ("bad_request", "invalid_request_error"),
            ("upstream_unreachable", "upstream_error"),
            ("upstream_timeout", "upstream_error"),
            ("draining", "overloaded"),
            ("overloaded", "overloaded"),
        ):
            self.assertEqual(json.loads(OPENAI.refusal(500, reason, "", ""))["error"]["code"], code)

    def test_event(self) -> None:
        """In a stream the same is one event without a name."""
        event = OPENAI.error_event("upstream_timeout", "late", "c")
        self.assertTrue(event.startswith(b'data: {"error": {') and event.endswith(b"}}\n\n"))
