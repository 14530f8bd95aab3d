"""Sockets that fail as told, for the tests of the UDP driver."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque
from collections.abc import Iterable
from typing import Any

from surewire.core.trains import Buffer, Train
from surewire.drivers.udp import MAX_BATCH_BYTES, MAX_SEGMENTS
from surewire.drivers.udp_options import (
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    ControlMessage,
)

LOCALHOST = ("127.0.0.1", 0)
PEER = ("192.0.2.7", 4000)


def random_train(sizes: list[int], stride: int, destination: tuple[str, int]) -> Train:
    """A train over buffers of the given sizes, with content that shows any mix-up."""
    whole = os.urandom(sum(sizes))
    buffers, at = [], 0
    for size in sizes:
        buffers.append(memoryview(whole)[at : at + size])
        at += size
    return Train(buffers, stride, len(whole), destination)


class FakeRaw:
    """A socket whose sending calls fail as told; it keeps every datagram that went out, cut apart.

    `script` gives the outcome of the sending calls in order, 0 or an errno; when it is used up,
    calls succeed as far as `room` (in datagrams) and `refuse_segments_with` (an errno) let them.
    """

    def __init__(self, *, family: int = socket.AF_INET, host: str = "127.0.0.1", has_segment: bool = True) -> None:
        self.family = family
        self.name = (host, 9)
        self.has_segment = has_segment
        self.script: deque[int] = deque()
        self.refuse_segments_with = 0
        self.room: int | None = None
        self.datagrams: list[bytes] = []
        self.calls: list[str] = []
        self.control: list[list[ControlMessage]] = []
        self.addresses: list[Any] = []
        self.reads: deque[int | tuple[bytes, list[ControlMessage], Any]] = deque()
        self.closed = False

    def _take(self, data: bytes, segment: int) -> None:
        code = self.script.popleft() if self.script else 0
        if not code and segment:
            code = self.refuse_segments_with
        count = -(-len(data) // segment) if segment else 1
        if not code and self.room is not None:
            if count > self.room:
                code = errno.EAGAIN
            else:
                self.room -= count
        if code:
            raise OSError(code, os.strerror(code))
        assert len(data) <= MAX_BATCH_BYTES
        assert count <= MAX_SEGMENTS
        step = segment or max(len(data), 1)
        self.datagrams += [data[i : i + step] for i in range(0, len(data), step)]

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        self.calls.append("send")
        self._take(bytes(data), 0)
        return len(data)

    def sendto(self, data: Buffer, address: tuple[Any, ...], /) -> int:
        self.calls.append("sendto")
        self.addresses.append(address)
        self._take(bytes(data), 0)
        return len(data)

    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[ControlMessage] = (),
        flags: int = 0,
        address: tuple[Any, ...] | None = None,
        /,
    ) -> int:
        self.calls.append("sendmsg")
        self.addresses.append(address)
        control = list(ancdata)
        self.control.append(control)
        segment = 0
        for level, kind, value in control:
            if (level, kind) == (SOL_UDP, UDP_SEGMENT):
                (segment,) = struct.unpack("=H", value)
        data = b"".join(buffers)
        self._take(data, segment)
        return len(data)

    def recvmsg_into(
        self, buffers: Iterable[bytearray | memoryview], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[ControlMessage], int, Any]:
        entry = self.reads.popleft() if self.reads else errno.EAGAIN
        if isinstance(entry, int):
            raise OSError(entry, os.strerror(entry))
        data, control, source = entry
        (into,) = buffers
        into[: len(data)] = data
        return len(data), control, 0, source

    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        if (level, name) == (SOL_UDP, UDP_GRO) and not self.has_segment:
            raise OSError(errno.ENOPROTOOPT, "no such option")

    def getsockopt(self, level: int, name: int, /) -> int:
        if (level, name) == (SOL_UDP, UDP_SEGMENT) and not self.has_segment:
            raise OSError(errno.ENOPROTOOPT, "no such option")
        return 4096

    def getsockname(self) -> Any:
        return self.name

    def getpeername(self) -> Any:
        return PEER

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.closed = True


class UnixRaw(FakeRaw):
    """Sends for real, through a Unix socket."""

    def __init__(self, real: socket.socket) -> None:
        super().__init__(has_segment=False)
        self.real = real

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        return self.real.send(data)

    def fileno(self) -> int:
        return self.real.fileno()

    def close(self) -> None:
        self.real.close()
