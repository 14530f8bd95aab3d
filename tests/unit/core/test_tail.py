"""What is sent again before it is asked for, at the end of a stream on a path that loses."""

from __future__ import annotations

from collections import Counter

import pytest

from surewire.core.config import TransportConfig
from surewire.core.congestion import FixedRate
from surewire.core.repair_block import RepairRun
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import RTT, SEGMENT, Sender, spans

WORD_AFTER = RTT // 8


def at_the_end(size: int = 24_000, *, share: float = 0.5, loses: bool = True, rate: int = 1_000_000) -> Sender:
    """A sender that has sent all, and a fifth of the first 5,000 bytes was lost (or nothing was)."""
    sender = Sender(size, window=5_000, rate=rate, config=TransportConfig(tail_effort=share))
    sender.outbound.rules.repair_window = 0
    sender.outbound.scoreboard.end_rides = True
    sender.drain()
    sender.now += RTT
    sender.ack((1 if loses else 0, 5))
    if loses:
        assert spans(sender.expire(Timer.LOSS)) == [(0, SEGMENT)]
        sender.now += RTT
        sender.ack((1, 6), position=5_000)
    sender.outbound.rules.max_offset = size
    while sender.outbound.scoreboard.next_offset <= size:
        if not sender.outbound.poll_runs(now=sender.now):
            sender.now = sender.timers.deadline(Timer.PACING) or sender.now
    return sender


def at_an_end(size: int = 24_000) -> Sender:
    """The same of a stream that may go on."""
    sender = Sender(None, window=size, config=TransportConfig(tail_effort=0.5))
    sender.outbound.rules.repair_window = 0
    sender.outbound.scoreboard.extend(5_000)
    sender.drain()
    sender.now += RTT
    sender.ack((1, 5))
    sender.expire(Timer.LOSS)
    sender.now += RTT
    sender.ack((1, 6), position=5_000)
    write(sender, size)
    return sender


def write(sender: Sender, size: int) -> None:
    """The stream has so many bytes now, and all of them leave."""
    sender.outbound.scoreboard.extend(size)
    sender.outbound.rules.max_offset = size
    while sender.outbound.scoreboard.has_unsent:
        if not sender.outbound.poll_runs(now=sender.now):
            sender.now = sender.timers.deadline(Timer.PACING) or sender.now


def copies(runs: list[SentRun]) -> list[SentRun]:
    return [run for run in runs if run.nbytes]


def test_a_path_that_lost_nothing_gets_no_copies_and_no_words() -> None:
    assert at_the_end(loses=False).pass_time() == []


def test_without_a_share_or_where_the_format_has_no_spares_nothing_is_copied() -> None:
    assert copies(at_the_end(share=0.0).pass_time()) == []
    sender = at_the_end()
    sender.outbound.rules.repair_window = None
    assert sender.pass_time() == []


def test_what_was_sent_last_is_sent_again_the_newest_first_each_part_once() -> None:
    sender = at_the_end()
    ended_at = sender.now
    sent_at = {run.offset: run.sent_at for run in sender.outbound.log.in_flight()}
    again = copies(sender.pass_time())
    assert spans(again)[:3] == [(23_000, 24_001), (22_000, 23_000), (21_000, 22_000)]
    assert [run.offset for run in again] == sorted({run.offset for run in again}, reverse=True)
    assert all(run.retransmission and run.count == 1 for run in again)
    fresh = [offset for offset, at in sent_at.items() if at >= ended_at - 3 * RTT // 8]
    assert min(run.offset for run in again) == min(fresh)


def test_a_stream_that_may_go_on_gets_none() -> None:
    assert at_an_end().pass_time() == []


def test_the_end_of_what_is_waited_for_is_one() -> None:
    """Who sends a file waits for it before he says that it was the last one."""
    sender = at_an_end()
    sender.outbound.scoreboard.push()
    runs = sender.pass_time()
    assert spans(copies(runs))[:3] == [(23_000, 24_000), (22_000, 23_000), (21_000, 22_000)]
    sender.now += RTT
    sender.ack((1, sender.outbound.log.next_number), position=24_000)
    assert sender.pass_time() == []


def test_what_is_written_after_it_ends_the_copies_until_that_is_waited_for() -> None:
    sender = at_an_end()
    sender.outbound.scoreboard.push()
    assert copies(sender.pass_time(2 * MS))
    write(sender, 30_000)
    assert sender.pass_time(5 * MS) == []
    sender.outbound.scoreboard.push()
    assert spans(copies(sender.pass_time(5 * MS)))[0] == (29_000, 30_000)


def test_copies_keep_to_the_budget() -> None:
    sender = at_the_end(share=0.2)
    before = sender.outbound.log.sent_total
    spent = sum(run.nbytes for run in sender.pass_time())
    assert 0.2 * before - SEGMENT < spent <= 0.2 * sender.outbound.log.sent_total


def test_copies_leave_at_the_pace_of_everything_else() -> None:
    sender = at_the_end()
    began = sender.now
    again = copies(sender.pass_time())
    assert sum(run.nbytes for run in again[:-1]) <= 10 * SEGMENT + (again[-1].sent_at - began) // 1_000


def test_what_was_acknowledged_meanwhile_is_not_copied() -> None:
    sender = at_the_end()
    last = sender.outbound.log.next_number - 1
    sender.ack((last - 1, last + 1))
    assert spans(copies(sender.pass_time()))[0] == (21_000, 22_000)


def test_new_bytes_and_known_losses_come_first() -> None:
    sender = at_the_end()
    sender.now += RTT
    number = sender.outbound.log.next_number
    sender.ack((number - 1, number), (1, 6), position=5_000)
    runs = sender.expire(Timer.LOSS)
    assert spans(runs)[0][0] == 5_000  # the lowest that is lost
    assert all(run.offset <= other.offset for run, other in zip(runs, runs[1:], strict=False) if other.nbytes)


def lose_one(sender: Sender) -> tuple[int, int]:
    """Of what was sent last all arrives but one segment, and the sender is told; its bytes."""
    log = sender.outbound.log
    lost = log.in_flight()[-2]
    sender.now = log.newest_sent_at + RTT
    sender.ack((1, lost.first), (lost.last + 1, log.next_number))
    return lost.offset, lost.stop


def test_at_the_end_a_loss_is_found_sooner() -> None:
    sender = at_the_end(share=0.0)
    sent_at = sender.outbound.log.in_flight()[-2].sent_at
    lose_one(sender)
    assert spans(copies(sender.expire(Timer.LOSS)))
    assert sender.now == sent_at + RTT + RTT // 32


def test_before_the_end_it_is_not() -> None:
    sender = at_an_end()
    sent_at = sender.outbound.log.in_flight()[-2].sent_at
    lose_one(sender)
    assert spans(copies(sender.expire(Timer.LOSS)))
    assert sender.now == sent_at + RTT + RTT // 8


@pytest.mark.parametrize(("loss", "times"), [(0.1, 2), (0.2, 3), (0.3, 4), (0.5, 6), (0.9, 6)])
def test_what_was_lost_is_sent_as_often_as_it_takes_that_one_arrives(loss: float, times: int) -> None:
    sender = at_the_end()
    sender.outbound.rules.peer_loss = loss
    lost = lose_one(sender)
    runs = copies(sender.expire(Timer.LOSS) + sender.pass_time(RTT // 2))
    sent = Counter(offset for run in runs for offset in range(run.offset, run.stop, SEGMENT))
    assert sent == dict.fromkeys(range(*lost, SEGMENT), times)


def test_where_much_is_lost_little_is_copied_before_it_is_known_to_be_lost() -> None:
    """A round trip of repairs comes anyway, and there each copy is worth more."""
    sender = at_the_end(60_000, rate=2_000_000)
    flight = sum(run.count for run in sender.outbound.log.in_flight())
    again = copies(sender.pass_time(RTT // 2))
    assert flight > 50 and 30 <= len(again) <= 37  # a sixth is lost: of 36 one with its copy


def test_then_words_ask_what_has_arrived_and_no_more_until_something_is_known() -> None:
    """Three of them: where one datagram in six is lost, that one of them arrives is as good as certain."""
    sender = at_the_end(share=0.0)
    newest = sender.outbound.log.newest_sent_at
    words = sender.pass_time()
    assert [(run.nbytes, run.sent_at - newest) for run in words] == [(0, number * WORD_AFTER) for number in (1, 2, 3)]
    sender.now += RTT
    number = sender.outbound.log.next_number
    sender.ack((number - 1, number))  # of a word: nothing is known to have arrived
    assert len(words) + len([run for run in sender.pass_time() if run.nbytes == 0]) == 6
    sender.now += RTT
    assert sender.pass_time() == []


def test_what_is_lost_last_is_found_a_round_trip_after_it_was_sent() -> None:
    """The words overtake it, where a probe timeout would have waited for four times the variation more."""
    sender = at_the_end(share=0.0)
    newest, number = sender.outbound.log.newest_sent_at, sender.outbound.log.next_number
    sender.pass_time()
    sender.now = newest + WORD_AFTER + RTT
    sender.ack((number, number + 1), (1, number - 1))
    assert spans(copies(sender.pass_time(MS)))[:1] == [(23_000, 24_001)]
    assert sender.outbound.stats.probes == 0


@pytest.mark.parametrize(("loss", "words"), [(0.0, 0), (0.01, 2), (0.1, 2), (0.3, 4), (0.5, 6), (0.9, 6), (1.0, 6)])
def test_a_short_end_is_said_again_itself_where_the_path_is_known_to_lose(loss: float, words: int) -> None:
    """A side that only receives knows that from what it misses; a few bytes count for no budget."""
    sender = Sender(0, config=TransportConfig(tail_effort=0.04))
    rules = sender.outbound.rules
    rules.repair_window, rules.peer_loss = 0, loss
    assert spans(sender.poll()) == [(0, 1)]
    began = sender.now
    said = [(run.offset, run.nbytes, run.sent_at - began) for run in sender.pass_time()]
    assert said == [(0, 1, number * WORD_AFTER) for number in range(1, words + 1)]


def test_a_word_in_a_stream_that_goes_on_is_said_again_as_a_short_end_is() -> None:
    """An answer of a byte, for which the other side waits: nobody has said that it is whole."""
    sender = Sender(None, window=100, config=TransportConfig(tail_effort=0.04))
    rules, board = sender.outbound.rules, sender.outbound.scoreboard
    rules.repair_window, rules.peer_loss = 0, 0.3
    board.extend(1)
    assert spans(sender.poll()) == [(0, 1)]
    assert sender.outbound.repeat_end(now=sender.now) is not None
    assert spans(sender.pass_time()) == 3 * [(0, 1)]  # four with the first
    board.extend(2)
    assert spans(sender.poll())[:1] == [(1, 2)]


def test_words_one_after_the_other_get_neither_sums_nor_copies() -> None:
    """Each keystroke is the end of what there is; eight of them under way were a block once, of full segments."""
    sender = Sender(None, window=1 << 20, config=TransportConfig(tail_effort=0.5))
    rules, board = sender.outbound.rules, sender.outbound.scoreboard
    rules.repair_window = 1 << 20
    sender.outbound._flight.loss_share.take(acked=9_000, lost=1_000)
    sender.outbound.log.sent_total = 1 << 30
    sent = []
    for size in range(1, 20):
        board.extend(size)
        sent += sender.pass_time(RTT // 20)
    assert board.next_offset == 19 and not any(isinstance(run, RepairRun) for run in sent)
    assert len(sent) <= 2 * 19


@pytest.mark.parametrize("loss", [0.001, 0.01, 0.02])
def test_where_hardly_anything_is_lost_a_word_is_said_once(loss: float) -> None:
    sender = Sender(None, window=100)
    sender.outbound.rules.repair_window, sender.outbound.rules.peer_loss = 0, loss
    sender.outbound.scoreboard.extend(1)
    assert spans(sender.pass_time()) == [(0, 1)]


def test_a_word_for_which_the_peer_has_no_room_is_a_probe_and_no_more() -> None:
    """It refuses the whole datagram, acknowledgment and all: repeated with each, it was the end of the connection."""
    sender = Sender(None, window=100)
    rules, board = sender.outbound.rules, sender.outbound.scoreboard
    rules.repair_window, rules.peer_loss = 0, 0.3
    board.extend(100)
    sender.drain()
    sender.now += RTT
    sender.ack((0, 1), position=100)
    board.extend(101)
    assert sender.poll() == []
    assert spans(sender.expire(Timer.PTO)) == [(100, 101)]
    for _ in range(20):
        sender.now += RTT // 2
        sender.outbound.on_ack_numbers([(0, 1)], position=100, echo=None, ack_delay=0, now=sender.now)
        assert sender.outbound.repeat_end(now=sender.now) is None
        assert sender.pass_time(RTT // 4) == []


def test_words_keep_to_a_limit_of_the_rate() -> None:
    sender = Sender(None, window=1 << 20)
    rules, board = sender.outbound.rules, sender.outbound.scoreboard
    rules.repair_window, rules.peer_loss, rules.max_rate = 0, 0.3, 100
    sent = 0
    for size in range(20, 1_001, 20):
        board.extend(size)
        sent += sum(run.nbytes for run in sender.pass_time(RTT * 2))
        assert sender.outbound.repeat_end(now=sender.now) is None
    assert sent <= 10 * SEGMENT + 10 * 100  # a burst, and ten seconds


def test_a_short_end_rides_on_whatever_leaves_anyway_until_it_is_acknowledged() -> None:
    sender = Sender(0, config=TransportConfig(tail_effort=0.04))
    rules = sender.outbound.rules
    rules.repair_window, rules.peer_loss = 0, 0.1
    assert sender.outbound.repeat_end(now=sender.now) is None  # it has not been said yet
    assert spans(sender.poll()) == [(0, 1)]
    run = sender.outbound.repeat_end(now=sender.now)
    assert run is not None and spans([run]) == [(0, 1)] and run.retransmission
    rules.peer_loss = 0.0
    assert sender.outbound.repeat_end(now=sender.now) is None
    rules.peer_loss = 0.1
    sender.now += RTT
    sender.ack((run.first, run.first + 1), position=1)
    assert sender.outbound.repeat_end(now=sender.now) is None


def test_a_peer_that_acknowledges_none_of_it_does_not_hear_it_for_ever() -> None:
    """Each time is an entry in the log, and a peer may go on sending what has to be acknowledged."""
    sender = Sender(0, config=TransportConfig(tail_effort=0.04))
    sender.outbound.rules.repair_window, sender.outbound.rules.peer_loss = 0, 0.1
    sender.poll()
    said = [sender.outbound.repeat_end(now=sender.now) for _ in range(500)]
    assert 16 <= len(said) - said.count(None) <= 32


def test_a_long_end_does_not() -> None:
    assert at_the_end().outbound.repeat_end(now=0) is None


def test_copies_are_the_application_s_rate_and_prove_no_loss_spurious() -> None:
    sender = at_the_end()
    again = copies(sender.pass_time(5 * MS))
    assert again and all(run.snapshot.is_app_limited for run in again)
    sender.now += RTT
    sender.ack((1, sender.outbound.log.next_number), position=24_001)
    stats = sender.outbound.stats
    assert sender.outbound.scoreboard.is_done
    assert (stats.lost_bytes, stats.spurious_bytes) == (SEGMENT, 0)
    assert sender.poll() == [] and sender.timers.next_deadline() is None


def test_a_lost_copy_of_what_arrived_is_not_sent_again() -> None:
    sender = at_the_end()
    first_copy = sender.outbound.log.next_number
    again = copies(sender.pass_time(5 * MS))
    sender.now += RTT
    sender.ack((1, first_copy), (first_copy + len(again) - 1, first_copy + len(again)), position=24_001)
    assert sender.outbound.scoreboard.is_done and sender.poll() == []


def test_copies_heed_the_window() -> None:
    sender = at_the_end()
    room = 2 * SEGMENT + SEGMENT // 2
    sender.outbound.controller = FixedRate(rate=1_000_000, cwnd=sender.outbound.log.bytes_in_flight + room)
    assert SEGMENT < sum(run.nbytes for run in sender.pass_time()) <= room
