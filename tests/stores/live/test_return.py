"""A process that comes back after the others took it for gone, and the accounts that it brings."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Budget
from agentgateway.domain.account import Account
from agentgateway.domain.lease import TTL
from agentgateway.domain.link import Link
from agentgateway.domain.share import Share
from agentgateway.domain.windows import Calendar
from tests.stores.live.asking import HOUR, START
from tests.stores.live.memory import MemoryLive, MemoryServer


class Member:
    """A process with the accounts of two agents."""

    def __init__(self, server: MemoryServer, name: str) -> None:
        self.server = server
        self.live = MemoryLive(server, name)
        self.link = Link()
        self.accounts = {agent: self.account(agent) for agent in ("writer", "reader")}

    def account(self, agent: str) -> Account:
        """A hundred an hour, hard."""
        account = Account.new(agent, Budget(max_cost_per_hour=100, enforcement="hard"), Calendar.of("UTC"))
        account.share = Share(account, self.link)
        account.set_caps(account.budget)
        return account

    def sync(self, *agents: str, need: int = 0) -> None:
        """Ask about some agents, for calls that wait for `need`."""
        now, shares = self.server.now(), [self.accounts[agent].share for agent in agents]
        for share in shares:
            if need:
                share.borrow(now, need, True)
        asks = [share.ask(now, (0, 0, None), ()) for share in shares]
        answers: list = []
        self.live.sync(asks).addCallback(answers.append)
        self.link.reached(now)
        for share, ask, grant in zip(shares, asks, answers[0].grants, strict=True):
            share.take(now, ask, grant)

    def may(self, agent: str, amount: int) -> bool:
        """Whether a call of so much would begin."""
        return self.accounts[agent].fits(self.server.now(), amount) is None


class ReturnTests(SynchronousTestCase):
    """One borrows, and is not heard of for longer than it is waited for."""

    def setUp(self) -> None:
        """Both agents' money is lent to one, shortly before a full hour."""
        self.now = START + HOUR - 60.0
        self.server = MemoryServer(lambda: self.now)
        self.one, self.two = Member(self.server, "one"), Member(self.server, "two")
        self.one.sync("writer", "reader", need=80)

    def test_in_the_same_hour(self) -> None:
        """In the same hour what it has borrowed is its own: the others take it for spent."""
        self.now += TTL + 1
        self.two.sync("writer", need=80)
        self.assertFalse(self.two.may("writer", 80))
        self.assertTrue(self.one.may("writer", 80))
        self.one.sync("reader")
        self.assertTrue(self.one.may("writer", 80))

    def test_in_another_hour(self) -> None:
        """In another hour it is not, from the moment that hour begins; nor once the process is heard of again."""
        self.now += TTL + 1
        self.two.sync()
        self.now += 3 * HOUR
        self.two.sync("writer", need=80)
        self.assertTrue(self.two.may("writer", 80))
        self.assertFalse(self.one.may("writer", 1))
        self.one.sync("reader")
        self.assertFalse(self.one.may("writer", 1))
        self.one.sync("writer", need=30)
        self.assertFalse(self.one.may("writer", 21))
        self.assertTrue(self.two.may("writer", 80))

    def test_never_away(self) -> None:
        """Whoever is heard of all the time keeps what it has borrowed across the hour."""
        for _ in range(14):
            self.now += TTL / 2
            self.one.sync()
            self.two.sync("writer", need=80)
        self.assertTrue(self.one.may("writer", 80))
        self.assertFalse(self.two.may("writer", 21))
