"""What a side takes of the peer's stream, and what it refuses."""

from __future__ import annotations

import pytest

from surewire.core.config import TransportConfig
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.incoming import IncomingStream


def stream(
    *, window: int = 1_000, limit: int = 100, gaps: int = 10, pipelining: Pipelining = Pipelining.SELECTIVE_REPEAT
) -> IncomingStream:
    transport = TransportConfig(receive_window=window, max_gaps=gaps)
    return IncomingStream(StreamerConfig(receive_buffer=limit, pipelining=pipelining, transport=transport))


def take(incoming: IncomingStream, start: int, payload: bytes, *, is_last: bool = False) -> bool:
    return incoming.take(start, payload, is_last=is_last)


def test_bytes_are_read_in_order() -> None:
    incoming = stream()
    assert take(incoming, 3, b"def")
    assert (incoming.unread, incoming.read()) == (0, b"")
    assert take(incoming, 0, b"abc")
    assert (incoming.unread, incoming.read(), incoming.unread) == (6, b"abcdef", 0)


def test_repeats_are_taken_and_change_nothing() -> None:
    incoming = stream()
    assert take(incoming, 0, b"abc") and incoming.read() == b"abc"
    assert take(incoming, 0, b"xyz") and take(incoming, 1, b"zz")
    assert incoming.unread == 0
    assert take(incoming, 1, b"bcde") and incoming.read() == b"de"


def test_it_is_full_at_its_limit_but_takes_what_is_on_its_way() -> None:
    incoming = stream(limit=10)
    for start, size, is_full in ((0, 9, False), (9, 50, True)):
        assert take(incoming, start, bytes(size))
        assert incoming.is_full is is_full
    assert len(incoming.read()) == 59
    assert [incoming.is_full] == [False]


def test_what_is_unread_never_exceeds_limit_and_window() -> None:
    incoming = stream(limit=100, window=1_000)
    taken = 0
    while taken < 5_000 and take(incoming, taken, bytes(100)):
        taken += 100
    assert taken == 1_100
    assert not take(incoming, taken, b"x")
    incoming.read()
    assert take(incoming, taken, bytes(100))


@pytest.mark.parametrize(
    ("start", "size", "is_taken"), [(0, 1_000, True), (0, 1_001, False), (999, 1, True), (1_000, 1, False)]
)
def test_nothing_beyond_the_window_is_taken(start: int, size: int, is_taken: bool) -> None:
    assert take(stream(), start, bytes(size)) is is_taken


def test_no_more_holes_than_may_be_kept() -> None:
    incoming = stream(gaps=3)
    assert [take(incoming, start, b"x") for start in (2, 4, 6, 8)] == [True, True, True, False]
    assert take(incoming, 7, b"x")  # beside what is there: no new hole
    assert take(incoming, 0, bytes(2))
    assert take(incoming, 9, b"x")


def test_the_end_is_believed_unless_it_contradicts_what_is_known() -> None:
    incoming = stream()
    assert take(incoming, 5, b"f", is_last=True)
    assert not take(incoming, 5, b"fg", is_last=True)  # another end
    assert not take(incoming, 5, b"", is_last=True)
    assert not take(incoming, 6, b"g")  # behind the end
    assert [incoming.books.is_complete] == [False]
    assert take(incoming, 0, b"abcde")
    assert [incoming.books.is_complete] == [True]
    assert take(incoming, 5, b"f", is_last=True)
    assert take(incoming, 6, b"", is_last=True)
    assert incoming.read() == b"abcdef"


def test_an_end_before_bytes_that_came_is_refused() -> None:
    incoming = stream()
    assert take(incoming, 5, b"f")
    assert not take(incoming, 0, b"ab", is_last=True)
    assert not take(incoming, 3, b"", is_last=True)
    assert incoming.books.size is None


def test_an_end_alone_beyond_the_window_is_not_kept() -> None:
    incoming = stream(window=1_000, limit=100)
    assert not take(incoming, 5_000, b"", is_last=True)
    assert incoming.books.size is None


def test_an_empty_stream_ends_at_once() -> None:
    incoming = stream()
    assert take(incoming, 0, b"", is_last=True)
    assert incoming.books.is_complete


def test_go_back_n_takes_only_what_is_next() -> None:
    incoming = stream(pipelining=Pipelining.GO_BACK_N)
    assert not take(incoming, 3, b"def")
    assert not take(incoming, 3, b"", is_last=True)
    assert take(incoming, 0, b"abc") and take(incoming, 0, b"abc")
    assert take(incoming, 3, b"def", is_last=True)
    assert incoming.read() == b"abcdef"
