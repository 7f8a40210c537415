"""Money: held before a byte goes upstream, settled exactly once, however the call ends.

Under `hard` the worst case is held: every byte of the request a token, at the dearest input rate, and the whole output
it asks for. Where that does not fit, the output limit sent upstream is lowered to what does.
"""

from collections.abc import Callable

from agentgateway.domain.account import Account
from agentgateway.domain.caps import Cap
from agentgateway.domain.counters import Tally
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import AgentState, Fleet, budget_reason
from agentgateway.domain.moment import Moment
from agentgateway.domain.money import dollars
from agentgateway.domain.pricing import Rates
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.circuit import failed
from agentgateway.pipeline.onion import BORROW, MOST_WAITS, Answer, Quiet

UNSTATED_OUTPUT = 131_072
"""Output tokens of a call that states no limit: the most that today's models write in one answer."""
LEAST_OUTPUT = 16
"""An answer of fewer tokens is of no use: such a call is refused rather than lowered."""
_BYTES_PER_TOKEN = 4
_AWAY = "what this gateway has borrowed of the budget is used up, and the store it borrows from {why}: try again"
_SILENT = "does not answer"
_EMPTIED = "has lost what it knew, and lends again once all gateways have told it, in some seconds"


class Reserve(Quiet):
    """Innermost of all: it needs the target's price, and money is taken last. `flush` hands the journal to the kernel."""

    def __init__(self, fleet: Fleet, flush: Callable[[], None]) -> None:
        self._fleet = fleet
        self._flush = flush

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses what no cap has room for; under `hard`, lowers the output limit to what the room still buys."""
        assert exchange.agent is not None and exchange.surface is not None and exchange.asked is not None
        if not exchange.surface.billable:
            return None
        account = exchange.agent.account
        rates = dearest(exchange)
        if rates is None:  # it costs what the answer says, if that says anything
            exchange.amount = 0
            cap = account.fits(now.wall, 0)
            return None if cap is None else self._refused(exchange.agent, cap, now)
        asked = exchange.asked
        size = len(exchange.body or b"")
        output = UNSTATED_OUTPUT * asked.choices if asked.max_output is None else asked.max_output
        worst = rates.bound(size, output)
        exchange.amount = account.quote(now.wall, worst)
        if not account.capped:
            return None
        certain = rates.prompt(-(-size // _BYTES_PER_TOKEN))
        exchange.risk = account.risk(worst, certain, exchange.surface.cuttable(exchange.uri_upstream, asked))
        share, waits = account.share, exchange.borrowed
        if share is not None and waits < MOST_WAITS and share.borrow(now.wall, worst, waits > 0):
            exchange.borrowed += 1
            return BORROW
        cap = account.fits(now.wall, exchange.amount)
        if cap is None:
            return None
        if not cap.exhausted and account.budget.enforcement == "hard":
            return self._lowered(exchange, account, rates, size, cap, now)
        return self._refused(exchange.agent, cap, now)

    def _lowered(
        self, exchange: Exchange, account: Account, rates: Rates, size: int, cap: Cap, now: Moment
    ) -> Refusal | None:
        """Ask for as much output as the room buys; refuse where that is nothing of use."""
        assert exchange.surface is not None and exchange.agent is not None and exchange.asked is not None
        room = account.room(now.wall) or 0
        limit = affordable(rates, size, room)
        body = exchange.body or b""
        enough = limit >= LEAST_OUTPUT * exchange.asked.choices
        lowered = exchange.surface.lower_limit(body, limit) if enough and body else body
        if lowered is body:
            return self._refused(exchange.agent, cap, now)
        exchange.body = lowered
        exchange.amount = rates.bound(size, limit)
        return None

    def _refused(self, agent: AgentState, cap: Cap, now: Moment) -> Refusal:
        if cap.exhausted:
            self._fleet.watch_budget(agent, now)
            what = budget_reason(cap.name, cap.limit)
        elif agent.account.share is not None and agent.account.share.link.away:
            why = _EMPTIED if agent.account.share.link.up else _SILENT
            return Refusal("overloaded", _AWAY.format(why=why), 1)
        else:
            left, limit = dollars(max(0, cap.limit - cap.spent)), f"the budget of ${dollars(cap.limit)} ({cap.name})"
            what = f"this call and those in flight may cost more than the ${left} left of {limit}"
        when = "raise it to go on" if cap.resets_at is None else f"it resets in {int(cap.resets_at - now.wall)} s"
        return Refusal("budget_exceeded", f"{what}; {when}")

    def take(self, exchange: Exchange, now: Moment) -> None:
        """Hold the money; the journal has it before anything goes upstream."""
        assert exchange.agent is not None and exchange.surface is not None
        if exchange.surface.billable:
            account = exchange.agent.account
            exchange.reservation = account.reserve(now.wall, exchange.amount, exchange.id, exchange.risk, asked=True)
            self._flush()

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Settle at what it cost, or release what never went out; count the call. The journal waits for its record."""
        agent = exchange.agent
        if agent is None or not exchange.admitted:
            return
        account, reservation, usage, error = agent.account, exchange.reservation, exchange.usage, failed(exchange)
        if reservation is not None and (exchange.cost or exchange.sent):
            call = Tally(exchange.cost, 1, int(error), usage.total_input, usage.output)
            crossings = account.close(now.wall, reservation, call)
            exchange.reservation = None
            for crossing in crossings:
                self._fleet.crossed(agent, crossing, now)
            return
        if reservation is not None:
            account.release(reservation)
            exchange.reservation = None
        account.count(now.wall, error=error, input_tokens=usage.total_input, output_tokens=usage.output)


def dearest(exchange: Exchange) -> Rates | None:
    """The rates to reserve at: of all targets this call may fall back to, those of the dearest."""
    if len(exchange.targets) == 1:
        return exchange.targets[0].rates
    rates = [target.rates for target in exchange.targets if target.rates is not None]
    return max(rates, key=lambda rate: (rate.output, rate.input), default=None)


def affordable(rates: Rates, body_bytes: int, room: int) -> int:
    """The most output tokens with which a call costs no more than `room` at worst; 0 where not even its input fits."""
    low, high = 0, UNSTATED_OUTPUT
    while low < high:
        middle = (low + high + 1) // 2
        if rates.bound(body_bytes, middle) <= room:
            low = middle
        else:
            high = middle - 1
    return low if rates.bound(body_bytes, low) <= room else 0
