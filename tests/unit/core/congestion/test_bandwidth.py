"""The bandwidth filter: what an acknowledgment costs, however many came before it."""

from __future__ import annotations

from surewire.core.congestion.bandwidth import BandwidthFilter


class Rate(int):
    """Counts how often any is looked at."""

    looks = 0

    def __gt__(self, other: int) -> bool:
        Rate.looks += 1
        return int(self) > int(other)


def test_the_best_sample_of_a_long_round_is_known_without_looking_at_all_of_them() -> None:
    """A peer that acknowledges each datagram for itself gives as many as a window has datagrams."""
    rates = BandwidthFilter()
    Rate.looks = 0
    for number in range(1000):
        rates.on_sample(Rate(1000 + (7 * number) % 1000), is_app_limited=False)
        rates.raise_to_best()
    assert Rate.looks <= 4000
    assert rates.bandwidth == 1999


def test_the_best_sample_is_of_this_round_only() -> None:
    rates = BandwidthFilter()
    rates.on_sample(2000, is_app_limited=False)
    rates.on_round()
    for _ in range(10):
        rates.on_sample(1000, is_app_limited=False)
        rates.raise_to_best()
        rates.on_round()
    assert rates.bandwidth == 1000
