"""What every store promises; a store's test names the class that makes it."""

import json

from zope.interface.verify import verifyObject

from agentgateway.domain.journal import Counted, Reserved, Settled
from agentgateway.domain.logquery import MAX_LIMIT, LogQuery
from agentgateway.domain.standing import Caps, Pause, Standing
from agentgateway.interfaces import IStore
from tests.stores.doubles import START, Ops, balances, new_ledger, record, snapshot_of


class StoreSteps:
    """Mixed into a SynchronousTestCase that has `make()`, a store not opened, and `crash()`, another after a crash."""

    def opened(self):
        """A store in use."""
        store = self.make()
        store.open()
        return store

    def restarted(self):
        """What a new process finds after a crash, as a ledger, with the calls it lost."""
        store = self.crash()
        recovered = store.open()
        ledger = new_ledger()
        lost = recovered.into(ledger, store.append, START + 60)
        return store, ledger, lost, recovered

    def logged(self):
        """A store with records of several agents and ends, not in order of time."""
        store, ledger = self.opened(), new_ledger()
        ends = ((200, "ok"), (402, "refused"), (500, "upstream_error"), (200, "cut"), (503, "refused"))
        self.records = []
        for number in range(200):
            at = START + (number * 37 % 100)
            agent = (None, "writer", "reader")[number % 3]
            self.records.append(record(number, at, agent, *ends[number * 7 % 5]))
        for number, one in enumerate(self.records):
            store.audit(one)
            if number % 60 == 0:
                self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        return store

    def ids(self, store, **what):
        """The ids found, in order."""
        return [json.loads(line)["id"] for line in self.successResultOf(store.logs(LogQuery(**what)))]


class StoreContract(StoreSteps):
    """The tests."""

    def test_interface(self):
        """It is a store: every method is there, with the arguments the gateway gives."""
        verifyObject(IStore, self.make())

    def test_new(self):
        """A first start finds nothing."""
        recovered = self.make().open()
        self.assertEqual((dict(recovered.snapshots), list(recovered.records), list(recovered.standings)), ({}, [], []))

    def test_journal(self):
        """What was appended is there after a crash without any checkpoint, in order."""
        changes = [
            Reserved("writer", "a", 5),
            Settled("writer", "a", 4, START + 0.25),
            Counted("writer", START, True, 7, 8),
        ]
        store = self.opened()
        store.append(changes[0])
        store.append(*changes[1:])
        store.append()
        self.assertEqual(list(self.restarted()[3].records), changes)

    def test_money(self):
        """Spend, counts and calls in flight come back as they were; a call in flight is settled at its reserve."""
        store, ledger = self.opened(), new_ledger()
        ops = Ops(ledger, store.append)
        for number in range(30):
            ops.on(f"agent-{number % 3}", "hold", 100 + number, START)
            if number % 4:
                ops.on(f"agent-{number % 3}", "settle", number, START + number)
            if number in (10, 20):
                self.assertIsNone(self.successResultOf(store.checkpoint(snapshot_of(ledger))))
        held = {call.id for account in ledger for call in account.open}
        _, again, lost, _ = self.restarted()
        self.assertEqual({call.id for call in lost}, held)
        ledger.journal = None
        ledger.recover(START + 60)
        self.assertEqual(balances(again), balances(ledger))

    def test_lost_once(self):
        """Calls lost in a crash are settled once, however often the gateway crashes again."""
        store = self.opened()
        store.append(Reserved("writer", "a", 5))
        for _ in range(3):
            _, ledger, _, _ = self.restarted()
            self.assertEqual((ledger.account("writer").life.cost, ledger.account("writer").reserved), (5, 0))

    def test_restart(self):
        """A gateway that is stopped and started has the same balances, and an empty journal."""
        store, ledger = self.opened(), new_ledger()
        ops = Ops(ledger, store.append)
        ops.on("writer", "hold", 9, START)
        ops.on("writer", "settle", 7, START)
        self.successResultOf(store.close(snapshot_of(ledger)))
        _, again, lost, recovered = self.restarted()
        self.assertEqual((balances(again), lost, list(recovered.records)), (balances(ledger), (), []))

    def test_standings(self):
        """An agent's last standing survives a crash and a checkpoint, lifted caps and all; money is not mixed up in it."""
        paused = Standing("writer", Pause("operator", "too dear\n", START, None), Caps(None, 5, None))
        resumed = Standing("reader")
        store, ledger = self.opened(), new_ledger()
        store.append(Standing("reader", Pause("budget", "hour", START, START + 60)), Standing("writer"))
        store.append(paused)
        store.append(resumed)
        store, _, _, recovered = self.restarted()
        self.assertEqual({standing.agent: standing for standing in recovered.standings}["writer"], paused)
        self.successResultOf(store.checkpoint(snapshot_of(ledger)))
        _, _, _, recovered = self.restarted()
        self.assertCountEqual(recovered.standings, [paused, resumed])

    def test_idle_checkpoint(self):
        """A checkpoint without changes asks for no balance."""
        store = self.opened()
        self.assertIsNone(self.successResultOf(store.checkpoint(self.fail)))

    def test_changed_only(self):
        """A checkpoint asks for the balances of agents that changed since the last one, once."""
        store, ledger, asked = self.opened(), new_ledger(), []

        def ask(agent):
            asked.append(agent)
            return ledger.account(agent).snapshot()

        for agents in (("writer", "reader", "writer"), ("reader",), ()):
            for agent in agents:
                store.append(Counted(agent, START, False, 0, 0))
            self.successResultOf(store.checkpoint(ask))
        self.assertEqual((sorted(asked[:2]), asked[2:]), (["reader", "writer"], ["reader"]))

    def test_logs(self):
        """Every question is answered with just the records asked for, newest last, the latest written last of equals."""
        store = self.logged()
        for agent in (None, "writer", "nobody"):
            for status in (None, 200, 402, 999):
                for outcome in (None, "ok", "refused", "none"):
                    for since, until in (
                        (None, None),
                        (START + 20, None),
                        (START + 20, START + 21),
                        (None, START + 50),
                    ):
                        for limit in (1, 7, 1000, 0, -1):
                            query = LogQuery(limit, agent, status, outcome, since, until)
                            known = sorted(filter(query.matches, self.records), key=lambda one: one.ts)
                            wanted = [one.id for one in known[len(known) - min(len(known), max(0, limit)) :]]
                            found = [json.loads(line)["id"] for line in self.successResultOf(store.logs(query))]
                            self.assertEqual(found, wanted, query)

    def test_log_lines(self):
        """A record comes back as the line that the log file has."""
        store = self.logged()
        (line,) = self.successResultOf(store.logs(LogQuery(1)))
        self.assertEqual(line.count(b"\n"), 0)
        self.assertEqual(json.loads(line)["cost_usd"], 0.25)

    def test_log_limit(self):
        """Nobody gets more records at once than is sensible."""
        self.assertEqual(LogQuery(10**9).count, MAX_LIMIT)

    def test_settled(self):
        """Without more asked for, what is appended is settled."""
        self.assertIsNone(self.opened().settled())
