"""The sleep of a thread that drives a UDP socket: until a datagram, a deadline, or a word from another thread.

Invariant: a word (`wake`) that comes before the sleep ends it as well, so none is lost.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.udp import UdpSocket

_SELECT_LIMIT = 1024  # FD_SETSIZE: select() cannot watch descriptors from here on
_LONGEST_SLEEP_NS = 24 * 3600 * NS_PER_S
_STARVED_SLEEP_NS = NS_PER_MS


class Sleeper:
    """Sleeps on one socket; one thread at a time may sleep, any thread may wake it."""

    __slots__ = ("_ear", "_mouth", "_sent_before", "_socket")

    def __init__(self, udp: UdpSocket) -> None:
        """Take the socket to watch.

        Raises:
            OSError: no descriptor is left.
        """
        self._socket = udp
        self._sent_before = -1
        # a socket pair, because an eventfd is Linux's alone and no faster to watch
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)

    def sleep(self, nanoseconds: int, *, writable: bool, gather: int = 0) -> None:
        """Sleep so long at most; with `writable` also no longer than until the socket takes more.

        For the first `gather` nanoseconds datagrams do not end it, unless `writable`, or select() cannot watch.

        Resolution is a microsecond, a millisecond (rounded up) for descriptors that select() cannot watch.
        """
        limit = min(max(nanoseconds, 0), _LONGEST_SLEEP_NS)
        if writable:
            sent = self._socket.stats.send_calls
            if sent == self._sent_before:
                # It said that it was writable and took nothing: the device below it is full (ENOBUFS).
                writable, limit = False, min(limit, _STARVED_SLEEP_NS)
            self._sent_before = sent
        elif gather and limit and self._ear.fileno() < _SELECT_LIMIT:
            if self._nap(min(gather, limit)):
                return
            limit = max(limit - gather, 0)
        descriptor, ear = self._socket.fileno(), self._ear.fileno()
        if max(descriptor, ear) < _SELECT_LIMIT:
            found = select.select([descriptor, ear], [descriptor] if writable else [], [], limit / NS_PER_S)
            was_woken = ear in found[0]
        else:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN | (select.POLLOUT if writable else 0))
            poller.register(ear, select.POLLIN)
            was_woken = any(found == ear for found, _ in poller.poll(math.ceil(limit / NS_PER_MS)))
        if was_woken:
            self._hear()

    def _nap(self, nanoseconds: int) -> bool:
        """Sleep so long without the socket; True if a word ended it."""
        was_woken = bool(select.select([self._ear.fileno()], [], [], nanoseconds / NS_PER_S)[0])
        if was_woken:
            self._hear()
        return was_woken

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)

    def wake(self) -> None:
        """End the present sleep, or the next one. May be called from destructors, and after `close`."""
        with contextlib.suppress(OSError):  # full: the word of somebody else is still unheard, and will do; or closed
            self._mouth.send(b"\0")

    def close(self) -> None:
        """Give the descriptors back; nobody may sleep any more."""
        self._ear.close()
        self._mouth.close()
