"""Bytes that arrived: in order for whoever reads, anywhere for a sink, never beyond the window."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from surewire.core.trains import Buffer
from surewire.errors import DestinationError, LocalProtocolError
from surewire.native.config import DEFAULT_TRANSPORT
from surewire.native.incoming import Incoming
from surewire.transfer.files import MemorySink

DATA = random.Random(1).randbytes(100_000)
WINDOW = 10_000


def make(**limits: int) -> Incoming:
    return Incoming(replace(DEFAULT_TRANSPORT, **{"receive_window": WINDOW, **limits}))  # type: ignore[arg-type]


def give(incoming: Incoming, start: int, stop: int, *, is_last: bool = False, cuts: Sequence[int] = ()) -> bool:
    edges = [start, *cuts, stop]
    pieces = [DATA[low:high] for low, high in zip(edges, edges[1:], strict=False)]
    return incoming.take(start, stop, pieces, is_last=is_last)


def test_pieces_come_out_in_order_whatever_order_they_came_in() -> None:
    incoming = make()
    assert give(incoming, 500, 900, cuts=[600, 650]) and give(incoming, 1_000, 1_500)
    assert (incoming.readable, incoming.position, incoming.held) == (0, 0, 1_500)
    assert give(incoming, 0, 500)
    assert (incoming.readable, incoming.position) == (900, 900)
    assert give(incoming, 850, 1_100, cuts=[900])  # partly known
    assert incoming.read(700) == DATA[:700]
    buffer = bytearray(2_000)
    assert incoming.read_into(memoryview(buffer)) == 800 and buffer[:800] == DATA[700:1_500]
    assert incoming.read(1) == b"" and incoming.held == 0


def test_the_window_follows_the_reader_and_never_moves_back() -> None:
    incoming, limits = make(), []
    assert not give(incoming, 0, WINDOW + 1) and not give(incoming, WINDOW, WINDOW + 1)
    assert give(incoming, 0, WINDOW)
    for most in (1, 4_000, 10_000):
        incoming.read(most)
        limits.append(incoming.limit)
    assert limits == [WINDOW + 1, WINDOW + 4_001, 2 * WINDOW]
    assert give(incoming, 0, 5_000)  # long read: a copy
    assert incoming.readable == 0 and incoming.held == 0


def test_what_goes_into_a_sink_has_eight_windows_and_takes_no_memory() -> None:
    incoming, sink, limits = make(), MemorySink(), [0]
    assert give(incoming, 0, 1_000)
    incoming.divert(sink, 90_000)
    for start in (80_999, *range(1_000, 80_000, 1_000)):
        assert not give(incoming, incoming.limit, incoming.limit + 1)
        assert give(incoming, start, start + 1_000 if start < 80_000 else start + 1)
        assert incoming.held == 0
        limits.append(incoming.limit)
    assert limits[1:10] == [81_000, 82_000, 83_000, 84_000, 85_000, 86_000, 87_000, 88_000, 89_000]
    assert limits[10:] == sorted(limits[10:]) and limits[-1] == 90_000
    assert give(incoming, 80_000, 81_000)
    assert incoming.limit == 91_000  # what comes behind the sink waits in memory, so it has one window
    assert give(incoming, 90_000, 91_000) and incoming.held == WINDOW
    assert sink.data[:80_000] == DATA[:80_000]


def test_the_edge_does_not_move_back_when_a_sink_is_given_up() -> None:
    incoming = make()
    incoming.divert(MemorySink(), 50_000)
    assert give(incoming, 0, 5_000)
    before = incoming.limit
    incoming.discard()
    assert incoming.limit == before == 50_000
    assert give(incoming, 40_000, 50_000) and incoming.held == 0


def test_the_end_is_where_it_was_said_to_be() -> None:
    incoming = make()
    assert give(incoming, 500, 1_000, is_last=True)
    assert incoming.position == 0
    assert not give(incoming, 900, 1_001) and not give(incoming, 1_200, 1_200, is_last=True)
    assert not give(incoming, 400, 600, is_last=True)
    assert give(incoming, 500, 1_000, is_last=True) and give(incoming, 1_000, 1_000, is_last=True)
    assert give(incoming, 0, 500)
    assert incoming.books.is_complete and incoming.position == 1_001


def test_an_end_needs_no_window() -> None:
    incoming = make()
    assert give(incoming, 0, WINDOW)
    assert give(incoming, WINDOW, WINDOW, is_last=True)
    assert incoming.position == WINDOW + 1


def test_holes_are_limited_but_the_next_byte_is_always_taken() -> None:
    incoming = make(max_gaps=3)
    taken = [give(incoming, at, at + 10) for at in range(100, 1_000, 100)]
    assert taken == [True] * 3 + [False] * 6
    assert give(incoming, 110, 120)  # makes no new hole
    assert give(incoming, 0, 100)
    assert incoming.position == 120


@pytest.mark.parametrize("seed", range(8))
def test_a_sink_takes_its_part_and_what_follows_is_read(seed: int) -> None:
    rng = random.Random(seed)
    incoming, sink = make(), MemorySink()
    start, length = rng.randrange(3_000), rng.randrange(1, 40_000)
    pieces = [(at, min(at + 700, 60_000)) for at in range(0, 60_000, 700)]
    read, is_diverted, rest = bytearray(), False, pieces
    while rest:
        batch = [piece for piece in rest if piece[1] <= incoming.limit]
        if not batch:
            read += incoming.read(100_000)
            batch = [piece for piece in rest if piece[1] <= incoming.limit]
        low, high = rng.choice(batch)
        low, high = max(low - rng.randrange(200), 0), high
        assert give(incoming, low, high, cuts=[(low + high) // 2])
        rest = [piece for piece in rest if not low <= piece[0] < piece[1] <= high]
        if not is_diverted and incoming.readable >= start:
            read += incoming.read(start)
            incoming.divert(sink, length)
            is_diverted = True
        elif is_diverted and rng.random() < 0.5:
            read += incoming.read(rng.randrange(5_000))
        assert incoming.held <= WINDOW
    assert incoming.diverted_left == 0
    read += incoming.read(100_000)
    assert sink.data == DATA[start : start + length]
    assert read == DATA[:start] + DATA[start + length : 60_000]


def test_one_sink_after_another() -> None:
    incoming, first, second = make(), MemorySink(), MemorySink()
    give(incoming, 0, 1_000)
    give(incoming, 2_000, 3_000)
    incoming.divert(first, 1_500)
    assert (incoming.diverted_left, incoming.readable, incoming.read(9)) == (500, 0, b"")
    with pytest.raises(LocalProtocolError):
        incoming.divert(second, 10)
    give(incoming, 1_000, 2_000)
    assert incoming.readable == 1_500
    incoming.divert(second, 1_000)
    assert incoming.read(1_000) == DATA[2_500:3_000]
    assert first.data == DATA[:1_500] and second.data == DATA[1_500:2_500]


def test_an_empty_sink_changes_nothing() -> None:
    incoming = make()
    incoming.divert(MemorySink(), 0)
    give(incoming, 0, 100)
    assert incoming.read(100) == DATA[:100]


def test_a_sink_may_wait_for_more_than_the_stream_has() -> None:
    incoming, sink = make(), MemorySink()
    incoming.divert(sink, 5_000)
    give(incoming, 0, 100, is_last=True)
    assert incoming.books.is_complete and incoming.diverted_left == 4_900 and sink.data == DATA[:100]


def test_what_is_thrown_away_opens_the_window() -> None:
    incoming = make()
    give(incoming, 0, 500)
    give(incoming, 600, 700)
    incoming.discard()
    assert (incoming.readable, incoming.limit) == (0, 500 + WINDOW)
    give(incoming, 500, 600)
    give(incoming, 700, 10_000)
    assert (incoming.position, incoming.readable, incoming.held) == (10_000, 0, 0)
    assert incoming.limit == 10_000 + WINDOW


class Full:
    """A disk without room."""

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        raise DestinationError("full")


def test_a_sink_that_cannot_take_what_is_there_is_not_taken() -> None:
    incoming = make()
    give(incoming, 0, 500)
    with pytest.raises(DestinationError):
        incoming.divert(Full(), 1_000)
    assert incoming.diverted_left == 0 and incoming.read(500) == DATA[:500]
    incoming.divert(Full(), 1_000)
    with pytest.raises(DestinationError):
        give(incoming, 500, 600)
