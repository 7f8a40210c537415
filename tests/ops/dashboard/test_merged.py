"""The dashboard's pages of one worker among several."""

import io
import json
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.ops.dashboard.actions import CannotDo
from agentgateway.ops.dashboard.detail import agent_detail
from agentgateway.ops.dashboard.merged import MergedPages
from tests.domain.test_series import record
from tests.ops.dashboard.doubles import State


class Reply(NamedTuple):
    """What a worker answers."""

    number: int
    status: int
    body: bytes


class Family:
    """Workers 0 and 2, of which 2 answers as in `says`, by path, and 0 never."""

    own = 1
    others = (0, 2)

    def __init__(self) -> None:
        self.says: dict[bytes, Any] = {}
        self.told: list[tuple[int, bytes, bytes]] = []

    def ask(self, method: bytes, target: bytes, patience: float = 1.0) -> "Deferred[list[Reply]]":
        """Those that answer."""
        if target not in self.says:
            return succeed([Reply(2, 404, b"{}")])
        return succeed([Reply(2, 200, json.dumps(self.says[target]).encode())])

    def ask_one(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> "Deferred[Reply | None]":
        """That one."""
        self.told.append((number, target, body))
        found = self.says.get(target)
        return succeed(None if number == 0 or found is None else Reply(2, 200, json.dumps(found).encode()))


class Own:
    """This worker's own pages: it knows `writer` and `coder`, and nothing of streams."""

    def __init__(self) -> None:
        self.state = State()

    def agent(self, request: Any) -> Any:
        """The agent, if there is one."""
        name = request.postpath[-1].decode()
        if self.state.fleet.get(name) is None:
            raise CannotDo(404, "there is no such agent")
        return agent_detail(self.state, self.state.agent(name))

    def calls(self, request: Any) -> Any:
        """One call."""
        return [record(id="agw_own", ts="2026-11-23T12:00:01.000Z")]

    def streams(self, request: Any) -> Any:
        """One stream."""
        return [{"id": "own", "began": "2026-11-23T12:00:01.000Z"}]

    def act(self, request: Any) -> Any:
        """Nothing of it works for guests."""
        request.content.read()
        if request.guest:
            raise CannotDo(401, "acting wants the admin token")
        if b"streams" in request.uri:
            raise CannotDo(404, "this stream has ended already")
        return {"done": "here"}


class Asked:
    """A request."""

    guest = False

    def __init__(self, uri: bytes, body: bytes = b"{}") -> None:
        self.uri = uri
        self.postpath = uri.split(b"/")[3:]
        self.content = io.BytesIO(body)


class PageTests(SynchronousTestCase):
    """Whichever worker knows."""

    def setUp(self) -> None:
        """This one, and the other."""
        self.own, self.family = Own(), Family()
        self.pages = MergedPages(self.own, self.family)  # type: ignore[arg-type]

    def get(self, page: Any, uri: bytes, body: bytes = b"{}") -> Any:
        """What a page says."""
        return self.successResultOf(Deferred.fromCoroutine(page(Asked(uri, body))))

    def refused(self, page: Any, request: Asked) -> int:
        """With which status."""
        problem = self.failureResultOf(Deferred.fromCoroutine(page(request)), CannotDo).value
        return int(problem.status)

    def test_agent(self) -> None:
        """An agent's page adds up what happens now; one that only the other knows is shown as that shows it."""
        other = json.loads(json.dumps(self.get(self.pages.agent, b"/data/agents/writer")))
        self.family.says[b"/data/agents/writer"] = other | {"in_flight": 3}
        self.assertEqual(self.get(self.pages.agent, b"/data/agents/writer")["in_flight"], 3)
        self.family.says[b"/data/agents/stranger"] = other | {"id": "stranger"}
        self.assertEqual(self.get(self.pages.agent, b"/data/agents/stranger")["id"], "stranger")
        self.assertEqual(self.refused(self.pages.agent, Asked(b"/data/agents/nobody")), 404)

    def test_calls(self) -> None:
        """Calls of both come in order of time."""
        self.family.says[b"/data/calls?agent=a"] = [{"id": "agw_other", "ts": "2026-11-23T12:00:00.000Z"}]
        found = self.get(self.pages.calls, b"/data/calls?agent=a")
        self.assertEqual([call["id"] for call in found], ["agw_other", "agw_own"])

    def test_streams(self) -> None:
        """Streams of both, the oldest first."""
        self.family.says[b"/data/streams"] = [{"id": "other", "began": "2026-11-23T12:00:00.000Z"}]
        self.assertEqual([one["id"] for one in self.get(self.pages.streams, b"/data/streams")], ["other", "own"])

    def test_act(self) -> None:
        """What is known here is done here; the rest by whoever knows of it, with the same words."""
        self.assertEqual(self.get(self.pages.act, b"/act/agents/writer/pause"), {"done": "here"})
        self.assertEqual(self.family.told, [])
        self.family.says[b"/act/streams/x/end"] = {"ended": "x"}
        self.assertEqual(self.get(self.pages.act, b"/act/streams/x/end", b'{"reason":"y"}'), {"ended": "x"})
        self.assertEqual(self.family.told, [(number, b"/act/streams/x/end", b'{"reason":"y"}') for number in (0, 2)])
        self.assertEqual(self.refused(self.pages.act, Asked(b"/act/streams/gone/end")), 404)

    def test_guest(self) -> None:
        """Who may not act here may not act elsewhere by way of here."""
        request = Asked(b"/act/streams/x/end")
        request.guest = True
        self.assertEqual(self.refused(self.pages.act, request), 401)
        self.assertEqual(self.family.told, [])
