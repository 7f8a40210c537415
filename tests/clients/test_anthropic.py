"""Anthropic's official SDK through the gateway: answers, streams, tools, files, identity."""

import asyncio

import anthropic

from tests.clients.base import KEY, PROVIDER_KEY, ClientTestCase, standin
from tests.harness import until

MODEL = "claude-sonnet-4-5"
TOOL = {"name": "look_up", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def asking(text="hello", **more):
    """The arguments of a call."""
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


class AnthropicTestCase(ClientTestCase):
    """`Anthropic(base_url="http://gateway:8080", api_key=..., default_headers={"x-agent-id": "<id>"})`."""

    agent = "claude"

    def connect(self, **options):
        """A client that blocks."""
        return anthropic.Anthropic(**self.options("", options))

    def connect_async(self, **options):
        """A client for asyncio."""
        return anthropic.AsyncAnthropic(**self.options("", options))

    def assert_metered(self, usage):
        """The last record has the usage the SDK saw, and its price."""
        record = self.record
        self.assertEqual((record["agent"], record["outcome"], record["usage"]), ("claude", "ok", "exact"))
        seen = (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens)
        self.assertEqual((record["input_tokens"], record["output_tokens"], record["cache_read_tokens"]), seen)
        price = (300 * seen[0] + 1500 * seen[1] + 30 * seen[2]) / 100_000_000
        self.assertEqual(record["cost_usd"], price)


class AnswerTests(AnthropicTestCase):
    """What comes back."""

    async def test_message(self):
        """A message comes back, and its usage is in the audit log by then."""
        message = await self.ask(lambda client: client.messages.create(**asking()))
        self.assertEqual((message.model, message.stop_reason, message.content[0].type), (MODEL, "end_turn", "text"))
        self.assert_metered(message.usage)
        self.assertFalse(self.record["stream"])

    async def test_message_async(self):
        """The same with the asyncio client, input from a cache included."""
        call = asking("x" * 400, extra_headers=standin(cached=40))
        message = await self.ask_async(lambda client: client.messages.create(**call))
        self.assertEqual(message.usage.cache_read_input_tokens, 40)
        self.assert_metered(message.usage)

    async def test_raw_response(self):
        """The provider's headers are there, and the id of the audit record besides."""
        answer = await self.ask(lambda client: client.messages.with_raw_response.create(**asking()))
        self.assertEqual(answer.headers["x-agentgateway-request-id"], self.record["id"])
        self.assertEqual(answer.headers["request-id"], answer.parse()._request_id)
        self.assertTrue(answer.headers["request-id"].startswith("req_"))

    async def test_count_tokens(self):
        """Counting tokens works and costs nothing."""
        call = asking()
        del call["max_tokens"]
        counted = await self.ask(lambda client: client.messages.count_tokens(**call))
        self.assertGreater(counted.input_tokens, 0)
        self.assertEqual((self.record["usage"], self.record["cost_usd"]), ("none", 0))

    async def test_models(self):
        """The list of models comes back in Anthropic's shape, for free."""
        page = await self.ask(lambda client: client.models.list())
        self.assertIn(MODEL, [model.id for model in page.data])
        self.assertEqual((self.record["method"], self.record["cost_usd"]), ("GET", 0))

    async def test_file(self):
        """A file passes through without being read whole, every byte of it, for free."""
        given = ("notes.txt", b"0123456789" * 20_000, "text/plain")
        receipt = await self.ask(lambda client: client.beta.files.upload(file=given))
        self.assertTrue(receipt.id.startswith("file-"))
        [served] = self.served.recent
        self.assertGreater(served.body_length, 200_000)
        self.assertEqual((self.record["status"], self.record["cost_usd"]), (200, 0))


class StreamTests(AnthropicTestCase):
    """What streams."""

    async def test_stream(self):
        """The SDK's stream adds up to a whole message whose usage is in the audit log."""

        def read(client):
            with client.messages.stream(**asking(), extra_headers=standin(chunks=5)) as stream:
                return list(stream.text_stream), stream.get_final_message()

        pieces, message = await self.ask(read)
        self.assertEqual((len(pieces), "".join(pieces)), (5, message.content[0].text))
        self.assertTrue(self.record["stream"])
        self.assert_metered(message.usage)

    async def test_stream_async(self):
        """The same with the asyncio client."""

        async def read(client):
            async with client.messages.stream(**asking(), extra_headers=standin(cached=9)) as stream:
                return await stream.get_final_message()

        self.assert_metered((await self.ask_async(read)).usage)

    async def test_events(self):
        """Raw events come in their order."""
        kinds = await self.ask(lambda client: [event.type for event in client.messages.create(**asking(), stream=True)])
        self.assertEqual((kinds[0], kinds[-1]), ("message_start", "message_stop"))
        self.assertEqual(self.record["outcome"], "ok")

    async def test_tool(self):
        """Tools are called with their arguments, whole and streamed."""

        def both(client):
            call = asking("use the tool", tools=[TOOL])
            with client.messages.stream(**call) as stream:
                return stream.get_final_message(), client.messages.create(**call)

        for message in await self.ask(both):
            self.assertEqual((message.stop_reason, message.content[0].input), ("tool_use", {"city": "Paris"}))
        self.assert_metered(message.usage)

    async def test_leaving(self):
        """Who stops reading ends the call at the provider too, and pays for what came."""

        def leave(client):
            call = asking(stream=True, extra_headers=standin(fault="endless", interval=0.005))
            with client.messages.create(**call) as stream:
                for event in stream:
                    if event.type == "content_block_delta":
                        return

        await self.ask(leave)
        await self.left()
        self.assertEqual((self.record["outcome"], self.record["usage"]), ("client_gone", "estimated"))
        self.assertGreater(self.record["cost_usd"], 0)

    async def test_many_at_once(self):
        """Many streams at once do not mix, and each has its record."""

        async def read(client, number):
            call = asking(f"number {number}", extra_headers=standin(output=number, interval=0.001))
            async with client.messages.stream(**call) as stream:
                return (await stream.get_final_message()).usage.output_tokens

        async def all_of_them(client):
            return await asyncio.gather(*(read(client, number) for number in range(10, 40)))

        seen = await self.ask_async(all_of_them)
        self.assertEqual(seen, list(range(10, 40)))
        self.assertEqual(sorted(record["output_tokens"] for record in self.gateway.records), seen)
        await until(lambda: not self.gateway.in_flight)


class IdentityTests(AnthropicTestCase):
    """Saying who one is with what the SDK lets one set."""

    async def test_path(self):
        """A base URL with `/agents/<id>` is enough."""
        url = self.gateway.url + "/agents/writer"
        await self.ask(lambda client: client.messages.create(**asking()), base_url=url, default_headers={})
        self.assertEqual((self.record["agent"], self.record["path"]), ("writer", "/v1/messages"))

    async def test_header(self):
        """`x-agent-id` says who calls; it does not reach the provider, the caller's own key does."""
        await self.ask(lambda client: client.messages.create(**asking()))
        sent = set(self.served.recent[-1].headers)
        self.assertEqual(self.record["agent"], "claude")
        self.assertTrue(sent & {("x-api-key", "k"), ("authorization", "Bearer k")})
        self.assertNotIn("x-agent-id", dict(sent))

    async def test_key(self):
        """An agent's gateway key as the SDK's `api_key` or `auth_token`; the provider gets the provider's key alone."""
        for credential in ({"api_key": KEY}, {"api_key": None, "auth_token": KEY}):
            await self.ask(lambda client: client.messages.create(**asking()), default_headers={}, **credential)
            self.assertEqual(self.record["agent"], "guarded")
            sent = self.served.recent[-1].headers
            self.assertIn(("x-api-key", PROVIDER_KEY), sent)
            self.assertNotIn(KEY, str(sent))
