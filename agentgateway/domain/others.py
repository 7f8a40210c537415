"""What the other processes of a fleet did with an agent, and everybody's sums together."""

import attrs

from agentgateway.domain.counters import Tallies, Tally
from agentgateway.domain.lease import NOTHING, Sums
from agentgateway.domain.windows import Window


@attrs.define(eq=False)
class Others:
    """What all others did in one window, as far as is known; `start` says in which."""

    start: int = 0
    tally: Tally = attrs.Factory(Tally)
    told: Tally = attrs.Factory(Tally)
    """What was done here, as far as they knew by then."""
    _most: tuple[int, int] = (0, 0)
    """Of cost and of calls that was ever known."""

    def learn(self, start: int, sums: Sums, told: Sums = NOTHING, partly: bool = False) -> tuple[int, int]:
        """They did this in the window that begins at `start`, and were `told` what was done here.

        `partly`: only some of them have said so, since all was lost; what is known of the others stays.
        Gives by how much cost and calls are more than ever before: what is told again is nothing new.
        """
        if partly and start == self.start:
            self.tally = Tally(*map(max, sums, self.tally.numbers()))
        else:
            self.tally = Tally(*sums)
        self.start, self.told = start, Tally(*told)
        cost, calls = self._most
        self._most = max(cost, self.tally.cost), max(calls, self.tally.calls)
        return self._most[0] - cost, self._most[1] - calls

    def joined(self, own: Tally, start: int) -> Tally:
        """Everybody's sums of the window that begins at `start`, in which `own` was done here."""
        if start != self.start:
            return own
        theirs = self.tally
        return Tally(
            own.cost + theirs.cost,
            own.calls + theirs.calls,
            own.errors + theirs.errors,
            own.input_tokens + theirs.input_tokens,
            own.output_tokens + theirs.output_tokens,
        )


@attrs.frozen
class Joint:
    """One's own tallies with those of all others, to look up a cap's spending in."""

    own: Tallies
    others: Others

    def at(self, now: float) -> Tally:
        """The current window's sums."""
        own = self.own.at(now)
        return self.others.joined(own, self.own.start)

    def window(self, now: float) -> Window:
        """The current window."""
        return self.own.window(now)
