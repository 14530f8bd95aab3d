"""Datagrams gathered into trains: neighbours of equal size leave by one call."""

from __future__ import annotations

from collections import deque
from operator import add

from surewire.core.trains import Address, Buffer, Train


class Outbox:
    """Trains waiting to be polled."""

    def __init__(self, max_train: int) -> None:
        self._max_train = max_train
        self._trains: deque[Train] = deque()

    def put(self, datagram: bytes, destination: Address) -> None:
        """Add one datagram."""
        self._trains.append(Train((datagram,), len(datagram), len(datagram), destination))

    def put_pairs(self, buffers: list[Buffer], destination: Address) -> None:
        """Add datagrams of two buffers each, as few trains as their sizes allow.

        A train's datagrams are equal, only its last may be shorter.
        """
        lengths = list(map(len, buffers))
        sizes = list(map(add, lengths[::2], lengths[1::2]))
        begin = 0
        while begin < len(sizes):
            stride = sizes[begin]
            limit = min(begin + self._max_train, len(sizes))
            end = begin + 1
            while end < limit and sizes[end] == stride:
                end += 1
            if end < limit and sizes[end] < stride:
                end += 1
            nbytes = sum(sizes[begin:end])
            self._trains.append(Train(buffers[2 * begin : 2 * end], stride, nbytes, destination))
            begin = end

    def poll(self) -> Train | None:
        """The next train, or None."""
        return self._trains.popleft() if self._trains else None
