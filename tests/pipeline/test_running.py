"""What a stream has cost so far."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Price
from agentgateway.domain.exchange import Target
from agentgateway.domain.moment import Moment
from agentgateway.domain.pricing import PriceBook, Rates
from agentgateway.domain.usage import Usage
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.pipeline.running import Running
from agentgateway.providers.dialect import Asked, Reading
from tests.pipeline.calls import NOW, call, config_of

CONFIG = "agents: {a: {provider: anthropic}}\n"
counts = st.integers(0, 2_000_000)
chunks = st.one_of(
    st.fixed_dictionaries({"sent_chars": st.integers(0, 400)}),
    st.fixed_dictionaries({"input": counts, "output": st.integers(0, 5_000), "cache_read": counts}),
    st.fixed_dictionaries({"reasoning": st.integers(0, 5_000), "web_searches": st.integers(0, 3)}),
    st.fixed_dictionaries({"model": st.sampled_from([None, "gpt-4o", "claude-sonnet-4-5", "own"])}),
    st.fixed_dictionaries({"context": st.sampled_from([None, {}, {"service_tier": "priority"}])}),
    st.sampled_from([{"failed": True}, {"later": True}, {"blind": True}, {"owed": False}, {"owed": True}]),
)


def change(reading: Reading, chunk: dict[str, Any]) -> None:
    """What a chunk brings."""
    for name, value in chunk.items():
        if name == "sent_chars":
            reading.sent_chars += value
        else:
            setattr(reading.usage if name in Usage.__struct_fields__ else reading, name, value)


class FickleBook(PriceBook):
    """Prices that are others each minute, and under each context."""

    def rates(self, provider: Any, model: str, now: float, context: Any = None) -> Rates:
        """Odd ones, so that no two are alike."""
        shift = int(now // 60) * 7 + len(str(context))
        tier = Rates(1_000_003 + shift, 9_000_001 + shift, request=3)
        return Rates(
            3_000_000_001 + shift, 15_000_000_007 + shift, parts=(("reasoning", 5 + shift),), tiers=((10_000, tier),)
        )


class RunningTests(SynchronousTestCase):
    """The same as if it were reckoned from the beginning after each chunk."""

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.tuples(chunks, st.integers(0, 50)), max_size=12),
        st.sampled_from(["own", "claude-sonnet-4-5"]),
        st.booleans(),
    )
    def test_the_same(self, stream: list[tuple[dict[str, Any], int]], model: str, fickle: bool) -> None:
        """Whatever an answer says on its way, and however much time passes."""
        config = config_of(CONFIG)
        prices = (FickleBook if fickle else PriceBook)({"own": Price(input=3_000_000_001, output=15_000_000_007)})
        exchange = call("/v1/messages", b'{"model": "m"}')
        provider = config.providers["anthropic"]
        exchange.model, exchange.asked, exchange.lost = model, Asked(model, True, 4096), 17
        exchange.target = Target(provider, prices.rates(provider, model, NOW.wall))
        reading, reckoner, now = Reading(), Reckoner(prices), NOW
        running = Running(reckoner, exchange, reading)
        for chunk, seconds in stream:
            change(reading, chunk)
            now = Moment(now.monotonic + seconds, now.wall + seconds)
            self.assertEqual(running.cost(now), reckoner.so_far(exchange, reading, now))
