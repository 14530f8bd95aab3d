"""Streams longer than their fields: more than 2**16 packets and 2**24 bytes, on a link without sendto's pauses."""

from __future__ import annotations

import random
from collections import deque

from surewire.core.state import State
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession

MS = 1_000_000
S = 1_000_000_000
TICK = 100_000  # ns a packet takes


class FastPair:
    """Two sessions with a wire each way that loses some packets and delivers the others a few ticks later."""

    def __init__(self, config: StreamerConfig, *, loss: float, lag: int, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.now = S
        self.sessions = [
            StreamerSession(peer, rng=random.Random(rng.random()), now=S, config=config) for peer in ("b", "a")
        ]
        self.packets = 0
        self._loss, self._lag, self._random = loss, lag, rng.random
        self._wires: list[deque[tuple[int, bytes]]] = [deque(), deque()]

    def turn(self) -> None:
        """Each side receives what is due and sends one packet, if it has one."""
        self.now += TICK
        for index, session in enumerate(self.sessions):
            wire = self._wires[index]
            while wire and wire[0][0] <= self.now:
                datagram = wire.popleft()[1]
                session.handle_datagrams(datagram, len(datagram), "whoever", now=self.now)
            deadline = session.poll_timeout()
            if deadline is not None and deadline <= self.now:
                session.handle_timeout(now=self.now)
            train = session.poll_transmit(now=self.now)
            if train is not None:
                self.packets += 1
                if self._random() >= self._loss:
                    self._wires[1 - index].append((self.now + self._lag * TICK, train.datagrams()[0]))


def test_more_packets_and_bytes_than_their_fields_count() -> None:
    """Each write is a packet, so that a stream of 17 MB has 66,000."""
    piece = bytes(range(256)) + b"|"
    total = 66_000 * len(piece)
    assert total > 1 << 24
    pair = FastPair(StreamerConfig(nagle=False), loss=0.01, lag=20)
    source, sink = pair.sessions
    written = read = 0
    while read < total:
        while written < total and source.room >= len(piece):
            source.write(piece, now=pair.now)
            written += len(piece)
        if written == total:
            source.finish(now=pair.now)
        pair.turn()
        if sink.is_readable:
            data = sink.read()
            phase = read % len(piece)
            assert data == (piece * (len(data) // len(piece) + 2))[phase : phase + len(data)]
            read += len(data)
    assert read == total and sink.has_ended
    assert source.outbound.log.next_number > 1 << 16
    sink.finish(now=pair.now)
    while {session.state for session in pair.sessions} != {State.CLOSED}:
        pair.turn()
    assert [session.error for session in pair.sessions] == [None, None]
    assert [session.poll_timeout() for session in pair.sessions] == [None, None]
    assert source.stats.retransmissions < 0.03 * 66_000
