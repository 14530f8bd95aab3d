"""Sessions under Hypothesis: any path, any size, any window gives the file; any input leaves a session sane."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from surewire.core.config import TransportConfig
from surewire.core.events import Closed, Event
from surewire.core.state import State
from surewire.errors import SurewireError
from surewire.impair import GilbertElliott, LinkConfig
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import text
from surewire.wire.segment import Extension, Offer

MS = 1_000_000
S = 1_000_000_000

rates = st.sampled_from([None, 200_000, 2_000_000, 20_000_000])
probabilities = st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.25])
bursts = st.sampled_from([None, None, GilbertElliott.from_average(0.1, 5)])


@st.composite
def links(draw: st.DrawFn, *, corrupting: bool) -> LinkConfig:
    """One direction of some path."""
    return LinkConfig(
        loss=draw(probabilities),
        duplicate=draw(probabilities),
        reorder=draw(probabilities),
        corrupt=draw(probabilities) if corrupting else 0.0,
        bursts=draw(bursts),
        delay=draw(st.sampled_from([0, 100_000, 5 * MS, 50 * MS, 300 * MS])),
        jitter=draw(st.sampled_from([0, 0, MS, 40 * MS])),
        rate=draw(rates),
        queue=draw(st.sampled_from([8_000, 64_000, 256_000])),
    )


@st.composite
def configs(draw: st.DrawFn, *, plain: bool) -> RdpConfig:
    """Settings a user could choose."""
    return RdpConfig(
        magic=draw(st.sampled_from([b"CSC361", b"C", b"M" * 32])),
        extensions=not plain,
        plain_window=draw(st.sampled_from([700, 3_000, 65_536])),
        plain_payload=draw(st.sampled_from([100, 536, 900, 959])),
        transport=TransportConfig(
            receive_window=draw(st.sampled_from([1_500, 30_000, 16 << 20])),
            max_gaps=draw(st.sampled_from([2, 16, 16_384])),
            max_train=draw(st.sampled_from([1, 7, 44])),
            max_ack_ranges=draw(st.sampled_from([2, 24, 64])),
        ),
    )


sizes = st.one_of(st.integers(0, 3_000), st.integers(0, 40_000))


def check(simulation: RdpSimulation) -> None:
    """Run, and require the file and two successes."""
    simulation.run(limit_s=3_600)
    assert simulation.is_success, f"{simulation.sender_outcome}, {simulation.receiver_outcome}"
    assert simulation.sender_host.max_datagram <= text.MAX_PACKET >= simulation.receiver_host.max_datagram
    assert simulation.sender.packets.data_bytes["s"] == len(simulation.data)
    assert simulation.receiver.packets.data_bytes["r"] >= len(simulation.data) > -1


@settings(max_examples=60)
@given(st.integers(0, 2**32), sizes, links(corrupting=True), links(corrupting=True), configs(plain=False))
def test_any_path_between_two_of_ours(
    seed: int, size: int, forward: LinkConfig, backward: LinkConfig, config: RdpConfig
) -> None:
    check(RdpSimulation(random.Random(seed).randbytes(size), forward, backward, seed=seed, config=config))


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(0, 12_000),
    links(corrupting=False),
    links(corrupting=False),
    configs(plain=True),
    st.booleans(),
    st.booleans(),
)
def test_any_path_with_a_plain_side(
    seed: int,
    size: int,
    forward: LinkConfig,
    backward: LinkConfig,
    config: RdpConfig,
    plain_sender: bool,
    plain_receiver: bool,
) -> None:
    if not (plain_sender or plain_receiver):
        plain_sender = True
    ours = RdpConfig(magic=config.magic, plain_window=config.plain_window, plain_payload=config.plain_payload)
    check(
        RdpSimulation(
            random.Random(seed).randbytes(size),
            forward,
            backward,
            seed=seed,
            config=config if plain_sender else ours,
            receiver_config=config if plain_receiver else ours,
        )
    )


# Sessions against anything.

SESSION = 0x1122334455667788
KEY = text.session_key(SESSION)
numbers = st.one_of(st.integers(0, 3_000), st.sampled_from([0, 1, 999, 1_000, 1_001, 2**31, 2**63, 10**18 - 1]))
received = st.lists(st.integers(0, 60), max_size=8, unique=True).map(
    lambda edges: tuple(zip(sorted(edges, reverse=True)[1::2], sorted(edges, reverse=True)[::2], strict=False))
)
extensions = st.one_of(
    st.none(),
    st.builds(
        Extension,
        packet_number=numbers,
        received=received,
        echo=st.one_of(st.none(), st.integers(0, 60)),
        ack_delay=st.integers(0, 10**9),
        digest=st.sampled_from([None, bytes(32)]),
        reason=st.sampled_from(["", "disk full"]),
    ),
)
keys = st.sampled_from([KEY, KEY, KEY, KEY ^ 1])


def _dat(number: int, data: bytes, extension: Extension | None, key: int) -> bytes:
    if extension is None:
        return text.emit_plain_dat(b"CSC361", number, data)
    packet_number = min(extension.packet_number or 0, 10**17)
    buffers = text.emit_dats(b"CSC361", number, data, segment=1_000, packet_number=packet_number, key=key)
    return b"".join(buffers)


packets = st.one_of(
    st.binary(max_size=60),
    st.builds(
        text.emit_syn,
        st.just(b"CSC361"),
        numbers,
        st.one_of(st.none(), st.builds(Offer, st.just(1), st.sampled_from([SESSION, 7]), numbers, numbers)),
    ),
    st.builds(_dat, numbers, st.binary(min_size=1, max_size=900), extensions, keys),
    st.builds(
        lambda number, window, extension, key: text.emit_ack(b"CSC361", number, window, extension=extension, key=key),
        numbers,
        numbers,
        extensions,
        keys,
    ),
    st.builds(
        lambda number, extension, key: text.emit_fin(b"CSC361", number, extension=extension, key=key),
        numbers,
        extensions,
        keys,
    ),
    st.builds(lambda extension, key: text.emit_rst(b"CSC361", extension=extension, key=key), extensions, keys),
)
addresses = st.sampled_from([SENDER, SENDER, SENDER, (SENDER[0], 1), RECEIVER, ("203.0.113.66", 6)])
steps = st.lists(st.tuples(packets, addresses, st.sampled_from([0, MS, 100 * MS, 10 * S])), max_size=40)


def drive(session: RdpSender | RdpReceiver, inputs: list[tuple[bytes, tuple[str, int], int]], now: int) -> list[Event]:
    """Feed datagrams with pauses, as a driver would; nothing may be raised."""
    events: list[Event] = []
    for datagram, source, pause in inputs:
        now += pause
        deadline = session.poll_timeout()
        if deadline is not None and deadline <= now:
            session.handle_timeout(now=now)
        session.handle_datagrams(datagram, max(len(datagram), 1), source, now=now)
        for _ in range(1_000):
            train = session.poll_transmit(now=now)
            if train is None:
                break
            assert all(0 < len(packet) <= text.MAX_PACKET for packet in train.datagrams())
        else:
            raise AssertionError("it never stops sending")
        while (event := session.poll_event()) is not None:
            events.append(event)
    closed = [event for event in events if isinstance(event, Closed)]
    assert len(closed) == (session.state is State.CLOSED)
    assert not closed or events[-1] is closed[0]
    assert all(event.error is None or isinstance(event.error, SurewireError) for event in closed)
    return events


@given(st.booleans(), steps)
def test_a_receiver_survives_any_packets(ours: bool, inputs: list[tuple[bytes, tuple[str, int], int]]) -> None:
    sink = MemorySink()
    receiver = RdpReceiver(sink, config=RdpConfig(transport=TransportConfig(receive_window=100_000, max_gaps=8)))
    opening = text.emit_syn(b"CSC361", 999, Offer(1, SESSION, 0, 2_000) if ours else None)
    drive(receiver, [(opening, SENDER, 0), *inputs], S)
    assert receiver.contiguous <= receiver.received <= len(sink.data) <= 200_000
    receiver.confirm(now=10**15)
    receiver.abort("over", now=10**15)


@given(st.booleans(), steps)
def test_a_sender_survives_any_packets(ours: bool, inputs: list[tuple[bytes, tuple[str, int], int]]) -> None:
    """The peer may say anything, even with the right checksum: bytes never sent are never taken as acknowledged."""
    sender = RdpSender(MemorySource(bytes(20_000)), SENDER, rng=_Chosen(), now=S)
    extension = Extension(received=((0, 1),)) if ours else None
    opening = text.emit_ack(b"CSC361", 1_000, 2_000, extension=extension, key=KEY)
    drive(sender, [(opening, SENDER, MS), *inputs], S)
    assert 0 <= sender.acked_bytes <= 20_000
    sender.abort("over", now=10**15)


class _Chosen(random.Random):
    """Chooses the initial sequence number 999 and the session of the packets above."""

    def randrange(self, *args: int) -> int:  # type: ignore[override]
        return 999

    def getrandbits(self, k: int) -> int:
        return SESSION
