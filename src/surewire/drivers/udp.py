"""A UDP socket that moves trains: many equal datagrams with one system call each way.

Not an event loop and not a protocol: `surewire.drivers.blocking` turns the crank. Where the kernel
can cut a train (UDP_SEGMENT) one call sends up to 64 datagrams, and where it can join datagrams
(UDP_GRO) one call receives as many; elsewhere, or after the kernel refused at send time, the same
methods work datagram by datagram and `stats` says so. Needs `sendmsg` and `recvmsg_into` of the
socket module, which all systems but Windows have. The way in is in `udp_reads`; here are the way out
and the waiting.

Invariants: no datagram is sent twice, whatever fails half way; a passing network error looks like
loss, never like an exception; no method but `wait` blocks (given numeric addresses).
"""

from __future__ import annotations

import errno
import math
import select
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, cast

from surewire.core.trains import Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.udp_options import (
    PASSING,
    SOL_UDP,
    UDP_SEGMENT,
    HostPort,
    RawSocket,
    UdpStats,
    error_name,
    forbid_fragments,
    host_port,
    open_socket,
    request_options,
    socket_address,
)
from surewire.drivers.udp_origin import Origins
from surewire.drivers.udp_reads import Received, UdpReads
from surewire.errors import LocalProtocolError

MAX_SEGMENTS = 64
"""Datagrams one call may send (UDP_MAX_SEGMENTS of the kernels before 6.9)."""

MAX_BATCH_BYTES = 65_507
"""Bytes one call may send: the largest UDP payload over IPv4."""

_MAX_BUFFERS = 1024  # IOV_MAX of Linux, macOS and the BSDs
_SELECT_LIMIT = 1024  # FD_SETSIZE: select() cannot watch descriptors from here on
_LONGEST_WAIT_NS = 24 * 3600 * NS_PER_S
_STARVED_WAIT_NS = NS_PER_MS

_WOULD_BLOCK = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
_OFFLOAD_REFUSED = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT})
_TOLERATED = PASSING | _WOULD_BLOCK
_TOLERATED_SEGMENTED = _TOLERATED | _OFFLOAD_REFUSED

_SEGMENT_SIZE = struct.Struct("=H")


class _Rest(NamedTuple):
    """A copy of what the socket did not take, a whole number of datagrams."""

    data: memoryview
    stride: int
    destination: HostPort


class UdpSocket:
    """A bound UDP socket. `fileno`, `address` and `stats` tell; `send`, `flush` and `receive` never wait."""

    def __init__(
        self,
        local: HostPort,
        *,
        remote: HostPort | None = None,
        receive_buffer: int = 8 << 20,
        offload: bool = True,
        dont_fragment: bool = False,
        raw: RawSocket | None = None,
    ) -> None:
        """Bind to `local` and, if `remote` is given, connect to it.

        Connected, the socket hears only `remote`, and learns when nobody listens there
        (`take_refused`).

        Args:
            local: host (a name, IPv4 or IPv6; "" or a wildcard for all addresses), port (0: any).
            remote: the only peer; host and port.
            receive_buffer: bytes of kernel buffer to ask for; `stats.receive_buffer` is the answer.
            offload: whether to use segmentation and coalescing where the kernel has them.
            dont_fragment: whether to refuse datagrams larger than the local interface takes and let a router on the
                way drop what is too large, where the system can do that (`stats.dont_fragment`); see `take_too_long`.
            raw: a socket to use instead, already bound (and connected, if `remote` is given).

        Raises:
            OSError: the socket cannot be opened, bound or connected.
        """
        self._raw: RawSocket = open_socket(local, remote) if raw is None else raw
        self.stats = UdpStats()
        self.address: HostPort = host_port(self._raw.getsockname())
        self.remote: HostPort | None = None if remote is None else host_port(self._raw.getpeername())
        self._origins = Origins(self._raw, wildcard=self.address[0] in ("0.0.0.0", "::"))
        self._segmentable_stride = MAX_BATCH_BYTES
        self._rest: _Rest | None = None
        self._starved = False
        self._too_long: int | None = None
        self._reads = UdpReads(self._raw, self.stats, self._origins)
        request_options(self._raw, self.stats, receive_buffer=receive_buffer, offload=offload)
        if dont_fragment:
            self.stats.dont_fragment = forbid_fragments(self._raw)

    @property
    def pending(self) -> bool:
        """Whether a train is still (partly) kept here: call `flush` when the socket is writable."""
        return self._rest is not None

    @property
    def holds_datagram(self) -> bool:
        """Whether a datagram has been read and waits for `receive`: the descriptor need not be readable then."""
        return self._reads.holds_datagram

    @property
    def is_dry(self) -> bool:
        """Whether the last call of `receive` has seen that nothing is left: another one need not be made now."""
        return self._reads.is_dry

    @property
    def memory(self) -> memoryview:
        """What `receive` reads into: each `Received.buffer` is a view of its beginning. Always the same."""
        return self._reads.memory

    def fileno(self) -> int:
        """The descriptor, -1 after `close`."""
        return self._raw.fileno()

    def close(self) -> None:
        """Close the socket; what is pending is dropped. Closing again does nothing."""
        self._rest = None
        self._raw.close()

    def __enter__(self) -> UdpSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, train: Train) -> bool:
        """Send all datagrams of `train`, whose destination is a numeric (host, port).

        Returns:
            True when the kernel took them all, or the network refused some in passing (counted,
            to be repaired like loss). False when the socket is full: the rest is kept as a copy in
            here (the train's buffers are free), and `flush` must return True before the next `send`.

        Raises:
            LocalProtocolError: an earlier train is still pending.
            OSError: the destination cannot be used at all.
        """
        if self._rest is not None:
            raise LocalProtocolError("send() while an earlier train is pending; flush() first")
        buffers, stride, nbytes, _ = train
        destination = cast(HostPort, train.destination)
        self.stats.trains_sent += 1
        done = self._transmit(buffers, nbytes, stride, destination)
        if done >= nbytes:
            return True
        self._rest = _Rest(memoryview(b"".join(buffers))[done:], stride, destination)
        return False

    def flush(self) -> bool:
        """Go on with a pending train; True when nothing is pending any more. Raises like `send`."""
        rest = self._rest
        if rest is None:
            return True
        # Should the destination turn out to be unusable, the rest is not to be tried again.
        self._rest = None
        done = self._transmit([rest.data], len(rest.data), rest.stride, rest.destination)
        if done >= len(rest.data):
            return True
        self._rest = rest._replace(data=rest.data[done:])
        return False

    def receive(self) -> Received | None:
        """Return what one read gives, None when there is nothing now; see `UdpReads.receive`.

        Raises:
            OSError: the socket is unusable.
        """
        return self._reads.receive()

    def take_refused(self) -> bool:
        """Whether `remote` answered "nobody listens here" since the last call."""
        return self._reads.take_refused()

    def take_too_long(self) -> int | None:
        """The smallest datagram, in bytes, refused since the last call for being larger than the interface takes."""
        size, self._too_long = self._too_long, None
        return size

    def local_address(self, peer: HostPort) -> HostPort:
        """The true local address towards `peer`, even when bound to the wildcard.

        It is the one the peer's datagrams came to, before the first of them the one the routing
        table chooses, and the wildcard itself if there is no route. Costs a few system calls
        once for a peer never heard.
        """
        if not self._origins.wildcard:
            return self.address
        return self._origins.host(peer) or self.address[0], self.address[1]

    def wait(self, timeout_ns: int | None, *, writable: bool = False) -> None:
        """Sleep until a datagram or an error is there, or `timeout_ns` passed (None: no limit).

        With `writable` also until the socket takes more. Resolution is a microsecond, a
        millisecond (rounded up) for descriptors that select() cannot watch. May wake early.
        """
        if self.holds_datagram:
            return
        nanoseconds = _LONGEST_WAIT_NS if timeout_ns is None else min(max(timeout_ns, 0), _LONGEST_WAIT_NS)
        if writable and self._starved:
            # After ENOBUFS the socket counts as writable though the device below it is full.
            self._starved = writable = False
            nanoseconds = min(nanoseconds, _STARVED_WAIT_NS)
        descriptor = self._raw.fileno()
        if 0 <= descriptor < _SELECT_LIMIT:
            select.select([descriptor], [descriptor] if writable else [], [], nanoseconds / NS_PER_S)
            return
        poller = select.poll()
        poller.register(descriptor, select.POLLIN | (select.POLLOUT if writable else 0))
        poller.poll(math.ceil(nanoseconds / NS_PER_MS))

    def _transmit(self, buffers: Sequence[Buffer], nbytes: int, stride: int, destination: HostPort) -> int:
        """Send `nbytes` in as few calls as allowed; return how many are dealt with (fewer: would block)."""
        if nbytes <= stride:
            return self._send_batch(buffers, nbytes, stride, destination)
        if not self.stats.segmentation or stride > self._segmentable_stride:
            return self._send_pieces(buffers, stride, stride, destination)
        largest = min(MAX_SEGMENTS, MAX_BATCH_BYTES // stride) * stride
        if nbytes <= largest and len(buffers) <= _MAX_BUFFERS:
            return self._send_batch(buffers, nbytes, stride, destination)
        return self._send_pieces(buffers, max(largest, stride), stride, destination)

    def _send_pieces(self, buffers: Sequence[Buffer], size: int, stride: int, destination: HostPort) -> int:
        """Send in batches of `size` bytes, a multiple of `stride`, until one would block."""
        whole = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        done = self._send_singly(whole, stride, destination) if size == stride else 0
        while done < len(whole):
            piece = whole[done : done + size]
            sent = self._send_batch([piece], len(piece), stride, destination)
            done += sent
            if sent < len(piece):
                break
        return done

    def _send_singly(self, whole: memoryview, stride: int, destination: HostPort) -> int:
        """Send datagram by datagram until one does not go as it should; return the bytes that went.

        The first one that fails is left to `_send_batch`, which knows what each failure means.
        """
        raw, control = self._raw, self._origins.control(destination)
        address = None if destination == self.remote else socket_address(destination)
        done = 0
        try:
            for done in range(0, len(whole), stride):
                piece = whole[done : done + stride]
                if control:
                    raw.sendmsg([piece], control, 0, address)
                elif address is None:
                    raw.send(piece)
                else:
                    raw.sendto(piece, address)
            done = len(whole)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:  # told once, and of an earlier datagram
                self._reads.note_refusal()
        self.stats.send_calls += -(-done // stride)
        self.stats.datagrams_sent += -(-done // stride)
        self.stats.bytes_sent += done
        return done

    def _send_batch(self, buffers: Sequence[Buffer], nbytes: int, stride: int, destination: HostPort) -> int:
        """Send what one call can carry, segmented if it is more than a datagram; return bytes dealt with."""
        stats = self.stats
        segmented = nbytes > stride
        if segmented and (not stats.segmentation or stride > self._segmentable_stride):
            return self._send_pieces(buffers, stride, stride, destination)
        failure = self._attempt(buffers, stride if segmented else 0, destination)
        if not failure:
            stats.send_calls += 1
            stats.datagrams_sent += -(-nbytes // stride)
            stats.bytes_sent += nbytes
            return nbytes
        if failure in _WOULD_BLOCK:
            stats.would_block += 1
            self._starved = failure == errno.ENOBUFS
            return 0
        if segmented and failure in _OFFLOAD_REFUSED:
            return self._send_unsegmented(buffers, stride, destination, failure)
        if failure == errno.EMSGSIZE:
            self._too_long = nbytes if self._too_long is None else min(nbytes, self._too_long)
        stats.send_errors[error_name(failure)] += 1
        stats.datagrams_dropped += -(-nbytes // stride)
        return nbytes

    def _attempt(self, buffers: Sequence[Buffer], segment: int, destination: HostPort) -> int:
        """Make one sending call; return 0, or the errno of a failure that is no exception.

        A refusal belongs to an earlier datagram and an address that left this host to an earlier
        moment: both are noted and the call is made once more.
        """
        refusals = 0
        while True:
            try:
                self._call(buffers, segment, destination)
                return 0
            except OSError as error:
                code = error.errno or 0
                if code == errno.ECONNREFUSED:
                    self._reads.note_refusal()
                    refusals += 1
                    if refusals == 1:
                        continue
                elif code == errno.EINVAL and self._origins.forget(destination):
                    continue
                if code not in (_TOLERATED_SEGMENTED if segment else _TOLERATED):
                    raise
                return code

    def _call(self, buffers: Sequence[Buffer], segment: int, destination: HostPort) -> None:
        control = self._origins.control(destination)
        address = None if destination == self.remote else socket_address(destination)
        if segment:
            cut = (SOL_UDP, UDP_SEGMENT, _SEGMENT_SIZE.pack(segment))
            self._raw.sendmsg(buffers, [cut, *control], 0, address)
        elif control:
            self._raw.sendmsg(buffers, control, 0, address)
        else:
            data = buffers[0] if len(buffers) == 1 else b"".join(buffers)
            if address is None:
                self._raw.send(data)
            else:
                self._raw.sendto(data, address)

    def _send_unsegmented(self, buffers: Sequence[Buffer], stride: int, destination: HostPort, failure: int) -> int:
        """Send one by one what the kernel refused to segment; return bytes dealt with."""
        stats = self.stats
        stats.offload_failures += 1
        refused_before = stats.send_errors["EMSGSIZE"]
        if failure == errno.EMSGSIZE:
            # Only datagrams that need IP fragmentation cannot be segmented; smaller ones still can.
            self._segmentable_stride = stride - 1
        else:
            stats.segmentation = False
        done = self._send_pieces(buffers, stride, stride, destination)
        if failure == errno.EINVAL and stats.send_errors["EMSGSIZE"] > refused_before:
            # Many a Linux says EINVAL where it means EMSGSIZE, but not so of single datagrams.
            self._segmentable_stride = stride - 1
            stats.segmentation = True
        return done
