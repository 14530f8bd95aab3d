"""The file as an RDP sender sees it: sequence numbers, digest, and the packets of its bytes."""

from __future__ import annotations

import hashlib

from surewire.core.sent_log import SentRun
from surewire.core.trains import Buffer
from surewire.errors import SourceChanged
from surewire.rdp.config import RdpConfig
from surewire.transfer.files import Source
from surewire.wire import text


class OutgoingStream:
    """A source, the initial sequence number, and the checksum key once the peer is known to be ours."""

    def __init__(self, source: Source, *, isn: int, config: RdpConfig) -> None:
        self.source = source
        self.isn = isn
        self.key: int | None = None  # of checksums, once the peer is known to be ours
        self._config = config
        self._hash = hashlib.sha256()
        self._hashed = 0
        self.numbers_fit_below = 1 << 62  # packet numbers for which `our_payload` left room

    def number(self, offset: int) -> int:
        """The sequence number of a stream offset; the SYN took one (ISN)."""
        return self.isn + 1 + offset

    def offset(self, number: int) -> int:
        """The stream offset of a sequence number; negative when it lies before the stream."""
        return number - self.isn - 1

    def plain_payload(self) -> int:
        """Data in a full packet without extension, beside the longest header of this transfer."""
        header = text.plain_header_size(self._config.magic, self.number(self.source.size), 999)
        return min(self._config.plain_payload, text.MAX_PACKET - header)

    def largest_payload(self) -> int:
        """Data in a full packet to whatever peer this turns out to be: what windows and pacing reckon with."""
        return max(self.plain_payload(), self.our_payload(0))

    def our_payload(self, next_number: int) -> int:
        """Data in a full packet with extension, beside the longest header of this transfer.

        It stays the same until packet numbers outgrow the digits left for them, so that what is sent
        again fits the packets it was sent in. 16 transmissions a packet are expected at the most.
        """
        size = self.source.size
        digits = len(str(max(16 * (size // 512 + 64), 2 * next_number)))
        self.numbers_fit_below = 10**digits - text.MAX_PACKET  # a train may still be numbered beyond it
        return text.MAX_PACKET - text.our_header_size(self._config.magic, self.number(size), 999, 10**digits - 1)

    def read(self, run: SentRun) -> bytes:
        data = self.source.read_at(run.offset, run.nbytes)
        if len(data) != run.nbytes:
            raise SourceChanged("the file is shorter than when the transfer began")
        if run.stop > self._hashed:
            self._hash.update(memoryview(data)[self._hashed - run.offset :])
            self._hashed = run.stop
        return data

    def digest(self) -> bytes:
        """SHA-256 of the whole file; every byte has been read when the FIN is due."""
        return self._hash.digest()

    def emit(self, run: SentRun, data: bytes) -> list[Buffer]:
        """Header and payload buffers of the run's packets."""
        if self.key is not None:
            return list(
                text.emit_dats(
                    self._config.magic,
                    self.number(run.offset),
                    data,
                    segment=run.segment,
                    packet_number=run.first,
                    key=self.key,
                )
            )
        buffers: list[Buffer] = []
        for at in range(0, len(data), run.segment):
            payload = data[at : at + run.segment]
            buffers += (text.emit_plain_dat(self._config.magic, self.number(run.offset + at), payload), b"")
        return buffers
