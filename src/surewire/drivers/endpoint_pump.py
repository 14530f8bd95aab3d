"""One turn of an endpoint over a UDP socket: take what came, keep the deadlines, send until somebody has enough.

Not a loop and not a wait: whoever drives (a thread that blocks, an event loop) decides when a turn is due and sleeps
until `deadline`, or until the socket is readable, or writable if `is_blocked`. Nothing here blocks, and nothing here
knows what a connection is.

Turns are bounded both ways, so that a fast sender cannot keep acknowledgments from leaving, nor a fast application
keep them from being read; `deadline` is then in the past.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Protocol

from surewire.core.trains import Address, Buffer, Train
from surewire.drivers.gathering import Gathering
from surewire.drivers.udp import UdpSocket

READS_PER_TURN = 16
"""A read is up to 64 KiB where the kernel joins datagrams."""

TRAINS_PER_TURN = 16
"""A train is up to 64 KiB where the kernel cuts it."""

_UNUSABLE_SOCKET = frozenset({errno.EBADF, errno.ENOTSOCK})


class PumpedEndpoint(Protocol):
    """What the pump needs of an endpoint: a `DrivenSession` without the events, with memory that is lent once.

    Attributes:
        asked_at: when it last sent something that has to be acknowledged, or a datagram of a handshake came, ns.
    """

    asked_at: int

    def lend(self, memory: memoryview) -> None: ...

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def handle_refused(self, *, now: int) -> None: ...

    def handle_too_long(self, size: int, *, destination: Address, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None: ...

    def poll_timeout(self) -> int | None: ...


class EndpointPump:
    """Moves datagrams between one endpoint and one socket. Not thread-safe: its user has a lock."""

    __slots__ = (
        "_clock",
        "_destination",
        "_endpoint",
        "_gathering",
        "_has_more",
        "_is_behind",
        "_socket",
        "unsendable",
    )

    def __init__(
        self, endpoint: PumpedEndpoint, socket: UdpSocket, *, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Take both; nothing is sent yet.

        Args:
            clock: what the endpoint takes for `now`, ns; never goes back.
        """
        self._endpoint = endpoint
        self._socket = socket
        self._clock = clock
        self._gathering = Gathering(socket.stats)
        self._is_behind = False  # the last turn ended at its bound of reads
        self._has_more = False  # the last turn ended at its bound, not because there was no more
        self._destination: Address = None  # of the latest train
        self.unsendable = 0
        """Trains whose destination cannot be sent to at all (a forged source address, for one)."""
        endpoint.lend(socket.memory)

    @property
    def is_blocked(self) -> bool:
        """Whether the socket is full: a turn is due when it is writable."""
        return self._socket.pending

    def deadline(self) -> int | None:
        """When the next turn is due if nothing comes (ns of the clock, perhaps past); None: never."""
        # What the socket has read and not handed out makes no descriptor readable.
        if self._has_more or self._socket.holds_datagram:
            return 0
        return self._endpoint.poll_timeout()

    def patience(self) -> int:
        """For so long, ns, what comes may wait to be read together; see `Gathering`."""
        if self._is_behind:  # several wait already
            return 0
        return self._gathering.pause(self._clock(), asked_at=self._endpoint.asked_at)

    def receive(self) -> bool:
        """Hand in what has come, a bounded number of reads, and pass deadlines; True when something came.

        Raises:
            OSError: the socket is unusable.
        """
        endpoint, socket = self._endpoint, self._socket
        reads = 0
        while reads < READS_PER_TURN and (received := socket.receive()) is not None:
            reads += 1
            endpoint.handle_datagrams(received.buffer, received.stride, received.source, now=self._clock())
            if socket.is_dry:
                break
        self._is_behind = reads == READS_PER_TURN
        now = self._clock()
        if reads:
            self._gathering.on_read(now)
        was_refused = socket.take_refused()
        if was_refused:
            endpoint.handle_refused(now=now)
        deadline = endpoint.poll_timeout()
        if is_due := deadline is not None and deadline <= now:
            endpoint.handle_timeout(now=now)
        return reads > 0 or was_refused or is_due

    def send(self) -> None:
        """Send what the endpoint has, until it has no more, the socket takes no more, or the bound of a turn.

        Raises:
            OSError: the socket is unusable.
        """
        endpoint, socket = self._endpoint, self._socket
        self._has_more = False
        try:
            if socket.pending and not self._is_taken(socket.flush()):
                return
            for _ in range(TRAINS_PER_TURN):
                train = endpoint.poll_transmit(now=self._clock())
                if train is None:
                    return
                self._destination = train.destination
                if not self._is_taken(socket.send(train)):
                    return
            self._has_more = True
        except OSError as error:
            if socket.remote is not None or error.errno in _UNUSABLE_SOCKET:
                raise
            # One peer out of many: to the endpoint it looks like loss, and its own deadlines end it.
            self.unsendable += 1
            self._has_more = True

    def _is_taken(self, is_taken: bool) -> bool:
        """Tell the endpoint if what was just sent is longer than the local interface takes."""
        size = self._socket.take_too_long()
        if size is not None:
            self._endpoint.handle_too_long(size, destination=self._destination, now=self._clock())
        return is_taken
