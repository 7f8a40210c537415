"""A call's way through the whole house, over real sockets."""

from typing import Any

import treq
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import TestCase

from tests.harness import CONFIG, connect, reactor, start_gateway, until

MESSAGE = b'{"model":"claude-sonnet-4-5","max_tokens":64,"messages":[{"role":"user","content":"hello"}]}'
STREAM = b'{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hello"}]}'


class CallTests(TestCase):
    """What a caller and an operator see of one call."""

    def test_whole(self) -> Any:
        """A whole answer passes, metered and priced in the audit log by the time it is there."""

        async def scenario() -> None:
            running = await start_gateway(self)
            answer = await treq.post(
                running.url + "/v1/messages",
                MESSAGE,
                headers={"x-agent-id": "researcher", "content-type": "application/json"},
                persistent=False,
            )
            body = await treq.json_content(answer)
            self.assertEqual(answer.code, 200)
            [record] = running.records
            self.assertEqual(answer.headers.getRawHeaders("x-agentgateway-request-id"), [record["id"]])
            self.assertEqual(record["input_tokens"], body["usage"]["input_tokens"])
            self.assertEqual(record["output_tokens"], body["usage"]["output_tokens"])
            self.assertEqual((record["outcome"], record["usage"]), ("ok", "exact"))
            self.assertEqual(
                record["cost_usd"], (3 * record["input_tokens"] + 15 * record["output_tokens"]) / 1_000_000
            )

        return ensureDeferred(scenario())

    def test_left_mid_stream(self) -> Any:
        """A caller that leaves mid-stream is charged for what it got, and the provider's connection is closed."""

        async def scenario() -> None:
            running = await start_gateway(self)
            client = await connect(self, running.port)
            client.transport.write(
                b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-agent-id: researcher\r\nx-standin-fault: endless\r\n"
                b"x-standin-interval: 0.01\r\nContent-Length: %d\r\n\r\n%b" % (len(STREAM), STREAM)
            )
            await until(lambda: client.received.count(b"content_block_delta") > 10)
            left = reactor.seconds()
            client.transport.abortConnection()
            await until(lambda: not running.in_flight)
            await until(lambda: not running.standin.connections)
            self.assertLess(reactor.seconds() - left, 1)
            [record] = running.records
            self.assertEqual((record["outcome"], record["usage"]), ("client_gone", "estimated"))
            self.assertGreater(record["output_tokens"], 0)
            self.assertGreater(record["cost_usd"], 0)

        return ensureDeferred(scenario())

    def test_unknown_agent(self) -> Any:
        """An agent that nobody has configured is refused in the dialect of its path, and recorded."""

        async def scenario() -> None:
            running = await start_gateway(self, CONFIG.replace('  "*": {{}}\n', ""))
            answer = await treq.post(
                running.url + "/v1/messages", MESSAGE, headers={"x-agent-id": "nobody"}, persistent=False
            )
            body = await treq.json_content(answer)
            self.assertEqual(answer.code, 401)
            self.assertEqual(body["error"]["type"], "authentication_error")
            self.assertEqual(answer.headers.getRawHeaders("x-agentgateway-reason"), ["unknown_agent"])
            self.assertEqual(answer.headers.getRawHeaders("x-should-retry"), ["false"])
            [record] = running.records
            self.assertEqual((record["outcome"], record["reason"], record["cost_usd"]), ("refused", "unknown_agent", 0))

        return ensureDeferred(scenario())
