"""What is said at once, in order; and round trips of pings: each once, and only of those that are asked about."""

from __future__ import annotations

from surewire.native.words import Words
from surewire.wire import native_frames as frames

PING, DONE = frames.emit_ping(), frames.emit_done()


def test_words_leave_in_order_once() -> None:
    words = Words()
    words.say(PING)
    words.say(DONE)
    assert [words.poll() for _ in range(3)] == [PING, DONE, b""]


def test_the_answer_to_a_ping_is_a_round_trip_once() -> None:
    words = Words()
    words.on_sent(PING + frames.emit_padding(400), 7, now=100)
    assert words.on_acked(6, now=130) is None
    assert words.on_acked(7, now=130) == 30
    assert words.on_acked(7, now=190) is None  # the acknowledgment again, late


def test_what_asks_for_no_answer_has_none() -> None:
    words = Words()
    words.on_sent(DONE, 1, now=100)
    words.on_sent(b"", 2, now=100)  # an acknowledgment alone
    assert words.on_acked(1, now=130) is words.on_acked(2, now=130) is None


def test_an_answer_in_no_time_is_still_a_round_trip() -> None:
    words = Words()
    words.on_sent(PING, 0, now=100)
    assert words.on_acked(0, now=100) == 1


def test_only_so_many_wait_for_an_answer_and_the_oldest_are_given_up() -> None:
    words = Words()
    for number in range(1_000):
        words.on_sent(PING, number, now=number)
    answered = [number for number in range(1_000) if words.on_acked(number, now=2_000) is not None]
    assert answered == list(range(984, 1_000))
