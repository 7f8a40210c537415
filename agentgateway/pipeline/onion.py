"""Running the steps: checks first, in order; then the taking; at the end every step that said yes is told, in reverse.

No step takes anything while another may still say no, so a refused call consumes nothing anywhere. A step may hold a
call (its body is not here yet); `admit` is called again when that has changed, and goes on at the step that held. A call
that waited for what its fleet lends goes on where it was first judged: others have taken, paused and spent meanwhile.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.moment import Moment
from agentgateway.domain.refusal import Refusal


class Hold:
    """A step's answer: not yet."""


HOLD: Final = Hold()
"""Ask again when more of the request is here."""
BORROW: Final = Hold()
"""Ask again when the fleet has answered what the agent may use."""
MOST_WAITS: Final = 4
"""Times that one call waits for that: to learn what others did and how much there is, to get it, and once for bad luck."""
Answer = Refusal | Hold | None


class Step(Protocol):
    """One thing the gateway does to every call. `check` must change nothing but the exchange."""

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """None is yes."""

    def take(self, exchange: Exchange, now: Moment) -> None:
        """Every step has said yes: take what the call consumes."""

    def close(self, exchange: Exchange, now: Moment) -> None:
        """The call is over (`exchange.admitted` says whether `take` was called); called once for each step that said yes."""


class Quiet:
    """A step's defaults: yes, nothing to take, nothing to give back. The onion does not even call these."""

    def check(self, exchange: Exchange, now: Moment) -> Answer:
        """Yes."""
        return None

    def take(self, exchange: Exchange, now: Moment) -> None:
        """Nothing."""

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Nothing."""


class Onion:
    """The steps, from the outermost to the innermost; `judging` is the first that looks at what changes by itself."""

    def __init__(self, steps: Sequence[Step], judging: int = 0) -> None:
        self._judging = judging
        self._checks = [step.check for step in steps]
        self._takes = [step.take for step in steps if _says(step, "take")]
        self._closes = [(index, step.close) for index, step in enumerate(steps) if _says(step, "close")][::-1]

    def admit(self, exchange: Exchange, now: Moment) -> Answer:
        """Ask the steps from where the exchange stands; None when all said yes and took what they take."""
        checks = self._checks
        position, last = exchange.position, len(checks)
        while position < last:
            answer = checks[position](exchange, now)
            if answer is not None:
                exchange.position = self._judging if answer is BORROW else position
                return answer
            position += 1
        exchange.position = position
        exchange.admitted = True  # from the first taking on: should a later one fail, what was taken is given back
        for take in self._takes:
            take(exchange, now)
        return None

    def close(self, exchange: Exchange, now: Moment) -> None:
        """Tell every step that said yes that the call is over; the second time nothing happens.

        One that fails keeps none of the others from hearing of it; its exception is raised behind them.
        """
        if exchange.closed:
            return
        exchange.closed = True
        failed: Exception | None = None
        for index, close in self._closes:
            if index < exchange.position:
                try:
                    close(exchange, now)
                except Exception as error:
                    failed = error
        if failed is not None:
            raise failed


def _says(step: Step, what: Literal["take", "close"]) -> bool:
    return getattr(type(step), what) is not getattr(Quiet, what)
