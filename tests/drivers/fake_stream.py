"""A stream session without a protocol and sockets without a network, for tests of the threaded driver.

The packets of the session are b"D" and data, b"F" for the end, b"R" for an abort, b"W" for room. Nothing is
acknowledged, so it closes when it has sent and received an end. The sockets block as the class-room's do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from surewire.core.events import Closed, Event
from surewire.core.state import State
from surewire.core.trains import Address, Buffer, Train
from surewire.errors import Aborted, ConnectionLost, LocalProtocolError, Reset, SurewireError

ENDPOINT = ("fake.example", 7)


class FakeSession:
    """Counts what the driver does; `deadlines` are given out one after the other."""

    def __init__(self, *, limit: int = 1 << 20) -> None:
        self.state = State.ESTABLISHED
        self.error: SurewireError | None = None
        self.note: str | None = None
        self.limit = limit
        self.deadlines: list[int] = []
        self.sources: list[Address] = []
        self.calls: dict[str, int] = {}
        self.defect: dict[str, Exception] = {}  # what a method raises
        self.needs_peer_end = True
        self.announces_room = False  # a packet b"W" after each read
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._words: list[bytes] = []  # b"F" or b"R", behind all data
        self._ends = set[str]()
        self._events: list[Event] = []

    @property
    def unacknowledged(self) -> int:
        return len(self._outgoing)

    @property
    def has_ended(self) -> bool:
        return not self._incoming and "peer" in self._ends

    @property
    def reading_error(self) -> SurewireError | None:
        if self.state is not State.CLOSED or "peer" in self._ends:
            return None
        return self.error or ConnectionLost("closed before the peer had finished")

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if name in self.defect:
            raise self.defect[name]

    def _end(self, who: str) -> None:
        self._ends.add(who)
        if "ours" in self._ends and ("peer" in self._ends or not self.needs_peer_end):
            self.close(None)

    def close(self, error: SurewireError | None) -> None:
        if self.state is not State.CLOSED:
            self.state, self.error = State.CLOSED, error
            self._events.append(Closed(error, self.note))

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self._count("handle_datagrams")
        self.sources.append(source)
        data = bytes(buffer)
        assert 0 < len(data) <= stride
        if data[:1] == b"D":
            self._incoming += data[1:]
        elif data[:1] == b"F":
            self._end("peer")
        else:
            self.close(Reset("the peer said no"))

    def handle_timeout(self, *, now: int) -> None:
        self._count("handle_timeout")
        assert self.deadlines[0] <= now
        self.deadlines.pop(0)

    def handle_refused(self, *, now: int) -> None:
        self._count("handle_refused")

    def poll_transmit(self, *, now: int) -> Train | None:
        self._count("poll_transmit")
        if self._outgoing:
            packet = b"D" + bytes(self._outgoing[:1000])
            del self._outgoing[:1000]
        elif self._words:
            packet = self._words.pop()
            if packet == b"F":
                self._end("ours")
        else:
            return None
        return Train([packet], len(packet), len(packet), ENDPOINT)

    def poll_timeout(self) -> int | None:
        return self.deadlines[0] if self.deadlines else None

    def poll_event(self) -> Event | None:
        return self._events.pop(0) if self._events else None

    def write(self, data: Buffer, *, now: int) -> int:
        self._count("write")
        if "finishing" in self._ends:
            raise LocalProtocolError("write after finish")
        taken = min(len(data), self.limit - len(self._outgoing))
        self._outgoing += data[:taken]
        return taken

    def read(self) -> bytes:
        data = bytes(self._incoming)
        self._incoming.clear()
        if data and self.announces_room:
            self._words.append(b"W")
        return data

    def flush(self, *, now: int) -> None:
        self._count("flush")

    def finish(self, *, now: int) -> None:
        self._count("finish")
        if "finishing" not in self._ends:
            self._ends.add("finishing")
            self._words.append(b"F")

    def abort(self, reason: str, *, now: int) -> None:
        self._count("abort")
        if self.state is not State.CLOSED:
            self._outgoing.clear()
            self._words = [b"R"]
            self.close(Aborted(reason))


class FakeSocket:
    """Datagrams go to `outbox`, a peer's inbox or a list's `append`, and come from `inbox`."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[tuple[bytes, tuple[str, int]] | Exception] = queue.Queue()
        self.outbox: Callable[[bytes], object] = lambda message: None
        self.sent: list[bytes] = []
        self.destinations = set[tuple[str, int]]()
        self.is_stopped = threading.Event()
        self.lets_timeouts_out = False
        self.timeout: float | None = None
        self.gate = threading.Event()  # sendto waits for it
        self.gate.set()
        self.is_sending = threading.Event()
        self.waits = threading.Semaphore(0)  # released with each wait for a datagram that ended without one

    def settimeout(self, value: float | None) -> None:
        self.timeout = value

    def sendto(self, message: bytes, dst: tuple[str, int]) -> None:
        self.is_sending.set()
        assert self.gate.wait(30)
        self.sent.append(message)
        self.destinations.add(dst)
        self.outbox(message)

    def recvfrom(self) -> tuple[bytes, tuple[str, int]]:
        while not self.is_stopped.is_set():
            try:
                item = self.inbox.get(timeout=self.timeout)
            except queue.Empty:
                self.waits.release()
                if self.lets_timeouts_out:
                    raise TimeoutError("timed out") from None
                continue
            if isinstance(item, Exception):
                raise item
            return item
        return b"", ("", 0)

    def stoprecv(self) -> None:
        self.is_stopped.set()


def connect(one: FakeSocket, other: FakeSocket) -> None:
    """What one sends the other receives."""
    one.outbox = lambda message: other.inbox.put((message, ("one", 1)))
    other.outbox = lambda message: one.inbox.put((message, ("other", 2)))
