"""Whole transfers of the sending half through a bad network in miniature: what must hold at every step, and an end."""

from __future__ import annotations

import heapq
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surewire.core.ranges import RangeSet
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer
from surewire.core.units import NS_PER_MS as MS
from surewire.core.units import NS_PER_S
from tests.unit.core.sender import RTT, SEGMENT, Sender

DEADLINE = 1_800 * NS_PER_S  # at 30% loss each way no transfer here needs a tenth of it


class Data(NamedTuple):
    """One datagram on its way."""

    number: int
    start: int
    stop: int


class Ack(NamedTuple):
    """One acknowledgment on its way back."""

    echo: int | None
    ranges: list[tuple[int, int]]
    position: int


class Network:
    """One sender and a receiver of few words; packets and acknowledgments are delayed, reordered and lost."""

    def __init__(
        self, seed: int, *, size: int, window: int, loss: float, jitter: int, plain: bool, keeps: bool
    ) -> None:
        self.random = Random(seed)
        self.size, self.window, self.loss, self.jitter = size, window, loss, jitter
        self.plain, self.keeps = plain, keeps
        self.sender = Sender(size, window=window, has_byte_acks=plain, may_finish_early=not plain, cwnd=20 * SEGMENT)
        self.events: list[tuple[int, int, Data | Ack]] = []
        self.sent = 0
        self.received = RangeSet()
        self.numbers = RangeSet()
        self.new_stop = 0
        self.may_overrun = False
        self.bytes_sent = 0

    @property
    def contiguous(self) -> int:
        first = self.received.first
        return first[1] if first is not None and first[0] == 0 else 0

    def schedule(self, event: Data | Ack) -> None:
        if self.random.random() >= self.loss:
            self.sent += 1
            at = self.sender.now + RTT // 2 + self.random.randint(0, self.jitter)
            heapq.heappush(self.events, (at, self.sent, event))

    def run(self) -> None:
        """To the end of the transfer."""
        timers = self.sender.timers
        while not self.sender.outbound.scoreboard.is_done:
            self.transmit()
            at = timers.next_deadline()
            arrives_at = self.events[0][0] if self.events else None
            assert at is not None or arrives_at is not None, "nothing will ever happen again"
            if arrives_at is not None and (at is None or arrives_at <= at):
                self.sender.now = max(self.sender.now, arrives_at)
                event = heapq.heappop(self.events)[2]
                if isinstance(event, Data):
                    self.take_data(*event)
                else:
                    self.take_ack(*event)
            else:
                self.expire()
            assert self.sender.now < DEADLINE

    def expire(self) -> None:
        sender, timers = self.sender, self.sender.timers
        sender.now = max(sender.now, timers.next_deadline() or 0)
        for timer in timers.pop_expired(sender.now):
            if timer is Timer.LOSS:
                sender.outbound.on_loss_timer(now=sender.now)
            elif timer is Timer.PTO:
                sender.outbound.on_pto(now=sender.now)
                self.may_overrun = True

    def transmit(self) -> None:
        for run in self.sender.poll():
            self.check(run)
            for index in range(run.count):
                start = run.offset + index * run.segment
                self.schedule(Data(run.first + index, start, min(start + run.segment, run.stop)))
        assert self.sender.outbound.log.sent_total == self.bytes_sent

    def check(self, run: SentRun) -> None:
        board, rules = self.sender.outbound.scoreboard, self.sender.outbound.rules
        self.bytes_sent += run.nbytes
        assert run.nbytes > 0
        assert (run.count - 1) * run.segment < run.nbytes <= run.count * run.segment
        if run.offset >= self.size:
            assert (run.offset, run.stop) == (self.size, self.size + 1)  # the end mark goes alone
            assert board.next_offset == self.size + 1
            assert not self.plain or board.is_data_acked
            return
        assert run.stop <= self.size
        assert run.stop <= rules.max_offset + (1 if self.may_overrun else 0)  # the probe of a closed window
        if not run.retransmission:
            assert run.offset == self.new_stop  # new bytes leave in order, once
            self.new_stop = run.stop
        else:
            assert run.stop <= self.new_stop

    def take_data(self, number: int, start: int, stop: int) -> None:
        has_room = start == self.size or stop <= self.contiguous + self.window
        is_taken = has_room and (self.keeps or start <= self.contiguous)
        if is_taken:
            self.received.add(start, stop)
            self.numbers.add(number, number + 1)
        self.schedule(Ack(number if is_taken else None, self.numbers.newest(8), self.contiguous))

    def take_ack(self, echo: int | None, ranges: list[tuple[int, int]], position: int) -> None:
        outbound, now = self.sender.outbound, self.sender.now
        if self.plain:
            outbound.on_ack_bytes(position, now=now)
        else:
            outbound.on_ack_numbers(ranges, position=position, echo=echo, ack_delay=0, now=now)
        outbound.rules.max_offset = max(outbound.rules.max_offset, min(position, self.size) + self.window)
        assert outbound.log.bytes_in_flight == sum(run.nbytes for run in outbound.log.in_flight())


PEERS = pytest.mark.parametrize(
    ("plain", "keeps"), [(False, True), (True, True), (True, False)], ids=["ours", "plain", "forgetful"]
)


def transfer(seed: int, *, size: int, window: int, loss: float, jitter: int, plain: bool, keeps: bool) -> None:
    network = Network(seed, size=size, window=window, loss=loss, jitter=jitter, plain=plain, keeps=keeps)
    network.run()
    assert list(network.received) == [(0, size + 1)]


@PEERS
@pytest.mark.parametrize("window", [700, 2_500, 1 << 20])
def test_every_transfer_ends_and_keeps_the_rules(plain: bool, keeps: bool, window: int) -> None:
    for loss in (0.0, 0.1, 0.3):
        for jitter in (0, 80 * MS):
            for seed in range(4):
                transfer(seed, size=60_000, window=window, loss=loss, jitter=jitter, plain=plain, keeps=keeps)


@PEERS
@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(0, 20_000),
    window=st.integers(1_000, 20_000),
    loss=st.sampled_from([0.1, 0.3]),
    jitter=st.integers(0, 100 * MS),
)
def test_short_transfers_of_any_size(
    plain: bool, keeps: bool, seed: int, size: int, window: int, loss: float, jitter: int
) -> None:
    transfer(seed, size=size, window=window, loss=loss, jitter=jitter, plain=plain, keeps=keeps)
