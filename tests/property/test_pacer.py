"""The pacer over any schedule: never more than its rate and one bucket, and a next time that is exact."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from surewire.core.pacer import Pacer
from surewire.core.units import NS_PER_MS, NS_PER_S

RATES = st.integers(1_000, 2_000_000_000)
SEGMENTS = st.sampled_from([100, 959, 1472, 8972])
PAUSES = st.one_of(st.integers(0, 2 * NS_PER_MS), st.integers(0, NS_PER_S))
STEPS = st.lists(st.tuples(PAUSES, st.integers(1, 1 << 20)), min_size=1, max_size=40)
LONG = 10**6 * NS_PER_S


def bucket(rate: int, segment: int) -> int:
    """What may go out at once after any pause: bytes."""
    return Pacer(segment=segment, now=0).allowance(rate, now=LONG)


@given(RATES, SEGMENTS, STEPS)
def test_no_window_of_time_sees_more_than_the_rate_and_one_bucket(
    rate: int, segment: int, steps: list[tuple[int, int]]
) -> None:
    pacer, now, sent, worst = Pacer(segment=segment, now=0), 0, 0, 0
    burst = bucket(rate, segment) * NS_PER_S
    lowest = 0  # of sent - rate * time at any earlier moment, in byte-nanoseconds a second
    for pause, wanted in steps:
        now += pause
        lowest = min(lowest, sent * NS_PER_S - rate * now)
        nbytes = min(pacer.allowance(rate, now=now), wanted)
        pacer.on_sent(nbytes)
        sent += nbytes
        worst = max(worst, sent * NS_PER_S - rate * now - lowest)
        assert worst <= burst + NS_PER_S  # the bucket is asked for in whole bytes


@given(RATES, SEGMENTS, STEPS, st.integers(0, 1 << 20))
def test_the_next_time_is_exact(rate: int, segment: int, steps: list[tuple[int, int]], overdraft: int) -> None:
    pacer, now = Pacer(segment=segment, now=0), 0
    for pause, wanted in steps:
        now += pause
        pacer.on_sent(min(pacer.allowance(rate, now=now), wanted))
    pacer.on_sent(overdraft)  # a probe does not ask
    assume(pacer.allowance(rate, now=now) == 0)
    at = pacer.next_send_at(rate)
    assert at > now
    assert pacer.allowance(rate, now=at - 1) == 0
    assert pacer.allowance(rate, now=at) > 0


@given(RATES, SEGMENTS, STEPS)
def test_an_allowance_is_nothing_or_at_least_a_quantum(rate: int, segment: int, steps: list[tuple[int, int]]) -> None:
    pacer, now = Pacer(segment=segment, now=0), 0
    for pause, wanted in steps:
        now += pause
        allowance = pacer.allowance(rate, now=now)
        assert allowance == 0 or allowance >= pacer.quantum(rate) >= segment
        pacer.on_sent(min(allowance, wanted))
