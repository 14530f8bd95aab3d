"""At 4 Mbit/s and 20 ms the first flight overflows a queue of 15 kB. Its losses were taken for the path's; then the
window was as large as the little that arrived allowed, so it did not grow, was never cut, and two thirds of all that
was sent were dropped for as long as the flow lasted."""

from __future__ import annotations

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig
from surewire.lab.simulated.shared_link import Native, SharedLink


def test_a_lone_flow_does_not_overflow_a_short_queue_for_ever() -> None:
    there = LinkConfig(rate=4_000_000, delay=10 * NS_PER_MS, queue=15_000)
    back = LinkConfig(rate=4_000_000, delay=10 * NS_PER_MS)
    link = SharedLink(there, back, [Native()], seed=1).run(20)
    assert link.rates(15, 20)[0] * 8 >= 0.85 * 4_000_000
    assert link.drop_share(15, 20) <= 0.2
