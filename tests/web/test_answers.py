"""What a failure on the wire is to the caller, and how a refusal looks."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.refusal import Refusal
from agentgateway.providers.known import DIALECTS
from agentgateway.web.answers import dialect, refusal_answer, refusal_of
from agentgateway.wire import errors as e
from tests.pipeline.calls import call


class RefusalOfTests(SynchronousTestCase):
    """Each error has its reason and status, and names the provider."""

    def test_table(self) -> None:
        """The caller's mistakes are 4xx, the provider's 5xx that may be tried again."""
        for error, reason, status in (
            (e.BodyTooLarge("x"), "bad_request", 413),
            (e.BodyTimeout("x"), "bad_request", 408),
            (e.BadFraming(431, "x"), "bad_request", 431),
            (e.ConnectTimeout("x"), "upstream_timeout", 504),
            (e.HeadTimeout("x"), "upstream_timeout", 504),
            (e.SilenceTimeout("x"), "upstream_timeout", 504),
            (e.ConnectFailed("x"), "upstream_unreachable", 502),
            (e.UpstreamBroken("x", False), "upstream_unreachable", 502),
            (RuntimeError("secret"), "upstream_unreachable", 502),
        ):
            refusal = refusal_of(error, "groq")
            self.assertEqual((refusal.reason, refusal.status), (reason, status), error)
            self.assertEqual((refusal.retry_after, refusal.retry), (1, True) if status > 500 else (None, False))
            self.assertEqual("'groq'" in refusal.message, status > 500)
            self.assertNotIn("secret", refusal.message)


class RefusalAnswerTests(SynchronousTestCase):
    """Fields that SDKs and people look at."""

    def test_fields(self) -> None:
        """Reason, whether to try again, the record's id; `retry-after` in whole seconds, rounded up, at least one."""
        for wait, said in ((None, None), (0.0, b"1"), (0.2, b"1"), (1.0, b"1"), (7.1, b"8")):
            fields, body = refusal_answer(Refusal("rate_limited", "slowly", wait), DIALECTS["openai"], "agw_1")
            named = dict(fields)
            self.assertEqual(named.get(b"retry-after"), said)
            self.assertEqual((named[b"x-agentgateway-reason"], named[b"x-should-retry"]), (b"rate_limited", b"true"))
            self.assertEqual((named[b"x-agentgateway-request-id"], named[b"x-request-id"]), (b"agw_1", b"agw_1"))
            self.assertEqual(json.loads(body)["error"]["message"], "slowly")

    def test_where_sdks_look_for_the_id(self) -> None:
        """The record's id also stands where the SDK of the dialect finds what it calls the request's id."""
        for name, field in (("anthropic", b"request-id"), ("openai", b"x-request-id"), ("google", b"x-request-id")):
            fields, _ = refusal_answer(Refusal("rate_limited", "slowly", 1), DIALECTS[name], "agw_1")
            self.assertEqual(dict(fields)[field], b"agw_1")

    def test_dialect(self) -> None:
        """Before anything is known of a call its path decides; prefixes do not count."""
        for uri, name in (
            ("/agents/x/v1/messages?beta=true", "anthropic"),
            ("/v1/chat/completions", "openai"),
            ("/v1beta/models/x:generateContent", "google"),
            ("/nonsense", "openai"),
        ):
            self.assertEqual(dialect(call(uri)).name, name, uri)
