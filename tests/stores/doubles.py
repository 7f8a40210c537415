"""What the tests of stores share: a lane that holds work back, limits on file size, records, and a copy of a state folder."""

import os
import resource
import shutil
import tempfile
from contextlib import contextmanager

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agentgateway.config.schema import Budget
from agentgateway.domain.audit import AuditRecord, iso
from agentgateway.domain.counters import Tally
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.windows import Calendar
from agentgateway.stores.lanes import InlineLane
from agentgateway.stores.sqlite import SqliteStore

START = 1_792_886_400.0
"""An hour and a day begin."""


class HeldLane:
    """Does its work when told to, in order."""

    def __init__(self):
        self.held = []
        self.stopped = False

    def run(self, work, *args):
        """Wait for `step`."""
        assert not self.stopped
        done = Deferred()
        self.held.append((done, work, args))
        return done

    def step(self, error=None):
        """Do the oldest piece of work, or let it fail with `error`."""
        done, work, args = self.held.pop(0)
        try:
            if error is not None:
                raise error
            result = work(*args)
        except Exception:
            done.errback(Failure())
        else:
            done.callback(result)

    def stop(self):
        """No more work."""
        assert not self.held
        self.stopped = True


class Ops:
    """Changes of a ledger, each telling a store of one event; `sent` are the events."""

    def __init__(self, ledger, append):
        self.ledger, self._append = ledger, append
        self._event = []
        self.number = 0

    def on(self, agent, what, value, now, extra=0):
        """One operation: hold, settle (and count), free, or count; what cannot be is nothing."""
        account = self.ledger.account(agent, Budget(max_cost_per_hour=10**15))
        self.ledger.journal = self._event.append
        if what == "hold":
            self.number += 1
            account.hold(f"c{self.number}", value)
        elif what == "count":
            account.count(now, error=bool(extra % 2), input_tokens=value, output_tokens=extra)
        elif account.open:
            call = account.open[extra % len(account.open)]
            if what == "settle":
                account.close(now, call, Tally(value, 1, extra % 2, value, 1))
            else:
                account.release(call)
        self._append(*self._event)
        self._event.clear()


def new_ledger():
    """A ledger of nobody."""
    return Ledger(Calendar.of("Europe/Berlin"))


def balances(ledger):
    """Everything that must survive, of the accounts that ever did something."""
    fresh = new_ledger().account("nobody").snapshot()
    return {agent: snapshot for agent, snapshot in ledger.snapshot().items() if snapshot != fresh}


def snapshot_of(ledger):
    """What a checkpoint asks."""
    return lambda agent: ledger.account(agent).snapshot()


def record(number, at=START, agent="writer", status=200, outcome="ok"):
    """An audit record that `number` tells from others."""
    none = (None,) * 2
    return AuditRecord(
        f"r{number}", iso(at), agent, "openai", "m", "m", "POST", "/v1/x", status, outcome, None, False,
        1, 2, 0, 0, 0, "exact", 0.25, 10.5, *none, (), "known",
    )  # fmt: skip


@contextmanager
def full_disk(size=0):
    """No file can grow beyond `size` bytes: the write that would is short, the next fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def nobody():
    """Without root's power to write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


class States:
    """State folders of one test, and the stores opened on them; all gone at its end."""

    def __init__(self, case):
        self._root = tempfile.mkdtemp()
        os.chmod(self._root, 0o755)
        self._opened, self._copies = [], 0
        self.alerts = []
        case.addCleanup(self.end)
        self.current = os.path.join(self._root, "state")

    def store(self, lane=None, **options):
        """A store on the current folder, not opened yet."""
        lane = lane or (lambda name: InlineLane())
        path = os.path.join(self.current, "ledger.sqlite")
        store = SqliteStore(path, self.current, lane, self.alerts.append, patience=0.0, **options)
        self._opened.append(store)
        return store

    def crash(self):
        """The files as they are at this moment become the current folder; whoever uses the old one goes on unheard."""
        self._copies += 1
        image = os.path.join(self._root, f"state{self._copies}")
        shutil.copytree(self.current, image)
        self.current = image

    @property
    def segments(self):
        """The journal's files, oldest first."""
        folder = os.path.join(self.current, "ledger.sqlite.journal")
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

    def end(self):
        """Close and delete all."""
        for store in self._opened:
            store._release()
        shutil.rmtree(self._root)
