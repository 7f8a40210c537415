"""Calls and agents as plain values, for tests of single steps."""

from itertools import count
from typing import Any

from agentgateway.config.load import parse
from agentgateway.config.schema import Config
from agentgateway.domain.exchange import Exchange, Field
from agentgateway.domain.fleet import Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.link import Link
from agentgateway.domain.moment import Moment
from agentgateway.domain.windows import Calendar
from agentgateway.wire.headers import lowered

NOW = Moment(1000.0, 1_790_000_000.0)
CHAT = "/v1/chat/completions"
_numbers = count(1)


def config_of(text: str) -> Config:
    """A configuration."""
    return parse(text, "test.yaml", {})


def fleet_of(config: Config, link: Link | None = None) -> Fleet:
    """Its agents, none of whom has called yet; with a `link`, those of a fleet of processes."""
    return Fleet(config, Ledger(Calendar.of("UTC")), NOW, link=link)


def call(uri: str = CHAT, body: bytes | None = b"{}", *fields: Field, method: str = "POST", **more: Any) -> Exchange:
    """A call that has just arrived."""
    return Exchange(f"agw_{next(_numbers)}", NOW, method, uri, fields, lowered(fields), body, **more)


def later(seconds: float) -> Moment:
    """`seconds` after NOW."""
    return Moment(NOW.monotonic + seconds, NOW.wall + seconds)
