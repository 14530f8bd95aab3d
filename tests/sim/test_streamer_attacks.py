"""Streamer against peers and packets that no honest network brings, and against modes that ask seldom."""

from __future__ import annotations

import random

from surewire.core.state import State
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import IdleTimeout
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import ClassroomPair, Player, streamer_session
from surewire.lab.simulated.workloads import Finish, Script, Workload, Write, bulk
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.wire import compact

PEER = ("127.0.0.1", 8001)


def deliver(source: StreamerSession, destination: StreamerSession, now: int) -> list[bytes]:
    packets = []
    while (train := source.poll_transmit(now=now)) is not None:
        for packet in train.datagrams():
            packets.append(bytes(packet))
            destination.handle_datagrams(packet, len(packet), PEER, now=now)
    return packets


def talk(a: StreamerSession, b: StreamerSession, now: int, *, turns: int) -> int:
    """Let 10 ms pass in each turn, and all packets arrive; return the time then."""
    for _ in range(turns):
        now += 10 * NS_PER_MS
        for one, other in ((a, b), (b, a)):
            deadline = one.poll_timeout()
            if deadline is not None and deadline <= now:
                one.handle_timeout(now=now)
            deliver(one, other, now)
    return now


def test_two_sides_that_have_closed_end_although_nobody_reads() -> None:
    """One closes without reading, the other has more for it than the buffers hold: neither may wait for ever."""
    config = StreamerConfig(receive_buffer=100_000, send_buffer=50_000)
    closer = Workload(application=Script(Finish()), reads=[], expected=b"")
    writer = Workload(application=Script(Write([bytes(300_000)]), Finish()), reads=[], expected=b"")
    pair = ClassroomPair(
        ClassroomConfig(),
        Player(workload=closer, make_session=streamer_session(config)),
        Player(workload=writer, make_session=streamer_session(config)),
        seed=1,
    )
    outcome = pair.run(120 * NS_PER_S)
    assert outcome.host1.closed_at is not None and outcome.host1.note is not None
    assert outcome.host2.closed_at is not None and isinstance(outcome.host2.error, IdleTimeout)


def test_one_guessed_nonce_is_not_enough_to_disturb() -> None:
    """A SYN without acknowledgment states one nonce only; once the peer knows us it cannot be the peer's latest."""
    now = NS_PER_S
    a, b = (StreamerSession(PEER, rng=random.Random(seed), now=now) for seed in (1, 2))
    a.write(b"before", now=now)
    a.flush(now=now)
    opening = deliver(a, b, now)[0]
    nonce = compact.peek_nonce(opening)
    assert nonce is not None
    b.write(b"answer", now=now)
    b.flush(now=now)
    now = talk(a, b, now, turns=50)
    assert (b.read(), a.read()) == (b"before", b"answer")

    forged = compact.Packet(number=(1 << 31) - 5, nonce=nonce, full=True)
    packet = compact.emit(forged, sender_nonce=nonce, receiver_nonce=0, wide=True)
    b.handle_datagrams(packet, len(packet), PEER, now=now)
    a.write(b"behind", now=now)
    a.finish(now=now)
    b.finish(now=now)
    talk(a, b, now, turns=500)
    assert b.read() == b"behind"
    assert (a.state, b.state) == (State.CLOSED, State.CLOSED)


def test_modes_without_pings_end_well_on_a_lossy_path() -> None:
    """A lost acknowledgment makes their timeouts long, longer than a grace period made for pings."""
    failed = []
    for mode in (Pipelining.STOP_AND_WAIT, Pipelining.GO_BACK_N):
        make_session = streamer_session(StreamerConfig(pipelining=mode))
        for seed in range(200, 1000):
            workload1, workload2 = bulk(bytes(3_000), bytes(100))
            pair = ClassroomPair(
                ClassroomConfig(loss=0.3),
                Player(workload=workload1, make_session=make_session),
                Player(workload=workload2, make_session=make_session),
                seed=seed,
            )
            outcome = pair.run(300 * NS_PER_S)
            if not outcome.is_success:
                failed.append((mode, seed, outcome.host1.error, outcome.host2.error))
    assert not failed
