"""Posting alerts, one after the other."""

import json
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent
from zope.interface import implementer

from agentgateway.domain.alert import Alert
from agentgateway.ops.webhooks import TIMEOUT, WAITING, Webhooks, body_of, web_agent

HOOK = "http://hook.test/path-is-secret"


def alert(number: int = 0) -> Alert:
    """An alert to be posted."""
    return Alert(1_790_000_000.0 + number, "policy", f"number {number}", "writer", "bell", HOOK)


@implementer(IAgent)
class SilentAgent:
    """Answers nothing: each request waits in `requests`; `given_up` counts those that were cancelled."""

    def __init__(self) -> None:
        self.requests: list[Deferred[Any]] = []
        self.uris: list[bytes] = []
        self.given_up = 0

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Deferred[Any]:
        """Wait."""
        answer: Deferred[Any] = Deferred(self._cancelled)
        self.requests.append(answer)
        self.uris.append(uri)
        return answer

    def _cancelled(self, _: Any) -> None:
        self.given_up += 1


class WebhooksTests(SynchronousTestCase):
    """Whatever a webhook does."""

    def setUp(self) -> None:
        """Webhooks over an agent that hangs, and what they log."""
        self.agent, self.clock = SilentAgent(), Clock()
        self.webhooks = Webhooks(self.agent, self.clock)
        self.logged: list[str] = []
        observer = lambda event: self.logged.append(repr(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_one_at_a_time_with_a_time_out(self) -> None:
        """The next is posted when the one before has been answered, or has taken too long."""
        self.webhooks.post(alert())
        self.webhooks.post(alert(1))
        self.assertEqual(self.agent.uris, [HOOK.encode()])
        self.clock.advance(TIMEOUT)
        self.assertEqual((len(self.agent.uris), self.agent.given_up), (2, 1))
        self.agent.requests[1].errback(OSError("refused"))
        self.assertEqual(self.webhooks.dropped, 2)

    def test_bounded(self) -> None:
        """Of many that wait for a webhook that hangs the oldest are dropped."""
        for number in range(WAITING + 11):
            self.webhooks.post(alert(number))
        self.assertEqual(self.webhooks.dropped, 10)

    def test_no_secrets_and_no_floods_in_the_log(self) -> None:
        """The log says once that posting fails, and nothing of the address but its host."""
        for number in range(5):
            self.webhooks.post(alert(number))
            self.agent.requests[-1].errback(OSError("refused by " + HOOK))
        about = [line for line in self.logged if "hook.test" in line]
        self.assertEqual(len(about), 1)
        self.assertNotIn("secret", "".join(self.logged))

    def test_quiet(self) -> None:
        """A post that goes well leaves no word in the log."""
        reactor = MemoryReactorClock()
        webhooks = Webhooks(web_agent(reactor), reactor)
        webhooks.post(attrs.evolve(alert(), webhook="http://127.0.0.1:9/hook"))
        [(host, port, factory, timeout, _)] = reactor.tcpClients
        self.assertEqual((host, port, timeout), ("127.0.0.1", 9, TIMEOUT))
        factory.doStart()
        connection = factory.buildProtocol(None)
        transport = StringTransportWithDisconnection()
        transport.protocol = connection
        connection.makeConnection(transport)
        self.assertIn(b"POST /hook HTTP/1.1", transport.value())
        connection.dataReceived(b"HTTP/1.1 204 No Content\r\n\r\n")
        factory.doStop()
        self.assertEqual((webhooks.dropped, self.logged), (0, []))

    def test_close(self) -> None:
        """At the end what is being posted is given up, and nothing more is begun."""
        for number in range(3):
            self.webhooks.post(alert(number))
        self.webhooks.close()
        self.assertEqual((len(self.agent.requests), self.agent.given_up), (1, 1))

    def test_body(self) -> None:
        """What is posted says what happened, to whom and when, and no address."""
        said = {"at": "2026-09-21T14:13:20.000Z", "kind": "policy", "text": "number 0"}
        self.assertEqual(json.loads(body_of(alert())), {**said, "agent": "writer", "policy": "bell"})
