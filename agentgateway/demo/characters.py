"""Who is in the simulated fleet: how each agent calls, and the limits that the demo's configuration gives it."""

from collections.abc import Mapping
from typing import Any, Literal

import attrs

Endpoint = Literal["messages", "chat/completions", "responses"]


@attrs.frozen
class Character:
    """One agent. Chances are between 0 and 1, times in seconds; `limits` are its keys in gateway.yaml."""

    name: str
    endpoint: Endpoint
    model: str
    asks: str
    pause: float
    """Mean time between two calls."""
    output: int
    """Mean output tokens of an answer."""
    tags: tuple[str, ...]
    limits: Mapping[str, Any] = {}
    streamed: float = 0.5
    leaves: float = 0.0
    """The chance that it hangs up in the middle of a stream."""
    fault: str = ""
    faulty: float = 0.0
    """The chance that its provider fails with `fault`."""

    @property
    def provider(self) -> str:
        """The provider whose dialect it speaks."""
        return "anthropic" if self.endpoint == "messages" else "openai"


FLEET = (
    Character(
        "researcher", "messages", "claude-sonnet-5-5", "Compare these four papers and say what they agree on.",
        pause=2.5, output=900, tags=("research",), limits={"budget": {"max_cost_per_day": 20.0}},
        streamed=1.0, leaves=0.15,
    ),
    Character(
        "coder", "messages", "claude-opus-5-5", "Make the failing test pass; use the tool to read the file first.",
        pause=3.0, output=1500, tags=("engineering",), limits={"budget": {"max_cost_per_hour": 10.0}},
        streamed=0.7,
    ),
    Character(
        "reviewer", "chat/completions", "gpt-4o", "Review this change and name its two weakest points.",
        pause=3.5, output=500, tags=("engineering",), limits={"budget": {"max_cost_per_day": 15.0}},
        streamed=0.3,
    ),
    Character(
        "planner", "responses", "gpt-5", "Cut this goal into steps that one person can do in a day.",
        pause=4.0, output=700, tags=("planning",), limits={"budget": {"max_cost_total": 50.0}, "max_concurrency": 2},
    ),
    Character(
        "scribe", "chat/completions", "gpt-4o-mini", "Write the minutes of the meeting in plain words.",
        pause=2.0, output=600, tags=("writing",), limits={"token_limit": "6000/min"},
        streamed=1.0, leaves=0.3,
    ),
    Character(
        "runaway", "messages", "claude-opus-5-5", "Not good enough. Try again, and think much longer this time.",
        pause=0.6, output=6000, tags=("experiment",), limits={"budget": {"max_cost_per_hour": 3.0}},
        streamed=0.0,
    ),
    Character(
        "chatterbox", "chat/completions", "gpt-4o-mini", "And then? And then?",
        pause=0.35, output=40, tags=("support",), limits={"rate_limit": "20/min"},
        streamed=0.1,
    ),
    Character(
        "lookout", "messages", "claude-haiku-4-5", "Is anything on this page worth waking somebody for?",
        pause=1.2, output=120, tags=("monitoring",),
        limits={"circuit_breaker": {"error_threshold": 4, "reset_timeout": 8000, "half_open_requests": 1}},
        streamed=0.4, fault="status-529", faulty=0.55,
    ),
)  # fmt: skip
