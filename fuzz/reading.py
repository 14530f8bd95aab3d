"""Bytes of a fuzzer read as small decisions; when they are used up, everything is 0."""

from __future__ import annotations


class Reader:
    """Takes values off the front of `data`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_used_up(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))

    def number(self, size: int = 1) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def below(self, stop: int) -> int:
        """A number from 0 to `stop` - 1, which is below 65,536."""
        return self.number(1 if stop <= 256 else 2) % stop

    def flag(self) -> bool:
        return bool(self.number() & 1)

    def pick(self, *values: int) -> int:
        """One of some values."""
        return values[self.below(len(values))]
