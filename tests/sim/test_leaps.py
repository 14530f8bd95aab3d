"""How soon a transfer over a path of many windows is as fast as the path: seconds from before connecting.

Each bound is below what doubling needs, from the same 32 segments.
"""

from __future__ import annotations

import pytest

from surewire.core.units import NS_PER_S
from surewire.impair import LinkConfig
from surewire.impair.link import Link
from surewire.impair.model import Delivery
from surewire.lab.simulated.native_simulation import NativeSimulation
from tests.sim.world import MS, content


@pytest.mark.parametrize(
    ("rtt", "nbytes", "most"),
    [(50 * MS, 2_000_000, 0.39), (200 * MS, 4_000_000, 1.65)],  # by doubling 0.427 and 1.742
)
def test_the_path_is_found_in_fewer_round_trips_than_by_doubling(rtt: int, nbytes: int, most: float) -> None:
    link = LinkConfig(rate=100_000_000, delay=rtt // 2, queue=500_000)
    transfer = NativeSimulation(content(nbytes, 1), link, seed=1)
    began = transfer.network.now
    transfer.run()
    confirmed_at = transfer.outcomes[0].confirmed_at
    assert confirmed_at is not None
    assert (confirmed_at - began) / NS_PER_S <= most


@pytest.mark.parametrize(("bunch", "most"), [(1, 0.60), (2 * MS, 0.64), (3 * MS, 0.68), (5 * MS, 0.72)])
def test_datagrams_in_bunches_do_not_end_the_search(bunch: int, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A radio or a busy host hands over at once what has gathered for some milliseconds, both ways.

    The first of them has none. Where the search ended at a third of the path, bunches of 2 ms took 0.92 s.
    """
    transmit = Link.transmit

    def gathered(self: Link, datagram: bytes, *, now: int) -> list[Delivery]:
        return [each._replace(at=-(-each.at // bunch) * bunch) for each in transmit(self, datagram, now=now)]

    monkeypatch.setattr(Link, "transmit", gathered)
    link = LinkConfig(rate=100_000_000, delay=25 * MS, queue=500_000)
    transfer = NativeSimulation(content(5_000_000, 1), link, seed=1)
    began = transfer.network.now
    transfer.run()
    confirmed_at = transfer.outcomes[0].confirmed_at
    assert confirmed_at is not None
    assert (confirmed_at - began) / NS_PER_S <= most
