"""One call, straight down: admit, send, relay, settle. One coroutine; the caller's leaving cancels it wherever it stands."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agentgateway.domain.exchange import Exchange, Outcome
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.meter import Meter
from agentgateway.pipeline.onion import BORROW, Answer, Hold
from agentgateway.web.accrual import accrual, spent_up
from agentgateway.web.answers import dialect, refusal_answer, refusal_of
from agentgateway.web.attempts import Attempts, Discard
from agentgateway.web.broken import last_words
from agentgateway.web.headers import answer_fields, learned
from agentgateway.web.incoming import Incoming, forget, on_gone
from agentgateway.web.live import Live
from agentgateway.web.outcome import conclude, given_up, provider_of
from agentgateway.web.relay import DRAINED, ENDED, WHOLE, Cut, Ending, Relay, watch_whole
from agentgateway.web.work import Work
from agentgateway.wire.errors import CallerGone, HeadTimeout, WireError
from agentgateway.wire.headers import raw


class Call:
    """A request on its way through the gateway; it finishes the rules it began under, whatever is reloaded meanwhile."""

    _log = Logger()

    def __init__(self, live: Live, request: Any) -> None:
        self._live = live
        self._onion = live.onion
        self._reckoner = live.reckoner
        self._request = request
        self._incoming = Incoming(request)
        self._relay: Relay | None = None
        self._meter: Meter | None = None
        self._draining = False
        self._stopped: Cut | None = None
        headers = raw(request.requestHeaders)
        self._exchange = Exchange(
            live.next_id(),
            live.moment(),
            request.method.decode("ascii"),
            request.uri.decode("latin-1"),
            headers.pairs(),
            headers.lowered,
            self._incoming.whole(),
            self._incoming.pending,
            headers.derived,
        )

    def start(self) -> None:
        """Begin; everything else follows by itself."""
        self._live.calls.add(self)
        on_gone(self._request, self._caller_gone)
        self._work = Work(self._serve(), self._bug)

    def _caller_gone(self) -> None:
        forget(self._request)
        target = self._exchange.target
        if self._relay is not None and target is not None and target.provider.on_disconnect == "drain":
            self._draining = True
            self._relay.drain()
        else:
            self._work.cancel()

    def _bug(self, failure: Failure) -> None:
        """Never leave a call open, uncounted or free, not even by a mistake of ours."""
        exchange = self._exchange
        self._log.failure("call {id} failed", failure, id=exchange.id)
        try:
            self._leave("cut", "internal_error")
        except Exception:
            self._log.failure("call {id} cannot be reckoned, and is charged what was held for it", id=exchange.id)
            if exchange.sent:
                exchange.cost, exchange.usage_kind = exchange.amount, "estimated"
            self._close(self._live.moment())
        finally:
            self._request.break_off()

    @property
    def exchange(self) -> Exchange:
        """What is known of the call."""
        return self._exchange

    def end(self) -> bool:
        """Cut the answer: an operator says so. False where it has ended by itself."""
        return self._relay is not None and self._relay.cut(ENDED)

    def _close(self, now: Moment) -> None:
        """Into the books; where that uses a cap up, the agent's streams are cut."""
        exchange = self._exchange
        self._live.calls.discard(self)
        self._live.streams.pop(exchange.id, None)
        self._onion.close(exchange, now)
        if exchange.agent is not None:
            exchange.agent.account.stop_streams(now.wall)

    def drain(self) -> None:
        """The gateway is stopping and has waited for long enough."""
        self._stop(DRAINED)

    def _spent(self) -> None:
        """A cap is reached."""
        agent = self._exchange.agent
        assert agent is not None  # who reserved
        self._stop(spent_up(agent.account, self._live.moment()))

    def _stop(self, why: Cut) -> None:
        """Cut the answer, or give the call up that has none yet."""
        if self._relay is not None:
            self._relay.cut(why)
        elif self._meter is None:
            self._stopped = why
            self._work.cancel()

    # the way

    async def _serve(self) -> None:
        try:
            refusal = self._onion.admit(self._exchange, self._exchange.began)
            if isinstance(refusal, Hold):
                refusal = await self._admit_later(refusal)
            if refusal is None:
                self._be_stoppable()
                attempts = Attempts(self._live, self._reckoner, self._exchange, self._incoming)
                await self._relay_answer(await attempts.answer())
                return
        except (CallerGone, CancelledError):
            if self._stopped is None:
                return self._leave("client_gone")
            refusal = self._given_up(self._stopped)
        except WireError as error:
            refusal = self._failed(error)
        self._refuse(refusal)

    async def _admit_later(self, answer: Answer) -> Refusal | None:
        """Wait for what the steps wait for, and ask them again."""
        exchange = self._exchange
        while isinstance(answer, Hold):
            if answer is BORROW:
                assert exchange.agent is not None
                await self._live.borrowed(exchange.agent.id)
            else:
                exchange.body = await self._incoming.read()
                exchange.body_pending = False
            answer = self._onion.admit(exchange, self._live.moment())
        return answer

    def _be_stoppable(self) -> None:
        reservation, asked = self._exchange.reservation, self._exchange.asked
        if reservation is not None and asked is not None and asked.stream:
            reservation.stop = self._spent

    async def _relay_answer(self, response: Any) -> None:
        now = self._live.moment()
        try:
            self._head(response, now)
        except Exception:
            response.deliverBody(Discard())
            raise
        assert self._meter is not None
        if getattr(response, "complete", False):
            held = watch_whole(self._meter, response.take())
            durable = self._settle(WHOLE, now)
            if durable is not None:
                await durable
            self._finish(held, WHOLE)
            return
        spent = accrual(self._exchange, self._meter, self._reckoner, self._live.moment)
        self._relay = relay = Relay(self._request, response, self._meter, spent)
        relay.start()
        ending = await relay.settled
        durable = self._settle(ending, self._live.moment())
        if durable is not None:
            await durable
        if not ending.ended:
            assert relay.ended is not None
            self._request.write(relay.release())
            ending = await relay.ended
        relay.stop()
        self._finish(relay.release(), ending)

    def _head(self, response: Any, now: Moment) -> None:
        """Prepare the head of the answer, and the meter."""
        exchange, request = self._exchange, self._request
        assert exchange.surface is not None and exchange.asked is not None
        exchange.first_byte = now.monotonic - exchange.began.monotonic
        exchange.status = response.code
        exchange.model = exchange.asked.model
        headers = raw(response.headers)
        names = headers.lowered
        stream = b"text/event-stream" in names.get(b"content-type", b"").lower()
        exchange.streamed = stream
        if stream:
            self._live.streams[exchange.id] = self
        strip = exchange.strip_usage and stream
        encoding = names.get(b"content-encoding", b"").decode("latin-1").lower()
        exchange.compressed = encoding not in ("", "identity")
        self._meter = Meter(exchange.surface, stream, encoding, strip)
        fields = answer_fields(headers.pairs(), names, exchange.id.encode(), strip)
        fields += learned(exchange, now)
        request.head(response.code, response.phrase, fields, not strip and b"content-length" in names)

    def _settle(self, ending: Ending, now: Moment) -> "Deferred[None] | None":
        """Everything that matters has come: into the books with it, before the caller sees the end.

        What is given, if anything, has to be waited for: the books are kept as safely as is configured.
        """
        assert self._meter is not None
        complete = conclude(self._exchange, self._meter.reading, ending, self._draining)
        self._reckoner.answered(self._exchange, self._meter, complete, now)
        self._close(now)
        return self._live.store.settled()

    def _finish(self, held: bytes, ending: Ending) -> None:
        """Pass on what was held back, and end the answer as it deserves."""
        if self._exchange.outcome in ("truncated", "cut") or ending.error is not None:
            # A stream that was cut never ends cleanly: SDKs take a clean end for a complete answer.
            self._request.break_off(last_words(self._exchange, held, ending, self._relay))
        else:
            self._request.finish(held)

    # the ends that are no answer of a provider

    def _failed(self, error: WireError) -> Refusal:
        """No answer came; what the provider may have begun to work on is charged all the same."""
        exchange = self._exchange
        if isinstance(error, HeadTimeout):
            self._reckoner.abandoned(exchange, self._live.moment())
        return refusal_of(error, provider_of(exchange))

    def _given_up(self, why: Cut) -> Refusal:
        """Stopped on this side before the answer began: what was sent is charged."""
        self._reckoner.abandoned(self._exchange, self._live.moment())
        return given_up(why)

    def _refuse(self, refusal: Refusal) -> None:
        exchange, request = self._exchange, self._request
        exchange.refuse(refusal)
        if self._stopped:
            exchange.outcome = "cut"
        fields, body = refusal_answer(refusal, dialect(exchange), exchange.id)
        now = self._live.moment()
        self._close(now)
        fields += learned(exchange, now)
        fields.append((b"Content-Length", b"%d" % len(body)))
        request.head(refusal.status, None, fields, True)
        request.finish(body)

    def _leave(self, outcome: Outcome, reason: str | None = None) -> None:
        """Nobody goes on with the call: the provider is left, and what it sent or began to work on is charged."""
        exchange = self._exchange
        if self._relay is not None:
            self._relay.abort()
        if exchange.closed:
            return
        exchange.outcome, exchange.reason = outcome, reason
        now = self._live.moment()
        if self._meter is not None:
            self._reckoner.answered(exchange, self._meter, False, now)
        else:
            self._reckoner.abandoned(exchange, now)
        self._close(now)
