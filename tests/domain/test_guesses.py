"""How often somebody may guess."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.guesses import MOST, RATE, Guesses


class GuessesTests(SynchronousTestCase):
    """Wrong secrets from many places."""

    def test_limit(self) -> None:
        """A few are looked at, then none for a while; others are not held up by it."""
        guesses, one, other = Guesses(), ("10.0.0.1", False), ("10.0.0.1", True)
        for _ in range(RATE.count):
            self.assertEqual(guesses.wait(one, 5.0), 0)
            guesses.wrong(one, 5.0)
        self.assertEqual(guesses.wait(one, 5.0), RATE.seconds / RATE.count)
        self.assertEqual(guesses.wait(other, 5.0), 0)
        self.assertEqual(guesses.wait(one, 5.0 + RATE.seconds / RATE.count), 0)

    def test_bounded(self) -> None:
        """Guessers from many places are not remembered without end: the latest are."""
        guesses = Guesses()
        for number in range(MOST + 50):
            guesses.wrong((str(number), False), 0.0)
        self.assertEqual(len(guesses), MOST)
        self.assertEqual(guesses.wait((str(MOST + 49), False), 0.0), 0)
