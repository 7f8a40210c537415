"""Rates: calls and tokens per time by token bucket, calls at once by count. Checked first, taken when all said yes.

Where these belong to a fleet of processes, a call that lacks something waits once for what the fleet can lend.
"""

from collections.abc import Callable
from functools import partial

from agentgateway.domain.agent import AgentState
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal
from agentgateway.pipeline.meter import USUAL_OUTPUT
from agentgateway.pipeline.onion import BORROW, MOST_WAITS, Answer, Quiet

_BYTES_PER_TOKEN = 4

NO_WAIT = (0.0, "")


class Throttle(Quiet):
    """The agent's own limits, and the slower ones that policies add."""

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Refuses with the true time until the next call would pass: that of the limit that takes longest."""
        agent = exchange.agent
        assert agent is not None
        limits, longest = agent.config, NO_WAIT
        if agent.bucket is not None:
            wait = agent.bucket.wait(now.monotonic)
            if wait > 0:
                longest = max(longest, (wait, f"rate_limit of {limits.rate_limit}"))
        most = limits.max_concurrency
        if most is not None and (
            agent.in_flight >= most if agent.places is None else agent.places.full(agent.in_flight)
        ):
            longest = max(longest, (1, f"max_concurrency of {limits.max_concurrency}"))
        for throttle in exchange.verdict.throttles:
            wait = throttle.bucket.wait(now.monotonic)
            if wait > 0:
                longest = max(longest, (wait, f"{throttle.bucket.rate} of policy {throttle.policy.name!r}"))
        if agent.tokens is not None and exchange.surface is not None and exchange.surface.billable:
            exchange.tokens_taken = tokens = _expected(exchange, agent)
            wait = agent.tokens.wait(now.monotonic, tokens)
            if wait > 0:
                longest = max(longest, (wait, f"token_limit of {limits.token_limit}"))
        if longest is NO_WAIT:
            return None
        return BORROW if agent.link is not None and _borrows(exchange, agent, now) else _limited(*longest)

    def take(self, exchange: Exchange, now: Moment) -> None:
        """One call, and the tokens it is expected to use."""
        agent = exchange.agent
        assert agent is not None
        if agent.bucket is not None:
            agent.bucket.charge(now.monotonic, 1)
        for throttle in exchange.verdict.throttles:
            throttle.bucket.charge(now.monotonic, 1)
        if exchange.tokens_taken and agent.tokens is not None:
            agent.tokens.charge(now.monotonic, exchange.tokens_taken)
        if agent.places is not None:
            agent.places.entered(now.monotonic, agent.in_flight)

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Put right what was taken by estimate; used beyond that it is a debt that delays later calls."""
        agent = exchange.agent
        if agent is None or not exchange.admitted:
            return
        if agent.places is not None:
            agent.places.leaves()
        if agent.tokens is None or not exchange.tokens_taken:
            return
        used = exchange.usage.total_input + exchange.usage.output
        if used > exchange.tokens_taken:
            agent.tokens.charge(now.monotonic, used - exchange.tokens_taken)
        else:
            agent.tokens.give_back(now.monotonic, exchange.tokens_taken - used)


def _borrows(exchange: Exchange, agent: AgentState, now: Moment) -> bool:
    """Whether all that this call lacks may come from the fleet; then it is asked for."""
    if exchange.borrowed >= MOST_WAITS:
        return False
    at = now.monotonic
    lacking: list[Callable[[], bool]] = []
    if agent.places is not None and agent.places.full(agent.in_flight):
        lacking.append(partial(agent.places.borrow, at))
    buckets = [(throttle.bucket, 1) for throttle in exchange.verdict.throttles]
    for bucket, tokens in [(agent.bucket, 1), (agent.tokens, exchange.tokens_taken), *buckets]:
        if bucket is not None and tokens and bucket.wait(at, tokens) > 0:
            lacking.append(partial(bucket.borrow, at, tokens))
    exchange.borrowed += 1
    return all(borrow() for borrow in lacking)


def _expected(exchange: Exchange, agent: AgentState) -> int:
    """Tokens this call is expected to use: its input by length, the output by what this agent's calls usually have."""
    life = agent.account.life
    output = life.output_tokens // life.calls if life.calls else USUAL_OUTPUT
    asked = exchange.asked.max_output if exchange.asked is not None else None
    if asked is not None:
        output = min(output, asked)
    return max(1, len(exchange.body or b"") // _BYTES_PER_TOKEN + output)


def _limited(wait: float, limit: str) -> Refusal:
    return Refusal("rate_limited", f"the {limit} is used up; the next call passes in {max(0.001, wait):.3f} s", wait)
