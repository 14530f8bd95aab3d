"""Loss by evidence: how far a later arrival must have been sent behind before it tells of a loss."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.loss import OvertakingWindow
from surewire.core.rtt import RttEstimator
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import SEGMENT, Sender, spans

LEAST = 50 * MS
RTT = 100 * MS
BY_EVIDENCE = TransportConfig(overtaking_window=LEAST)


def window() -> OvertakingWindow:
    rtt = RttEstimator(RTT)
    rtt.on_sample(RTT, ack_delay=0)
    return OvertakingWindow(rtt, least=LEAST)


def test_it_is_never_below_its_least() -> None:
    overtaking = window()
    assert overtaking.window(0) == LEAST
    overtaking.on_overtaken(lead=LEAST // 2, now=1)
    assert overtaking.window(2) == LEAST


def test_it_covers_the_longest_lead_seen_and_an_eighth_more() -> None:
    overtaking = window()
    for lead in (80 * MS, 200 * MS, 90 * MS):
        overtaking.on_overtaken(lead=lead, now=1)
    assert overtaking.window(2) == 225 * MS


def test_a_lead_is_forgotten_after_16_to_32_round_trips() -> None:
    overtaking = window()
    overtaking.on_overtaken(lead=200 * MS, now=RTT)
    assert overtaking.window(15 * RTT) == 225 * MS
    assert overtaking.window(17 * RTT + 1) == 225 * MS
    assert overtaking.window(34 * RTT) == LEAST


def test_a_long_silence_forgets_it_at_once() -> None:
    overtaking = window()
    overtaking.on_overtaken(lead=200 * MS, now=RTT)
    assert overtaking.window(1000 * RTT) == LEAST


# In the sending half


def three_sent(*, apart: int) -> Sender:
    """Three segments, `apart` ns between them."""
    sender = Sender(3 * SEGMENT, window=SEGMENT, config=BY_EVIDENCE, may_finish_early=False)
    sender.poll()
    for stop in (2, 3):
        sender.now += apart
        sender.outbound.rules.max_offset = stop * SEGMENT
        sender.poll()
    return sender


def test_nothing_is_lost_however_late_it_is_unless_something_sent_a_window_later_arrived() -> None:
    sender = three_sent(apart=LEAST // 2)
    sender.now += 100 * RTT
    sender.ack((1, 2))
    assert sender.timers.deadline(Timer.LOSS) is None
    assert not sender.outbound.scoreboard.has_lost
    sender.ack((2, 3))  # sent LEAST after the first, which is enough
    assert spans(sender.poll()) == [(0, SEGMENT)]


def test_the_arrival_itself_tells_at_once() -> None:
    sender = three_sent(apart=LEAST)
    sender.now += RTT // 10
    sender.ack((1, 2))
    assert spans(sender.poll()) == [(0, SEGMENT)]
    assert sender.outbound.stats.lost_bytes == SEGMENT


def test_an_overtaken_transmission_that_arrives_widens_the_window() -> None:
    sender = three_sent(apart=LEAST)
    sender.now += RTT // 10
    sender.ack((2, 3))
    assert spans(sender.poll()) == [(0, 2 * SEGMENT)]
    sender.now += MS
    sender.ack((0, 1))  # it was only late: sent 2 * LEAST before the one that overtook it
    assert sender.outbound.stats.spurious_segments == 1
    for size in (4 * SEGMENT, 5 * SEGMENT):
        sender.outbound.scoreboard.extend(size)
        sender.outbound.rules.max_offset = size
        later = sender.poll()[-1]
        sender.now += 2 * LEAST
    sender.ack((later.first, later.last + 1))
    assert not sender.outbound.scoreboard.has_lost  # a lead of 2 * LEAST proves nothing any more
