"""BBR as first published, in virtual time: what it is known for. 10 Mbit/s and 50 ms.

Each bound stands beside what was seen when it was set.
"""

from __future__ import annotations

from surewire.core.congestion import Congestion
from surewire.lab.simulated.shared_link import Native, Tcp
from tests.sim.test_background import FULL, S, shared

BBR = Native(congestion=Congestion("bbr1"))


def alone(loss: float) -> float:
    """Its share of what the path could deliver, once started up."""
    link = shared(BBR, buffer=1, loss=loss).run(12)
    return link.rates(3, 12)[0] / (FULL * (1 - loss))


def test_alone_it_takes_the_link() -> None:
    """Seen: 98%."""
    assert alone(0) >= 0.95


def test_loss_below_a_fifth_costs_little_more_than_itself_beyond_it_the_rate_decays() -> None:
    """Seen: 96% with 10%, 43% with 30%."""
    assert alone(0.1) >= 0.85
    assert alone(0.3) <= 0.5


def test_in_a_short_queue_it_drives_cubic_out() -> None:
    """Seen: 92%, and 6% for CUBIC."""
    link = shared(BBR, Tcp(start=S), buffer=0.5).run(14)
    ours, cubic = link.rates(4, 14)
    assert ours >= 0.75 * FULL
    assert cubic <= 0.2 * FULL
