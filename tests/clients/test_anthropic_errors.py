"""Anthropic's official SDK through the gateway when something goes wrong: it raises its own exceptions, with the cause."""

import contextlib

import anthropic

from tests.clients.base import KEY, LARGEST, LIMITS, RETRIED, standin
from tests.clients.test_anthropic import AnthropicTestCase, asking

KINDS = {
    402: anthropic.APIStatusError,
    403: anthropic.PermissionDeniedError,
    429: anthropic.RateLimitError,
    503: anthropic.InternalServerError,
}


def ask(client):
    """A call."""
    return client.messages.create(**asking())


def failing(fault, **more):
    """A call that asks the provider to fail."""
    return lambda client: client.messages.create(**asking(extra_headers=standin(fault=fault), **more))


class ProviderTests(AnthropicTestCase):
    """The provider's own errors pass as they are."""

    async def test_errors(self):
        """Each status raises what it would without a gateway, with the provider's text and headers."""
        for status, kind in (
            (400, anthropic.BadRequestError),
            (404, anthropic.NotFoundError),
            (429, anthropic.RateLimitError),
            (500, anthropic.InternalServerError),
            (529, anthropic.InternalServerError),
        ):
            error = await self.failure(kind, failing(f"status-{status}"))
            self.assertIn(f"asked for a {status}", str(error))
            self.assertNotIn("x-agentgateway-reason", error.response.headers)
            self.assertEqual(error.response.headers.get("retry-after"), "2" if status in (429, 529) else None)
            self.assertEqual((self.record["status"], self.record["outcome"]), (status, "upstream_error"))
            self.assertEqual((self.record["cost_usd"], self.record["reason"]), (0, None))

    async def test_retries(self):
        """With retries on, the SDK tries again as it would without a gateway; each try is a call with a record."""
        await self.failure(anthropic.InternalServerError, failing("status-500"), max_retries=1)
        self.assertEqual([record["status"] for record in self.gateway.records], [500, 500])
        self.assertEqual(self.served.calls, 2)


class RefusalTests(AnthropicTestCase):
    """The gateway's own refusals are exceptions of the SDK's."""

    async def test_unknown_agent(self):
        """An agent that is not configured raises AuthenticationError, once, with what to do about it."""
        headers = {"x-agent-id": "nobody"}
        kind = anthropic.AuthenticationError
        error = await self.refused(kind, ask, "unknown_agent", default_headers=headers, max_retries=2)
        self.assertEqual(error.body["error"]["type"], "authentication_error")
        self.assertIn("no agent 'nobody'", error.body["error"]["message"])
        self.assertEqual(error.body["request_id"], self.record["id"])
        self.assertEqual((len(self.gateway.records), self.served.calls), (1, 0))

    async def test_bad_key(self):
        """An agent with a key that comes with another one, or under its name alone, raises AuthenticationError."""
        headers = {"x-agent-id": "guarded"}
        error = await self.refused(anthropic.AuthenticationError, ask, "bad_key", default_headers=headers)
        self.assertIn("gateway key", str(error))
        self.assertNotIn(KEY, str(error))

    async def test_bad_request(self):
        """A request that cannot be told apart from an attack raises BadRequestError."""
        headers = {"x-agent-id": "claude", "connection": "x-agent-id"}
        error = await self.refused(anthropic.BadRequestError, ask, "bad_request", default_headers=headers)
        self.assertEqual(error.body["error"]["type"], "invalid_request_error")

    async def test_not_its_provider(self):
        """A base URL that names a provider the agent does not have raises NotFoundError."""
        url = self.gateway.url + "/providers/openai"
        error = await self.refused(anthropic.NotFoundError, ask, "bad_request", base_url=url)
        self.assertIn("no provider 'openai'", str(error))

    async def test_too_large(self):
        """A body over the limit raises the exception of status 413, with the limit."""
        error = await self.refused(
            anthropic.APIStatusError,
            lambda client: client.messages.create(**asking("x" * LARGEST)),
            "bad_request",
            max_retries=2,
        )
        self.assertEqual(error.status_code, 413)
        self.assertIn(str(LARGEST), str(error))
        self.assertEqual((len(self.gateway.records), self.served.calls), (1, 0))

    async def test_limits(self):
        """Each limit raises the exception of its status, with what was reached; those that time heals say when."""
        for agent, reason, status in LIMITS:
            first = failing("status-500") if reason == "circuit_open" else ask

            def second(client, first=first):
                with contextlib.suppress(anthropic.APIStatusError):
                    first(client)
                return ask(client)

            error = await self.refused(KINDS[status], second, reason, default_headers={"x-agent-id": agent})
            self.assertEqual(error.status_code, status)
            self.assertEqual("retry-after" in error.response.headers, reason in RETRIED)
            self.assertEqual(self.record["cost_usd"], 0)

    async def test_unreachable(self):
        """A provider that cannot be reached raises InternalServerError, after the SDK has tried again."""
        headers = {"x-agent-id": "lost"}
        error = await self.refused(
            anthropic.InternalServerError, ask, "upstream_unreachable", default_headers=headers, max_retries=1
        )
        self.assertEqual((error.status_code, error.body["error"]["type"]), (502, "api_error"))
        self.assertEqual(len(self.gateway.records), 2)

    async def test_timeout(self):
        """A provider that does not answer in time raises the exception of status 504."""
        headers = {"x-agent-id": "claude-hurried"}
        error = await self.refused(
            anthropic.InternalServerError, failing("stall"), "upstream_timeout", default_headers=headers
        )
        self.assertEqual(error.status_code, 504)
        self.assertIn("anthropic-slow", str(error))
        self.assertEqual(self.record["usage"], "estimated")


class BrokenStreamTests(AnthropicTestCase):
    """A stream that breaks in the middle never looks complete."""

    async def test_truncated(self):
        """However the provider ends it early, the SDK raises, with the gateway's text, and the record says so."""
        for fault in ("truncate", "close-mid", "reset-mid", "garbage-mid"):
            error = await self.failure(
                anthropic.APIStatusError, lambda client, fault=fault: list(failing(fault, stream=True)(client))
            )
            self.assertEqual(error.body["error"]["type"], "api_error")
            self.assertIn("provider 'anthropic' failed", error.body["error"]["message"])
            self.assertEqual(error.body["request_id"], self.record["id"])
            self.assertEqual((self.record["outcome"], self.record["usage"]), ("truncated", "estimated"))
            self.assertGreater(self.record["output_tokens"], 0)

    async def test_truncated_helper(self):
        """The SDK's stream helper raises as well, in place of a half message."""

        async def read(client):
            async with client.messages.stream(**asking(), extra_headers=standin(fault="truncate")) as stream:
                return await stream.get_final_message()

        with self.assertRaises(anthropic.APIStatusError) as caught:
            await self.ask_async(read)
        self.assertIn("the stream ended without", str(caught.exception))

    async def test_error_event(self):
        """The provider's own error event in a stream is raised as the provider's."""
        error = await self.failure(
            anthropic.APIStatusError, lambda client: list(failing("error-event", stream=True)(client))
        )
        self.assertEqual(error.body["error"]["type"], "overloaded_error")
        self.assertEqual(self.record["outcome"], "upstream_error")

    async def test_whole(self):
        """A whole answer that breaks off raises a connection error rather than half a message."""
        await self.failure(anthropic.APIConnectionError, failing("close-mid"))
        self.assertEqual(self.record["outcome"], "truncated")
