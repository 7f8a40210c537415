"""Asking the other workers, on sockets as they have them."""

import os
import shutil
from collections.abc import Callable
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from agentgateway.config.schema import Secret
from agentgateway.workers.control import Control, Root
from agentgateway.workers.place import Place
from agentgateway.workers.siblings import Siblings
from tests.harness import reactor, until


class Worker(Resource):
    """Answers as `say` does, and remembers who asked what."""

    isLeaf = True

    def __init__(self, say: Callable[[Any], Any]) -> None:
        super().__init__()
        self._say = say
        self.asked: list[tuple[bytes, bytes, bytes, bytes]] = []

    def render(self, request: Any) -> Any:
        """Answer."""
        body = request.content.read()
        self.asked.append((request.method, request.uri, request.getHeader(b"authorization"), body))
        return self._say(request)


class SiblingsTests(TestCase):
    """Worker 1 of three asks."""

    def setUp(self) -> None:
        """A short path, as UNIX sockets need it."""
        self.folder = mkdtemp(prefix="agw-")
        self.addCleanup(shutil.rmtree, self.folder)
        place = Place(1, "gateway.yaml", self.folder, {}, 3)
        self.siblings = Siblings(place, lambda: 3, Secret("token"), reactor)
        self.addCleanup(self.siblings.close)

    def serve(self, number: int, say: Callable[[Any], Any]) -> tuple[Worker, Control]:
        """A sibling that answers."""
        place = Place(number, "gateway.yaml", self.folder, {}, 3)
        os.makedirs(os.path.dirname(place.control), exist_ok=True)
        worker = Worker(say)
        control = Control(place.control, Root(worker), reactor)
        control.startService()
        self.addCleanup(lambda: control.running and control.stopService())
        return worker, control

    async def test_ask(self) -> None:
        """All others are asked, with the token; who is away is left out."""
        self.assertEqual((self.siblings.own, self.siblings.others), (1, [0, 2]))
        worker, _ = self.serve(2, lambda request: b"hello")
        [reply] = await self.siblings.ask(b"GET", b"/api/status?x=1")
        self.assertEqual((reply.number, reply.status, reply.body), (2, 200, b"hello"))
        self.assertEqual(worker.asked, [(b"GET", b"/api/status?x=1", b"Bearer token", b"")])
        self.assertIsNone(await self.siblings.ask_one(0, b"GET", b"/"))
        reply = await self.siblings.ask_one(2, b"POST", b"/api/reload", b"{}")
        self.assertEqual((reply and reply.body, worker.asked[-1][3]), (b"hello", b"{}"))

    async def test_slow(self) -> None:
        """Who does not answer in time is left out, too."""
        self.serve(0, lambda request: b"quick")
        self.serve(2, lambda request: NOT_DONE_YET)
        self.assertEqual([reply.number for reply in await self.siblings.ask(b"GET", b"/", 0.05)], [0])

    async def test_follow(self) -> None:
        """Lines come as they are written; of one that was away, those it has written meanwhile; then no more."""
        requests: list[Any] = []

        def begin(request: Any) -> int:
            requests.append(request)
            request.write(b"one\ntw")
            return NOT_DONE_YET

        heard: list[tuple[int, bytes | None]] = []
        worker, _ = self.serve(0, begin)
        stop = self.siblings.follow(b"/api/logs?follow=true", lambda number, line: heard.append((number, line)))
        await until(lambda: (0, b"one") in heard)
        requests[0].write(b"o\n")
        await until(lambda: (0, b"two") in heard)
        requests[0].finish()
        await until(lambda: (0, None) in heard and len(requests) == 2)
        self.assertEqual(worker.asked[0][1], b"/api/logs?follow=true&limit=0")
        self.assertIn(b"/api/logs?follow=true&limit=1000&since=", worker.asked[1][1])
        gone: Deferred[Any] = requests[1].notifyFinish()
        stop()
        await gone.addErrback(lambda _: None)
        await deferLater(reactor, 0)

    async def test_control(self) -> None:
        """A socket that a dead worker has left is replaced; only its owner may connect; the dashboard joins later."""
        place = Place(0, "gateway.yaml", self.folder, {}, 3)
        os.makedirs(os.path.dirname(place.control))
        open(place.control, "wb").close()
        worker = Worker(lambda request: b"management")
        root = Root(worker)
        control = Control(place.control, root, reactor)
        control.startService()
        self.assertEqual(os.stat(place.control).st_mode & 0o777, 0o600)
        for path, said in ((b"/board", b"management"), (b"/api/status", b"management")):
            reply = await self.siblings.ask_one(0, b"GET", path)
            self.assertEqual(reply and reply.body, said)
        root.dashboard = Resource()
        root.dashboard.putChild(b"board", Worker(lambda request: b"dashboard"))
        for path, said in ((b"/board", b"dashboard"), (b"/api/status", b"management")):
            reply = await self.siblings.ask_one(0, b"GET", path)
            self.assertEqual(reply and reply.body, said)
        await control.stopService()
