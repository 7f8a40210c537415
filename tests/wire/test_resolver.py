"""Name lookups that do not stand in each other's way."""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.wire.resolver import DOUBTED_AFTER, FRESH, MAX_NAMES, MAX_THREADS, STALE, Resolver


class Lookups(Clock):
    """A reactor, its threads and the system's resolver: each lookup waits until the test lets it `finish`."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[Callable[[], None]] = []
        self.asked: list[str] = []
        self.known: dict[str, list[str]] = {}

    def run(self, work: Callable[[], None]) -> None:
        """In place of a thread."""
        self.running.append(work)

    def callFromThread(self, work: Callable[..., Any], *args: Any) -> None:
        """Back in the reactor."""
        work(*args)

    def getaddrinfo(self, host: str, port: int, family: int, kind: int) -> list[Any]:
        """What the test says that is known."""
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror("no such name")
        v6 = socket.AF_INET6
        return [
            (v6, kind, 6, "", (text, 0, 0, 0)) if ":" in text else (socket.AF_INET, kind, 6, "", (text, 0))
            for text in self.known[host]
        ]

    def finish(self) -> None:
        """Let the lookup that has been running longest end."""
        self.running.pop(0)()


class Answer:
    """One resolution's receiver."""

    def __init__(self) -> None:
        self.addresses: list[Any] = []
        self.complete = False

    def resolutionBegan(self, resolution: Any) -> None:
        """It can be cancelled by this."""
        self.resolution = resolution

    def addressResolved(self, address: Any) -> None:
        """One address."""
        assert not self.complete
        self.addresses.append(address)

    def resolutionComplete(self) -> None:
        """No more."""
        assert not self.complete
        self.complete = True


class ResolverTests(SynchronousTestCase):
    """What callers see."""

    def setUp(self) -> None:
        self.lookups = Lookups()
        self.lookups.known = {"a.test": ["10.0.0.1", "fd00::1"]}
        self.resolver = Resolver(self.lookups, self.lookups.getaddrinfo, self.lookups.run)

    def ask(self, name: str = "a.test", **more: Any) -> Answer:
        """Resolve `name`."""
        answer: Any = Answer()
        self.resolver.resolveHostName(answer, name, 443, **more)
        return answer

    def test_looked_up(self) -> None:
        """All addresses of a name are told, with the port, when they are known."""
        answer = self.ask()
        self.assertFalse(answer.complete)
        self.lookups.finish()
        self.assertTrue(answer.complete)
        self.assertEqual(answer.addresses, [IPv4Address("TCP", "10.0.0.1", 443), IPv6Address("TCP", "fd00::1", 443)])

    def test_one_kind(self) -> None:
        """Who wants only one kind of address gets only that."""
        answer = self.ask(addressTypes=[IPv6Address])
        self.lookups.finish()
        self.assertEqual(answer.addresses, [IPv6Address("TCP", "fd00::1", 443)])

    def test_literals_need_no_lookup(self) -> None:
        """Addresses are their own answer."""
        for literal, kind in (("127.0.0.1", IPv4Address), ("::1", IPv6Address)):
            self.assertEqual(self.ask(literal).addresses, [kind("TCP", literal, 443)])
        self.assertEqual(self.lookups.running, [])

    def test_coalesced(self) -> None:
        """Many who ask for one name, in any letter case, wait for one lookup."""
        answers = [self.ask(name) for name in ("a.test", "A.test", "a.TEST")]
        self.assertEqual(len(self.lookups.running), 1)
        self.lookups.finish()
        self.assertEqual([len(answer.addresses) for answer in answers], [2, 2, 2])

    def test_fresh(self) -> None:
        """An answer is used for a while without asking again."""
        self.ask()
        self.lookups.finish()
        self.lookups.advance(FRESH - 1)
        self.assertTrue(self.ask().complete)
        self.assertEqual(self.lookups.running, [])

    def test_doubted(self) -> None:
        """When no connection came about the name is looked up again at once, but not again and again; nobody waits for it."""
        self.ask()
        self.lookups.finish()
        self.lookups.known["a.test"] = ["10.0.0.2"]
        self.resolver.doubt("A.test")
        self.assertEqual(self.lookups.running, [])
        self.lookups.advance(DOUBTED_AFTER)
        for name in ("A.test", "a.test", "b.test"):
            self.resolver.doubt(name)
        self.assertEqual(len(self.lookups.running), 1)
        self.assertEqual(len(self.ask().addresses), 2)  # while name servers are silent, what was good stays in use
        self.lookups.finish()
        self.assertEqual(self.ask().addresses, [IPv4Address("TCP", "10.0.0.2", 443)])

    def test_refreshed_behind_the_callers_back(self) -> None:
        """An older answer is given at once, while one lookup asks for a newer one."""
        self.ask()
        self.lookups.finish()
        self.lookups.advance(FRESH)
        self.lookups.known["a.test"] = ["10.0.0.2"]
        self.assertEqual(len(self.ask().addresses), 2)
        self.assertEqual(len(self.ask().addresses), 2)
        self.assertEqual(len(self.lookups.running), 1)
        self.lookups.finish()
        self.assertEqual(self.ask().addresses, [IPv4Address("TCP", "10.0.0.2", 443)])

    def test_the_last_good_addresses(self) -> None:
        """When the name servers fail, the addresses that were good last stay in use, however old."""
        self.ask()
        self.lookups.finish()
        del self.lookups.known["a.test"]
        self.lookups.advance(STALE + 1)
        answer = self.ask()
        self.assertFalse(answer.complete)
        self.lookups.finish()
        self.assertEqual(len(answer.addresses), 2)

    def test_unknown(self) -> None:
        """A name without an address has none; the next who asks asks again."""
        for _ in range(2):
            answer = self.ask("b.test")
            self.lookups.finish()
            self.assertEqual((answer.complete, answer.addresses), (True, []))

    def test_cancelled(self) -> None:
        """Who does not want to know any more is not told."""
        answer = self.ask()
        answer.resolution.cancel()
        self.lookups.finish()
        self.assertFalse(answer.complete)

    def test_slow_names_do_not_block_others(self) -> None:
        """Several names that hang leave threads for others; one name never takes more than one."""
        for _ in range(100):
            for slow in range(5):
                self.ask(f"slow{slow}.test")
        answer = self.ask()
        self.lookups.running.pop()()
        self.assertTrue(answer.complete)

    def test_threads_are_bounded(self) -> None:
        """Above the limit a lookup waits for a thread, and gets it."""
        answers = [self.ask(f"{number}.test") for number in range(MAX_THREADS + 1)]
        self.assertEqual(len(self.lookups.running), MAX_THREADS)
        for _ in range(MAX_THREADS + 1):
            self.lookups.finish()
        self.assertTrue(all(answer.complete for answer in answers))

    def test_names_are_bounded(self) -> None:
        """The oldest name is forgotten when there are too many."""
        self.ask()
        self.lookups.finish()
        for number in range(MAX_NAMES):
            self.ask(f"{number}.test")
            self.lookups.finish()
        self.ask()
        self.assertEqual(len(self.lookups.running), 1)

    def test_no_thread_to_be_had(self) -> None:
        """A system that gives no thread is a failed lookup, not a lost one."""

        def refuse(work: Callable[[], None]) -> None:
            raise RuntimeError("can't start new thread")

        answer: Any = Answer()
        Resolver(self.lookups, self.lookups.getaddrinfo, refuse).resolveHostName(answer, "a.test")
        self.assertTrue(answer.complete)
