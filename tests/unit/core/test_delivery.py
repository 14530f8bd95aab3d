"""Delivery rates by hand (draft-cheng-iccrg-delivery-rate-estimation §3), rounds, and the application's limit."""

from __future__ import annotations

from surewire.core.delivery import DeliverySampler, RateSample
from surewire.core.sent_log import SentRun
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.makers import make_run

MIN_RTT = 100 * MS


class Flow:
    """Sends runs of 1,000 bytes and has them acknowledged."""

    def __init__(self) -> None:
        self.sampler = DeliverySampler(0)
        self.in_flight: dict[int, SentRun] = {}
        self.sent = 0

    def send(self, now: int, *, phase: int = 0) -> SentRun:
        start, in_flight = 1000 * self.sent, 1000 * len(self.in_flight)
        snapshot = self.sampler.snapshot(start, start + 1000, now=now, bytes_in_flight=in_flight, phase=phase)
        run = make_run(self.sent, segment=1000, sent_at=now, snapshot=snapshot)
        self.in_flight[self.sent] = run
        self.sent += 1
        return run

    def acknowledge(self, *numbers: int, now: int) -> RateSample:
        """The last of `numbers` is the one that arrived last."""
        runs = [self.in_flight.pop(number) for number in numbers]
        return self.sampler.on_acked(runs, runs[-1], now=now, shortest=MIN_RTT)


def rate_of(sample: RateSample) -> tuple[int, bool]:
    return sample.delivery_rate, sample.round_start


def test_rates_of_a_small_flow_by_hand() -> None:
    flow = Flow()
    flow.send(0)
    flow.send(10 * MS)
    # 1,000 bytes in 100 ms
    assert rate_of(flow.acknowledge(0, now=100 * MS)) == (10_000, True)
    flow.send(100 * MS)
    # run 1 left when nothing was delivered: 2,000 bytes in 110 ms
    assert rate_of(flow.acknowledge(1, now=110 * MS)) == (18_181, False)
    # run 2 left when 1,000 were delivered: 2,000 more in max(sent 100 - 0, acknowledged 200 - 100) ms
    assert rate_of(flow.acknowledge(2, now=200 * MS)) == (20_000, True)
    assert flow.sampler.delivered == 3000


def test_bunched_acknowledgments_show_no_more_than_was_sent() -> None:
    flow = Flow()
    flow.send(0)
    flow.acknowledge(0, now=100 * MS)
    for index in range(1, 6):
        flow.send(100 * MS + 50 * MS * index)  # 20,000 bytes a second
    # the flight began at 150 ms with run 1, the last of it left at 350 ms
    sample = flow.acknowledge(1, 2, 3, 4, 5, now=450 * MS)
    assert sample.delivery_rate == 5000 * 1000 // 300  # 450 - 150 ms acknowledged
    flow = Flow()
    for index in range(5):
        flow.send(100 * MS * index)
    flow.acknowledge(0, now=399 * MS)
    flow.send(500 * MS)
    assert flow.acknowledge(1, 2, 3, 4, 5, now=501 * MS).delivery_rate == 5000 * 1000 // 500  # 500 - 0 ms sent


def test_an_interval_shorter_than_the_round_trip_says_nothing() -> None:
    flow = Flow()
    flow.send(0)
    assert flow.acknowledge(0, now=MIN_RTT - 1).delivery_rate == 0
    flow = Flow()
    flow.send(0)
    assert flow.acknowledge(0, now=MIN_RTT).delivery_rate == 10_000


def test_a_pause_is_not_measured() -> None:
    flow = Flow()
    flow.send(0)
    flow.acknowledge(0, now=100 * MS)
    flow.send(5_000 * MS)
    assert flow.acknowledge(1, now=5_100 * MS).delivery_rate == 10_000


def test_runs_sent_after_the_application_ran_dry_are_marked_until_the_flight_is_delivered() -> None:
    flow = Flow()
    flow.send(0)
    flow.send(0)
    flow.sampler.on_app_limited(bytes_in_flight=2000)
    assert flow.send(10 * MS).snapshot.is_app_limited
    assert not flow.acknowledge(0, now=100 * MS).is_app_limited  # 0 and 1 left before
    assert flow.send(100 * MS).snapshot.is_app_limited  # 1,000 of the 2,000 are delivered
    assert not flow.acknowledge(1, now=110 * MS).is_app_limited
    assert flow.acknowledge(2, now=120 * MS).is_app_limited
    assert not flow.send(120 * MS).snapshot.is_app_limited


def test_running_dry_with_nothing_in_flight_marks_the_next_run() -> None:
    flow = Flow()
    flow.sampler.on_app_limited(bytes_in_flight=0)
    assert flow.send(0).snapshot.is_app_limited
    assert flow.acknowledge(0, now=100 * MS).is_app_limited
    assert not flow.send(100 * MS).snapshot.is_app_limited


def test_a_round_ends_when_something_sent_after_its_start_is_delivered() -> None:
    flow = Flow()
    starts = []
    for round_trip in range(4):
        now = round_trip * MIN_RTT
        first = flow.sent
        for index in range(5):
            flow.send(now + index * MS)
        starts += [
            flow.acknowledge(number, now=now + MIN_RTT - 10 * MS + number - first).round_start
            for number in range(first, first + 5)
        ]
    assert starts == [True, False, False, False, False] * 4


def test_the_controllers_mark_comes_back() -> None:
    assert Flow().send(0, phase=7).snapshot.phase == 7


def test_a_snapshot_tells_what_had_been_sent_up_to_any_byte_of_its_run() -> None:
    """What is sent again counts again."""
    sampler, sent = DeliverySampler(0), []
    for start, stop in [(0, 3000), (3000, 5000), (1000, 2000), (5000, 6000)]:
        snapshot = sampler.snapshot(start, stop, now=0, bytes_in_flight=0, phase=0)
        sent.append((snapshot.sent_from + start, snapshot.sent_from + stop))
    assert sent == [(0, 3000), (3000, 5000), (5000, 6000), (6000, 7000)]
