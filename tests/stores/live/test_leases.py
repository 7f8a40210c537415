"""Whatever processes do, suffer and in whichever order: no cap is passed, and in the end all sums are equal."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import LINGER, TTL, Synced
from agentgateway.stores.live.messages import fresh_epoch
from agentgateway.stores.live.scripts import ARRIVE, SYNC
from tests.stores.live.borrower import CAPS, DAY, HOUR, Process
from tests.stores.live.memory import MemoryLive, MemoryServer

START = 1_800_000_000 // DAY * DAY + 10 * HOUR
NAMES = ("one", "two", "three")
processes = st.sampled_from(NAMES)
amounts = st.sampled_from((0, 1, 30, 100, 1000))


class Leases(RuleBasedStateMachine):
    """Three processes and one server, which may be parted, die, answer late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.now = float(START)
        self.server = MemoryServer(lambda: self.now)
        self.processes = {name: Process(MemoryLive(self.server, name, 0)) for name in NAMES}
        self.late: list[bytes] = []
        self.copy: Any = None

    def ask(self, process: Process, need: int, want: int) -> Synced:
        """One that is answered."""
        asked: list[Any] = []
        process.live.sync([process.ask(self.now, need, want)]).addCallback(asked.append)
        answer: Synced = asked[0]
        return answer

    def learn(self, process: Process, answer: Synced) -> None:
        """The answer arrives."""
        process.ceiling, process.confirmed, process.gone = answer.grants[0].ceiling, self.now, answer.grants[0].gone

    @rule(name=processes, need=amounts, more=amounts)
    def sync(self, name: str, need: int, more: int) -> None:
        """Ask, and be answered."""
        process = self.processes[name]
        if not process.dead and not process.live.cut:
            self.learn(process, self.ask(process, need, need + more))

    @rule(name=processes, more=amounts)
    def answer_lost(self, name: str, more: int) -> None:
        """Ask, and never hear the answer."""
        process = self.processes[name]
        if not process.dead and not process.live.cut:
            self.ask(process, 0, more)

    @rule(name=processes, more=amounts)
    def question_late(self, name: str, more: int) -> None:
        """Ask, give up, and have the question arrive later on."""
        process = self.processes[name]
        if not process.dead:
            self.late.append(process.live.desk.sync([process.ask(self.now, 0, more)]))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def arrive(self, data: Any) -> None:
        """A question arrives that nobody waits for; one of an earlier run only if no later run has asked."""
        question = self.late.pop(data.draw(st.integers(0, len(self.late) - 1)))
        self.server.run(SYNC.digest, question)

    def nobody_is_missed(self) -> bool:
        """Whether somebody is there, and all who are not were taken for gone, as all know who are there."""
        for _ in range(2):
            for name in NAMES:
                self.sync(name, 0, 0)
        away = {name for name, process in self.processes.items() if process.dead or process.live.cut}
        kept = self.server.data().get("ag:a:writer") or {"sum": {"gone": []}}
        told = {name.removeprefix("p:") for name in kept if name.startswith("p:")}
        return away < set(NAMES) and away & told <= {name for name, _ in kept["sum"]["gone"]}

    @rule()
    def flush(self) -> None:
        """All is forgotten; everybody finds out with the next beat."""
        if self.nobody_is_missed():
            self.late.clear()
            self.server.flush()
            for name in NAMES:
                self.sync(name, 0, 0)

    @rule()
    def make_copy(self) -> None:
        """A replica has all there is, and loses touch."""
        self.copy = self.server.copied()

    @precondition(lambda self: self.copy is not None)
    @rule(order=st.permutations(NAMES))
    def fail_over(self, order: list[str]) -> None:
        """It takes over, with what it had then; everybody connects to it, and finds out with the next beat."""
        if self.nobody_is_missed():
            self.late.clear()
            self.server.restore(self.copy)
            self.copy = None
            self.server.move()
            self.server.run(ARRIVE.digest, fresh_epoch())
            for name in order:
                self.sync(name, 0, 0)

    @rule(name=processes, amount=st.integers(1, 100))
    def reserve(self, name: str, amount: int) -> None:
        """A call begins."""
        process = self.processes[name]
        if not process.dead and process.may(self.now, amount):
            process.held.append(amount)

    @rule(name=processes, at_once=st.booleans())
    def exhaust(self, name: str, at_once: bool) -> None:
        """Calls take all there is."""
        process = self.processes[name]
        left = process.ceiling - process.cost - sum(process.held)
        if not process.dead and left > 0 and process.may(self.now, left):
            process.held.append(left)
            if at_once:
                self.end_calls(process)

    @rule(name=processes, part=st.integers(0, 100))
    def settle(self, name: str, part: int) -> None:
        """A call ends, whatever has happened meanwhile."""
        process = self.processes[name]
        if not process.dead and process.held:
            process.spent.append((self.now, process.held.pop() * part // 100))

    @rule(name=processes)
    def part(self, name: str) -> None:
        """The network is gone, or back."""
        process = self.processes[name]
        process.live.cut = not process.live.cut

    @rule(name=processes)
    def die(self, name: str) -> None:
        """Killed, or started again: what was in flight then costs what it held. Nothing of a former run is under way."""
        process = self.processes[name]
        process.dead = not process.dead
        if not process.dead:
            process.runs += 1
            self.late = [question for question in self.late if name.encode() not in question]
            process.live = MemoryLive(self.server, name, process.runs, cut=process.live.cut)
            self.end_calls(process)
            process.ceiling = process.cost

    @rule(seconds=st.sampled_from((0.1, 4.0, 11.0)))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds

    @rule(length=st.sampled_from((HOUR, DAY)), before=st.sampled_from((0.0, 0.5, 6.0, 12.0)))
    def turn(self, length: int, before: float) -> None:
        """A window ends soon, or just now. No call lasts longer than what the gone have lost is remembered."""
        then = max(self.now, (self.now // length + 1) * length - before)
        for process in self.processes.values():
            if then - process.confirmed > LINGER - HOUR / 4:
                self.end_calls(process)
        self.now = then

    @rule(name=processes, before=st.sampled_from((1.0, 6.0, 12.0)), busy=st.booleans())
    def vanish(self, name: str, before: float, busy: bool) -> None:
        """One that holds all it can get is cut off at the end of an hour, and taken for gone; the others go on."""
        self.turn(HOUR, before)
        self.processes[name].live.cut = False
        self.sync(name, 0, 1000)
        if busy:
            self.exhaust(name, False)
        self.processes[name].live.cut = True
        self.now += TTL + 1
        for other in NAMES:
            self.sync(other, 0, 0)

    def end_calls(self, process: Process) -> None:
        """All at what they may cost at most."""
        process.spent += [(self.now, amount) for amount in process.held]
        process.held.clear()

    @invariant()
    def no_cap_is_passed(self) -> None:
        """Neither of the hour, nor of the day, nor of all."""
        hour, day = self.now // HOUR * HOUR, self.now // DAY * DAY
        everybody = self.processes.values()
        assert sum(process.within(hour, HOUR) for process in everybody) <= CAPS[0]
        assert sum(process.within(day, DAY) for process in everybody) <= CAPS[1]
        assert sum(process.cost for process in everybody) <= CAPS[2]

    def teardown(self) -> None:
        """All are back, and all have told: now everybody knows the same."""
        for name, process in self.processes.items():
            process.live.cut = False
            if process.dead:
                self.die(name)
            self.end_calls(process)
        for _ in range(2):
            for process in self.processes.values():
                process.ceiling = process.cost
                answer = self.ask(process, 0, 0)
        last = self.processes[NAMES[-1]]
        hour = self.now // HOUR * HOUR
        everybody = self.processes.values()
        assert answer.grants[0].life[0] == sum(process.cost for process in everybody) - last.cost
        assert answer.grants[0].hour[0] == sum(
            process.within(hour, HOUR) for process in everybody if process is not last
        )
        assert answer.grants[0].leased == 0


class LeaseTests(SynchronousTestCase):
    """The scripts as Redis runs them, in an interpreter of Lua."""

    def test_caps_hold(self) -> None:
        """Killed, parted, asked late, at the turn of an hour, after a loss: processes together never pass a cap."""
        checks = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
        run_state_machine_as_test(
            Leases,
            settings=settings(max_examples=400, stateful_step_count=50, deadline=None, suppress_health_check=checks),
        )
