"""A relay's socket: it reads and sends several datagrams with one system call where the system can.

On Linux the kernel hands over trains that another program sent as one (UDP_GRO), cuts ours (UDP_SEGMENT), and says
when a datagram arrived (SO_TIMESTAMPNS), so that a relay that was kept from running can count a delay from
the arrival and not from its reading. Elsewhere, or after a refusal, it is a call a datagram.

Invariants: datagrams leave whole, unchanged and in order, and none twice, whichever way they go; a refused train is
sent again one by one; nothing here blocks, and sending raises nothing: `RelayStats` counts what did not go.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from surewire.drivers.relay_config import RelayStats
from surewire.drivers.relay_sockets import SocketAddress
from surewire.drivers.udp_options import ON_LINUX, SOL_UDP, UDP_GRO, UDP_SEGMENT, granted

MAX_TRAIN = 64
"""Datagrams one call may send (UDP_MAX_SEGMENTS of the kernels before 6.9)."""

_MAX_TRAIN_BYTES = 65_000  # with headers below the 65,535 of an IP packet
_MAX_DATAGRAM = 65_535
_SO_TIMESTAMPNS = 35  # Linux; the control message has the same number
_TIMESPEC = struct.Struct("@qq")
_SEGMENT_SIZE = struct.Struct("=H")
_CONTROL_SPACE = 64 + 32  # one of 16 bytes, one of 4, each with its header of 16, and padding
_LONGEST_STALL = 60_000_000_000  # ns; an arrival longer ago is a system clock that was set
_NS_PER_S = 1_000_000_000


class Arrival(NamedTuple):
    """What one read gave.

    Attributes:
        datagrams: in order, from one sender; at least one, each may be empty.
        source: the sender's address.
        at: when they arrived, ns on the monotonic clock; never later than now.
    """

    datagrams: Sequence[bytes]
    source: SocketAddress
    at: int


class Port:
    """A bound, non-blocking socket of a relay."""

    __slots__ = ("_into", "_largest_stride", "_stats", "_view", "read", "socket")

    def __init__(self, sock: socket.socket, stats: RelayStats, into: bytearray, *, offload: bool) -> None:
        """Take over a socket.

        Args:
            sock: closed by `close`.
            stats: counts what is not sent, and errors of other hosts.
            into: at least 65,535 bytes to read into, which ports may share.
            offload: whether to ask for trains and times of arrival.
        """
        self.socket = sock
        self._stats = stats
        self._into = [into]
        self._view = memoryview(into)
        self._largest_stride = 0
        self.read: Callable[[], Arrival] = self._read_one
        """Read without waiting. Raises BlockingIOError if nothing is there, OSError for another host's error."""
        if offload and ON_LINUX and hasattr(sock, "recvmsg_into"):
            self._ask_for_offload()

    def fileno(self) -> int:
        """The descriptor, -1 after `close`."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def send(self, datagrams: Sequence[bytes], address: SocketAddress | None) -> None:
        """Send all of them in order to `address`, or to where the socket is connected if that is None."""
        if len(datagrams) == 1 or not self._largest_stride:
            for datagram in datagrams:
                self._send_one(datagram, address)
            return
        for train in trains(datagrams):
            if len(train) == 1 or len(train[0]) > self._largest_stride or not self._send_train(train, address):
                for datagram in train:
                    self._send_one(datagram, address)

    def _ask_for_offload(self) -> None:
        sock = self.socket
        # Without the time a joined read would still be right, so each is asked for by itself.
        granted(sock, socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        granted(sock, SOL_UDP, UDP_GRO, 1)
        self.read = self._read_train
        try:
            # A kernel that does not know the option would send a train as one huge datagram.
            sock.getsockopt(SOL_UDP, UDP_SEGMENT)
        except OSError:
            return
        self._largest_stride = _MAX_TRAIN_BYTES

    def _read_one(self) -> Arrival:
        datagram, source = self.socket.recvfrom(_MAX_DATAGRAM)
        return Arrival((datagram,), source, time.monotonic_ns())

    def _read_train(self) -> Arrival:
        nbytes, messages, _, source = self.socket.recvmsg_into(self._into, _CONTROL_SPACE)
        stride = nbytes
        waited = 0
        for _, kind, data in messages:
            if kind == _SO_TIMESTAMPNS:
                seconds, rest = _TIMESPEC.unpack(data)
                waited = time.time_ns() - seconds * _NS_PER_S - rest
            elif kind == UDP_GRO:
                stride = int.from_bytes(data, sys.byteorder) or nbytes
        # The second clock is read last, so that a pause between the two never moves the arrival back.
        at = time.monotonic_ns()
        if 0 < waited < _LONGEST_STALL:
            at -= waited
        view = self._view
        if stride == nbytes:
            return Arrival((bytes(view[:nbytes]),), source, at)
        return Arrival([bytes(view[i : min(i + stride, nbytes)]) for i in range(0, nbytes, stride)], source, at)

    def _send_train(self, train: Sequence[bytes], address: SocketAddress | None) -> bool:
        """Send equal datagrams with one call; False if nothing of it was sent."""
        cut = [(SOL_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(len(train[0])))]
        try:
            self.socket.sendmsg(train, cut, 0, address)
        except ConnectionRefusedError:
            self._stats.icmp_errors += 1  # of an earlier datagram; this train was not sent
            return False
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EMSGSIZE):
                self._largest_stride = len(train[0]) - 1  # longer than the device's packets
            elif not isinstance(error, BlockingIOError):
                self._largest_stride = 0
            return False
        return True

    def _send_one(self, datagram: bytes, address: SocketAddress | None) -> None:
        # A connected socket reports an ICMP error that came earlier instead of sending; the second
        # try is the one that sends.
        for _ in range(2):
            try:
                if address is None:
                    self.socket.send(datagram)
                else:
                    self.socket.sendto(datagram, address)
                return
            except ConnectionRefusedError:
                self._stats.icmp_errors += 1
            except OSError as error:
                if isinstance(error, BlockingIOError) or error.errno == errno.ENOBUFS:
                    self._stats.congested += 1
                    return
                break
        self._stats.unsent += 1


def trains(datagrams: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut a sequence into runs that one call can send: equal lengths, only the last of a run may be shorter."""
    start = 0
    while start < len(datagrams):
        size = len(datagrams[start])
        most = start + min(MAX_TRAIN, _MAX_TRAIN_BYTES // size if size else 1)
        end = start + 1
        while end < min(most, len(datagrams)) and len(datagrams[end]) == size:
            end += 1
        if end < min(most, len(datagrams)) and 0 < len(datagrams[end]) < size:
            end += 1
        yield datagrams[start:end]
        start = end
