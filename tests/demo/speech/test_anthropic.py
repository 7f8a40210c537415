"""Tests of Anthropic's dialect, as Anthropic's own client reads it."""

import anthropic

from tests.demo.doubles import Served

MODEL = "claude-opus-5-5"
TOOL = {"name": "look_up", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def asking(text="hello", **more):
    """The arguments of a call."""
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


class ClientTests(Served):
    """The official client against the stand-in."""

    async def ask(self, function):
        """Run `function(client)`."""
        return await self.serve(lambda url: function(anthropic.Anthropic(base_url=url, api_key="k", max_retries=0)))

    async def test_whole(self):
        """A message comes back with text, the model asked, and the usage that the books show too."""
        message = await self.ask(lambda client: client.messages.create(**asking()))
        self.assertEqual((message.model, message.stop_reason, message.content[0].type), (MODEL, "end_turn", "text"))
        self.assertEqual(message.usage.input_tokens, self.standin.served.input_tokens)
        self.assertEqual(message.usage.output_tokens, self.standin.served.output_tokens)

    async def test_stream(self):
        """A stream adds up to the message that a whole answer would have been."""

        def both(client):
            headers = {"x-standin-output": "30"}
            with client.messages.stream(**asking(), extra_headers=headers) as stream:
                streamed = stream.get_final_message()
            return streamed, client.messages.create(**asking(), extra_headers=headers)

        streamed, whole = await self.ask(both)
        self.assertEqual((streamed.usage.output_tokens, whole.usage.output_tokens), (30, 30))
        self.assertEqual(
            (streamed.stop_reason, len(streamed.content[0].text)), ("end_turn", len(whole.content[0].text))
        )

    async def test_tool(self):
        """Asked to use the tool, it does, streamed or whole."""

        def both(client):
            call = asking("use the tool", tools=[TOOL])
            with client.messages.stream(**call) as stream:
                return stream.get_final_message(), client.messages.create(**call)

        for message in await self.ask(both):
            self.assertEqual((message.stop_reason, message.content[0].input), ("tool_use", {"city": "Paris"}))

    async def test_limit_and_cache(self):
        """The limit on output is kept; input read from a cache stands beside the rest, not in it."""
        call = asking("x" * 400) | {"max_tokens": 7}
        message = await self.ask(
            lambda client: client.messages.create(**call, extra_headers={"x-standin-cached": "40"})
        )
        self.assertEqual((message.stop_reason, message.usage.output_tokens), ("max_tokens", 7))
        self.assertEqual(message.usage.cache_read_input_tokens, 40)
        self.assertEqual(message.usage.input_tokens + 40, self.standin.served.input_tokens)

    async def test_count_tokens(self):
        """Counting tokens is answered and served for nothing."""
        call = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
        counted = await self.ask(lambda client: client.messages.count_tokens(**call))
        self.assertGreater(counted.input_tokens, 0)
        self.assertEqual((self.standin.served.calls, self.standin.served.input_tokens), (1, 0))

    async def test_errors(self):
        """Errors raise the client's own exceptions, in the middle of a stream too."""

        def raised(client):
            failures = []
            for fault in ("status-429", "status-529", "status-500"):
                try:
                    client.messages.create(**asking(), extra_headers={"x-standin-fault": fault})
                except anthropic.APIStatusError as error:
                    failures.append((error.status_code, error.response.headers.get("retry-after")))
            try:
                with client.messages.stream(**asking(), extra_headers={"x-standin-fault": "error-event"}) as stream:
                    stream.get_final_message()
            except anthropic.APIStatusError as error:
                failures.append(error.body["error"]["type"])
            return failures

        self.assertEqual(await self.ask(raised), [(429, "2"), (529, "2"), (500, None), "overloaded_error"])
