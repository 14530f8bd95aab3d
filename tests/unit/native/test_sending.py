"""What leaves one connection and in which order, and what becomes of it when a driver is slow or the peer is late."""

from __future__ import annotations

import random

import pytest

from surewire.core.acks import AckTracker
from surewire.core.congestion import FixedRate
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedProtection
from surewire.native.config import NativeConfig
from surewire.native.incoming import Incoming
from surewire.native.keys import SendingKeys
from surewire.native.packing import Scratch
from surewire.native.receiving import Receiving
from surewire.native.recovering import Recovering
from surewire.native.sending import Sending
from surewire.native.statistics import Counters
from surewire.wire import native_frames as frames
from surewire.wire.slots import Slots

MS = NS_PER_MS
TO = ("192.0.2.1", 1)
DATA = random.Random(1).randbytes(600_000)


class Desk:
    """A `Sending` that may send what it likes, and the frames that it sent."""

    def __init__(self, *, most: int = 1_500, window: int = 1 << 24, scratch: Scratch | None = None) -> None:
        config = NativeConfig()
        self.now = NS_PER_S
        self.timers = TimerTable()
        self.counters = Counters()
        self.sending = Sending(config, self.timers, self.counters, scratch or Scratch(), now=self.now)
        self.tracker = AckTracker(config.transport, self.timers)
        self.receiving = Receiving(Incoming(config.transport), self.tracker, Recovering(0), self.counters)
        keys = SendingKeys(CheckedProtection(), update_after=None)
        self.sending.start(keys, b"the peer", most=most, window=window, now=self.now)
        self.sending.outbound.controller = FixedRate(rate=10**9, cwnd=10**7)
        self.numbers: list[int] = []  # in the order sent
        self.data: list[frames.Data] = []

    def write(self, count: int, *, size: int = 5_000) -> None:
        at = self.sending.stream.written
        for start in range(at, at + count, size):
            self.sending.stream.write(DATA[start : start + min(size, at + count - start)])
        self.sending.on_written()

    def poll(self) -> list[list[frames.Frame]]:
        """One train."""
        train = self.sending.poll(self.receiving, TO, now=self.now)
        return [] if train is None else self.opened(train)

    def opened(self, train: Train) -> list[list[frames.Frame]]:
        found = []
        for datagram in train.datagrams():
            self.numbers.append(int.from_bytes(datagram[9:13], "big"))
            found.append(frames.parse(memoryview(datagram)[13:-4]))
            for frame in found[-1]:
                if isinstance(frame, frames.Data):
                    assert frame.payload == DATA[frame.offset : frame.offset + len(frame.payload)], "wrong bytes"
                    self.data.append(frame)
        return found

    def poll_all(self, *, rounds: int = 1) -> int:
        """Everything that may go out in so many milliseconds; how many datagrams it was."""
        before = len(self.numbers)
        for _ in range(rounds):
            self.now += MS
            while self.poll():
                pass
        return len(self.numbers) - before

    def ack(self, position: int, *ranges: tuple[int, int], window: int = 1 << 24) -> None:
        self.sending.on_ack(frames.Ack(position, window, ranges[0][1] - 1, 0, ranges), now=self.now)


def test_all_bytes_go_out_once_in_order_and_with_numbers_of_their_own() -> None:
    desk = Desk()
    desk.write(100_000)
    desk.poll_all(rounds=50)
    offsets = [frame.offset for frame in desk.data]
    assert offsets == sorted(set(offsets)) and sum(len(frame.payload) for frame in desk.data) == 100_000
    assert desk.numbers == list(range(len(desk.numbers)))


def holes(desk: Desk, *, kept: int = 4) -> int:
    """Send 300,000 bytes; each `kept`-th datagram arrives, the others count as lost. Returns how many were sent."""
    desk.write(300_000)
    sent = desk.poll_all(rounds=50)
    desk.now += 20 * MS
    desk.ack(0, *[(number, number + 1) for number in range(sent - 1, 0, -kept)][:60])
    desk.now += 60 * MS
    desk.sending.outbound.on_loss_timer(now=desk.now)
    return sent


def test_repairs_that_wait_for_a_slow_driver_are_acknowledged_meanwhile() -> None:
    """What was taken for lost was only late; more than a train of repairs was decided on already."""
    for segment in (1_174, 1_434):
        desk = Desk()
        sent = holes(desk)
        desk.sending.outbound.set_segment(segment)  # the path turned out to carry more: pieces fill no whole trains
        desk.now += MS
        desk.poll()
        desk.poll()
        desk.ack(300_000, (0, sent))
        desk.poll_all(rounds=3)  # raises if the bytes are gone
        assert desk.sending.stream.held <= 300_000
        desk.write(10_000)
        desk.poll_all(rounds=3)
        desk.ack(310_000, (0, len(desk.numbers)))
        assert desk.sending.stream.held == 0


@pytest.mark.parametrize("most", [1_472, 8_972, 65_507])
def test_trains_that_wait_when_datagrams_become_shorter(most: int) -> None:
    """Four trains are decided on at once; the interface refuses the first, and the others are of the old length."""
    desk = Desk(most=most)
    while desk.sending.path_mtu.size < most:
        desk.write(20_000)
        desk.poll_all(rounds=30)
        desk.ack(desk.sending.stream.written, (0, len(desk.numbers)))
    desk.write(400_000)
    desk.now += 20 * MS
    while not desk.data or len(desk.data[-1].payload) < most - 100:
        desk.poll()
    desk.sending.on_too_long(most, now=desk.now)
    assert desk.sending.path_mtu.size == 1_200
    desk.poll_all(rounds=100)
    assert desk.numbers == list(range(len(desk.numbers)))
    assert max(frame.offset + len(frame.payload) for frame in desk.data) == desk.sending.stream.written


def test_a_driver_that_sends_one_train_between_two_acknowledgments() -> None:
    """Whatever arrives between two polls, only right bytes leave."""
    for seed in range(20):
        rng, desk = random.Random(seed), Desk()
        desk.write(300_000, size=rng.choice([500, 5_000, 50_000]))
        arrived: set[int] = set()
        for _ in range(400):
            desk.now += rng.choice([0, MS, 20 * MS])
            if (deadline := desk.timers.next_deadline()) is not None and deadline <= desk.now:
                desk.timers.pop_expired(desk.now)
                desk.sending.outbound.on_loss_timer(now=desk.now)
            desk.poll()
            arrived |= {number for number in desk.numbers[-30:] if rng.random() < 0.5}
            if arrived and rng.random() < 0.3:
                top = sorted(arrived, reverse=True)[:60]
                ranges = [(number, number + 1) for number in top]
                desk.ack(rng.choice([0, desk.sending.outbound.scoreboard.una]), *ranges)
            if rng.random() < 0.1:
                desk.sending.outbound.set_segment(rng.choice([1_174, 1_434]))
        assert desk.counters.malformed == 0


def test_an_acknowledgment_that_is_due_leaves_before_a_train_and_rides_on_a_small_message() -> None:
    desk = Desk()
    desk.tracker.on_received(0, 1, now=desk.now)
    desk.tracker.make_due()
    desk.write(50_000)
    assert [type(frame) for frame in desk.poll()[0]] == [frames.Ack]
    desk = Desk()
    desk.tracker.on_received(0, 1, now=desk.now)
    desk.tracker.make_due()
    desk.write(100)
    assert [type(frame) for frame in desk.poll()[0]] == [frames.Ack, frames.Data]
    assert desk.poll() == [] and not desk.tracker.is_pending


def test_an_acknowledgment_is_not_kept_back_by_a_closed_window() -> None:
    """A small message waits for room at the peer: what is due does not wait with it."""
    desk = Desk(window=0)
    desk.write(100)
    desk.tracker.on_received(0, 1, now=desk.now)
    desk.tracker.make_due()
    assert [type(frame) for frame in desk.poll()[0]] == [frames.Ack]


def test_words_leave_one_by_one() -> None:
    desk = Desk()
    desk.sending.say(frames.emit_ping())
    desk.sending.say(frames.emit_done())
    assert desk.poll() == [[frames.Ping()]] and desk.poll() == [[frames.Done()]] and desk.poll() == []


def test_last_words_outlive_what_comes_after() -> None:
    desk = Desk()
    last = desk.sending.last_words(frames.emit_reset(5, "over"), TO)
    assert last is not None
    before = last.datagrams()
    desk.write(50_000)
    desk.poll_all()
    assert last.datagrams() == before and desk.opened(last) == [[frames.Reset(5, "over")]]


def test_another_path_is_learnt_anew_while_everything_is_under_way() -> None:
    desk = Desk(most=9_000)
    desk.write(300_000)
    sent = desk.poll_all(rounds=30)
    desk.ack(0, (0, sent // 2))
    desk.sending.change_path(now=desk.now)
    assert desk.sending.path_mtu.size == 1_200
    desk.ack(0, (0, sent))  # of what left on the old one
    desk.write(100_000)
    for _ in range(100):
        desk.poll_all(rounds=5)
        desk.ack(0, (0, len(desk.numbers)))
    assert desk.sending.outbound.scoreboard.is_data_acked


def test_the_end_is_marked_on_the_last_bytes_and_again_alone() -> None:
    desk = Desk()
    desk.write(3_000)
    desk.sending.outbound.scoreboard.finish()
    desk.poll_all(rounds=3)
    assert [frame.is_last for frame in desk.data] == [False, False, True]
    desk = Desk()
    desk.write(3_000)
    desk.poll_all(rounds=3)
    desk.sending.outbound.scoreboard.finish()
    desk.poll_all()
    assert (desk.data[-1].offset, len(desk.data[-1].payload), desk.data[-1].is_last) == (3_000, 0, True)


class Cuts(Scratch):
    """Counts the datagrams that its memory is cut into."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.known: list[Slots] = []

    def layout(self, stride: int, trailer: int) -> Slots:
        return self.noted(super().layout(stride, trailer))

    def single(self, length: int, trailer: int) -> Slots:
        return self.noted(super().single(length, trailer))

    def noted(self, slots: Slots) -> Slots:
        if not any(slots is each for each in self.known):
            self.known.append(slots)
            self.count += slots.count
        return slots


def test_small_messages_of_any_size_cost_about_the_same() -> None:
    """No more memory is laid out for a length that occurs than one datagram of it takes, and for each once."""
    cuts, rng, at = Cuts(), random.Random(1), 0
    desk = Desk(scratch=cuts)
    for size in [rng.randrange(1, 100) for _ in range(400)]:
        desk.write(size)
        at += size
        desk.poll_all()
        desk.ack(at, (0, desk.sending.outbound.log.next_number))
    assert cuts.count < 120, "99 lengths, and a few probes of the path MTU"


def test_a_ping_of_the_sending_half_is_a_ping_on_the_wire() -> None:
    """It has a packet number of the stream's log and none of its bytes; behind the end there are none to have."""
    desk = Desk()
    desk.write(40_000)
    desk.sending.outbound.scoreboard.finish()
    desk.poll_all(rounds=20)
    kinds: list[list[frames.Frame]] = []
    for _ in range(2):
        desk.now = desk.timers.deadline(Timer.PTO) or desk.now
        desk.timers.cancel(Timer.PTO)
        desk.sending.outbound.on_pto(now=desk.now)
        kinds += desk.poll()
    assert isinstance(kinds[0][0], frames.Data)
    assert kinds[1] == [frames.Ping()]


def test_an_end_brings_an_acknowledgment_although_all_were_said_before() -> None:
    """They may be lost, and who hears the end and has none of them asks somebody who is about to leave."""
    desk = Desk()
    desk.tracker.on_received(0, 5, now=desk.now)
    desk.tracker.make_due()
    assert len(desk.poll()) == 1
    desk.write(10, size=10)
    desk.sending.outbound.scoreboard.finish()
    ((ack, end),) = desk.poll()
    assert isinstance(ack, frames.Ack) and ack.ranges == ((0, 5),)
    assert isinstance(end, frames.Data) and end.is_last


def test_an_end_that_is_said_again_brings_the_last_acknowledgment_again() -> None:
    """Both were in one datagram, and both are what the peer waits for."""
    desk = Desk()
    desk.sending.outbound.rtt.on_sample(20 * MS, ack_delay=0)
    for number in (0, 1, 3):  # one is missing: the path loses
        desk.tracker.on_received(number, number + 1, now=desk.now)
    assert len(desk.poll()) == 1  # the acknowledgment alone
    desk.sending.outbound.scoreboard.finish()
    assert len(desk.poll()) == 1
    said = []
    for _ in range(2):
        assert desk.poll() == []
        desk.now = desk.timers.deadline(Timer.PACING) or desk.now
        said += desk.poll()
    for ack, end in said:
        assert isinstance(ack, frames.Ack) and ack.ranges == ((3, 4), (0, 2))
        assert isinstance(end, frames.Data) and end.is_last


def test_the_round_trip_of_a_ping_is_a_sample() -> None:
    desk = Desk()
    desk.sending.say(frames.emit_ping())
    assert desk.poll() == [[frames.Ping()]]
    desk.now += 30 * MS
    desk.sending.on_ack(frames.Ack(0, 1 << 24, 0, 2 * MS, ((0, 1),)), now=desk.now)
    rtt = desk.sending.outbound.rtt
    assert (rtt.samples, rtt.smoothed_rtt) == (1, 30 * MS)


def test_a_ping_whose_answer_was_held_back_for_too_long_is_none() -> None:
    desk = Desk()
    desk.sending.say(frames.emit_ping())
    desk.poll()
    desk.now += 300 * MS
    desk.sending.on_ack(frames.Ack(0, 1 << 24, 0, 200 * MS, ((0, 1),)), now=desk.now)
    assert desk.sending.outbound.rtt.samples == 0


def test_at_the_end_of_a_file_it_matters_too_what_the_peer_s_losses_tell_of_the_path() -> None:
    """The first thing that is sent, after much was received: nothing of it was lost yet."""
    desk = Desk()
    for number in (0, 1, 3):
        desk.tracker.on_received(number, number + 1, now=desk.now)
    desk.write(3_000)
    desk.sending.outbound.scoreboard.push()
    desk.poll_all(rounds=3)
    assert desk.sending.outbound.rules.peer_loss > 0


def test_a_guess_of_the_round_trip_is_what_the_first_flight_is_paced_by() -> None:
    """Timers go by the shorter bound, the pace by the longer one."""
    desk = Desk()
    paces = []
    for most in (150 * MS, 50 * MS):
        desk.sending.guess_round_trip(10 * MS, most)
        assert desk.sending.outbound.rtt.smoothed_rtt == 10 * MS
        paces.append(desk.sending.outbound.controller.pacing_rate)
    assert paces[1] == pytest.approx(3 * paces[0], rel=0.01)
