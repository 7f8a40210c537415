"""How much memory all request bodies on their way in may take together: one limit each is none for a thousand callers."""

ROOM = 268_435_456
"""Bytes that all bodies on their way in may take at once; where one alone may have more than half of it, twice that."""


class Room:
    """What the bodies of one server take, in bytes."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class Kept(bytearray):
    """What is kept of a body; its place in the room is free again when this is, however that comes about."""

    __slots__ = ("_room", "_size")

    def __init__(self, data: bytes, room: Room) -> None:
        super().__init__(data)
        self._room = room
        self._size = 0

    def add(self, data: bytes) -> int:
        """Keep more; gives what the room holds with it."""
        self += data
        self._size += len(data)
        self._room.used += len(data)
        return self._room.used

    def __del__(self) -> None:
        self._room.used -= self._size
