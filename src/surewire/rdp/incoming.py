"""The stream as an RDP receiver sees it: who sends it, its numbers and spelling, and where its bytes go."""

from __future__ import annotations

from surewire.core.reassembly import Reassembly
from surewire.core.trains import Address
from surewire.rdp.config import RdpConfig
from surewire.transfer.files import Sink
from surewire.wire import text
from surewire.wire.segment import Segment

_PATIENT_FINS = 4  # a FIN of a foreign peer that is one too high is believed when it comes that often


class IncomingStream:
    """The stream as RDP sees it: who sends it, its numbers and spelling, and where its bytes go."""

    def __init__(self, sink: Sink) -> None:
        self.peer: Address = None
        self.key: int | None = None  # of checksums, when the sender is ours
        self.magic = text.DEFAULT_MAGIC
        self.ack_field = text.ACKNOWLEDGMENT
        self.base = 0  # sequence number of the first data byte
        self.books = Reassembly(RdpConfig().transport)
        self.announced_size: int | None = None
        self.digest: bytes | None = None
        self.is_confirmed = False
        self.advanced_at = 0  # when bytes came last that were not there, or the opening
        self.fin_numbers: list[int] = []
        self._fin_ack = 0
        self._high_fins = (-1, 0)  # a FIN one byte behind what is here, and how often it came
        self._session: int | None = None
        self._sink = sink

    def open(self, syn: Segment, source: Address, config: RdpConfig, *, now: int) -> None:
        offer = syn.offer if config.extensions else None
        self.peer = source
        self.magic = syn.magic
        self.ack_field = syn.acknowledgment_field or text.ACKNOWLEDGMENT
        self.base = syn.number + 1
        self._session = None if offer is None else offer.session
        self.key = None if offer is None else text.session_key(offer.session)
        self.announced_size = None if offer is None else offer.size
        window = config.transport.receive_window if offer is not None else config.plain_window
        self.books = Reassembly(config.transport, window=window)
        self.advanced_at = now

    def is_same_opening(self, syn: Segment, source: Address) -> bool:
        if self.key is not None:
            return syn.offer is not None and syn.offer.session == self._session and syn.number + 1 == self.base
        return source == self.peer and syn.number + 1 == self.base

    @property
    def acknowledgment(self) -> int:
        """The number of the next byte expected; after the FIN is confirmed, one more than the FIN's."""
        return self._fin_ack if self.is_confirmed else self.base + self.books.contiguous

    def is_off_by_one(self, size: int) -> bool:
        """True for a foreign peer's own idea of which number the FIN takes, when no byte is missing.

        One too many may as well mean that the last packet, of one byte, is missing: only when that
        does not come between some repetitions is there no such byte.
        """
        if self.books.has_gaps or abs(size - self.books.contiguous) != 1:
            return False
        if size < self.books.contiguous:
            return True
        self._high_fins = (size, self._high_fins[1] + 1 if self._high_fins[0] == size else 1)
        return self._high_fins[1] >= _PATIENT_FINS

    @property
    def has_fin(self) -> bool:
        """True when a FIN of this sender has come."""
        return self._fin_ack > 0

    def on_fin(self, packet_number: int | None, number: int) -> None:
        self._fin_ack = number + 1
        if packet_number is not None and len(self.fin_numbers) < 64:
            self.fin_numbers.append(packet_number)

    def write(self, low: int, high: int, start: int, stop: int, payloads: list[memoryview]) -> None:
        """Write stream bytes [low, high) out of payloads that hold [start, stop)."""
        if low == start and high == stop:
            self._sink.write_at(low, payloads)
            return
        joined = b"".join(payloads)
        self._sink.write_at(low, [memoryview(joined)[low - start : high - start]])


def host_of(address: Address) -> Address:
    return address[0] if isinstance(address, tuple) else address
