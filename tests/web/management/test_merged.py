"""The management API of one worker among two: it answers for both, whichever is asked."""

from collections.abc import Callable
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import encode, iso
from agentgateway.web.management.polled import KEPT
from agentgateway.web.management.resource import Management, alone, management
from tests.web.management.doubles import TOKEN, Api, record

START = 1_800_000_000


class Reply(NamedTuple):
    """What a sibling says."""

    number: int
    status: int
    body: bytes


class Family:
    """Worker 0's siblings: worker 1, in memory, unless it is `away`."""

    own = 0
    others = (1,)

    def __init__(self, other: Api) -> None:
        self.other = other
        self.away = False
        self.asked: list[bytes] = []
        self.silence: Deferred[None] = succeed(None)
        self.followed: list[tuple[bytes, Callable[[int, bytes | None], None]]] = []
        self.stopped = 0

    def ask(self, method: bytes, target: bytes, patience: float = 1.0) -> "Deferred[list[Reply]]":
        """All of them, which is one, once its `silence` is over."""
        self.asked.append(target)
        said: Deferred[Any] = Deferred()
        self.silence.addCallbacks(lambda _: self.ask_one(1, method, target).chainDeferred(said), said.errback)
        return said.addCallback(lambda reply: [] if reply is None else [reply])

    def ask_one(self, number: int, method: bytes, target: bytes, body: bytes = b"") -> "Deferred[Reply | None]":
        """That one."""
        if self.away:
            return succeed(None)
        found = self.other.ask(method.decode(), target.decode(), body or None)
        return succeed(Reply(number, found.status, found.body))

    def follow(self, target: bytes, take: Callable[[int, bytes | None], None]) -> Callable[[], None]:
        """Remember who does."""
        self.followed.append((target, take))

        def stop() -> None:
            self.stopped += 1

        return stop


class MergedTests(SynchronousTestCase):
    """Worker 0 is asked."""

    def setUp(self) -> None:
        """Nobody has called either."""
        self.api, self.other = Api(self), Api(self)
        self.family = Family(self.other)
        self.other.agent = RequestTraversalAgent(self.made(self.other, alone))
        self.api.agent = RequestTraversalAgent(self.made(self.api, management, self.family))

    def made(self, api: Any, make: Callable[..., Management], *more: Any) -> Management:
        """A worker's API."""
        service = api.service
        parts = (
            service.live,
            service.desk.token,
            service.desk.controls,
            service.desk.feed,
            service.desk.metrics.render,
            service.desk.rest,
        )
        return make(*parts, *more)

    def call(self, api: Any, agent: str, flying: int = 0, **fields: Any) -> None:
        """A call that is over, and some that are not."""
        state = api.live.fleet.get(agent)
        state.in_flight = flying
        state.account.count(api.live.moment().wall, error=False, input_tokens=1, output_tokens=1)
        api.happened(agent=agent, **fields)

    def test_status(self) -> None:
        """Calls under way are those of both; what both know is shown once."""
        self.call(self.api, "writer", 2)
        self.call(self.other, "writer", 3)
        found = self.api.get("/api/status").json
        self.assertEqual((found["gateway"]["workers"], found["gateway"]["in_flight"]), (2, 5))
        agents = {agent["id"]: agent for agent in found["agents"]}
        self.assertEqual(set(agents), {"writer", "coder"})
        self.assertEqual((agents["writer"]["in_flight"], agents["writer"]["call_count"]), (5, 1))
        self.assertEqual(self.api.get("/api/agents/writer").json["in_flight"], 5)
        self.assertEqual(self.api.get("/api/budget/writer").json["max_cost_per_hour"], 5.0)

    def test_away(self) -> None:
        """While the other one is away, this one answers for itself."""
        self.family.away = True
        self.call(self.api, "writer", 2)
        self.assertEqual(self.api.get("/api/status").json["gateway"]["workers"], 1)
        self.assertEqual(self.api.get("/api/agents/writer").json["in_flight"], 2)
        self.assertEqual(self.api.get("/health").json["in_flight"], 2)

    def test_health(self) -> None:
        """The gateway drains when both do."""
        self.api.live.draining = True
        self.assertEqual((self.api.get("/health").status, self.api.get("/health").json["status"]), (200, "ok"))
        self.other.live.draining = True
        self.api.reactor.advance(KEPT)
        self.assertEqual((self.api.get("/health").status, self.api.get("/health").json["status"]), (503, "draining"))

    def test_health_is_shared(self) -> None:
        """However many strangers ask how it stands, the other is asked once, and again when a moment has passed."""
        self.family.silence = Deferred()
        asked = [self.api.begin("GET", "/health", token=None) for _ in range(300)]
        self.api.agent.flush()
        self.assertEqual(self.family.asked, [b"/health"])
        asked[0].cancel()
        self.failureResultOf(asked[0])
        self.family.silence.callback(None)
        self.api.agent.flush()
        self.assertEqual({self.successResultOf(each).code for each in asked[1:]}, {200})
        self.call(self.api, "writer", 2)
        self.assertEqual(self.api.get("/health").json["in_flight"], 2)
        self.assertEqual(len(self.family.asked), 1)
        self.api.reactor.advance(KEPT)
        self.api.get("/health")
        self.assertEqual(len(self.family.asked), 2)

    def test_unknown(self) -> None:
        """An agent that only the other one has met is shown and paused there; one that nobody knows is 404."""
        self.other.write("agents: {{stranger: {{}}, writer: {{}}, coder: {{}}}}\nstore: 'memory:'\ndashboard: false")
        self.assertEqual(self.other.ask("POST", "/api/reload").status, 200)
        self.assertEqual(self.api.get("/api/agents/stranger").json["id"], "stranger")
        paused = self.api.ask("POST", "/api/agents/stranger/pause", {"reason": "enough"})
        self.assertEqual((paused.status, paused.json["pause_reason"]), (200, "enough"))
        raised = self.api.ask("PUT", "/api/budget/stranger", {"max_cost_total": 7})
        self.assertEqual((raised.status, raised.json["max_cost_total"]), (200, 7.0))
        for method, path in (("GET", "/api/agents/x"), ("POST", "/api/agents/x/pause"), ("GET", "/api/budget/x")):
            self.assertEqual(self.api.ask(method, path).code, "unknown_agent", path)

    def test_changes(self) -> None:
        """A change is made here, and what is shown is of both."""
        self.other.live.fleet.get("writer").in_flight = 4
        paused = self.api.ask("POST", "/api/agents/writer/pause", {"reason": "enough"}).json
        self.assertEqual((paused["status"], paused["pause_reason"], paused["in_flight"]), ("paused", "enough", 4))
        self.assertEqual(self.api.ask("POST", "/api/agents/writer/resume").json["status"], "active")
        self.assertEqual(
            self.api.ask("PUT", "/api/budget/writer", {"max_cost_per_day": 9}).json["max_cost_per_day"], 9.0
        )

    def test_not_heard_yet(self) -> None:
        """What is answered is how it stands after the change, though the other one has not heard of it yet."""
        other = self.other.live.fleet.get("writer")
        self.other.live.fleet.pause(other, "operator", "enough", self.other.live.moment())
        resumed = self.api.ask("POST", "/api/agents/writer/resume").json
        self.assertEqual((resumed["status"], resumed["pause_reason"]), ("idle", None))
        raised = self.api.ask("PUT", "/api/budget/writer", {"max_cost_per_hour": 9}).json
        self.assertEqual((raised["max_cost_per_hour"], raised["remaining"]), (9.0, 9.0))
        paused = self.api.ask("POST", "/api/agents/writer/pause", {"reason": "again"}).json
        self.assertEqual((paused["status"], paused["pause_reason"]), ("paused", "again"))
        self.assertEqual(paused["budget"]["remaining"], 9.0)

    def test_reload(self) -> None:
        """Both read their file again; where that fails here, the other one is not told."""
        text = "agents: {{newcomer: {{}}}}\nstore: 'memory:'\ndashboard: false"
        for api in (self.api, self.other):
            api.write(text)
        self.assertEqual(self.api.ask("POST", "/api/reload").json["agents"]["added"], ["newcomer"])
        self.assertIsNotNone(self.other.live.fleet.get("newcomer"))
        self.api.write("agents: oops")
        self.other.write(text.replace("newcomer", "later"))
        self.assertEqual(self.api.ask("POST", "/api/reload").status, 422)
        self.assertIsNone(self.other.live.fleet.get("later"))

    def test_metrics(self) -> None:
        """What was counted stands for each; what is under way is added up."""
        self.call(self.api, "writer", 1)
        self.call(self.other, "writer", 2)
        text = self.api.get("/metrics").body.decode()
        found = {family.name: family.samples for family in text_string_to_metric_families(text)}
        calls = {(one.labels["worker"], one.labels["agent"]): one.value for one in found["agentgateway_calls"]}
        self.assertEqual(calls, {("0", "writer"): 1.0, ("1", "writer"): 1.0})
        flying = {one.labels["agent"]: one.value for one in found["agentgateway_calls_in_flight"]}
        self.assertEqual(flying, {"writer": 3.0, "coder": 0.0})

    def test_logs(self) -> None:
        """A page has the newest records of both, in order, filtered, in any format."""
        for second in range(6):
            api = (self.api, self.other)[second % 2]
            api.happened(id=f"agw_{second}", ts=iso(START + second), agent=("writer", "coder")[second // 3])
        ids = [one["id"] for one in self.api.get("/api/logs?limit=4").json]
        self.assertEqual(ids, ["agw_2", "agw_3", "agw_4", "agw_5"])
        ids = [one["id"] for one in self.api.get("/api/logs?agent=writer").json]
        self.assertEqual(ids, ["agw_0", "agw_1", "agw_2"])
        since = self.api.get(f"/api/logs?since={START + 4}&status=200&outcome=ok&until={START + 9}&format=csv")
        self.assertEqual([line.split(b",")[0] for line in since.body.splitlines()[1:]], [b"agw_4", b"agw_5"])

    def test_follow(self) -> None:
        """Records of the other one come along as they are told, each once; it is followed no longer than the caller stays."""
        asked = self.api.begin("GET", "/api/logs?follow=true&agent=writer&limit=5", token=TOKEN)
        self.api.agent.flush()
        response = self.successResultOf(asked)
        [(target, take)] = self.family.followed
        self.assertEqual(target, b"/api/logs?agent=writer&follow=true&format=jsonl")
        got: list[bytes] = []
        response.deliverBody(Taking(got))
        line = encode(record(id="agw_there"))
        take(1, line)
        take(1, b"")
        take(1, None)
        self.api.happened(id="agw_here")
        self.api.reactor.advance(0.05)
        self.api.agent.flush()
        self.assertEqual([b"".join(got).count(id) for id in (b"agw_there", b"agw_here")], [1, 1])
        self.api.service.desk.feed.close()
        self.api.agent.flush()
        self.assertEqual(self.family.stopped, 1)
        take(1, line)


class Taking:
    """Takes what comes."""

    def __init__(self, got: list[bytes]) -> None:
        self.got = got

    def makeConnection(self, transport: Any) -> None:
        """It begins."""

    def dataReceived(self, data: bytes) -> None:
        """Some of it."""
        self.got.append(data)

    def connectionLost(self, reason: Any) -> None:
        """All of it."""
