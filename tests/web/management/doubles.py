"""A whole gateway's management API in memory: no socket, and a clock that stands until told to move."""

import os

import msgspec
from treq.testing import RequestTraversalAgent
from twisted.internet.testing import MemoryReactorClock
from twisted.web.client import readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from agentgateway.config.load import load
from agentgateway.domain.audit import AuditRecord, iso
from agentgateway.service import GatewayService
from agentgateway.wire.outgoing import WholeBody

TOKEN = "s3cret-of-the-operator"
CONFIG = """
gateway: {{listen: ["tcp:8080:interface=127.0.0.1"], state_dir: {state}, admin_token: s3cret-of-the-operator}}
agents:
  writer: {{provider: anthropic, budget: {{max_cost_per_hour: 5}}, rate_limit: 10/min, tags: [prose]}}
  coder: {{provider: openai}}
audit: {{log_file: {state}/audit.jsonl, max_entries: 1000}}
dashboard: false
store: "memory:"
"""


class Reply:
    """What came back."""

    def __init__(self, status, headers, body, phrase=b""):
        self.status = status
        self.phrase = phrase
        self.headers = headers
        self.body = body

    @property
    def json(self):
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def code(self):
        """The code of an error."""
        return self.json["error"]["code"]

    def header(self, name):
        """A header's only value, None without it."""
        return (self.headers.getRawHeaders(name) or [None])[0]


class Api:
    """The management API of a gateway with `config`; `{state}` is a folder of its own."""

    def __init__(self, testcase, config=CONFIG):
        self._testcase = testcase
        state = os.path.abspath(testcase.mktemp())
        os.makedirs(state)
        self.path = f"{state}/gateway.yaml"
        self.state = state
        self.write(config)
        self.reactor = MemoryReactorClock()
        self.service = GatewayService(load(self.path, {}), self.reactor)
        self.live = self.service.live
        self.resource = self.service.server.accept.__self__.management
        self.agent = RequestTraversalAgent(self.resource)
        testcase.addCleanup(self.service.books.log.close)

    def write(self, config):
        """Another configuration into the file."""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(config.format(state=self.state))

    def begin(self, method, path, body=None, token=TOKEN, host=b"127.0.0.1", **headers):
        """The Deferred of the response; headers as keywords, `_` for `-`."""
        fields = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
        if token is not None:
            fields.addRawHeader("authorization", f"Bearer {token}")
        if body is not None and not fields.hasHeader("content-type"):
            fields.addRawHeader("content-type", "application/json")
        fields.setRawHeaders(b"host", [host])
        data = None if body is None else Producer(body if isinstance(body, bytes) else msgspec.json.encode(body))
        return self.agent.request(method.encode(), b"http://127.0.0.1" + path.encode(), fields, data)

    def ask(self, method, path, body=None, **more):
        """The whole reply."""
        asked = self.begin(method, path, body, **more)
        for _ in range(50):
            self.agent.flush()
            self.reactor.advance(0)
        response = self._testcase.successResultOf(asked)
        read = readBody(response)
        self.agent.flush()
        return Reply(response.code, response.headers, self._testcase.successResultOf(read), response.phrase)

    def get(self, path, **more):
        """GET it, as a caller on this machine would: without the token."""
        return self.ask("GET", path, **{"token": None, **more})

    def happened(self, **fields):
        """One more call is over."""
        self.service.books.append(record(**fields))

    @property
    def alerts(self):
        """The texts of the alerts so far."""
        return [alert.text for alert in self.live.alerts]


@implementer(IBodyProducer)
class Producer(WholeBody):
    """A request's body."""


def record(**fields):
    """An audit record of a good call; what matters in a test stands in `fields`."""
    usual = {
        "id": "agw_1", "ts": iso(1_800_000_000), "agent": "writer", "provider": "anthropic", "model": "claude",
        "requested_model": "claude", "method": "POST", "path": "/v1/messages", "status": 200, "outcome": "ok",
        "reason": None, "stream": False, "input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 0,
        "cache_write_tokens": 0, "reasoning_tokens": 0, "usage": "exact", "cost_usd": 0.001, "latency_ms": 812.5,
        "ttfb_ms": 300.0, "session": None, "tags": ("prose",), "prices": "known",
    }  # fmt: skip
    return AuditRecord(**(usual | fields))
