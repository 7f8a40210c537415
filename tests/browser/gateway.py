"""A gateway, its stand-in provider and its dashboard as a process of their own, for a browser to look at.

`python -m tests.browser.gateway GATEWAY_PORT DASHBOARD_PORT STATE_FOLDER AGENTS [history] [closed]` runs until it is
ended. With `history` an hour and a day of made-up calls stand behind what is shown; `closed` shows nobody anything who
has no token.
"""

import math
import os
import random
import sys
import time
from typing import Any

import yaml

from agentgateway.config.load import parse
from agentgateway.domain.audit import AuditRecord, iso

TOKEN = "the-admin-token-of-this-test"
TEAM = ("researcher", "coder", "reviewer", "planner", "scribe", "lookout", "translator", "archivist")
_MODELS = ("claude-sonnet-4-5", "claude-opus-4-1", "gpt-4o", "gpt-5", "gpt-4o-mini", "claude-haiku-4-5", "gpt-4o", "o3")

_LIMITS: dict[str, dict[str, Any]] = {
    **{"planner": {"rate_limit": "20/min"}, "scribe": {"token_limit": "100000/min"}},
    "reviewer": {"max_concurrency": 5},
}


def config(gateway: int, dashboard: int, provider: int, state: str, agents: int, closed: bool = False) -> str:
    """Eight agents with names, and so many more."""
    team: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(TEAM):
        team[name] = {
            "model": _MODELS[number],
            "provider": "anthropic" if "claude" in _MODELS[number] else "openai",
            "tags": ["engineering" if number % 2 else "research"],
            "budget": {"max_cost_per_hour": (3.5, 3, 9, 12, 2.5, 15, 8, 25)[number], "max_cost_per_day": 60},
            "circuit_breaker": {"error_threshold": 3},
            **_LIMITS.get(name, {}),
        }
    for number in range(agents):
        team[f"worker-{number:04d}"] = {"provider": "openai", "tags": ["batch"], "rate_limit": "60/min"}
    url = f"http://127.0.0.1:{provider}"
    return yaml.safe_dump(
        {
            "gateway": {
                **{"port": gateway, "host": "127.0.0.1", "state_dir": state, "admin_token": TOKEN},
                "loopback_reads": not closed,
            },
            "providers": {"anthropic": {"base_url": url}, "openai": {"base_url": url}},
            "agents": {"*": {}, **team},
            "policies": [
                {"name": "many errors", "condition": "error_rate > 0.9", "action": "alert"},
                {"name": "no o1", "condition": 'model == "o1"', "action": "deny"},
            ],
            "audit": {"log_file": f"{state}/audit.jsonl"},
            "dashboard": {"port": dashboard, "host": "127.0.0.1"},
            "store": f"sqlite:{state}/ledger.sqlite",
        }
    )


def past(now: float) -> list[tuple[float, AuditRecord]]:
    """A day of calls, busier by day and in waves; all chance is from one seed."""
    dice, calls = random.Random(4), []
    for ago in [*range(86_000, 3_600, -600), *range(3_580, 0, -20)]:
        at = now - ago
        wave = 1.2 + math.sin(at / 700) + 0.4 * math.sin(at / 97)
        for number, name in enumerate(TEAM):
            if dice.random() < wave / (2 + number % 3) * min(1.0, 0.3 + (86_400 - ago) / 86_400):
                calls.append((at, _call(dice, at, name, _MODELS[number])))
    return calls


def _call(dice: random.Random, at: float, agent: str, model: str) -> AuditRecord:
    failed = dice.random() < 0.03
    latency = dice.lognormvariate(7.6, 0.5)
    return AuditRecord(
        id=f"past-{at:.0f}-{agent}",
        ts=iso(at),
        agent=agent,
        provider="anthropic" if "claude" in model else "openai",
        model=model,
        requested_model=model,
        method="POST",
        path="/v1/messages",
        status=529 if failed else 200,
        outcome="upstream_error" if failed else "ok",
        reason=None,
        stream=True,
        input_tokens=dice.randint(400, 9000),
        output_tokens=0 if failed else dice.randint(80, 1800),
        cache_read_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        usage="none" if failed else "exact",
        cost_usd=0.0 if failed else round(dice.uniform(0.002, 0.06), 6),
        latency_ms=round(latency, 3),
        ttfb_ms=round(latency / 6, 3),
        session=None,
        tags=(),
        prices="known",
    )


def remember(service: Any, at: float, record: AuditRecord) -> None:
    """Let a call have happened."""
    if time.time() - at < 60:
        service.dashboard.feed.pending.append(record)
    else:
        service.dashboard.history.add([record], at)
    service.live.tail.append(record)
    agent = service.live.fleet.get(record.agent)
    agent.last_call, agent.last_model, agent.last_provider = at, record.model, record.provider
    account = agent.account
    account.settle(at, account.hold(record.id, 0), round(record.cost_usd * 1e9))
    account.count(at, error=record.status == 529, input_tokens=record.input_tokens, output_tokens=record.output_tokens)


def main(gateway: str, dashboard: str, state: str, agents: str, *more: str) -> None:
    """Run it."""
    from twisted.internet import reactor as running

    from agentgateway.demo.standin import StandIn
    from agentgateway.service import GatewayService

    reactor: Any = running
    provider = reactor.listenTCP(0, StandIn(reactor), interface="127.0.0.1").getHost().port
    text = config(int(gateway), int(dashboard), provider, state, int(agents), "closed" in more)
    service = GatewayService(parse(text, "test.yaml", os.environ), reactor)
    service.startService()
    for at, record in past(time.time()) if "history" in more else ():
        remember(service, at, record)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callLater(0, print, "ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
