"""The pacer by hand: the first burst, the long run, and what a pause is worth."""

from __future__ import annotations

from surewire.core.pacer import Pacer
from surewire.core.units import NS_PER_MS, NS_PER_S

SEGMENT = 1000
RATE = 1_000_000  # a byte a microsecond


def test_the_first_ten_segments_may_leave_at_once() -> None:
    assert Pacer(segment=SEGMENT, now=5).allowance(RATE, now=5) == 10 * SEGMENT  # RFC 9002 §7.7


def test_a_pause_earns_one_bucket_and_no_more() -> None:
    after_a_second = Pacer(segment=SEGMENT, now=0).allowance(RATE, now=NS_PER_S)
    after_an_hour = Pacer(segment=SEGMENT, now=0).allowance(RATE, now=3600 * NS_PER_S)
    assert after_a_second == after_an_hour < RATE // 10


def test_in_the_long_run_it_gives_the_whole_rate() -> None:
    pacer, now, sent = Pacer(segment=SEGMENT, now=0), 0, 0
    while now < NS_PER_S:
        allowance = pacer.allowance(RATE, now=now)
        pacer.on_sent(allowance)
        sent += allowance
        now = pacer.next_send_at(RATE)
    assert RATE <= sent <= RATE + 20 * SEGMENT


def test_looking_does_not_spend() -> None:
    pacer = Pacer(segment=SEGMENT, now=0)
    pacer.on_sent(pacer.allowance(RATE, now=0))
    at = pacer.next_send_at(RATE)
    for now in range(0, at, at // 7):
        assert pacer.allowance(RATE, now=now) == 0
        assert pacer.next_send_at(RATE) == at
    assert pacer.allowance(RATE, now=at) >= pacer.quantum(RATE)


def test_when_it_is_owed_already_the_next_time_is_not_in_the_past() -> None:
    pacer = Pacer(segment=SEGMENT, now=0)
    pacer.allowance(RATE, now=50 * NS_PER_MS)
    assert pacer.next_send_at(RATE) == 50 * NS_PER_MS


def test_fractions_of_a_byte_are_not_lost() -> None:
    pacer = Pacer(segment=SEGMENT, now=0)
    pacer.on_sent(10 * SEGMENT)
    step = NS_PER_S // RATE // 10  # a tenth of a byte
    at = pacer.next_send_at(RATE)
    steps = -(-at // step)
    assert all(pacer.allowance(RATE, now=index * step) == 0 for index in range(steps))
    assert pacer.allowance(RATE, now=steps * step) > 0
