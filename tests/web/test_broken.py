"""The last words of a broken answer."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.providers.known import surface
from agentgateway.web.broken import last_words
from agentgateway.web.relay import SPENT, Ending


class LastWordsTests(SynchronousTestCase):
    """What follows the last bytes of a provider."""

    def exchange(self, outcome: str, streamed: bool = True) -> Exchange:
        """A call that ended so."""
        exchange = Exchange("agw_1", Moment(0.0, 0.0), "POST", "/v1/messages", ())
        exchange.surface = surface("POST", "/v1/messages", "anthropic")
        exchange.outcome, exchange.streamed = outcome, streamed  # type: ignore[assignment]
        return exchange

    def test_between_events(self) -> None:
        """Behind whole events comes the error, as an event of its own."""
        words = last_words(self.exchange("cut"), b"data: 1\n\n", Ending(True, SPENT), None)
        self.assertTrue(words.startswith(b"data: 1\n\nevent: error\n"))
        self.assertTrue(words.endswith(b"\n\n"))

    def test_within_an_event(self) -> None:
        """An event without its end is ended first."""
        words = last_words(self.exchange("truncated"), b"data: 1", Ending(True), None)
        self.assertTrue(words.startswith(b"data: 1\n\nevent: error\n"))

    def test_no_stream(self) -> None:
        """Where there is no stream, there is nothing to say."""
        exchange = self.exchange("truncated", streamed=False)
        self.assertEqual(last_words(exchange, b'{"a":', Ending(True), None), b'{"a":')

    def test_compressed(self) -> None:
        """Nothing readable can be put behind compressed bytes: the break alone says it."""
        exchange = self.exchange("cut")
        exchange.compressed = True
        self.assertEqual(last_words(exchange, b"\x1f\x8b", Ending(True, SPENT), None), b"\x1f\x8b")
