"""How a call ended whose answer is here: from what the answer said, and from how its body came to an end."""

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.refusal import Refusal
from agentgateway.providers.dialect import Reading
from agentgateway.web.relay import DRAINED, Cut, Ending


def conclude(exchange: Exchange, reading: Reading, ending: Ending, gone: bool) -> bool:
    """Fill the outcome in; whether what the answer says of its usage is all there is. `gone`: its caller did not wait."""
    # An error event of the provider's own is an end, too.
    ended = reading.terminal or reading.failed or not exchange.streamed or exchange.status >= 400
    if isinstance(ending.error, Cut):
        exchange.outcome, exchange.reason = "cut", ending.error.reason
    elif ending.error is not None or not ended:
        exchange.outcome = "truncated"
    elif exchange.status >= 400 or reading.failed:
        exchange.outcome = "upstream_error"
    if gone:
        exchange.outcome = "client_gone"
    return exchange.outcome not in ("truncated", "cut") and not reading.failed


def given_up(why: Cut) -> Refusal:
    """What a caller is told whose call was stopped on this side before its answer began."""
    return Refusal("draining" if why is DRAINED else "budget_exceeded", f"{why.message} (before it began)")


def provider_of(exchange: Exchange) -> str:
    """The provider's name, for messages; empty where none was chosen."""
    return exchange.target.provider.name if exchange.target is not None else ""
