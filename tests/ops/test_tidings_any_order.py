"""Operators at several processes at once: whatever is said where, and comes late or not at all, in the end all agree."""

import contextlib
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.caps import CapExceeded
from agentgateway.domain.hearsay import said
from agentgateway.domain.lease import Kind, caps_told
from agentgateway.domain.standing import Caps
from agentgateway.interfaces import LiveError
from agentgateway.ops.tidings import pause_told
from agentgateway.stores.live.messages import heard
from tests.ops.fleets import Member, Time, member, run
from tests.stores.live.memory import MemoryLive, MemoryServer

CENT = 10_000_000
CONFIG = "agents: {a: {budget: {max_cost_per_hour: 1}}, b: {}}"
WHO = st.integers(0, 1)
AGENT = st.sampled_from(("a", "b"))


@attrs.define
class SlowLive(MemoryLive):
    """What is told, and what is published, waits until `send` and `read` pass it on."""

    told: list[tuple[Deferred[None], tuple[Any, ...]]] = attrs.Factory(list)
    published: list[bytes] = attrs.Factory(list)

    def tell(self, kind: Kind, agent: str, body: bytes, at: int | None = None) -> Deferred[None]:
        """Waits."""
        answer: Deferred[None] = Deferred()
        self.told.append((answer, (kind, agent, body, at)))
        return answer

    def send(self, lost: bool = False) -> None:
        """The first that waits is told; `lost`: the answer does not come back."""
        if self.told:
            answer, word = self.told.pop(0)
            done = MemoryLive.tell(self, *word)
            if lost:
                done.addBoth(lambda _: answer.errback(LiveError("no answer")))
            else:
                done.chainDeferred(answer)

    def read(self) -> None:
        """The first that was published is heard."""
        if self.published:
            MemoryLive._published(self, self.published.pop(0))

    def _published(self, message: bytes) -> None:
        self.published.append(message)


class Operators(RuleBasedStateMachine):
    """Two processes, two agents, and everything that can happen to what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.time = Time()
        self.server = MemoryServer(self.time.wall)
        self.members = [self.begin(number) for number in (0, 1)]

    def begin(self, number: int, runs: int = 1, noted: Any = ()) -> Member:
        """A process begins."""
        return member(self.server, self.time, CONFIG, f"p{number}", str(runs), SlowLive, noted)

    def live(self, who: int) -> Any:
        """Its side of the store."""
        return self.members[who].live

    @rule(who=WHO, name=AGENT, word=st.integers())
    def pause(self, who: int, name: str, word: int) -> None:
        """An operator's pause."""
        one = self.members[who]
        one.fleet.pause(one.agent(name), "operator", str(word), self.time.moment())

    @rule(who=WHO, name=AGENT)
    def resume(self, who: int, name: str) -> None:
        """An operator resumes an agent."""
        one = self.members[who]
        one.fleet.resume(one.agent(name), "go on", self.time.moment())

    @rule(who=WHO, name=AGENT, cents=st.integers(0, 5))
    def cap(self, who: int, name: str, cents: int) -> None:
        """An operator's cap."""
        one = self.members[who]
        one.fleet.set_caps(one.agent(name), Caps(max_cost_per_hour=cents * CENT), self.time.moment())

    @rule(who=WHO, name=AGENT)
    def spend(self, who: int, name: str) -> None:
        """A call, if it may be, after which a budget may pause the agent."""
        with contextlib.suppress(CapExceeded):
            self.members[who].spend(name, CENT)

    @rule(who=WHO, lost=st.booleans())
    def send(self, who: int, lost: bool) -> None:
        """Something told arrives."""
        self.live(who).send(lost)

    @rule(who=WHO)
    def read(self, who: int) -> None:
        """Something published is heard."""
        self.live(who).read()

    @rule(who=WHO)
    def miss(self, who: int) -> None:
        """Something published is missed."""
        del self.live(who).published[:1]

    @rule(who=WHO, cut=st.booleans())
    def cut(self, who: int, cut: bool) -> None:
        """A process is cut off, or no more."""
        self.live(who).cut = cut

    @rule(who=WHO, seconds=st.sampled_from((0, 0.3, 2)))
    def beat(self, who: int, seconds: float) -> None:
        """Time passes, and a process asks."""
        self.time.advance(seconds)
        self.members[who].cluster.beat()

    @rule()
    def flush(self) -> None:
        """The store loses everything, and so do those who listen lose what is on its way."""
        self.server.flush()
        for who in (0, 1):
            self.live(who).published.clear()

    @rule(who=WHO)
    def kill(self, who: int) -> None:
        """A process is killed, and started again from what it noted."""
        one = self.members[who]
        one.cluster.running = 0
        self.live(who).close()
        noted = {standing.agent: standing for standing in one.standings}
        self.members[who] = self.begin(who, self.live(who).run + 1, noted.values())
        self.members[who].standings[:0] = noted.values()

    def teardown(self) -> None:
        """Nothing is in the way any more: all say and hear what there is, and go by the same as the store does."""
        for who in (0, 1):
            self.live(who).cut = False
        for _ in range(4):
            run(self.members, 1)
            while any(self.live(who).told or self.live(who).published for who in (0, 1)):
                for who in (0, 1):
                    self.live(who).send()
                    self.live(who).read()
        for name in ("a", "b"):
            first, second = (self.stands(one, name) for one in self.members)
            assert first == second, (first, second)
            assert first == self.kept(name), (first, self.kept(name))

    def stands(self, one: Member, name: str) -> Any:
        """An agent's pause, as far as somebody said it, and its caps."""
        agent = one.agent(name)
        return said(agent.pause), agent.caps

    def kept(self, name: str) -> Any:
        """The same by the store, whose grants go by the same caps."""
        data = self.server.data()
        kept = data.get("ag:kept", {})
        pause, caps = (self.body(kept.get(f"{kind} {name}")) for kind in ("standing", "caps"))
        lent_by = (data.get(f"ag:a:{name}") or {}).get("caps") or b""
        assert _bytes(lent_by) == caps, (lent_by, caps)
        told = caps_told(caps)
        return pause_told(pause), None if told is None else Caps(*told)

    def body(self, kept: Any) -> bytes:
        """Of what is kept of a kind and agent."""
        return heard(b"1 " + _bytes(kept[4])).body if kept else b""


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


class AnyOrderTests(SynchronousTestCase):
    """Two operators, who do not know of each other."""

    def test_all_agree(self) -> None:
        """Pauses and caps end up alike in all processes and in the store, in any order of events."""
        run_state_machine_as_test(Operators, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))

    def test_parts(self) -> None:
        """Caps set at one process and a pause made at another at the same time both hold, at both and in the store."""
        two = Operators()
        two.cap(0, "a", 3)
        two.pause(1, "a", 1)
        for who in (0, 1, 0, 1):
            two.send(who, False)
        for who in (0, 1, 0, 1):
            two.read(who)
        two.teardown()
        pause, caps = two.stands(two.members[0], "a")
        self.assertEqual((pause.reason, caps), ("1", Caps(max_cost_per_hour=3 * CENT)))
