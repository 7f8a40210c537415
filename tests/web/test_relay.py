"""An answer passed on, chunk by chunk."""

from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from agentgateway.pipeline.meter import Meter
from agentgateway.providers.known import surface
from agentgateway.web.relay import ENDED, SPENT, Ending, Relay, watch_whole
from tests.fixtures import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, Fixture

HEAD, _, LAST = ANTHROPIC_STREAM.answer.rpartition(b"event: message_stop")
LAST = b"event: message_stop" + LAST


class Caller:
    """The caller's request: notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.startedWriting = False
        self.producer: Any = None

    def write(self, data: bytes) -> None:
        """Note it."""
        self.startedWriting = True
        self.written.append(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """A push producer."""
        assert streaming and self.producer is None and not self.startedWriting
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Gone."""
        self.producer = None


class Provider:
    """The provider's response, and its transport."""

    complete = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def deliverBody(self, receiver: Any) -> None:
        """Here it goes."""
        self.receiver = receiver
        receiver.makeConnection(self)

    def pauseProducing(self) -> None:
        """Noted."""
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """Noted."""
        self.told.append("resume")

    def stopProducing(self) -> None:
        """Noted."""
        self.told.append("stop")


class BrokenMeter(Meter):
    """Fails at the second chunk."""

    def feed(self, data: bytes) -> bytes:
        """Fail, once something was read."""
        if self.reading.usage.total:
            raise ZeroDivisionError("a mistake of ours")
        return super().feed(data)


class RelayTests(SynchronousTestCase):
    """Bytes go on as they come; the last ones wait for the books."""

    def begin(self, fixture: Fixture = ANTHROPIC_STREAM, kind: Any = Meter, spent: Any = None) -> Relay:
        """A relay that has begun."""
        self.caller, self.provider = Caller(), Provider()
        self.meter = kind(surface("POST", fixture.path, fixture.api), fixture.stream, "", False)
        relay = Relay(self.caller, self.provider, self.meter, spent)
        relay.start()
        return relay

    def test_stream(self) -> None:
        """Chunks pass at once, the one with the terminal event when the call is settled, and the rest after it."""
        relay = self.begin()
        self.assertEqual(self.caller.written, [b""])
        relay.dataReceived(HEAD)
        self.assertEqual(self.caller.written, [b"", HEAD])
        relay.dataReceived(LAST)
        self.assertEqual(self.successResultOf(relay.settled), Ending(False))
        self.assertEqual(self.caller.written, [b"", HEAD])
        self.assertEqual(relay.release(), LAST)
        relay.dataReceived(b": bye\n\n")
        relay.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.caller.written[2:], [b": bye\n\n"])
        self.assertEqual(self.successResultOf(relay.ended), Ending(True))

    def test_until_close(self) -> None:
        """An answer that ends with its connection ends well."""
        relay = self.begin(ANTHROPIC_WHOLE)
        relay.dataReceived(ANTHROPIC_WHOLE.answer)
        relay.connectionLost(Failure(PotentialDataLoss()))
        self.assertEqual(self.successResultOf(relay.settled), Ending(True))

    def test_break(self) -> None:
        """A provider that breaks off is told with its error."""
        relay = self.begin()
        relay.dataReceived(HEAD)
        error = ConnectionResetError()
        relay.connectionLost(Failure(error))
        self.assertEqual(self.successResultOf(relay.settled), Ending(True, error))

    def test_back_pressure(self) -> None:
        """A slow caller holds the provider back."""
        relay = self.begin()
        self.assertIs(self.caller.producer, relay)
        relay.pauseProducing()
        relay.resumeProducing()
        self.assertEqual(self.provider.told, ["pause", "resume"])
        relay.connectionLost(Failure(ResponseDone()))
        relay.pauseProducing()
        relay.resumeProducing()
        relay.stop()
        self.assertEqual((self.provider.told, self.caller.producer), (["pause", "resume"], None))

    def test_left(self) -> None:
        """When the call is cancelled the provider's connection is closed, at whatever it was."""
        relay = self.begin()
        relay.settled.addErrback(lambda _: None)
        relay.settled.cancel()
        self.assertEqual(self.provider.told, ["stop"])

    def test_drain(self) -> None:
        """A drained answer is read on even where the caller had paused, and is not paused again."""
        relay = self.begin()
        relay.pauseProducing()
        relay.drain()
        relay.pauseProducing()
        self.assertEqual(self.provider.told, ["pause", "resume"])

    def test_spent(self) -> None:
        """At a cap the provider's connection is closed; what came last still goes to the caller, who paid for it."""
        relay = self.begin(spent=lambda: SPENT if self.meter.reading.sent_chars > 0 else None)
        first = HEAD[: HEAD.index(b"event: ping")]
        relay.dataReceived(first)
        relay.dataReceived(HEAD[len(first) :])
        self.assertEqual(self.successResultOf(relay.settled), Ending(True, SPENT))
        self.assertEqual((self.provider.told, relay.release()), (["stop"], HEAD[len(first) :]))

    def test_ended_by_an_operator(self) -> None:
        """An operator can end an open answer, but not one that is over."""
        relay = self.begin()
        relay.dataReceived(HEAD)
        self.assertTrue(relay.cut(ENDED))
        self.assertFalse(relay.cut(ENDED))
        self.assertEqual(self.successResultOf(relay.settled), Ending(True, ENDED))
        over = self.begin()
        over.dataReceived(HEAD + LAST)
        self.assertFalse(over.cut(ENDED))

    def test_broken_meter(self) -> None:
        """A mistake of ours in the meter costs nobody an answer: bytes pass, and the usage is no longer sure."""
        relay = self.begin(kind=BrokenMeter)
        for part in (HEAD[:500], HEAD[500:], LAST):
            relay.dataReceived(part)
        relay.connectionLost(Failure(ResponseDone()))
        self.assertEqual(b"".join(self.caller.written) + relay.release(), ANTHROPIC_STREAM.answer)
        self.assertFalse(self.meter.reading.sure)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_all_there(self) -> None:
        """An answer that came in one piece goes through the meter in one piece."""
        meter = Meter(surface("POST", ANTHROPIC_WHOLE.path, "anthropic"), False, "", False)
        self.assertEqual(watch_whole(meter, ANTHROPIC_WHOLE.answer), ANTHROPIC_WHOLE.answer)
        self.assertEqual(meter.reading.usage, ANTHROPIC_WHOLE.usage)
