"""How much all request bodies on their way in may take together, in memory or on the disk: one limit each is none for a
thousand callers.

A large body may be whatever it says it is until all of it is here. So large ones may have half of the room, and each of
them gives way as soon as they have more: what is left is for the small ones, which nearly all requests are.
"""

from typing import Final

ROOM: Final = 268_435_456
"""Bytes that all bodies on their way in may take at once; where one alone may have more than half of it, twice that."""
SMALL: Final = 4_194_304
"""Bytes up to which a body is a small one."""


class Room:
    """What the bodies of one server take, in bytes."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0

    def full(self, received: int, limit: int) -> bool:
        """Whether there is no room for more of a body of which `received` bytes are here; it may have `limit` at most."""
        room = max(ROOM, 2 * limit)
        return (self.used if received <= SMALL else 2 * self.used) > room


class Kept:
    """What is kept of a body; its place in the room is free again when this is, however that comes about."""

    __slots__ = ("_data", "_room", "_size")

    def __init__(self, data: bytes, room: Room) -> None:
        self._room = room
        self._size = 0
        self._data = bytearray(data)

    def add(self, data: bytes) -> None:
        """Keep more."""
        self._data += data
        self._size += len(data)
        self._room.used += len(data)

    def whole(self) -> bytes:
        """All of it."""
        return bytes(self._data)

    def __del__(self) -> None:
        self._room.used -= self._size
