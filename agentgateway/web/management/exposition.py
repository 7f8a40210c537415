"""Prometheus' text of several workers as one.

What only grows stands for each worker, with the label `worker`: a sum would fall whenever one starts anew or answers too
late, and Prometheus takes what falls for counted again from nothing. So does what a process says of itself. All other
samples of the same name and labels are added up, or the telling one of them stays.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs

SLICE: Final = 2_000
"""Lines read before others have their turn: a few milliseconds."""
OF_EACH: Final = ("counter", "histogram", "summary")
OF_PROCESS: Final = ("process_", "python_")
LARGEST: Final = frozenset(
    f"agentgateway_{name}"
    for name in (
        *("build_info", "uptime_seconds", "agents", "reactor_lag_seconds", "overloaded"),
        *("agent_paused", "circuit_state", "shared_store_away", "fleet_processes", "history_waiting_seconds"),
    )
)
SMALLEST: Final = frozenset({"agentgateway_budget_remaining_dollars"})


@attrs.define
class Family:
    """The lines about a family of samples, and its samples: by name and labels as they are written."""

    about: list[str] = attrs.Factory(list)
    samples: dict[str, float] = attrs.Factory(dict)
    of_each: bool = False
    """Whether each worker's samples stand for themselves."""


async def merged(texts: Sequence[tuple[int, bytes]], rest: Callable[[], Awaitable[None]]) -> bytes:
    """One text out of several, each with the number of its worker."""
    families: dict[str, Family] = {}
    for worker, text in texts:
        lines, current = text.decode().splitlines(), Family()
        for start in range(0, len(lines), SLICE):
            for line in lines[start : start + SLICE]:
                if line.startswith("#"):
                    current = _about(families, line)
                elif line:
                    _add(current, worker, line)
            await rest()
    parts: list[str] = []
    for family in families.values():
        parts += family.about
        parts += [f"{key} {_number(value)}" for key, value in family.samples.items()]
    return ("\n".join(parts) + "\n").encode()


def _about(families: dict[str, Family], line: str) -> Family:
    """The family that a line of HELP or TYPE is about."""
    _, word, name, text = line.split(" ", 3)
    family = families.setdefault(name, Family())
    if line not in family.about:
        family.about.append(line)
    if word == "TYPE":
        family.of_each = text in OF_EACH or name.startswith(OF_PROCESS)
    return family


def _add(family: Family, worker: int, line: str) -> None:
    key, _, value = line.rpartition(" ")
    name, brace, labels = key.partition("{")
    if family.of_each:
        key = f'{name}{{worker="{worker}"{"," + labels if brace else "}"}'
    known, number = family.samples.get(key), float(value)
    if known is None:
        family.samples[key] = number
    elif name in LARGEST:
        family.samples[key] = max(known, number)
    elif name in SMALLEST:
        family.samples[key] = min(known, number)
    else:
        family.samples[key] = known + number


def _number(value: float) -> str:
    """As Prometheus' own library writes it."""
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, repr(value))
