"""The questions of one process to the scripts in Redis, and their answers, as bytes."""

from collections.abc import Iterator, Sequence
from secrets import token_hex

import attrs
import msgspec

from agentgateway.domain.lease import Ask, Kind, News, Synced

_encode = msgspec.msgpack.Encoder().encode
_synced = msgspec.msgpack.Decoder(Synced).decode
_payload = msgspec.msgpack.Decoder(tuple[Kind, str, str, bytes, int]).decode


@attrs.define
class Desk:
    """Writes what process `process` asks, in turn; `run` is a higher number with each start of it."""

    process: str
    run: int
    epoch: str = ""
    """Of the latest answer."""
    _turn: int = 0
    _asked: int = 0
    _answered: int = 0
    """The turn of the latest question that was answered."""

    def sync(self, asks: Sequence[Ask], telling: bool = False) -> bytes:
        """The argument of the script `SYNC`."""
        self._asked = self._next()
        return _encode((self.process, self.run, self._asked, self._answered, self.epoch, fresh_epoch(), asks, telling))

    def synced(self, answer: bytes) -> Synced:
        """What that script answered. Raises msgspec.MsgspecError for anything else."""
        synced = _synced(answer)
        self.epoch, self._answered = synced.epoch, self._asked
        return synced

    def tell(self, kind: Kind, agent: str, body: bytes, at: int | None) -> tuple[bytes, bytes, bytes]:
        """The arguments of the script `TELL`."""
        told = _encode((self.process, self.run, self._next(), kind, agent, at))
        return told, _encode((kind, agent, self.process, body, at or 0)), body

    def _next(self) -> int:
        self._turn += 1
        return self._turn


def fresh_epoch() -> str:
    """A name for an epoch, should one begin."""
    return token_hex(8)


def heard(message: bytes) -> News:
    """What `TELL` published or `MISSED` gives. Raises ValueError (msgspec's errors are such) for anything else."""
    version, _, payload = message.partition(b" ")
    return News(int(version), *_payload(payload))


def split(answer: bytes) -> Iterator[bytes]:
    """The messages that `MISSED` gives in one text. Raises ValueError for anything else."""
    while answer:
        length, _, rest = answer.partition(b":")
        yield rest[: int(length)]
        answer = rest[int(length) :]
