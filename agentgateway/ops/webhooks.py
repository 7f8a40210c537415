"""Posting alerts to webhooks, one after the other, apart from every call.

A webhook's address is a secret, so no message names more of it than its host. What cannot be posted is dropped, and said
in the log: once when it begins, and once when posting works again.
"""

from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool, _HTTP11ClientFactory
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from agentgateway.domain.alert import Alert
from agentgateway.domain.audit import iso

TIMEOUT: Final = 10.0
"""Seconds in which a webhook has to answer."""
WAITING: Final = 100
"""Alerts that wait while one is posted; beyond, the oldest is dropped."""


class Failed(Exception):
    """A post came to nothing; the text says why, and no secret."""


class _QuietFactory(_HTTP11ClientFactory):
    """Twisted's own, without two log lines for every post."""

    noisy = False


class _QuietPool(HTTPConnectionPool):
    _factory = _QuietFactory


def web_agent(reactor: Any) -> IAgent:
    """What webhooks are posted over: a connection a post."""
    pool = _QuietPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
    agent: IAgent = Agent(reactor, connectTimeout=TIMEOUT, pool=pool)
    return agent


class Webhooks:
    """Posts over `agent`, which has to be one that follows no redirect. At most `WAITING` alerts wait."""

    _log = Logger()

    def __init__(self, agent: IAgent, reactor: Any, timeout: float = TIMEOUT) -> None:
        self._agent = agent
        self._reactor = reactor
        self._timeout = timeout
        self._waiting: deque[Alert] = deque(maxlen=WAITING)
        self._posting: Deferred[None] | None = None
        self._failing = False
        self.dropped = 0
        """Alerts that were not posted, for want of room or of a webhook that works."""

    def post(self, alert: Alert) -> None:
        """Post `alert` when its turn comes. Never raises."""
        if len(self._waiting) == WAITING:
            self.dropped += 1
        self._waiting.append(alert)
        if self._posting is None:
            self._posting = Deferred.fromCoroutine(self._post_all())

    def close(self) -> None:
        """Drop what waits, and give up what is being posted."""
        self._waiting.clear()
        if self._posting is not None:
            self._posting.cancel()

    async def _post_all(self) -> None:
        try:
            while self._waiting:
                await self._post_one(self._waiting.popleft())
        finally:
            self._posting = None

    async def _post_one(self, alert: Alert) -> None:
        assert alert.webhook is not None
        work = Deferred.fromCoroutine(self._request(alert.webhook, alert))
        try:
            await work.addTimeout(self._timeout, self._reactor)
        except Exception as error:
            self._tell(alert, str(error) if isinstance(error, Failed) else type(error).__name__)
        else:
            self._works()

    async def _request(self, webhook: str, alert: Alert) -> None:
        """Send, and leave the answer's body alone. Raises Failed for what is no success, a redirect too."""
        client = HTTPClient(self._agent)  # a new one each: it would keep cookies
        headers = Headers({"Content-Type": ["application/json"], "User-Agent": ["agentgateway"]})
        body = body_of(alert)
        response = await client.post(webhook, headers=headers, data=body, allow_redirects=False, unbuffered=True)
        response.deliverBody(Unread())
        if not 200 <= response.code < 300:
            raise Failed(f"it answered {response.code}")

    def _tell(self, alert: Alert, why: str) -> None:
        self.dropped += 1
        if not self._failing:
            self._failing = True
            host = urlsplit(alert.webhook or "").hostname
            self._log.warn("an alert could not be posted to {host}: {why}", host=host, why=why)

    def _works(self) -> None:
        if self._failing:
            self._failing = False
            self._log.warn("alerts are posted again; {dropped} were not", dropped=self.dropped)


def body_of(alert: Alert) -> bytes:
    """What is posted: a JSON object."""
    fields = {"at": iso(alert.at), "kind": alert.kind, "text": alert.text, "agent": alert.agent, "policy": alert.policy}
    return msgspec.json.encode(fields)


class Unread(Protocol):
    """Takes the body of an answer, and closes its connection."""

    def connectionMade(self) -> None:
        """Close."""
        assert self.transport is not None
        self.transport.loseConnection()
