"""What the call asks for: its surface by path, and from a JSON body its model, whether it streams, its output limit."""

from agentgateway.config.schema import Config
from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.pipeline.onion import HOLD, Answer, Quiet
from agentgateway.providers.dialect import Asked
from agentgateway.providers.known import surface

NOTHING_ASKED = Asked()
_SPOKEN = {b"anthropic-version": "anthropic", b"x-goog-api-key": "google"}
"""Fields that the SDKs of one dialect send, and others do not."""
_WHOLE = (b"json", b"urlencoded", b"text/")
"""Content types read whole: JSON, and what `curl -d` and sloppy clients call it. All others (files) stream through, but for
calls that are paid for: these are read whole whatever they call it."""


class Understand(Quiet):
    """Holds a call until its body is here, if that has to be read; fills in the default model; asks for usage."""

    def __init__(self, config: Config) -> None:
        self._apis = {name: provider.api for name, provider in config.providers.items()}

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Never refuses: malformed JSON passes on, and the provider answers."""
        assert exchange.agent is not None
        agent = exchange.agent.config
        if exchange.surface is None:
            provider = exchange.provider_named or agent.provider
            api = _spoken(exchange) if provider is None else self._apis.get(provider, "")
            exchange.surface = surface(exchange.method, exchange.uri_upstream, api)
        if exchange.body is None:
            paid = exchange.surface.billable and exchange.surface.owed
            if exchange.body_pending and (paid or _read_whole(exchange)):
                return HOLD
            exchange.asked = NOTHING_ASKED
            return None
        asked = exchange.surface.understand(exchange.path, exchange.body)
        exchange.asked = asked
        if exchange.body and asked.well_formed and exchange.surface.billable:
            if asked.model is None and agent.model is not None:
                exchange.body = exchange.surface.fill_model(exchange.body, agent.model)
            if asked.stream and not asked.include_usage:
                body = exchange.surface.ask_usage(exchange.body)
                exchange.strip_usage = body is not exchange.body
                exchange.body = body
        return None


def _spoken(exchange: Exchange) -> str:
    """The dialect of a caller whose agent has no provider: a key must not go to another company for want of a telling path."""
    return next((api for field, api in _SPOKEN.items() if field in exchange.head), "")


def _read_whole(exchange: Exchange) -> bool:
    kind = exchange.head.get(b"content-type")
    return kind is None or any(whole in kind.lower() for whole in _WHOLE)
