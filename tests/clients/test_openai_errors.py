"""OpenAI's official SDK through the gateway when something goes wrong: it raises its own exceptions, with the cause."""

import contextlib

import openai

from tests.clients.base import KEY, LARGEST, LIMITS, RETRIED, standin
from tests.clients.test_openai import MODEL, OpenAiTestCase, asking

KINDS = {
    402: openai.APIStatusError,
    403: openai.PermissionDeniedError,
    429: openai.RateLimitError,
    503: openai.InternalServerError,
}


def ask(client):
    """A call."""
    return client.chat.completions.create(**asking())


def failing(fault, **more):
    """A call that asks the provider to fail."""
    return lambda client: client.chat.completions.create(**asking(extra_headers=standin(fault=fault), **more))


class ProviderTests(OpenAiTestCase):
    """The provider's own errors pass as they are."""

    async def test_errors(self):
        """Each status raises what it would without a gateway, with the provider's text and headers."""
        for status, kind in (
            (400, openai.BadRequestError),
            (404, openai.NotFoundError),
            (429, openai.RateLimitError),
            (500, openai.InternalServerError),
            (529, openai.InternalServerError),
        ):
            error = await self.failure(kind, failing(f"status-{status}"))
            self.assertIn(f"asked for a {status}", error.message)
            self.assertNotIn("x-agentgateway-reason", error.response.headers)
            self.assertEqual(error.response.headers.get("retry-after"), "2" if status in (429, 529) else None)
            self.assertEqual((self.record["status"], self.record["outcome"]), (status, "upstream_error"))
            self.assertEqual((self.record["cost_usd"], self.record["reason"]), (0, None))

    async def test_retries(self):
        """With retries on, the SDK tries again when the provider says so; each try is a call with a record."""
        await self.failure(openai.RateLimitError, failing("status-429"), max_retries=1)
        self.assertEqual([record["status"] for record in self.gateway.records], [429, 429])
        self.assertEqual(self.served.calls, 2)


class RefusalTests(OpenAiTestCase):
    """The gateway's own refusals are exceptions of the SDK's."""

    async def test_unknown_agent(self):
        """An agent that is not configured raises AuthenticationError, once, with what to do about it."""
        headers = {"x-agent-id": "nobody"}
        kind = openai.AuthenticationError
        error = await self.refused(kind, ask, "unknown_agent", default_headers=headers, max_retries=2)
        self.assertEqual((error.type, error.code), ("authentication_error", "invalid_api_key"))
        self.assertIn("no agent 'nobody'", error.body["message"])
        self.assertEqual((len(self.gateway.records), self.served.calls), (1, 0))

    async def test_nobody(self):
        """A caller that names no agent is told how to."""
        error = await self.refused(openai.AuthenticationError, ask, "unknown_agent", default_headers={})
        self.assertIn("x-agent-id", error.message)
        self.assertIn("/agents/", error.message)

    async def test_bad_key(self):
        """An agent with a key that comes with another one, or under its name alone, raises AuthenticationError."""
        headers = {"x-agent-id": "guarded"}
        error = await self.refused(openai.AuthenticationError, ask, "bad_key", default_headers=headers)
        self.assertIn("gateway key", error.message)
        self.assertNotIn(KEY, str(error))

    async def test_bad_request(self):
        """A request that cannot be told apart from an attack raises BadRequestError."""
        headers = {"x-agent-id": "gpt", "connection": "x-agent-id"}
        error = await self.refused(openai.BadRequestError, ask, "bad_request", default_headers=headers)
        self.assertEqual(error.code, "invalid_request_error")

    async def test_too_large(self):
        """A body over the limit raises the exception of status 413, with the limit; a file does too."""
        file = ("notes.txt", b"0" * LARGEST)
        for work in (
            lambda client: client.chat.completions.create(**asking("x" * LARGEST)),
            lambda client: client.files.create(file=file, purpose="user_data"),
        ):
            error = await self.refused(openai.APIStatusError, work, "bad_request", max_retries=2)
            self.assertEqual(error.status_code, 413)
            self.assertIn(str(LARGEST), error.message)
        self.assertEqual((len(self.gateway.records), self.served.calls), (2, 0))

    async def test_limits(self):
        """Each limit raises the exception of its status, with what was reached; those that time heals say when."""
        for agent, reason, status in LIMITS:
            first = failing("status-500") if reason == "circuit_open" else ask

            def second(client, first=first):
                with contextlib.suppress(openai.APIStatusError):
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
            openai.InternalServerError, ask, "upstream_unreachable", default_headers=headers, max_retries=1
        )
        self.assertEqual((error.status_code, error.code), (502, "upstream_error"))
        self.assertIn("nowhere", error.message)
        self.assertEqual(len(self.gateway.records), 2)

    async def test_no_answer(self):
        """A provider that hangs up, or speaks no HTTP, raises InternalServerError."""
        for fault in ("close-before-head", "reset-before-head", "garbage"):
            error = await self.refused(openai.InternalServerError, failing(fault), "upstream_unreachable")
            self.assertEqual(error.status_code, 502)

    async def test_timeout(self):
        """A provider that does not answer in time raises InternalServerError, and what it may bill is counted."""
        headers = {"x-agent-id": "gpt-hurried"}
        error = await self.refused(
            openai.InternalServerError, failing("stall"), "upstream_timeout", default_headers=headers
        )
        self.assertEqual((error.status_code, error.response.headers["retry-after"]), (504, "1"))
        self.assertEqual(self.record["usage"], "estimated")


class BrokenStreamTests(OpenAiTestCase):
    """A stream that breaks in the middle never looks complete."""

    async def test_truncated(self):
        """However the provider ends it early, the SDK raises, with the gateway's text, and the record says so."""
        for fault in ("truncate", "close-mid", "reset-mid", "garbage-mid"):
            error = await self.failure(
                openai.APIError, lambda client, fault=fault: list(failing(fault, stream=True)(client))
            )
            self.assertIn("provider 'openai' failed", error.message)
            self.assertEqual(error.code, "upstream_error")
            self.assertEqual((self.record["outcome"], self.record["usage"]), ("truncated", "estimated"))
            self.assertGreater(self.record["output_tokens"], 0)

    async def test_truncated_responses(self):
        """So does a stream of the Responses API."""
        call = {"model": MODEL, "input": "hello", "stream": True, "extra_headers": standin(fault="truncate")}
        error = await self.failure(openai.APIError, lambda client: list(client.responses.create(**call)))
        self.assertIn("the stream ended without", error.message)
        self.assertEqual(self.record["outcome"], "truncated")

    async def test_truncated_async(self):
        """And one read on an asyncio loop."""

        async def read(client):
            call = asking(stream=True, extra_headers=standin(fault="truncate"))
            return [chunk async for chunk in await client.chat.completions.create(**call)]

        with self.assertRaises(openai.APIError) as caught:
            await self.ask_async(read)
        self.assertIn("the stream ended without", caught.exception.message)

    async def test_error_event(self):
        """The provider's own error event in a stream is raised as the provider's."""
        error = await self.failure(openai.APIError, lambda client: list(failing("error-event", stream=True)(client)))
        self.assertEqual((error.message, error.code), ("The server had an error", None))
        self.assertEqual(self.record["outcome"], "upstream_error")

    async def test_whole(self):
        """A whole answer that breaks off raises a connection error rather than half an answer."""
        await self.failure(openai.APIConnectionError, failing("close-mid"))
        self.assertEqual(self.record["outcome"], "truncated")
