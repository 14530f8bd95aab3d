"""How a wider path is seen, and filled. Segments of 1,000 bytes, 50 ms, and a rate of 8 Mbit/s before."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from surewire.core.congestion.base import PhaseOutcome
from surewire.core.congestion.widening import Widening, WiderPath
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S as S
from tests.unit.core.congestion.make_round import make_round
from tests.unit.core.makers import make_sample

SEGMENT = 1000
RTT = 50 * MS
FULL = 1_000_000  # bytes a second
WINDOW = 50 * SEGMENT  # that is what a round trip takes at that rate


@dataclass
class Growing:
    """Rounds of a window that grows by a twentieth in each; `gain` is what arrives, of what the path delivered."""

    full: int = FULL
    loss: float = 0.0
    jitter: int = 0

    def __post_init__(self) -> None:
        self.signs = WiderPath()
        self.signs.on_full(self.full)
        self.now = S
        self.window = WINDOW
        self.rounds = 0

    def round(self, gain: float, *, rtt: int = RTT) -> bool:
        acked = int(gain * FULL * rtt / S)
        is_seen = self.signs.is_seen(
            self.window,
            make_round(acked, int(acked * self.loss), rtt=rtt),
            now=self.now,
            rounds=self.rounds,
            base=RTT,
            bearable=3 * MS,
            segments=acked / SEGMENT,
            loss=self.loss,
            jitter=self.jitter,
        )
        self.now += rtt
        self.rounds += 1
        self.window += self.window // 20
        return is_seen


def test_more_than_the_full_path_delivered_is_of_a_wider_one() -> None:
    growing = Growing()
    assert [growing.round(1.1) for _ in range(4)] == [False, False, False, True]


def test_as_much_is_not() -> None:
    growing = Growing()
    assert not any(growing.round(1.0) for _ in range(10))


def test_one_round_may_have_an_acknowledgment_more_than_the_next() -> None:
    growing = Growing()
    assert not any(growing.round(gain) for gain in (1.1, 0.95) * 5)


def test_where_there_is_a_queue_it_may_be_anybodys_turn_to_have_more() -> None:
    growing = Growing()
    assert not any(growing.round(1.2, rtt=RTT + 4 * MS) for _ in range(10))


def test_what_was_before_a_queue_does_not_count() -> None:
    growing = Growing()
    seen = [growing.round(1.2, rtt=RTT + 4 * MS * (number == 3)) for number in range(7)]
    assert seen == [False] * 6 + [True]


@pytest.mark.parametrize("full", [0, 2 * FULL])
def test_who_did_not_see_the_path_full_or_delivering_that_cannot_tell(full: int) -> None:
    growing = Growing(full=full)
    assert not any(growing.round(1.2) for _ in range(10))


def test_a_cut_begins_it_anew() -> None:
    growing = Growing()
    for _ in range(3):
        growing.round(1.2)
    growing.signs.begin()
    assert not growing.round(1.2)


def seconds_until_seen(growing: Growing) -> float:
    """With more than the full path delivered in each round."""
    began = growing.now
    growing.signs.begin()
    while not growing.round(1.2):
        if growing.window > 2 * WINDOW:  # cut for a queue
            growing.window = WINDOW
            growing.signs.begin()
    return (growing.now - began) / S


def test_who_was_wrong_waits_longer_each_time() -> None:
    """Of flows that share a path one yields, and another one has more for a moment."""
    growing = Growing()
    for least in (8, 16, 32, 64, 64):
        growing.signs.on_filled(before=WINDOW, found=WINDOW * 14 // 10, now=growing.now)
        assert least <= seconds_until_seen(growing) < least + 1


def test_who_was_right_does_not() -> None:
    growing = Growing()
    growing.signs.on_filled(before=WINDOW, found=WINDOW, now=growing.now)
    seconds_until_seen(growing)
    growing.signs.on_filled(before=WINDOW, found=2 * WINDOW, now=growing.now)
    assert seconds_until_seen(growing) < 1


@pytest.mark.parametrize(("loss", "jitter"), [(0.1, 0), (0.0, 10 * MS)])
def test_where_chance_may_be_the_reason_more_is_waited_for(loss: float, jitter: int) -> None:
    growing = Growing(loss=loss, jitter=jitter)
    assert not any(growing.round(1.1) for _ in range(10))
    assert growing.round(1.4) or growing.round(1.4)


class Filling:
    """Acknowledgments of a segment each, one in a millisecond."""

    def __init__(self) -> None:
        self.widening = Widening(WINDOW, now=0)
        self.now = 0
        self.sent = 0

    def grown(
        self,
        ms: int,
        *,
        rtt: int = RTT,
        every: int = MS,
        in_flight: int = 2 * WINDOW,
        is_app_limited: bool = False,
    ) -> int:
        """By how much the window grew in so many milliseconds."""
        grown = 0
        end = self.now + ms * MS
        while self.now < end:
            self.now += every
            self.sent += SEGMENT
            self.widening.on_rtt(rtt)
            sample = make_sample(
                now=self.now,
                rate=FULL,
                sent=self.sent,
                is_app_limited=is_app_limited,
                bytes_in_flight=in_flight,
                outcomes=[PhaseOutcome(0, SEGMENT, 0)],
            )
            grown += self.widening.growth(
                sample, window=2 * WINDOW, base=RTT, bearable=5 * MS, loss=0.0, segment=SEGMENT
            )
        return grown


def test_each_answer_to_the_doubled_window_adds_what_it_acknowledges() -> None:
    filling = Filling()
    assert filling.grown(49) == 0
    assert filling.grown(20) == 20 * SEGMENT


def test_an_application_that_has_nothing_to_send_does_not_raise_the_window() -> None:
    filling = Filling()
    assert filling.grown(80, is_app_limited=True) == 0


def test_who_has_little_on_the_way_does_not_raise_it_either() -> None:
    """As where the peer's window is the limit."""
    filling = Filling()
    assert filling.grown(80, in_flight=WINDOW - 2 * SEGMENT) == 0


def test_a_queue_ends_it_and_the_acknowledgments_tell_what_the_path_delivers() -> None:
    filling = Filling()
    filling.grown(60)
    filling.grown(10, rtt=RTT + 6 * MS, every=MS // 4)
    assert filling.widening.is_over
    assert filling.widening.window(1000 * SEGMENT, base=RTT) == pytest.approx(4 * WINDOW, rel=0.05)


def test_a_single_late_round_trip_is_no_queue() -> None:
    filling = Filling()
    filling.grown(60)
    filling.grown(1, rtt=RTT + 60 * MS)
    assert not filling.widening.is_over


def test_the_window_is_never_more_than_was_reached_nor_less_than_it_began_with() -> None:
    filling = Filling()
    filling.grown(60, every=MS // 4)
    assert filling.widening.window(2 * WINDOW, base=RTT) == 2 * WINDOW
    assert Widening(WINDOW, now=0).window(2 * WINDOW, base=RTT) == WINDOW
