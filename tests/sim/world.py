"""What the tests of whole transfers share: taps on hosts, other files and applications, an audit of the packets."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import MalformedSegment
from surewire.impair import Link, LinkConfig
from surewire.lab.simulated.rdp_simulation import RECEIVER, RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.records import PacketLog, PacketRecord
from surewire.rdp.sender import RdpSender
from surewire.sim import Endpoint, Host
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import text
from surewire.wire.segment import PacketType, Segment

MS = NS_PER_MS
S = NS_PER_S
PLAIN = RdpConfig(extensions=False)
PATH = LinkConfig(delay=20 * MS, rate=20_000_000)  # a clean path: 40 ms round trip, 20 Mbit/s
DEAD = LinkConfig(loss=1.0)


def content(size: int, seed: int = 0) -> bytes:
    """A file of `size` random bytes."""
    return random.Random(f"{size} {seed}").randbytes(size)


def impaired(**impairments: float) -> LinkConfig:
    """`PATH` with probabilities of loss, duplicate, reorder or corrupt."""
    return LinkConfig(delay=20 * MS, rate=20_000_000, **impairments)  # type: ignore[arg-type]


class Seen(NamedTuple):
    """A datagram that passed a tap."""

    is_sent: bool
    at: int
    datagram: bytes
    other: Address


class Tap:
    """An endpoint that passes everything on to another one and keeps what it saw, in order."""

    def __init__(self, host: Host, endpoint: Endpoint, *, on_sent: Callable[[bytes], None] | None = None) -> None:
        self.log: list[Seen] = []
        self.closed_at: int | None = None
        self._endpoint = endpoint
        self._on_sent = on_sent
        self._now = 0
        host.endpoint = self

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        self.log.append(Seen(False, now, bytes(buffer), source))
        self._now = now
        self._endpoint.handle_datagrams(buffer, stride, source, now=now)

    def handle_timeout(self, *, now: int) -> None:
        self._now = now
        self._endpoint.handle_timeout(now=now)

    def poll_transmit(self, *, now: int) -> Train | None:
        train = self._endpoint.poll_transmit(now=now)
        if train is not None:
            for datagram in train.datagrams():
                self.log.append(Seen(True, now, datagram, train.destination))
                if self._on_sent is not None:
                    self._on_sent(datagram)
        self._now = now
        return train

    def poll_timeout(self) -> int | None:
        return self._endpoint.poll_timeout()

    def poll_event(self) -> Event | None:
        event = self._endpoint.poll_event()
        if isinstance(event, Closed):
            self.closed_at = self._now
        return event

    def last_received_at(self) -> int:
        """When the last datagram came in."""
        return max(seen.at for seen in self.log if not seen.is_sent)

    def first_sent_at(self, kind: PacketType) -> int:
        """When the first packet of a type went out."""
        mark = b"Type: " + kind.value.encode()
        return next(seen.at for seen in self.log if seen.is_sent and mark in seen.datagram[:60])


def tap_both(simulation: RdpSimulation) -> tuple[Tap, Tap]:
    """Taps on the sender's and the receiver's host."""
    return (
        Tap(simulation.sender_host, simulation.sender),
        Tap(simulation.receiver_host, simulation.receiver),
    )


def use_sink(simulation: RdpSimulation, sink: MemorySink, config: RdpConfig | None = None) -> None:
    """Let the receiver of a simulation that has not run yet write to `sink`."""
    simulation.sink = sink
    simulation.receiver = RdpReceiver(sink, config=config)
    simulation.receiver_host.endpoint = simulation.receiver


def use_source(simulation: RdpSimulation, source: MemorySource, config: RdpConfig | None = None) -> None:
    """Let the sender of a simulation that has not run yet read from `source`."""
    simulation.sender = RdpSender(source, RECEIVER, rng=random.Random(1), now=simulation.network.now, config=config)
    simulation.sender_host.endpoint = simulation.sender


def confirm_late(simulation: RdpSimulation, delay: int) -> None:
    """Let the receiver's application take `delay` ns to store the file."""
    pass_on = simulation.receiver_host.on_event

    def on_event(event: Event, now: int) -> None:
        if isinstance(event, ReceivedAll):
            simulation.network.at(now + delay, lambda: stored(event))
        else:
            pass_on(event, now)

    def stored(event: ReceivedAll) -> None:
        pass_on(event, simulation.network.now)
        simulation.network.service(simulation.receiver_host)

    simulation.receiver_host.on_event = on_event


def cut(simulation: RdpSimulation, *, at: int) -> None:
    """Let nothing pass in either direction from `at` (ns of virtual time) on."""
    hosts = (simulation.sender_host, simulation.receiver_host)

    def pull() -> None:
        simulation.network.connect(*hosts, Link(DEAD, random.Random(0)))
        simulation.network.connect(hosts[1], hosts[0], Link(DEAD, random.Random(0)))

    simulation.network.at(at, pull)


def begin_together(simulation: RdpSimulation) -> None:
    """Let the blackouts of both directions count from now."""
    simulation.forward.begin(now=simulation.network.now)
    simulation.backward.begin(now=simulation.network.now)


def recount(records: list[PacketRecord]) -> tuple[Counter[tuple[str, PacketType]], Counter[str]]:
    """Packets by event and type, and data bytes by event, counted from records alone."""
    packets = Counter((event, kind) for event, kind, *_ in records)
    data: Counter[str] = Counter()
    for event, kind, _, size, *_ in records:
        if kind is PacketType.DAT:
            data[event] += size
    return packets, data


def assert_counters_equal_records(log: PacketLog, records: list[PacketRecord], why: str) -> None:
    packets, data = recount(records)
    assert {key: count for key, count in log.packets.items() if count} == dict(packets), why
    assert {event: size for event, size in log.data_bytes.items() if size} == dict(data), why


class Audit:
    """Reads everything a sender sent and received, and complains about whatever the protocol forbids."""

    def __init__(self, data: bytes, why: str, *, is_plain: bool = False) -> None:
        self._data = data
        self._why = why
        self._is_plain = is_plain
        self._key = 0
        self._isn = -1
        self._limit = 0  # stream offset the window ends at, as the sender has been told
        self._is_ours = False
        self.packet_numbers: list[int] = []  # in the order in which they left

    def read(self, log: list[Seen]) -> Audit:
        """Check a sender's log from its first packet on."""
        for seen in log:
            assert not seen.is_sent or len(seen.datagram) <= text.MAX_PACKET, self._why
            try:
                segment = text.parse(seen.datagram, key=self._key)
            except MalformedSegment:
                assert not seen.is_sent, f"{self._why}: sent {seen.datagram!r}"
                continue
            if seen.is_sent:
                self._check_sent(segment)
            elif segment.type is PacketType.ACK and (segment.extension is not None or not self._is_ours):
                self._is_ours = self._is_ours or segment.extension is not None
                window = 10_240 if segment.window is None else segment.window
                self._limit = max(self._limit, segment.number - self._isn - 1 + window)
        assert len(set(self.packet_numbers)) == len(self.packet_numbers), f"{self._why}: a packet number used twice"
        return self

    def _check_sent(self, segment: Segment) -> None:
        if segment.type is PacketType.SYN:
            self._check_syn(segment)
            return
        offset = segment.number - self._isn - 1
        if segment.extension is not None and segment.extension.packet_number is not None:
            self.packet_numbers.append(segment.extension.packet_number)
        assert self._is_ours == (segment.extension is not None), self._why
        if segment.type is PacketType.DAT:
            stop = offset + len(segment.payload)
            assert bytes(segment.payload) == self._data[offset:stop] != b"", self._why
            is_probe = offset == self._limit and stop == offset + 1  # of a closed window (RFC 9293 §3.8.6.1)
            assert stop <= self._limit or is_probe, f"{self._why}: {stop} is beyond the window's end {self._limit}"
        elif segment.type is PacketType.FIN:
            assert offset == len(self._data), self._why
            if segment.extension is not None:
                assert segment.extension.digest == hashlib.sha256(self._data).digest(), self._why

    def _check_syn(self, segment: Segment) -> None:
        assert self._isn in (-1, segment.number), self._why
        self._isn = segment.number
        assert (segment.offer is None) == self._is_plain, self._why
        if segment.offer is not None:
            self._key = text.session_key(segment.offer.session)
            assert segment.offer.size == len(self._data), self._why
            self.packet_numbers.append(segment.offer.packet_number)
