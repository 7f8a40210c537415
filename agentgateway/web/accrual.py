"""What a stream has cost by now, while it runs: whether it has to be cut."""

from collections.abc import Callable

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.pipeline.meter import Meter
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.pipeline.running import Running


def accrual(
    exchange: Exchange, meter: Meter, reckoner: Reckoner, moment: Callable[[], Moment]
) -> Callable[[], bool] | None:
    """To be asked after each chunk: accrues what has come, and says whether a cap is reached. None: it is no stream."""
    reservation, agent = exchange.reservation, exchange.agent
    if not exchange.streamed or reservation is None or agent is None:
        return None

    account, running = agent.account, Running(reckoner, exchange, meter.reading)

    def spent() -> bool:
        if not account.capped:
            return False
        now = moment()
        return account.accrue(now.wall, reservation, running.cost(now))

    return spent
