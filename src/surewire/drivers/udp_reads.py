"""The way in of a UDP socket: datagrams of one sender and one length, read together.

The kernel joins what comes at the same moment, where it can (UDP_GRO). What it hands out singly is joined here, in
tight loops, since what follows costs nearly the same for one datagram and for many. A read that does not belong to
those before it is kept, with what the kernel said of it, and comes first the next time.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import Any, NamedTuple

from surewire.drivers.udp_options import (
    PASSING,
    SO_RXQ_OVFL,
    SOL_UDP,
    UDP_GRO,
    ControlMessage,
    HostPort,
    RawSocket,
    UdpStats,
    control_space,
    error_name,
    host_port,
)
from surewire.drivers.udp_origin import Origins

MOST_JOINED = 64
"""Datagrams that are handed out together; the kernel joins no more (UDP_GRO_CNT_MAX)."""

_READ_BYTES = 65_536
_READ_TRIES = 4


class Received(NamedTuple):
    """One read: datagrams of one sender, end to end.

    Attributes:
        buffer: the bytes, at least one. Overwritten by the next `receive`.
        stride: bytes of each datagram but the last, which has 1..stride bytes.
        source: the sender's numeric host and port.
    """

    buffer: memoryview
    stride: int
    source: HostPort


class _Odd(NamedTuple):
    """What has been read behind something that it does not belong to: where it stands, and what the kernel said."""

    start: int
    nbytes: int
    messages: list[ControlMessage]
    sender: Any


class UdpReads:
    """Reads from a socket that does not block. `memory` is what is read into, always the same.

    `is_dry`: the last call of `receive` has seen that nothing is left, so that another one need not be made now.
    """

    __slots__ = ("_control_space", "_into", "_odd", "_origins", "_raw", "_refused", "_stats", "is_dry", "memory")

    def __init__(self, raw: RawSocket, stats: UdpStats, origins: Origins) -> None:
        """Count in `stats`, and let `origins` learn from where the peers send."""
        self._raw = raw
        self._stats = stats
        self._origins = origins
        # Twice what a datagram can have, so that one more fits behind those read before.
        self._into = [bytearray(2 * _READ_BYTES)]
        self.memory = memoryview(self._into[0])
        self.is_dry = False
        self._odd: _Odd | None = None  # read already, and not like those before
        self._refused = False
        self._control_space = control_space()

    @property
    def holds_datagram(self) -> bool:
        """Whether a datagram has been read and waits for `receive`."""
        return self._odd is not None

    def receive(self) -> Received | None:
        """Return what one read gives, None when there is nothing now.

        Empty datagrams are counted and skipped. None may come early after a run of them or of
        network errors: the descriptor is readable then.

        Raises:
            OSError: the socket is unusable.
        """
        stats = self._stats
        self.is_dry = False
        for _ in range(_READ_TRIES):
            try:
                nbytes, messages, _, address = self._take_odd() or self._raw.recvmsg_into(
                    self._into, self._control_space
                )
            except BlockingIOError:
                self.is_dry = True
                return None
            except OSError as error:
                self._note_read_error(error)
                continue
            source: HostPort = address if len(address) == 2 else host_port(address)
            stride = self._heed(messages, source) or nbytes
            stats.receive_calls += 1
            if nbytes == 0 or source[1] == 0:  # port 0 means that no answer is wanted (RFC 768), and none can be sent
                stats.datagrams_received += 1 if nbytes == 0 else -(-nbytes // stride)
                continue
            if stride == nbytes:
                nbytes = self._read_on(nbytes, address)
            stats.datagrams_received += -(-nbytes // stride)
            stats.bytes_received += nbytes
            return Received(self.memory[:nbytes], stride, source)
        return None

    def _heed(self, messages: list[ControlMessage], source: HostPort) -> int:
        """Note what the kernel said with a read; bytes of each datagram if it joined some, else 0."""
        stride = 0
        for message in messages:
            level, kind, data = message
            if level == SOL_UDP and kind == UDP_GRO:
                stride = int.from_bytes(data, sys.byteorder)
            elif level == socket.SOL_SOCKET and kind == SO_RXQ_OVFL:
                self._stats.kernel_drops = int.from_bytes(data, sys.byteorder)
            else:
                self._origins.learn(source, message)
        return stride

    def _read_on(self, stride: int, address: Any) -> int:
        """Read more datagrams of `stride` bytes and this sender behind the first, as UDP_GRO would; return all bytes.

        What follows is the same for one and for many, and costs nearly as much: so they are taken together.
        """
        end, reads = stride, 1
        while reads < MOST_JOINED and end <= _READ_BYTES:
            try:
                nbytes, messages, _, sender = self._raw.recvmsg_into([self.memory[end:]], self._control_space)
            except BlockingIOError:
                self.is_dry = True
                break
            except OSError as error:
                self._note_read_error(error)
                break
            is_odd = nbytes > stride or nbytes == 0 or sender != address
            if messages and not is_odd:  # shorter ones that the kernel has joined are not of this stride
                is_odd = 0 < self._heed(messages, address if len(address) == 2 else host_port(address)) < nbytes
            if is_odd:
                self._odd = _Odd(end, nbytes, messages, sender)
                break
            reads += 1
            end += nbytes
            if nbytes < stride:
                break
        self._stats.receive_calls += reads - 1
        return end

    def _take_odd(self) -> tuple[int, list[ControlMessage], int, Any] | None:
        """The datagram that did not belong to those read before it, as if it were read now."""
        if self._odd is None:
            return None
        odd, self._odd = self._odd, None
        self.memory[: odd.nbytes] = self.memory[odd.start : odd.start + odd.nbytes]
        return odd.nbytes, odd.messages, 0, odd.sender

    def take_refused(self) -> bool:
        """Whether the peer's host answered "nobody listens here" since the last call."""
        refused, self._refused = self._refused, False
        return refused

    def _note_read_error(self, error: OSError) -> None:
        code = error.errno or 0
        if code == errno.ECONNREFUSED:
            self.note_refusal()
        elif code in PASSING:
            self._stats.receive_errors[error_name(code)] += 1
        else:
            raise error

    def note_refusal(self) -> None:
        """A datagram that was sent came to a closed port, as an error says, of a read or of a send."""
        self._stats.refusals += 1
        self._refused = True
