"""An audit log summed line by line, and the ids of its calls: it may be longer than memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import msgspec

_NUMBER = 8
"""Digits at the end of an id: a gateway numbers its calls."""


class Line(msgspec.Struct, frozen=True):
    """What is summed of a record."""

    id: str
    agent: str | None
    outcome: str
    usage: str
    input_tokens: int
    output_tokens: int
    cost_usd: float


_decode = msgspec.json.Decoder(Line).decode


@attrs.define
class Ids:
    """Ids of calls, a byte for each."""

    _marks: dict[str, bytearray] = attrs.Factory(dict)
    _count: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, id: str) -> bool:
        """Whether it is new."""
        marks = self._marks.setdefault(id[:-_NUMBER], bytearray())
        number = int(id[-_NUMBER:], 16)
        if number >= len(marks):
            marks.extend(bytes(number + 1 - len(marks)))
        new, marks[number] = not marks[number], 1
        self._count += new
        return new

    def __contains__(self, id: str) -> bool:
        marks, number = self._marks.get(id[:-_NUMBER], b""), int(id[-_NUMBER:], 16)
        return number < len(marks) and bool(marks[number])

    def __iter__(self) -> Iterator[str]:
        for prefix, marks in self._marks.items():
            for number, marked in enumerate(marks):
                if marked:
                    yield f"{prefix}{number:0{_NUMBER}x}"

    def beyond(self, others: "Ids") -> list[str]:
        """Those that are not among the others."""
        return [id for id in self if id not in others]


@attrs.define
class Sums:
    """Of one agent's records; the cost in nano-dollars."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    ends: Counter[tuple[str, str]] = attrs.Factory(Counter)
    """How many had an outcome and a kind of usage."""

    def add(self, line: Line) -> None:
        """One more."""
        self.calls += 1
        self.input_tokens += line.input_tokens
        self.output_tokens += line.output_tokens
        self.cost += round(line.cost_usd * 1e9)
        self.ends[line.outcome, line.usage] += 1


@attrs.define
class Audited:
    """All of a log: its agents, the ids of its calls, and those that are in it more than once."""

    agents: dict[str | None, Sums] = attrs.Factory(dict)
    ids: Ids = attrs.Factory(Ids)
    again: list[str] = attrs.Factory(list)

    def add(self, lines: Iterable[bytes]) -> None:
        """More of it; fails on a line that is not whole."""
        for text in lines:
            line = _decode(text)
            if not self.ids.add(line.id):
                self.again.append(line.id)
            sums = self.agents.get(line.agent)
            if sums is None:
                sums = self.agents[line.agent] = Sums()
            sums.add(line)

    def of(self, agent: str) -> Sums:
        """One agent's; zeros where it has none."""
        return self.agents.get(agent) or Sums()


def audited(paths: Iterable[Path]) -> Audited:
    """The log in these files."""
    found = Audited()
    for path in paths:
        with path.open("rb") as file:
            found.add(file)
    return found
