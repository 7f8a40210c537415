"""OpenAI's official SDK through the gateway: chat, responses, embeddings, streams, tools, files, identity."""

import asyncio

import openai

from tests.clients.base import KEY, PROVIDER_KEY, ClientTestCase, standin

MODEL = "gpt-4o"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}


def asking(text="hello", **more):
    """The arguments of a chat call."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


class OpenAiTestCase(ClientTestCase):
    """`OpenAI(base_url="http://gateway:8080/v1", api_key=..., default_headers={"x-agent-id": "<id>"})`."""

    agent = "gpt"

    def connect(self, **options):
        """A client that blocks."""
        return openai.OpenAI(**self.options("/v1", options))

    def connect_async(self, **options):
        """A client for asyncio."""
        return openai.AsyncOpenAI(**self.options("/v1", options))

    def assert_metered(self, read, written, cached=0):
        """The last record has the tokens the SDK saw, and the price of gpt-4o."""
        record = self.record
        self.assertEqual((record["agent"], record["outcome"], record["usage"]), ("gpt", "ok", "exact"))
        counts = (record["input_tokens"], record["output_tokens"], record["cache_read_tokens"])
        self.assertEqual(counts, (read, written, cached))
        self.assertEqual(record["cost_usd"], (250 * (read - cached) + 125 * cached + 1000 * written) / 100_000_000)


class AnswerTests(OpenAiTestCase):
    """What comes back."""

    async def test_chat(self):
        """A chat completion comes back, and its usage is in the audit log by then."""
        answer = await self.ask(lambda client: client.chat.completions.create(**asking()))
        self.assertEqual((answer.model, answer.choices[0].finish_reason), (MODEL, "stop"))
        self.assert_metered(answer.usage.prompt_tokens, answer.usage.completion_tokens)

    async def test_chat_async(self):
        """The same with the asyncio client, input from a cache included."""
        call = asking("x" * 400, extra_headers=standin(cached=40))
        usage = (await self.ask_async(lambda client: client.chat.completions.create(**call))).usage
        self.assertEqual(usage.prompt_tokens_details.cached_tokens, 40)
        self.assert_metered(usage.prompt_tokens, usage.completion_tokens, 40)

    async def test_response(self):
        """The Responses API works."""
        answer = await self.ask(lambda client: client.responses.create(model=MODEL, input="hello"))
        self.assertEqual(answer.status, "completed")
        self.assertTrue(answer.output_text)
        self.assert_metered(answer.usage.input_tokens, answer.usage.output_tokens)

    async def test_embeddings(self):
        """Embeddings come in base64, as the SDK asks by itself, and as numbers, and are the same; input is all they cost."""

        def both(client):
            call = {"model": "text-embedding-3-small", "input": ["one", "two"]}
            return client.embeddings.create(**call), client.embeddings.create(**call, encoding_format="float")

        packed, plain = await self.ask(both)
        self.assertEqual([one.embedding for one in packed.data], [one.embedding for one in plain.data])
        self.assertEqual(self.record["input_tokens"], plain.usage.prompt_tokens)
        self.assertEqual((self.record["output_tokens"], self.record["usage"]), (0, "exact"))
        self.assertEqual(self.record["cost_usd"], 2 * plain.usage.prompt_tokens / 100_000_000)

    async def test_models(self):
        """The list of models comes back, for free."""
        listed = await self.ask(lambda client: client.models.list())
        self.assertIn(MODEL, [model.id for model in listed])
        self.assertEqual((self.record["method"], self.record["cost_usd"]), ("GET", 0))

    async def test_raw_response(self):
        """The id of the audit record is a header of the answer."""
        answer = await self.ask(lambda client: client.chat.completions.with_raw_response.create(**asking()))
        self.assertEqual(answer.headers["x-agentgateway-request-id"], self.record["id"])
        self.assertEqual(answer.parse().model, MODEL)

    async def test_tool(self):
        """A tool is called with its arguments."""
        call = asking("use the tool", tools=[TOOL])
        answer = await self.ask(lambda client: client.chat.completions.create(**call))
        [wanted] = answer.choices[0].message.tool_calls
        self.assertEqual((wanted.function.name, wanted.function.arguments), ("look_up", '{"city":"Paris"}'))
        self.assert_metered(answer.usage.prompt_tokens, answer.usage.completion_tokens)

    async def test_file(self):
        """A file passes through without being read whole, every byte of it, for free."""
        given = ("notes.txt", b"0123456789" * 20_000)
        receipt = await self.ask(lambda client: client.files.create(file=given, purpose="user_data"))
        [served] = self.served.recent
        self.assertEqual(receipt.bytes, served.body_length)
        self.assertGreater(served.body_length, 200_000)
        self.assertEqual((self.record["status"], self.record["cost_usd"]), (200, 0))


class StreamTests(OpenAiTestCase):
    """What streams."""

    async def test_stream(self):
        """A stream that does not ask for its usage shows none, and is metered all the same."""
        call = asking(stream=True, extra_headers=standin(output=30))
        chunks = await self.ask(lambda client: list(client.chat.completions.create(**call)))
        self.assertTrue(all(chunk.choices and chunk.usage is None for chunk in chunks))
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assert_metered(self.served.input_tokens, 30)

    async def test_usage(self):
        """A stream that asks for its usage gets it in its last chunk, as in the audit log."""
        call = asking(stream=True, stream_options={"include_usage": True}, extra_headers=standin(cached=5))
        chunks = await self.ask(lambda client: list(client.chat.completions.create(**call)))
        usage = chunks[-1].usage
        self.assertEqual(chunks[-1].choices, [])
        self.assert_metered(usage.prompt_tokens, usage.completion_tokens, 5)

    async def test_stream_async(self):
        """Many streams at once on an asyncio loop do not mix, and each has its record."""

        async def read(client, number):
            call = asking(f"number {number}", stream=True, extra_headers=standin(output=number, interval=0.001))
            stream = await client.chat.completions.create(**call)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        async def all_of_them(client):
            return await asyncio.gather(*(read(client, number) for number in range(10, 40)))

        texts = await self.ask_async(all_of_them)
        self.assertEqual([len(text) for text in texts], [4 * number for number in range(10, 40)])
        self.assertEqual(sorted(one["output_tokens"] for one in self.gateway.records), list(range(10, 40)))

    async def test_responses(self):
        """A stream of the Responses API ends with the response and its usage."""
        call = {"model": MODEL, "input": "hello", "stream": True}
        events = await self.ask(lambda client: list(client.responses.create(**call)))
        self.assertEqual((events[0].type, events[-1].type), ("response.created", "response.completed"))
        usage = events[-1].response.usage
        self.assert_metered(usage.input_tokens, usage.output_tokens)

    async def test_tool(self):
        """The stream helper puts a tool's arguments together."""

        def read(client):
            with client.chat.completions.stream(**asking("use the tool", tools=[TOOL])) as stream:
                return stream.get_final_completion()

        [wanted] = (await self.ask(read)).choices[0].message.tool_calls
        self.assertEqual(wanted.function.arguments, '{"city":"Paris"}')
        self.assertEqual((self.record["outcome"], self.record["usage"]), ("ok", "exact"))

    async def test_leaving(self):
        """Who stops reading ends the call at the provider too, and pays for what came."""

        def leave(client):
            call = asking(stream=True, extra_headers=standin(fault="endless", interval=0.005))
            with client.chat.completions.create(**call) as stream:
                for chunk in stream:
                    if chunk.choices[0].delta.content:
                        return

        await self.ask(leave)
        await self.left()
        self.assertEqual((self.record["outcome"], self.record["usage"]), ("client_gone", "estimated"))
        self.assertGreater(self.record["cost_usd"], 0)


class IdentityTests(OpenAiTestCase):
    """Saying who one is with what the SDK lets one set."""

    async def test_path(self):
        """A base URL with `/agents/<id>` is enough, and may name a provider besides."""
        for prefix in ("/agents/writer", "/agents/writer/providers/openai"):
            url = self.gateway.url + prefix + "/v1"
            await self.ask(lambda client: client.models.list(), base_url=url, default_headers={})
            self.assertEqual((self.record["agent"], self.record["path"]), ("writer", "/v1/models"))

    async def test_header(self):
        """`x-agent-id` says who calls; it does not reach the provider, the caller's own key does."""
        await self.ask(lambda client: client.chat.completions.create(**asking()))
        sent = self.served.recent[-1].headers
        self.assertEqual(self.record["agent"], "gpt")
        self.assertIn(("authorization", "Bearer k"), sent)
        self.assertNotIn("x-agent-id", dict(sent))

    async def test_key(self):
        """An agent's gateway key as the SDK's `api_key`; the provider gets the provider's key alone."""
        await self.ask(lambda client: client.chat.completions.create(**asking()), api_key=KEY, default_headers={})
        self.assertEqual(self.record["agent"], "guarded")
        sent = self.served.recent[-1].headers
        self.assertIn(("authorization", f"Bearer {PROVIDER_KEY}"), sent)
        self.assertNotIn(KEY, str(sent))
