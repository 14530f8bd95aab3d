"""A path that becomes longer is a step; a queue that grows is none."""

from __future__ import annotations

from surewire.core.congestion.round_trip_step import RoundTripStep
from surewire.core.units import NS_PER_MS as MS

BASE = 20 * MS


class Sender:
    """Sends every `every` ns and takes the round trips that it is told of."""

    def __init__(self, *, every: int = MS) -> None:
        self.step = RoundTripStep()
        self.now = 0  # when the last one is acknowledged
        self._every = every
        self._sent_at = 0

    def take(self, *rtts: int) -> None:
        for rtt in rtts:
            self._sent_at += self._every
            self.now = self._sent_at + rtt
            self.step.on_rtt(rtt, sent_at=self._sent_at)

    def explains(self, delay: int, rtt: int) -> bool:
        return self.step.explains(delay, rtt=rtt, now=self.now)


def test_a_path_ten_times_as_long_is_a_step() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[10 * BASE] * 3)
    assert sender.explains(9 * BASE, 10 * BASE)
    assert sender.step.is_new(10 * BASE, now=sender.now)


def test_so_are_both_ways_one_after_the_other() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[11 * BASE // 2] * 10, *[10 * BASE] * 10)
    assert sender.explains(9 * BASE, 10 * BASE)
    assert sender.step.is_kept(10 * BASE)


def test_a_queue_of_a_link_that_fell_to_a_tenth_is_none() -> None:
    """Each datagram waits for nine tenths of the time that ten of them take now."""
    sender = Sender()
    sender.take(*[BASE] * 20, *[BASE + 8 * MS * number for number in range(30)])
    assert not sender.explains(200 * MS, 260 * MS)


def test_who_sends_seldom_sees_none() -> None:
    sender = Sender(every=50 * MS)
    sender.take(*[BASE] * 5, *[10 * BASE] * 5)
    assert not sender.explains(9 * BASE, 10 * BASE)


def test_it_is_judged_when_what_was_sent_since_is_back() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[10 * BASE] * 190)
    assert not sender.step.is_new(10 * BASE, now=sender.now)
    assert sender.step.is_kept(10 * BASE)


def test_a_burst_that_drains_is_not_kept() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[10 * BASE - MS * number // 2 for number in range(190)])
    assert not sender.step.is_kept(6 * BASE)


def test_one_that_explains_little_of_the_delay_does_not_count() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[2 * BASE] * 3)
    assert sender.explains(2 * BASE, 3 * BASE)
    assert not sender.explains(4 * BASE, 5 * BASE)


def test_one_of_long_ago_does_not_count() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[10 * BASE] * 900)
    assert not sender.explains(9 * BASE, 10 * BASE)


def test_one_that_was_none_is_forgotten() -> None:
    sender = Sender()
    sender.take(*[BASE] * 20, *[10 * BASE] * 3)
    sender.step.forget()
    assert not sender.explains(9 * BASE, 10 * BASE)
