"""Every world of the explorer within a small bound; the larger one is `surewire sim explore` by hand.

Both protocols, with settings under which they have to fail, show that the worlds' judges see it.
"""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.lab.proof import explore_rdp, explore_streamer
from surewire.lab.proof.explore_rdp import OURS, SEGMENTS_2
from surewire.lab.proof.explore_room import Room, Seat
from surewire.lab.proof.explore_snapshots import Snapshots
from surewire.lab.proof.explore_streamer import StreamingActor, pair, streams
from surewire.lab.proof.explorer import Budget, World, explore
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import StreamerConfig

SMALL = Budget(packets=4, faults=1, waits=1, swaps=1)
TINY = Budget(packets=3, faults=1, waits=1, swaps=1)
GIVEN_UP = {"refused", "plain-refused", "aborted", "plain-aborted", "abort"}

RDP = explore_rdp.WORLDS
STREAMER = explore_streamer.WORLDS


def name(world: World) -> str:
    return world.name


@pytest.mark.parametrize("world", RDP, ids=name)
def test_rdp(world: World) -> None:
    check(world, SMALL, "sender well; receiver well")


@pytest.mark.parametrize("world", STREAMER, ids=name)
def test_streamer(world: World) -> None:
    check(world, TINY, "side 0 well; side 1 well")


def check(world: World, budget: Budget, well: str) -> None:
    report = explore(world, budget)
    assert report.violation is None
    assert report.is_complete
    assert report.states > 10
    if world.name not in GIVEN_UP:
        assert set(report.outcomes) == {well}
    assert report.longest <= world.deadline


def test_names_are_unique() -> None:
    for worlds in (RDP, STREAMER):
        assert len({world.name for world in worlds}) == len(worlds)


@pytest.mark.parametrize("world", [*RDP, *STREAMER], ids=name)
def test_sessions_go_on_from_a_snapshot_as_if_nothing_had_happened(world: World) -> None:
    room, snapshots = world.open(), Snapshots()
    copy = snapshots.restore(snapshots.take(room), now=room.now)
    for _ in range(1_000):
        assert (copy.now, copy.on_way, copy.is_over) == (room.now, room.on_way, room.is_over)
        if room.is_over:
            break
        room.step()
        copy.step()
        copy = snapshots.restore(snapshots.take(copy), now=copy.now)
    assert room.is_over
    assert world.outcome(copy) == world.outcome(room)


# What must be found.


def problem(world: World, budget: Budget) -> str:
    violation = explore(world, budget).violation
    assert violation is not None
    return violation.problem


def test_a_receiver_that_does_not_linger_is_found() -> None:
    """One lost packet is enough: the ACK of the FIN."""
    hasty = RdpConfig(transport=TransportConfig(linger=1))
    world = explore_rdp.transfer("hasty", "", SEGMENTS_2, sender=OURS, receiver=hasty)
    assert explore(world, Budget(8, 0, 0, 0)).is_complete
    assert "Unconfirmed" in problem(world, Budget(8, 1, 0, 0))


def test_a_receiver_that_stores_too_little_is_found() -> None:
    room = explore_rdp.WORLDS[2].open()
    check_room = explore_rdp.false_claim(SEGMENTS_2)
    sink = explore_rdp.sides(room)[1].sink
    while sink.committed is None:
        assert check_room(room) is None
        room.step()
    sink.committed = SEGMENTS_2[:-1]
    assert check_room(room) == f"the receiver stored {len(SEGMENTS_2) - 1} bytes that are not the file"


def test_a_streamer_that_does_not_wait_for_the_peer_is_found() -> None:
    config = StreamerConfig(peer_close_timeout=1)
    world = streams("hasty", "", pair(b"ping", b"pong", config=config))
    assert explore(world, Budget(8, 0, 0, 0)).is_complete
    assert "ended with IdleTimeout" in problem(world, Budget(8, 1, 0, 0))


def test_a_streamer_that_reads_what_was_not_written_is_found() -> None:
    room = Room(Seat(StreamingActor(0, b"ping")), Seat(StreamingActor(1, b"pong")))
    second = explore_streamer.sides(room)[1]
    while not second.got:
        assert explore_streamer.false_claim(room) is None
        room.step()
    second.got = b"pang"
    assert "side 1 read b'pang'" in str(explore_streamer.false_claim(room))
    second.got = b""
    assert "side 1 read" not in str(explore_streamer.false_claim(room))
