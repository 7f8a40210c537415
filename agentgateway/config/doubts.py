"""What a right configuration may not mean: nothing here hinders a start, but its author will want to know."""

import difflib
from collections.abc import Iterator
from ipaddress import ip_address

from agentgateway.config.addresses import arguments
from agentgateway.config.schema import Config


def doubts(config: Config) -> Iterator[str]:
    """Sentences for people."""
    if not config.agents:
        yield 'every call will be refused: no agent is named under `agents`, and there is no template "*"'
    yield from _open_to_others(config)
    yield from _board_of_others(config)
    yield from _for_nobody(config)


def _open_to_others(config: Config) -> Iterator[str]:
    """Agents that anybody on the network can call as, and spend the money of."""
    if not any(_reached(endpoint) for endpoint in config.gateway.listen):
        return
    open_ones = [agent.id for agent in config.agents.values() if agent.key_sha256 is None]
    if open_ones:
        who = ", ".join("the template" if agent == "*" else agent for agent in open_ones[:3])
        more = f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else ""
        have = "have" if len(open_ones) > 1 else "has"
        yield (
            f"callers on other machines can call as any agent without a `key`: {who}{more} {have} none "
            "(listen on 127.0.0.1, or give agents a key)"
        )


def _board_of_others(config: Config) -> Iterator[str]:
    """A dashboard that other machines reach, where the gateway keeps to this one."""
    board, places = config.dashboard, config.gateway.listen
    if board is None or not _reached(board.endpoint) or any(map(_reached, places)):
        return
    if any(arguments(place)[0] in ("tcp", "tcp6", "ssl") for place in places):
        yield (
            f"other machines reach the dashboard ({board.host} port {board.port}), but not the gateway "
            "(`dashboard: {host: 127.0.0.1}` keeps it to this machine, too)"
        )


def _reached(endpoint: str) -> bool:
    """Whether other machines reach it."""
    kind, given = arguments(endpoint)
    if kind not in ("tcp", "tcp6", "ssl"):
        return False
    host = given.get("interface", "")
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _for_nobody(config: Config) -> Iterator[str]:
    """Policies for ids and tags that no agent has. With a template, agents of any name may come."""
    if "*" in config.agents:
        return
    known = set(config.agents) | {tag for agent in config.agents.values() for tag in agent.tags}
    for policy in config.policies:
        for name in policy.agents:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), 1)
                hint = f' (did you mean "{near[0]}"?)' if near else ""
                yield f'policy {policy.name}: "{name}" is no agent and no tag of one{hint}'
