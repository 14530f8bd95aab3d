"""The timer table."""

from __future__ import annotations

from surewire.core.timers import Timer, TimerTable


def test_nothing_is_armed_at_first() -> None:
    timers = TimerTable()
    assert timers.next_deadline() is None
    assert timers.pop_expired(10**18) == []
    assert all(timers.deadline(timer) is None for timer in Timer)
    timers.cancel(Timer.PTO)  # harmless


def test_a_timer_expires_at_its_deadline_and_not_before() -> None:
    timers = TimerTable()
    timers.arm(Timer.PTO, 100)
    assert timers.pop_expired(99) == []
    assert timers.deadline(Timer.PTO) == 100
    assert timers.pop_expired(100) == [Timer.PTO]
    assert timers.deadline(Timer.PTO) is None
    assert timers.pop_expired(100) == []


def test_due_timers_come_earliest_first_and_the_rest_stay() -> None:
    timers = TimerTable()
    timers.arm(Timer.HANDSHAKE, 30)
    timers.arm(Timer.IDLE, 10)
    timers.arm(Timer.LOSS, 20)
    timers.arm(Timer.LINGER, 31)
    assert timers.next_deadline() == 10
    assert timers.pop_expired(30) == [Timer.IDLE, Timer.LOSS, Timer.HANDSHAKE]
    assert timers.next_deadline() == 31


def test_timers_due_at_one_time_come_in_a_fixed_order() -> None:
    orders = []
    for armed in (list(Timer), list(Timer)[::-1]):
        timers = TimerTable()
        for timer in armed:
            timers.arm(timer, 5)
        orders.append(timers.pop_expired(5))
    assert orders[0] == orders[1]
    assert set(orders[0]) == set(Timer)


def test_arming_again_replaces() -> None:
    timers = TimerTable()
    timers.arm(Timer.LOSS, 10)
    timers.arm(Timer.LOSS, 50)
    assert timers.pop_expired(49) == []
    timers.arm(Timer.LOSS, 20)
    assert timers.pop_expired(20) == [Timer.LOSS]


def test_set_arms_or_cancels_and_time_zero_is_a_time() -> None:
    timers = TimerTable()
    timers.set(Timer.PACING, 0)
    assert timers.deadline(Timer.PACING) == 0
    assert timers.next_deadline() == 0
    timers.set(Timer.PACING, None)
    assert timers.next_deadline() is None
    timers.set(Timer.PACING, None)


def test_cancel_takes_one_and_cancel_all_takes_all() -> None:
    timers = TimerTable()
    for at, timer in enumerate(Timer):
        timers.arm(timer, at)
    timers.cancel(next(iter(Timer)))
    assert timers.next_deadline() == 1
    timers.cancel_all()
    assert timers.next_deadline() is None
