"""A process that is killed with SIGKILL, again and again, on one state folder."""

import os
import queue
import random
import signal

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.stores.lanes import ThreadLane
from tests.stores.doubles import START, Ops, States, balances, new_ledger, snapshot_of

ROUNDS = 50
WHATS = ("hold", "hold", "settle", "settle", "free", "count")


class QueueReactor:
    """As much of a reactor as a thread's results need: the loop of the process asks for them."""

    def __init__(self):
        self._calls = queue.SimpleQueue()

    def callFromThread(self, call, *args):
        """From a thread."""
        self._calls.put((call, args))

    def turn(self):
        """In the loop."""
        while not self._calls.empty():
            call, args = self._calls.get()
            call(*args)


def operate(ops, seed, steps=None):
    """Random operations, always the same for a seed; yields after each."""
    dice = random.Random(seed)
    step = 0
    while steps is None or step < steps:
        agent, what = dice.choice(("writer", "reader")), dice.choice(WHATS)
        ops.on(agent, what, dice.randrange(10**9), START + step, dice.randrange(40))
        step += 1
        yield step


def live(states, seed, pipe):
    """A gateway's life, until it is killed: one byte down the pipe for every operation that is done."""
    reactor = QueueReactor()
    store, ledger = states.store(lambda name: ThreadLane(reactor, name)), new_ledger()
    store.open().into(ledger, store.append, START)
    ops = Ops(ledger, store.append)
    ops.number = seed * 10**9
    for step in operate(ops, seed):
        os.write(pipe, b".")
        if step % 7 == 0:
            store.checkpoint(snapshot_of(ledger))
        reactor.turn()


class KilledTests(SynchronousTestCase):
    """Nothing that was done is lost, nothing is counted twice."""

    def test_killed(self):
        """After each of many kills the balances are those of what was done, with calls in flight at their reserve."""
        states, dice, model = States(self), random.Random(4711), new_ledger()
        for seed in range(1, ROUNDS + 1):
            done = self.life(states, seed, dice.randrange(1, 400))
            found = self.found(states)
            possible = []
            for steps in (done, done + 1):
                again = new_ledger()
                again.restore(model.snapshot(), START)
                ops = Ops(again, lambda *changes: None)
                ops.number = seed * 10**9
                list(operate(ops, seed, steps))
                again.journal = None
                again.recover(START)
                possible.append(balances(again))
            self.assertIn(balances(found), possible, seed)
            model = found
        self.assertGreater(model.account("writer").life.cost, 0)
        self.assertEqual(states.alerts, [])

    def life(self, states, seed, least):
        """Let a process live until it has done at least so much; gives how much it did."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(reading)
                live(states, seed, writing)
            finally:
                os._exit(1)
        os.close(writing)
        done = 0
        while done < least:
            got = len(os.read(reading, least - done))
            self.assertTrue(got, "the process ended by itself")
            done += got
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while got := len(os.read(reading, 65536)):
            done += got
        os.close(reading)
        return done

    def found(self, states):
        """The ledger a new process finds; what it recovers is in the journal for the next one."""
        store, ledger = states.store(), new_ledger()
        store.open().into(ledger, store.append, START)
        store._release()
        return ledger
