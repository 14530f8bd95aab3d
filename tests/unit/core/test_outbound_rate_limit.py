"""`rules.max_rate`: a limit of what leaves, which may change at any time, and what samples say while it holds."""

from __future__ import annotations

from surewire.core.congestion import AckSample, FixedRate
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.sender import RTT, SEGMENT, START, Sender

BURST = 10 * SEGMENT
SIZE = 1_000_000


class Watched(FixedRate):
    """Keeps the samples that it was told."""

    def __init__(self, *, rate: int, cwnd: int) -> None:
        super().__init__(rate=rate, cwnd=cwnd)
        self.samples: list[AckSample] = []

    def on_ack(self, sample: AckSample) -> None:
        self.samples.append(sample)


def limited(limit: int | None, *, rate: int = 1_000_000, cwnd: int = 1 << 30) -> tuple[Sender, Watched]:
    sender = Sender(SIZE, rate=rate, cwnd=cwnd)
    controller = Watched(rate=rate, cwnd=cwnd)
    sender.outbound.controller = controller
    sender.outbound.rules.max_rate = limit
    return sender, controller


def send_until(sender: Sender, stop: int) -> int:
    """Send whenever the pacer lets it, up to the time `stop`; how many bytes that were."""
    sent = sum(run.nbytes for run in sender.poll())
    while (at := sender.timers.deadline(Timer.PACING)) is not None and at <= stop:
        sender.now = max(sender.now, at)
        sent += sum(run.nbytes for run in sender.poll())
    sender.now = stop
    return sent


def test_what_leaves_in_a_second_is_the_limit_and_a_burst() -> None:
    sender, _ = limited(100_000)
    first = send_until(sender, START + NS_PER_S)
    second = send_until(sender, START + 2 * NS_PER_S)
    assert 100_000 <= first <= 100_000 + BURST
    assert 100_000 - 2 * SEGMENT <= second <= 100_000 + 2 * SEGMENT


def test_a_limit_above_the_controllers_rate_changes_nothing() -> None:
    free, limited_sender = Sender(SIZE), limited(2_000_000)[0]
    assert send_until(free, START + NS_PER_S // 2) == send_until(limited_sender, START + NS_PER_S // 2)


def test_a_lower_limit_holds_at_once() -> None:
    sender, _ = limited(None)
    send_until(sender, START + NS_PER_S // 2)
    sender.outbound.rules.max_rate = 20_000
    assert send_until(sender, START + 3 * NS_PER_S // 2) <= 20_000 + BURST


def test_when_it_is_lifted_nothing_waits_for_what_was_due_at_the_limit() -> None:
    sender, _ = limited(1_000)
    send_until(sender, START + NS_PER_MS)
    due = sender.timers.deadline(Timer.PACING)
    assert due is not None and due > START + NS_PER_S
    sender.outbound.rules.max_rate = None
    assert send_until(sender, START + 101 * NS_PER_MS) >= 100_000 - 2 * SEGMENT


def sample_at(limit: int | None, *, cwnd: int = 1 << 30) -> AckSample:
    """What the controller is told of a datagram that was sent after a round trip at this limit."""
    sender, controller = limited(limit, cwnd=cwnd)
    send_until(sender, START + RTT)
    first = sender.outbound.log.next_number
    sender.ack((0, first), position=first * SEGMENT)
    send_until(sender, START + 2 * RTT)
    sender.ack((first, first + 1), position=(first + 1) * SEGMENT)
    return controller.samples[-1]


def test_what_was_sent_at_the_limit_shows_the_limit_only() -> None:
    assert sample_at(100_000).rate.is_app_limited
    assert not sample_at(None).rate.is_app_limited
    assert not sample_at(2_000_000).rate.is_app_limited


def test_where_the_window_holds_more_back_than_the_limit_it_is_the_path_that_shows() -> None:
    """Else a window would never grow to what the limit allows."""
    assert not sample_at(500_000, cwnd=2 * SEGMENT).rate.is_app_limited


def test_probes_go_out_whatever_the_limit_and_are_made_up_for() -> None:
    sender, _ = limited(1_000)
    send_until(sender, START + NS_PER_MS)
    assert sender.expire(Timer.PTO) != []
    # the tokens of the burst and of the probe are missing: ten seconds for ten segments, and two segments to be earned
    due = sender.timers.deadline(Timer.PACING)
    assert due is not None and due - START >= 2 * SEGMENT * NS_PER_S // 1_000
