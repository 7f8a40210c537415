"""What processes that share a fleet tell the shared state, and what it answers: plain values, packed by msgpack.

A process spends from its own books. What it may spend before asking again is its **ceiling**: an absolute limit on the
cost of its whole life (`life` of its account). Ceiling minus cost so far is its **lease**. Over all processes, for every
cap, what is spent in its window and what is leased are together no more than the cap, at every grant.

Each number is absolute, never a change, so that a question whose answer was lost is simply asked again. A process is
the authority on what it spent and on what it holds: it obeys `held` until an answer says more, and to give something
back it first lowers what it holds and then says so. The shared state adds up, and grants more where there is room.

Money is in nano-dollars. Whatever is added up must stay within 2**53, where the numbers of Lua are exact.
"""

from typing import Final, Literal

import msgspec

from agentgateway.domain.money import NANO

TTL: Final = 10
"""Seconds of silence after which a process counts as gone: what it has leased is then taken for spent."""
LINGER: Final = 3600
"""Seconds for which the lease of one who is gone takes room in later windows too: its last calls may end there."""
MOST: Final = 2**53
"""No number may be above this."""
LARGEST_CAP: Final = 9_000_000 * NANO
"""A cap above this (nano-dollars) cannot be shared."""

Sums = tuple[int, int, int, int, int]
"""Cost, calls, errors, input tokens, output tokens: the fields of a `Tally`, in its order."""
Bounds = tuple[int, int]
"""A window's start (included) and end (excluded), in epoch seconds."""
Caps = tuple[int | None, int | None, int | None]
"""For an hour, a day and all time; None for no cap."""
Kind = Literal["standing", "circuit", "failures", "caps"]

NOTHING: Final[Sums] = (0, 0, 0, 0, 0)
NONE_GONE: Final = msgspec.Raw(b"\x90")
"""An empty list: nobody is gone."""


class BucketAsk(msgspec.Struct, frozen=True, array_like=True):
    """One rate of `count` per `seconds`. `upto`: tokens it may have taken in its life; `want`: what it wishes that to be.

    One that took more than it held, while nobody could be asked, tells what it took: the rest of the fleet waits for it.
    """

    name: str
    count: int
    seconds: int
    upto: int
    want: int


class BucketGrant(msgspec.Struct, frozen=True, array_like=True):
    """The new `upto`, never below the one told; `wait`: seconds until the next token is there, 0 for now.

    `left`: tokens that nobody has.
    """

    name: str
    upto: int
    wait: float
    left: int = 0


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """What a process tells of one agent, and asks for.

    `held` is the ceiling it obeys now, `need` the one without which calls that wait cannot go, `want` the one it wishes.
    `slots` likewise is the number of calls at once it wishes, `slots_held` what it has, `max_slots` the fleet's limit.
    `gone` is what the last `Grant` said, handed back as it came.
    """

    agent: str
    caps: Caps
    hour: Bounds
    day: Bounds
    in_hour: Sums
    in_day: Sums
    in_life: Sums
    held: int
    need: int
    want: int
    slots_held: int = 0
    slots: int = 0
    max_slots: int | None = None
    buckets: tuple[BucketAsk, ...] = ()
    gone: msgspec.Raw = NONE_GONE


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """The answer to one `Ask`.

    `turned`: its hour or day does not hold the time of `Synced`. Nothing was done then, `ceiling` and `slots` are those
    held, and the rest says nothing.
    `ceiling` and `slots` are never below those held. `hour`, `day`, `life`: what all others did. `leased`: what others
    may still spend.
    """

    agent: str
    turned: bool
    ceiling: int
    hour: Sums
    day: Sums
    life: Sums
    leased: int
    slots: int
    buckets: tuple[BucketGrant, ...]
    gone: msgspec.Raw


class Synced(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a list of asks, in the same order.

    `now`: epoch seconds by the clock that windows turn by. `epoch`: changes when the shared state has been lost; then
    everybody tells all of its agents again. `grace`: it was lost so lately that no money and no slots are granted.
    `members`: processes heard of within `TTL`, this one included. `version`: of the latest news. `begins`: there is grace
    only because it is empty, as far as anybody knows for the first time: it is over in a moment.
    """

    now: float
    epoch: str
    grace: bool
    members: int
    version: int
    grants: tuple[Grant, ...]
    begins: bool = False


class News(msgspec.Struct, frozen=True, array_like=True):
    """Something every process must know. `origin`: the process that told it; `body` is theirs to read.

    Of each kind and agent the latest is kept for those who missed it, except for "failures", which pass by unnumbered
    (`version` 0). An empty body says that there is nothing any more. `at`: when it was said, where that counts.
    """

    version: int
    kind: Kind
    agent: str
    origin: str
    body: bytes
    at: int = 0


class Words(msgspec.Struct, frozen=True):
    """News that processes of one machine tell each other where they cannot be told by way of the shared state."""

    words: tuple[News, ...]


def caps_body(caps: Caps | None) -> bytes:
    """The body of news of the kind "caps": an operator's caps, which win over those asked with; None takes them back."""
    return b"" if caps is None else msgspec.msgpack.encode(caps)


def caps_told(body: bytes) -> Caps | None:
    """What `caps_body` wrote. Raises msgspec.MsgspecError for anything else."""
    return msgspec.msgpack.decode(body, type=Caps) if body else None
