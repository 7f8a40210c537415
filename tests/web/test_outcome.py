"""How calls end, as it goes into their records."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.dialect import Reading
from agentgateway.web.outcome import conclude, given_up, provider_of
from agentgateway.web.relay import DRAINED, SPENT, WHOLE, Ending
from tests.pipeline.calls import call


class OutcomeTests(SynchronousTestCase):
    """Answers that came, whole or not."""

    def ended(
        self, ending: Ending = WHOLE, status: int = 200, stream: bool = True, gone: bool = False, **said: bool
    ) -> tuple[str, str | None, bool]:
        """(outcome, reason, whether its usage is complete) of an answer; `said` goes into its reading."""
        exchange = call()
        exchange.status, exchange.streamed = status, stream
        complete = conclude(exchange, Reading(**said), ending, gone)
        return exchange.outcome, exchange.reason, complete

    def test_well(self) -> None:
        """Its terminal event, or an end that is not a stream's, is all it takes."""
        self.assertEqual(self.ended(terminal=True), ("ok", None, True))
        self.assertEqual(self.ended(stream=False, terminal=False), ("ok", None, True))

    def test_short(self) -> None:
        """A stream without its terminal event is truncated, and so is any answer that broke off."""
        self.assertEqual(self.ended(terminal=False), ("truncated", None, False))
        self.assertEqual(self.ended(Ending(True, ValueError()), stream=False), ("truncated", None, False))
        self.assertEqual(self.ended(Ending(True, ValueError()), terminal=True), ("truncated", None, False))

    def test_provider_fails(self) -> None:
        """A status that says so, or an error event, which is an end of its own."""
        self.assertEqual(self.ended(status=529, terminal=False), ("upstream_error", None, True))
        self.assertEqual(self.ended(terminal=False, failed=True), ("upstream_error", None, False))

    def test_cut(self) -> None:
        """An answer that was cut on this side says why."""
        self.assertEqual(self.ended(Ending(True, SPENT), terminal=False), ("cut", "budget_exceeded", False))
        self.assertEqual(self.ended(Ending(True, DRAINED), terminal=True), ("cut", "draining", False))

    def test_gone(self) -> None:
        """A caller that did not wait is gone, however the answer went on."""
        self.assertEqual(self.ended(terminal=True, gone=True), ("client_gone", None, True))
        self.assertEqual(self.ended(Ending(True, ValueError()), gone=True)[0], "client_gone")

    def test_words(self) -> None:
        """A call that is stopped before its answer is refused for the reason of that; no provider has no name."""
        self.assertEqual((given_up(SPENT).reason, given_up(DRAINED).reason), ("budget_exceeded", "draining"))
        self.assertEqual(provider_of(call()), "")
