"""The order in which steps are asked, take, and are told the end."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.onion import BORROW, HOLD, Answer, Onion, Quiet
from tests.pipeline.calls import NOW, call, later

NO = Refusal("bad_request", "no")


class Noting(Quiet):
    """A step that notes what it is told, and answers as it was told to."""

    def __init__(self, name: str, notes: list[str], *answers: Answer) -> None:
        self.name = name
        self.notes = notes
        self.answers = list(answers)
        self.moments: list[Moment] = []

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """The next answer; yes when they are used up."""
        self.notes.append(f"{self.name}?")
        self.moments.append(now)
        return self.answers.pop(0) if self.answers else None

    def take(self, exchange: Exchange, now: Moment) -> None:
        """Noted."""
        self.notes.append(f"{self.name}+")

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Noted."""
        self.notes.append(f"{self.name}-")


class Failing(Noting):
    """A step with a mistake in it."""

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Cannot."""
        raise ZeroDivisionError(self.name)


class OnionTests(SynchronousTestCase):
    """Checks first, then the taking; the end in reverse, once."""

    def test_yes(self) -> None:
        """All steps are asked in order before any takes; the end is told in reverse, once."""
        notes: list[str] = []
        onion = Onion([Noting(name, notes) for name in "abc"])
        exchange = call()
        self.assertIsNone(onion.admit(exchange, NOW))
        self.assertTrue(exchange.admitted)
        onion.close(exchange, NOW)
        onion.close(exchange, NOW)
        self.assertEqual(notes, ["a?", "b?", "c?", "a+", "b+", "c+", "c-", "b-", "a-"])

    def test_no(self) -> None:
        """After a no nothing is taken anywhere, and only the steps that said yes are told the end."""
        notes: list[str] = []
        onion = Onion([Noting("a", notes), Noting("b", notes, NO), Noting("c", notes)])
        exchange = call()
        self.assertIs(onion.admit(exchange, NOW), NO)
        self.assertFalse(exchange.admitted)
        onion.close(exchange, NOW)
        self.assertEqual(notes, ["a?", "b?", "a-"])

    def test_hold(self) -> None:
        """A step that held is asked again, with the new time, and those before it are not."""
        notes: list[str] = []
        holding = Noting("b", notes, HOLD, HOLD)
        onion = Onion([Noting("a", notes), holding, Noting("c", notes)])
        exchange = call()
        self.assertIs(onion.admit(exchange, NOW), HOLD)
        self.assertIs(onion.admit(exchange, later(1)), HOLD)
        self.assertIsNone(onion.admit(exchange, later(2)))
        self.assertEqual(notes, ["a?", "b?", "b?", "b?", "c?", "a+", "b+", "c+"])
        self.assertEqual(holding.moments, [NOW, later(1), later(2)])

    def test_borrow(self) -> None:
        """A call that waited for what the fleet lends is judged anew, but not read again; nothing was taken meanwhile."""
        notes: list[str] = []
        steps = [Noting("a", notes), Noting("b", notes), Noting("c", notes, BORROW)]
        onion, exchange = Onion(steps, 1), call()
        self.assertIs(onion.admit(exchange, NOW), BORROW)
        self.assertFalse(exchange.admitted)
        self.assertIsNone(onion.admit(exchange, later(1)))
        self.assertEqual(notes, ["a?", "b?", "c?", "b?", "c?", "a+", "b+", "c+"])

    def test_left_while_held(self) -> None:
        """A call that ends while it is held took nothing; the steps before the one that held are told."""
        notes: list[str] = []
        onion = Onion([Noting("a", notes), Noting("b", notes, HOLD)])
        exchange = call()
        onion.admit(exchange, NOW)
        onion.close(exchange, NOW)
        self.assertEqual(notes, ["a?", "b?", "a-"])

    def test_failure_at_the_end(self) -> None:
        """A step that fails at the end keeps no other from hearing of it, and the failure is told."""
        notes: list[str] = []
        onion = Onion([Noting("a", notes), Failing("b", notes), Noting("c", notes)])
        exchange = call()
        onion.admit(exchange, NOW)
        self.assertRaises(ZeroDivisionError, onion.close, exchange, NOW)
        self.assertEqual(notes[-2:], ["c-", "a-"])

    def test_quiet_steps(self) -> None:
        """A step that only checks is not bothered with the rest."""
        onion = Onion([Quiet()])
        exchange = call()
        self.assertIsNone(onion.admit(exchange, NOW))
        onion.close(exchange, NOW)
        self.assertTrue(exchange.closed)

    @given(st.lists(st.sampled_from(["yes", "no", "hold", "hold-no"]), max_size=6), st.integers(0, 4))
    def test_every_story(self, kinds: list[str], patience: int) -> None:
        """Whatever the steps say: who took is told the end once, and nobody takes where one says no."""
        answers: dict[str, tuple[Answer, ...]] = {"yes": (), "no": (NO,), "hold": (HOLD,), "hold-no": (HOLD, NO)}
        notes: list[str] = []
        onion = Onion([Noting(str(at), notes, *answers[kind]) for at, kind in enumerate(kinds)])
        exchange = call()
        answer: Answer = HOLD
        while answer is HOLD and patience >= 0:
            answer = onion.admit(exchange, NOW)
            patience -= 1
        onion.close(exchange, NOW)
        onion.close(exchange, NOW)
        taken = [note[:-1] for note in notes if note.endswith("+")]
        told = [note[:-1] for note in notes if note.endswith("-")]
        self.assertEqual(taken, [str(at) for at in range(len(kinds))] if exchange.admitted else [])
        self.assertEqual(exchange.admitted, answer is None)
        self.assertEqual(told, sorted(told, reverse=True))
        self.assertEqual(len(told), exchange.position)
