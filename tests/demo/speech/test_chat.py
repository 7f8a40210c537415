"""Tests of OpenAI's chat completions, as OpenAI's own client reads them."""

import openai

from tests.demo.doubles import Served

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"properties": {"city": {"type": "string"}}}}}


def asking(text="hello", **more):
    """The arguments of a call."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


class ClientTests(Served):
    """The official client against the stand-in."""

    async def ask(self, function):
        """Run `function(client)`."""
        return await self.serve(lambda url: function(openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0)))

    async def test_whole(self):
        """A completion comes back with text, the model asked, and the usage that the books show too."""
        done = await self.ask(lambda client: client.chat.completions.create(**asking()))
        self.assertEqual((done.model, done.choices[0].finish_reason), ("gpt-4o", "stop"))
        self.assertEqual(done.usage.prompt_tokens, self.standin.served.input_tokens)
        self.assertEqual(done.usage.completion_tokens, self.standin.served.output_tokens)

    async def test_usage_of_a_stream(self):
        """A stream says what it used only to those who asked, in one extra chunk without choices."""

        def both(client):
            for options in ({}, {"stream_options": {"include_usage": True}}):
                yield list(client.chat.completions.create(**asking(stream=True, **options)))

        plain, asked = await self.ask(lambda client: list(both(client)))
        self.assertEqual([chunk.usage for chunk in plain], [None] * len(plain))
        self.assertFalse("usage" in plain[0].model_fields_set)
        self.assertTrue("usage" in asked[0].model_fields_set)
        self.assertEqual((asked[-1].choices, asked[-1].usage.completion_tokens), ([], 60))
        self.assertEqual(len(asked), len(plain) + 1)

    async def test_tool(self):
        """Asked to use the tool, it does, streamed or whole."""

        def both(client):
            call = asking("use the tool", tools=[TOOL])
            with client.chat.completions.stream(**call) as stream:
                return stream.get_final_completion(), client.chat.completions.create(**call)

        for done in await self.ask(both):
            self.assertEqual(done.choices[0].finish_reason, "tool_calls")
            self.assertEqual(done.choices[0].message.tool_calls[0].function.arguments, '{"city":"Paris"}')

    async def test_errors(self):
        """Errors raise the client's own exceptions, in the middle of a stream too."""

        def raised(client):
            failures = []
            try:
                client.chat.completions.create(**asking(), extra_headers={"x-standin-fault": "status-429"})
            except openai.RateLimitError as error:
                failures.append(error.code)
            try:
                list(
                    client.chat.completions.create(
                        **asking(stream=True), extra_headers={"x-standin-fault": "error-event"}
                    )
                )
            except openai.APIError as error:
                failures.append(error.type)
            return failures

        self.assertEqual(await self.ask(raised), ["rate_limit_exceeded", "server_error"])
