"""Tests of OpenAI's Responses API, as OpenAI's own client reads it."""

import openai

from tests.demo.doubles import Served

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"properties": {"city": {"type": "string"}}},
    "strict": False,
}


class ClientTests(Served):
    """The official client against the stand-in."""

    async def ask(self, function):
        """Run `function(responses)`."""
        return await self.serve(lambda url: function(openai.OpenAI(base_url=url + "/v1", api_key="k").responses))

    async def test_whole_and_streamed(self):
        """A stream ends with a completed response, the one that a whole answer would have been."""

        def both(responses):
            with responses.stream(model="gpt-5", input="hello") as stream:
                return stream.get_final_response(), responses.create(model="gpt-5", input="hello")

        streamed, whole = await self.ask(both)
        self.assertEqual((streamed.status, whole.status), ("completed", "completed"))
        self.assertEqual((streamed.usage.output_tokens, whole.usage.output_tokens), (60, 60))
        self.assertEqual(len(streamed.output_text), len(whole.output_text))

    async def test_tool(self):
        """Asked to use the tool, it does."""

        def call(responses):
            with responses.stream(model="gpt-5", input="use the tool", tools=[TOOL]) as stream:
                return stream.get_final_response()

        done = await self.ask(call)
        self.assertEqual((done.output[0].name, done.output[0].arguments), ("look_up", '{"city":"Paris"}'))

    async def test_incomplete(self):
        """Cut by the caller's limit, it ends as incomplete, with its usage."""

        def last(responses):
            return list(responses.create(model="gpt-5", input="hello", max_output_tokens=16, stream=True))[-1]

        event = await self.ask(last)
        self.assertEqual((event.type, event.response.usage.output_tokens), ("response.incomplete", 16))
