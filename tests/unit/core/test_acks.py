"""When an acknowledgment is due, and what it reports."""

from __future__ import annotations

from surewire.core.acks import AckTracker
from surewire.core.config import TransportConfig
from surewire.core.timers import Timer, TimerTable
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.work import lines_executed

DELAY = 5 * MS
FIRST = 100  # numbers that are acknowledged two by two at least


class Receiver:
    """A tracker with its timers; `arrive` takes single numbers."""

    def __init__(
        self,
        *,
        ack_every: int = 2,
        ack_pairs: int = FIRST,
        min_ack_ranges: int = 3,
        max_ack_ranges: int = 6,
        max_tracked_ranges: int = 100,
        ack_reordered: bool = True,
    ) -> None:
        self.timers = TimerTable()
        config = TransportConfig(
            ack_every=ack_every,
            ack_pairs=ack_pairs,
            max_ack_delay=DELAY,
            min_ack_ranges=min_ack_ranges,
            max_ack_ranges=max_ack_ranges,
            max_tracked_ranges=max_tracked_ranges,
            ack_reordered=ack_reordered,
        )
        self.tracker = AckTracker(config, self.timers)

    def arrive(self, *numbers: int, now: int = 0) -> None:
        for number in numbers:
            self.tracker.on_received(number, number + 1, now=now)

    def pass_the_first(self) -> None:
        """The first hundred numbers, acknowledged more often than the others, are behind."""
        self.tracker.on_received(0, FIRST, now=0)
        self.tracker.on_sent()

    def is_due(self) -> bool:
        return self.tracker.is_due

    @property
    def delayed_until(self) -> int | None:
        return self.timers.deadline(Timer.DELAYED_ACK)


def test_nothing_is_due_before_anything_arrives() -> None:
    receiver = Receiver()
    assert not receiver.is_due()
    assert receiver.tracker.ranges() == []
    assert receiver.tracker.largest == -1
    assert receiver.delayed_until is None


def test_the_first_in_order_waits_and_the_second_makes_it_due() -> None:
    receiver = Receiver()
    receiver.arrive(0, now=100)
    assert not receiver.is_due()
    assert receiver.delayed_until == 100 + DELAY
    receiver.arrive(1, now=200)
    assert receiver.is_due()
    receiver.tracker.on_sent()
    assert not receiver.is_due()
    assert receiver.delayed_until is None


def test_the_delay_runs_from_the_first_arrival_that_waits() -> None:
    receiver = Receiver(ack_every=10)
    receiver.pass_the_first()
    receiver.arrive(100, now=100)
    receiver.arrive(101, now=100 + DELAY // 2)
    assert not receiver.is_due()
    assert receiver.delayed_until == 100 + DELAY
    receiver.tracker.make_due()
    receiver.tracker.on_sent()
    receiver.arrive(102, now=9 * DELAY)
    assert receiver.delayed_until == 10 * DELAY


def test_a_train_counts_each_datagram() -> None:
    receiver = Receiver(ack_every=5)
    receiver.pass_the_first()
    receiver.tracker.on_received(100, 104, now=0)
    assert not receiver.is_due()
    receiver.tracker.on_received(104, 105, now=0)
    assert receiver.is_due()
    assert receiver.tracker.ranges() == [(0, 105)]
    assert receiver.tracker.largest == 104


def acknowledged(receiver: Receiver, *, until: int = 140) -> list[int]:
    """The numbers at which one is due, if they all come in order."""
    dues = []
    for number in range(until):
        receiver.arrive(number)
        if receiver.is_due():
            dues.append(number)
            receiver.tracker.on_sent()
    return dues


def test_the_first_hundred_are_acknowledged_two_by_two() -> None:
    """The peer learns its path by them, and soon."""
    assert acknowledged(Receiver(ack_every=8)) == [*range(1, FIRST, 2), 107, 115, 123, 131, 139]


def test_they_are_not_where_acknowledgments_are_to_be_few() -> None:
    assert acknowledged(Receiver(ack_every=8, ack_pairs=0), until=20) == [7, 15]


def test_they_are_acknowledged_one_by_one_where_all_are() -> None:
    assert acknowledged(Receiver(ack_every=1)) == list(range(140))


def test_one_of_the_first_hundred_waits_for_the_delay_like_any_other() -> None:
    receiver = Receiver(ack_every=8)
    receiver.arrive(0, now=100)
    assert (receiver.is_due(), receiver.delayed_until) == (False, 100 + DELAY)


def test_a_train_among_the_first_hundred_is_enough() -> None:
    receiver = Receiver(ack_every=8)
    receiver.tracker.on_received(0, 2, now=0)
    assert receiver.is_due()


def test_it_is_the_highest_number_that_says_which_are_the_first() -> None:
    """However few of the first hundred have come, and however late the others do."""
    receiver = Receiver(ack_every=4, ack_reordered=False)
    receiver.arrive(FIRST, 3, 4)
    assert not receiver.is_due()
    receiver.arrive(5)
    assert receiver.is_due()


def test_a_hole_a_filled_hole_and_a_repeat_make_it_due_at_once() -> None:
    receiver = Receiver(ack_every=100)
    receiver.pass_the_first()
    for number in (100, 102, 101, 101):
        receiver.arrive(number)
        assert receiver.is_due() is (number != 100)
        receiver.tracker.on_sent()
    receiver.arrive(103)
    assert not receiver.is_due()


def test_a_first_number_that_is_not_the_lowest_is_a_hole() -> None:
    receiver = Receiver(ack_every=100)
    receiver.arrive(1)
    assert receiver.is_due()


def test_largest_is_the_highest_so_far() -> None:
    receiver = Receiver()
    receiver.arrive(5, 3)
    assert receiver.tracker.largest == 5


def test_the_latest_is_what_arrived_last_even_if_others_overtook_it() -> None:
    receiver = Receiver()
    receiver.arrive(0, 5, now=100)
    receiver.arrive(3, now=200)
    assert (receiver.tracker.latest, receiver.tracker.latest_at) == (3, 200)
    assert receiver.tracker.largest == 5


def test_repeats_are_known() -> None:
    receiver = Receiver()
    receiver.arrive(0, 2)
    assert [receiver.tracker.is_new(number) for number in range(4)] == [False, True, False, True]


def test_the_report_has_whole_ranges_highest_first() -> None:
    receiver = Receiver()
    receiver.arrive(0, 1, 5, 6, 3)
    assert receiver.tracker.ranges() == [(5, 7), (3, 4), (0, 2)]


def test_the_report_is_limited() -> None:
    receiver = Receiver(max_ack_ranges=4)
    receiver.arrive(*range(0, 100, 2))
    assert receiver.tracker.ranges() == [(98, 99), (96, 97), (94, 95), (92, 93)]


def test_each_arrival_is_reported_in_several_acknowledgments() -> None:
    receiver = Receiver(min_ack_ranges=1, max_ack_ranges=48)
    reports: dict[int, int] = {}
    for burst in range(20):
        arrived = range(10 * burst, 10 * burst + 10, 2)
        receiver.arrive(*arrived)
        for start, _ in receiver.tracker.ranges():
            reports[start] = reports.get(start, 0) + 1
        receiver.tracker.on_sent()
    assert all(reports[number] >= 2 for number in range(0, 150, 2))


def test_a_number_overtaken_by_many_is_still_reported() -> None:
    receiver = Receiver(min_ack_ranges=2, max_ack_ranges=4)
    receiver.arrive(0, *range(10, 60, 2))
    receiver.tracker.on_sent()
    receiver.arrive(3)
    assert (3, 4) in receiver.tracker.ranges()


def test_tracked_ranges_are_limited_and_what_was_forgotten_is_not_new() -> None:
    receiver = Receiver(max_tracked_ranges=3, max_ack_ranges=6)
    receiver.arrive(0, 2, 4, 6, 8)
    assert receiver.tracker.ranges() == [(8, 9), (6, 7), (4, 5)]
    assert not receiver.tracker.is_new(0)
    assert not receiver.tracker.is_new(1)  # below all that is tracked: nobody knows
    assert receiver.tracker.is_new(5)
    assert receiver.tracker.is_new(9)
    receiver.arrive(0)
    assert receiver.tracker.ranges() == [(8, 9), (6, 7), (4, 5)]


def test_a_forgotten_number_is_not_new_after_a_hole_was_filled() -> None:
    receiver = Receiver(max_tracked_ranges=3)
    receiver.arrive(0, 2, 4, 6)  # 0 is forgotten
    receiver.arrive(3)  # 2, 3 and 4 become one range: there is room for one more
    assert not receiver.tracker.is_new(0)


# What native adds: more of each report than recent arrivals, at a price that the window has no part in


def test_what_room_is_left_tells_of_the_ranges_next_below() -> None:
    receiver = Receiver(min_ack_ranges=3, max_ack_ranges=16, max_tracked_ranges=1_000)
    for number in range(0, 800, 2):
        receiver.arrive(number)
        receiver.tracker.on_sent()
    recent = receiver.tracker.ranges()
    told = receiver.tracker.ranges_and_newest()
    assert len(recent) == 3
    assert told == [(number, number + 1) for number in range(798, 786, -2)]


def test_what_was_overtaken_by_many_is_told_beside_the_newest() -> None:
    receiver = Receiver(min_ack_ranges=4, max_ack_ranges=16, max_tracked_ranges=1_000)
    receiver.arrive(*range(0, 200, 2))
    for _ in range(5):
        receiver.tracker.on_sent()
    receiver.arrive(5)
    told = receiver.tracker.ranges_and_newest()
    assert told == [(number, number + 1) for number in (198, 196, 194, 192, 190, 188, 186)] + [(4, 7)]


def test_no_report_has_more_ranges_than_fit() -> None:
    receiver = Receiver(min_ack_ranges=4, max_ack_ranges=6, max_tracked_ranges=1_000)
    receiver.arrive(*range(0, 200, 2))
    assert receiver.tracker.ranges_and_newest() == [(number, number + 1) for number in range(198, 186, -2)]


def test_a_report_costs_the_same_however_many_ranges_lie_above_a_late_arrival() -> None:
    def work(holes: int) -> int:
        receiver = Receiver(ack_reordered=False, min_ack_ranges=16, max_ack_ranges=64, max_tracked_ranges=holes)
        receiver.arrive(0, *range(10, 2 * holes, 2), 2)
        return lines_executed(receiver.tracker.ranges_and_newest)

    assert work(16_000) <= 1.1 * work(200)


def test_what_is_forgotten_is_forgotten_by_the_share_not_one_by_one() -> None:
    receiver = Receiver(max_tracked_ranges=800)
    sizes = []
    for number in range(0, 4_000, 2):
        receiver.arrive(number)
        sizes.append(receiver.tracker.tracked_ranges)
    assert max(sizes) == 800
    drops = sum(after < before for before, after in zip(sizes, sizes[1:], strict=False))
    assert drops == 12  # and not once for each of the 1,200 above the limit


# An interval, where the round trip is known: bulk demands an acknowledgment every few datagrams, and few say as much


def test_within_the_interval_after_an_acknowledgment_the_next_waits_for_its_turn() -> None:
    receiver = Receiver(ack_every=2)
    receiver.tracker.interval = 3 * MS
    receiver.arrive(0, 1, now=10 * MS)
    assert receiver.is_due()  # nobody has waited yet
    receiver.tracker.on_sent()
    receiver.arrive(2, now=11 * MS)
    assert (receiver.is_due(), receiver.delayed_until) == (False, 11 * MS + DELAY)
    receiver.arrive(3, 4, 5, now=12 * MS)
    assert (receiver.is_due(), receiver.delayed_until) == (False, 13 * MS)
    receiver.arrive(6, now=13 * MS)
    assert receiver.is_due()


def test_a_hole_waits_for_its_turn_too_but_many_do_not() -> None:
    receiver = Receiver()
    receiver.tracker.interval = 3 * MS
    receiver.arrive(0, 1)
    receiver.tracker.on_sent()
    dues = []
    for number in (3, 5, 7, 9):
        receiver.arrive(number, now=MS)
        dues.append(receiver.is_due())
    assert dues == [False, False, False, True]
    receiver.tracker.on_sent()
    receiver.arrive(11, now=MS)
    assert not receiver.is_due()


def test_what_must_be_said_at_once_does_not_wait_for_the_interval() -> None:
    receiver = Receiver()
    receiver.tracker.interval = 3 * MS
    receiver.arrive(0, 1)
    receiver.tracker.on_sent()
    receiver.arrive(2, now=MS)
    receiver.tracker.make_due()
    assert receiver.is_due()


# What Streamer adds: acknowledgments for whole windows, on data where there are any


def test_out_of_order_is_no_reason_to_hurry_when_told_so() -> None:
    receiver = Receiver(ack_every=4, ack_reordered=False)
    receiver.arrive(105, 102, 102, now=100)
    assert not receiver.is_due()
    assert receiver.delayed_until == 100 + DELAY
    receiver.arrive(100, now=200)  # repeats count, too: four datagrams
    assert receiver.is_due()


def test_pending_is_what_no_acknowledgment_tells_of() -> None:
    receiver = Receiver(ack_every=4, ack_reordered=False)

    def flags() -> tuple[bool, bool]:
        return receiver.tracker.is_pending, receiver.tracker.is_due

    assert flags() == (False, False)
    receiver.arrive(0)
    assert flags() == (True, False)
    receiver.tracker.on_sent()
    assert flags() == (False, False)
    receiver.tracker.make_due()
    assert flags() == (True, True)


def test_the_share_of_missing_numbers() -> None:
    receiver = Receiver(ack_reordered=False)
    assert receiver.tracker.missing_share == 0.0
    receiver.arrive(3)
    assert receiver.tracker.missing_share == 0.75
    receiver.arrive(0, 0, 3)  # a repeat is nothing new
    assert receiver.tracker.missing_share == 0.5
    receiver.arrive(1, 2)
    assert receiver.tracker.missing_share == 0.0


def test_all_that_is_remembered_is_reported_highest_first_up_to_a_limit() -> None:
    receiver = Receiver(min_ack_ranges=1, max_ack_ranges=3)
    receiver.arrive(0, 1, 2, 4, 6, 7)
    for _ in range(9):
        receiver.tracker.on_sent()  # none of these arrivals is recent any more
    receiver.arrive(6)
    assert receiver.tracker.ranges() == [(6, 8)]
    assert receiver.tracker.received_ranges() == [(6, 8), (4, 5), (0, 3)]
    receiver.arrive(9)
    assert receiver.tracker.received_ranges() == [(9, 10), (6, 8), (4, 5)]


def test_losses_are_judged_by_the_last_128_numbers_only() -> None:
    receiver = Receiver()
    assert receiver.tracker.missing_share == 0
    receiver.arrive(*range(0, 128, 2))
    assert receiver.tracker.missing_share == 63 / 127
    receiver.arrive(*range(128, 192))
    assert receiver.tracker.missing_share == 32 / 128
    receiver.arrive(*range(192, 255))
    assert receiver.tracker.missing_share == 1 / 128  # number 127
    receiver.arrive(255)
    assert receiver.tracker.missing_share == 0  # the path got better, whatever it was before
    receiver.arrive(319)
    assert receiver.tracker.missing_share == 63 / 128


def test_losses_are_still_known_when_old_ranges_have_been_forgotten() -> None:
    receiver = Receiver(max_tracked_ranges=100)
    receiver.arrive(*range(0, 20_000, 2))
    assert receiver.tracker.missing_share == 0.5
