"""What a stream has cost by now, while it runs: whether it has to be cut."""

from collections.abc import Callable

from agentgateway.domain.account import Account
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.fleet import budget_reason
from agentgateway.domain.moment import Moment
from agentgateway.pipeline.meter import Meter
from agentgateway.pipeline.reckon import Reckoner
from agentgateway.pipeline.running import Running
from agentgateway.pipeline.screen import when
from agentgateway.web.relay import SPENT, Cut


def accrual(
    exchange: Exchange, meter: Meter, reckoner: Reckoner, moment: Callable[[], Moment]
) -> Callable[[], Cut | None] | None:
    """To be asked after each chunk: accrues what has come, and says which cap is reached. None: it is no stream."""
    reservation, agent = exchange.reservation, exchange.agent
    if not exchange.streamed or reservation is None or agent is None:
        return None

    account, running = agent.account, Running(reckoner, exchange, meter.reading)

    def spent() -> Cut | None:
        if not account.capped:
            return None
        now = moment()
        return spent_up(account, now) if account.accrue(now.wall, reservation, running.cost(now)) else None

    return spent


def spent_up(account: Account, now: Moment) -> Cut:
    """Why streams of an agent are cut: which cap is reached, and when it resets."""
    cap = account.tightest(now.wall)
    if cap is None:
        return SPENT
    return Cut(SPENT.reason, f"{budget_reason(cap.name, cap.limit)}: the answer was cut; {when(cap.resets_at, now)}")
