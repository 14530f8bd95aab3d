"""The background controller on a shared link in virtual time: all of it while it is idle, next to nothing of it else.

10 Mbit/s and 50 ms. Each bound stands beside what was seen when it was set.
"""

from __future__ import annotations

import pytest

from surewire.core.congestion import Congestion
from surewire.impair import LinkConfig
from surewire.lab.simulated.shared_link import Native, SharedLink, Tcp

MS = 1_000_000
S = 1000 * MS
RATE = 10_000_000
FULL = RATE / 8 * 1440 / 1500  # bytes of the stream a second, when every datagram is a full one


def shared(*flows: Native | Tcp, buffer: float, loss: float = 0.0, seed: int = 1) -> SharedLink:
    """Flows on a link with a queue of so many bandwidth-delay products."""
    queue = int(buffer * RATE / 8 * 0.05)
    forward = LinkConfig(rate=RATE, delay=25 * MS, queue=queue, loss=loss)
    return SharedLink(forward, LinkConfig(rate=RATE, delay=25 * MS, loss=loss), flows, seed=seed)


def background(start: int = 0) -> Native:
    return Native(congestion=Congestion("background"), start=start)


@pytest.mark.parametrize(("buffer", "loss"), [(0.5, 0.0), (4, 0.0), (1, 0.01), (1, 0.1)])
def test_an_idle_link_is_used(buffer: float, loss: float) -> None:
    """Seen: 97 to 98% from the eighth second on, at 9 to 11 ms of queue; with 10% loss 94 to 98% (three seeds)."""
    link = shared(background(), buffer=buffer, loss=loss).run(14)
    assert link.rates(8, 14)[0] >= 0.9 * FULL * (1 - loss)
    assert link.mean_wait(8, 14) <= 15 * MS


@pytest.mark.parametrize("buffer", [0.5, 4])
def test_it_yields_to_cubic_and_comes_back(buffer: float) -> None:
    """Seen: 2.5% and 0.3% beside CUBIC's 98% and 100%; 95% from four seconds after it has left."""
    link = shared(background(), Tcp(start=3 * S, stop=14 * S), buffer=buffer).run(22)
    ours, cubic = link.rates(8, 14)
    assert ours <= 0.1 * FULL
    assert cubic >= 0.85 * FULL
    assert link.rates(18, 22)[0] >= 0.9 * FULL


def test_it_yields_to_a_queue_that_it_never_saw_empty() -> None:
    """Seen: 2%, and 99% for CUBIC."""
    link = shared(Tcp(), background(3 * S), buffer=2).run(14)
    cubic, ours = link.rates(6, 14)
    assert ours <= 0.1 * FULL
    assert cubic >= 0.85 * FULL


def test_in_a_queue_too_short_for_delay_loss_counts() -> None:
    """Nine datagrams. Seen: 46% for CUBIC, and 0.7% dropped; without a reaction to loss 0.4%, and 31% dropped."""
    link = shared(Tcp(), background(S), buffer=0.2).run(16)
    cubic, _ = link.rates(4, 16)
    assert cubic >= 0.3 * FULL
    assert link.drop_share(4, 16) <= 0.02
