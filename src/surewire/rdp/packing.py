"""Datagrams gathered into trains: neighbours of equal size leave by one call."""

from __future__ import annotations

from collections import deque

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
        begin, stride, nbytes = 0, 0, 0
        for index in range(0, len(buffers), 2):
            size = len(buffers[index]) + len(buffers[index + 1])
            is_full = (index - begin) // 2 >= self._max_train
            if nbytes and (size > stride or nbytes % stride or is_full):
                self._trains.append(Train(buffers[begin:index], stride, nbytes, destination))
                begin, nbytes = index, 0
            if not nbytes:
                stride = size
            nbytes += size
        if nbytes:
            self._trains.append(Train(buffers[begin:], stride, nbytes, destination))

    def poll(self) -> Train | None:
        """The next train, or None."""
        return self._trains.popleft() if self._trains else None
