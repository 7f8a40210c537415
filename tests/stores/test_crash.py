"""Any history with any crash in it leaves what a ledger that never crashed would have."""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.standing import Pause, Standing
from agentgateway.interfaces import StoreError
from tests.stores.doubles import START, HeldLane, Ops, States, balances, new_ledger, snapshot_of

agents = st.sampled_from(["writer", "reader", "a.b-c_D"])
whats = st.sampled_from(["hold", "hold", "settle", "settle", "free", "count"])


class Tee:
    """Every change is told to the store, and copied into the ledger that never crashes."""

    def __init__(self):
        self.model = new_ledger()
        self.standings = {}
        self.before = None
        """What was before the last event; None: a recovery, which is done again if it is torn."""
        self.store = None

    def append(self, *changes):
        """One event."""
        if changes:
            self.before = (self.model.snapshot(), dict(self.standings))
        for change in changes:
            if isinstance(change, Standing):
                self.standings[change.agent] = change
            else:
                self.model.replay(change)
        self.store.append(*changes)


def recovered(snapshot, now):
    """The balances after a crash: calls in flight settled at what they hold."""
    ledger = new_ledger()
    ledger.restore(snapshot, now)
    ledger.recover(now)
    return balances(ledger)


class CrashMachine(RuleBasedStateMachine):
    """A gateway's money and standings, with checkpoints that take their time, fail, and are interrupted."""

    def __init__(self):
        super().__init__()
        self.cleanups = []
        self.states = States(self)
        self.tee = Tee()
        self.now = START
        self.torn = False
        self.segments = {}
        self.begin()

    def addCleanup(self, cleanup):
        """What `teardown` does."""
        self.cleanups.append(cleanup)

    def teardown(self):
        """Drop the store; hypothesis asks for this."""
        self.writer.held.clear()
        for cleanup in self.cleanups:
            cleanup()

    def begin(self):
        """A process starts on the files there are."""
        self.writer = HeldLane()
        self.tee.store = self.store = self.states.store(lambda name: self.writer)
        found = self.store.open()
        self.ledger = new_ledger()
        number = getattr(self, "ops", None) and self.ops.number
        self.ops = Ops(self.ledger, self.tee.append)
        self.ops.number = number or 0
        return found

    @rule(operations=st.lists(st.tuples(whats, agents, st.integers(0, 10**12), st.integers(0, 50)), min_size=1))
    def operate(self, operations):
        """Things happen to agents' money."""
        for what, agent, value, extra in operations:
            self.ops.on(agent, what, value, self.now, extra)

    @rule(agent=agents, until=st.one_of(st.none(), st.floats(START, START + 10**6)))
    def stand(self, agent, until):
        """An agent is paused."""
        self.tee.append(Standing(agent, Pause("budget", "day", self.now, until)))

    @rule(seconds=st.sampled_from([0.25, 61, 3600, 50_000]))
    def time_passes(self, seconds):
        """Minutes, hours, days."""
        self.now += seconds

    @rule(then=st.sampled_from(["works", "works", "fails", "waits"]))
    def checkpoint(self, then):
        """The timer fires, and the thread gets to it at once or not, and the disk takes it or not."""
        self.remember()
        self.store.checkpoint(snapshot_of(self.ledger))
        if self.writer.held and then != "waits":
            self.writer.step(StoreError("no luck") if then == "fails" else None)

    def remember(self):
        """What `undelete` puts back."""
        for path in self.states.segments:
            with open(path, "rb") as file:
                self.segments[os.path.basename(path)] = file.read()

    @rule(undeleted=st.booleans(), torn=st.one_of(st.just(0), st.integers(1, 200)))
    def crash(self, undeleted, torn):
        """The process is killed: perhaps before old segments were deleted, perhaps in the middle of the last write."""
        old = self.writer
        self.states.crash()
        old.held.clear()
        if undeleted:
            self.undelete()
        snapshot, expected = self.tee.model.snapshot(), dict(self.tee.standings)
        if torn and self.tee.before and self.tear(torn):
            snapshot, expected = self.tee.before
        found = self.begin()
        lost = found.into(self.ledger, self.store.append, self.now)
        standings = {standing.agent: standing for standing in found.standings}
        assert balances(self.ledger) == recovered(snapshot, self.now)
        assert standings == expected
        assert len({call.id for call in lost}) == len(lost)
        self.tee.model, self.tee.standings = new_ledger(), standings
        self.tee.model.restore(self.ledger.snapshot(), self.now)
        self.tee.before = None

    def undelete(self):
        """Put back a segment that a finished checkpoint deleted."""
        names = {os.path.basename(path) for path in self.states.segments}
        folder = os.path.dirname(self.states.segments[0])
        for name, data in self.segments.items():
            if name not in names and data:
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(data)

    def tear(self, size):
        """Cut into the last line, if the journal's last file has one; True: the last event is gone."""
        path = self.states.segments[-1]
        with open(path, "r+b") as file:
            lines = file.read().splitlines(keepends=True)
            if not lines:
                return False
            cut = min(size, len(lines[-1]))
            file.truncate(sum(map(len, lines)) - cut)
        return cut > 1


class CrashTests(SynchronousTestCase):
    """Whatever happens, and whenever it ends."""

    def test_any_history(self):
        """Spend, counts and standings after a crash are those of a gateway that never crashed, lost calls at their reserve."""
        run_state_machine_as_test(
            CrashMachine, settings=settings(max_examples=100, stateful_step_count=50, deadline=None, database=None)
        )
