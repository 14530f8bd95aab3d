"""Short conversations with each packet lost, each two, and six in a row: every step of opening and closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ClassroomConfig, Delivery
from surewire.lab.simulated.streamer_simulation import ClassroomPair, Player, StreamerOutcome, streamer_session
from surewire.lab.simulated.workloads import Finish, Read, Script, Together, Workload, Write, bulk, ping_pong
from surewire.streamer.config import Pipelining, StreamerConfig

Shape = Callable[[], tuple[Workload, Workload]]
Drops = tuple[frozenset[int], frozenset[int]]


class Dropping:
    """A link that loses the datagrams with these indices and delivers the others 20 ms later."""

    def __init__(self, lost: frozenset[int]) -> None:
        self.seen = 0
        self._lost = lost

    def transmit(self, datagram: bytes, *, now: int) -> list[Delivery]:
        self.seen += 1
        return [] if self.seen - 1 in self._lost else [Delivery(now + 20 * NS_PER_MS, datagram)]


def close_in_turn() -> tuple[Workload, Workload]:
    """Host 2 closes only when it has seen the end of host 1's stream."""
    reads = [Read(), Read()]
    return (
        Workload(application=Script(Write([b"bye"]), Finish(), reads[0]), reads=[reads[0]], expected=b"too"),
        Workload(application=Script(reads[1], Write([b"too"]), Finish()), reads=[reads[1]], expected=b"bye"),
    )


def silent_and_talking() -> tuple[Workload, Workload]:
    """Host 1 finishes at once and then only listens."""
    reads = [Read(), Read()]
    pieces = [bytes([i]) * 500 for i in range(6)]
    return (
        Workload(application=Together(Finish(), reads[0]), reads=[reads[0]], expected=b"".join(pieces)),
        Workload(application=Script(Write(pieces), Finish(), reads[1]), reads=[reads[1]], expected=b""),
    )


SHAPES: dict[str, Shape] = {
    "nothing": lambda: bulk(b"", b""),
    "both close at once": lambda: bulk(b"to host 2", b"to host 1"),
    "one way": lambda: bulk(bytes(range(256)) * 12, b""),
    "ping-pong": lambda: ping_pong(3),
    "close in turn": close_in_turn,
    "silent and talking": silent_and_talking,
}


def converse(shape: Shape, drops: Drops, config: StreamerConfig) -> tuple[StreamerOutcome, tuple[int, int]]:
    """Run one; return also how many datagrams each side sent."""
    players = [Player(workload=workload, make_session=streamer_session(config)) for workload in shape()]
    pair = ClassroomPair(ClassroomConfig(), players[0], players[1], seed=1)
    links = Dropping(drops[0]), Dropping(drops[1])
    pair.network.connect(pair.hosts[0], pair.hosts[1], links[0])
    pair.network.connect(pair.hosts[1], pair.hosts[0], links[1])
    return pair.run(120 * NS_PER_S), (links[0].seen, links[1].seen)


def fates(counts: tuple[int, int]) -> Iterator[Drops]:
    """Each packet of an undisturbed run, each two, and each six in a row of one side or both."""
    packets = [(side, index) for side in (0, 1) for index in range(counts[side])]
    for lost in (*combinations(packets, 1), *combinations(packets, 2)):
        yield tuple(frozenset(index for of, index in lost if of == side) for side in (0, 1))  # type: ignore[misc]
    for start in range(max(counts)):
        gone, nothing = frozenset(range(start, start + 6)), frozenset[int]()
        yield from ((gone, nothing), (nothing, gone), (gone, gone))


@pytest.mark.parametrize("pipelining", list(Pipelining))
@pytest.mark.parametrize("name", list(SHAPES))
def test_no_lost_packet_is_one_too_many(name: str, pipelining: Pipelining) -> None:
    config, nothing = StreamerConfig(pipelining=pipelining), frozenset[int]()
    outcome, counts = converse(SHAPES[name], (nothing, nothing), config)
    assert outcome.is_success, outcome
    for drops in fates(counts):
        outcome, _ = converse(SHAPES[name], drops, config)
        assert outcome.is_success, (drops, outcome)
        assert (outcome.host1.note, outcome.host2.note) == (None, None), (drops, outcome)
