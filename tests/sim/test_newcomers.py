"""Flows of ours that join a shared queue one after the other, sixteen of them: none takes the others for strangers.

100 Mbit/s, 50 ms, a queue of one product of both. Who joins brings a queue for some round trips, and the next one comes
soon. Whoever then believes that the path is longer, that somebody fills the queue who has to be competed with, or that
losses are the path's, sends more; and so do all others, one after the other, until most of what is sent is dropped.
"""

from __future__ import annotations

import random

import pytest

from surewire.impair import LinkConfig
from surewire.lab.simulated.shared_link import Native, SharedLink

MS = 1_000_000
S = 1000 * MS
RATE = 100_000_000
RTT = 50 * MS
FLOWS = 16


def joining(*, loss: float, seed: int) -> SharedLink:
    """A flow comes each half second, or up to another half second later."""
    back = LinkConfig(rate=RATE, delay=RTT // 2, loss=loss)
    there = LinkConfig(rate=RATE, delay=RTT // 2, loss=loss, queue=RATE // 8 * RTT // S)
    dice = random.Random(seed)
    flows = [Native(start=int((number + dice.random()) * S / 2)) for number in range(FLOWS)]
    return SharedLink(there, back, flows, seed=seed)


@pytest.mark.parametrize(
    ("loss", "seed", "seconds"),
    [(0.0, 8, 3.0), (0.0, 1, 4.0), (0.1, 9, 3.5)],
)
def test_one_newcomer_after_the_other_does_not_make_them_run_away(loss: float, seed: int, seconds: float) -> None:
    """Seen: hardly any drops, a mean wait of 10 ms. Where one has run away, a tenth or more is dropped, after 40 ms."""
    link = joining(loss=loss, seed=seed).run(seconds)
    assert link.drop_share(0, seconds) <= 0.01
    assert link.mean_wait(seconds - 1, seconds) <= 25 * MS
