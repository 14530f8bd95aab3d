"""What of the written bytes may be sent, step by step on a scoreboard."""

from __future__ import annotations

from surewire.core.scoreboard import Scoreboard
from surewire.core.timers import Timer, TimerTable
from surewire.streamer.config import StreamerConfig
from surewire.streamer.outgoing import OutgoingStream

SEGMENT = 100
DELAY = 20_000_000


class Stream:
    """An outgoing stream; `release` says how far it may be sent."""

    def __init__(self, *, nagle: bool = True, send_buffer: int = 1_000) -> None:
        self.board = Scoreboard(None)
        self.board.end_rides = True
        self.timers = TimerTable()
        config = StreamerConfig(nagle=nagle, send_buffer=send_buffer, coalesce_delay=DELAY)
        self.stream = OutgoingStream(self.board, self.timers, config, segment=SEGMENT)

    def release(self, *, is_idle: bool = False, now: int = 0) -> int:
        self.stream.release(is_idle=is_idle, now=now)
        return self.board.size

    def send(self, stop: int) -> None:
        self.board.on_sent(self.board.next_offset, stop)

    @property
    def held_until(self) -> int | None:
        return self.timers.deadline(Timer.COALESCE)


def test_whole_segments_are_counted_from_what_was_sent() -> None:
    stream = Stream()
    stream.stream.write(bytes(250))
    assert stream.release() == 200
    stream.send(200)
    stream.stream.write(bytes(49))
    assert stream.release() == 200
    stream.stream.write(bytes(1))
    assert stream.release() == 300


def test_a_rest_that_was_flushed_shifts_the_segments_after_it() -> None:
    stream = Stream()
    stream.stream.write(bytes(30))
    stream.stream.flush()
    assert stream.release() == 30
    stream.send(30)
    stream.stream.write(bytes(99))
    assert stream.release() == 30
    stream.stream.write(bytes(1))
    assert stream.release() == 130


def test_the_moment_runs_from_the_first_held_byte_of_an_idle_connection() -> None:
    stream = Stream()
    stream.stream.write(b"x")
    stream.release(is_idle=True, now=5)
    stream.stream.write(b"x")
    stream.release(is_idle=True, now=9)
    assert stream.held_until == 5 + DELAY
    stream.release(is_idle=False, now=10)
    assert stream.timers.next_deadline() is None
    stream.stream.flush()
    stream.release(is_idle=True, now=11)
    assert (stream.board.size, stream.timers.next_deadline()) == (2, None)


def test_what_is_released_is_never_taken_back() -> None:
    stream = Stream()
    stream.stream.write(bytes(300))
    assert stream.release() == 300
    stream.send(100)
    stream.stream.write(bytes(10))
    assert stream.release() == 300


def test_the_end_is_told_once_everything_is_released() -> None:
    stream = Stream()
    stream.stream.write(bytes(130))
    stream.release()
    assert [stream.board.is_finished, stream.stream.room] == [False, 870]
    stream.stream.finish()
    assert stream.release() == 130
    assert [stream.board.is_finished, stream.stream.room] == [True, 0]


def test_without_nagle_a_write_is_released_when_the_one_before_was_sent() -> None:
    stream = Stream(nagle=False)
    for size in (30, 250, 5):
        stream.stream.write(bytes(size))
    stream.stream.finish()
    for size, sent in ((30, 30), (280, 130), (280, 280), (285, 285)):
        assert stream.release() == size
        assert stream.board.is_finished is (size == 285)
        stream.send(sent)


def test_a_write_that_had_no_room_ends_where_it_was_cut() -> None:
    stream = Stream(nagle=False, send_buffer=50)
    assert [stream.stream.write(bytes(40)), stream.stream.write(bytes(40)), stream.stream.write(bytes(40))] == [
        40,
        10,
        0,
    ]
    assert stream.release() == 40
    stream.send(40)
    assert stream.release() == 50


def test_what_is_acknowledged_makes_room_and_the_end_mark_is_no_byte() -> None:
    stream = Stream(send_buffer=100)
    stream.stream.write(bytes(range(100)))
    stream.stream.finish()
    stream.release()
    stream.send(101)
    assert stream.stream.get(30, 33) == bytes((30, 31, 32))
    stream.board.on_acked(0, 101)
    stream.stream.discard_acked()
    assert stream.stream.written == 100
