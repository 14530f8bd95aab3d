"""A controller whose acknowledgments came too close together to measure a rate keeps the rate it began with.

It took the missing samples for a bandwidth of nothing, and sent a segment a second.
"""

from __future__ import annotations

from surewire.core.congestion import AckSample, PathModel
from surewire.core.delivery import RateSample
from surewire.core.units import NS_PER_MS

SEGMENT = 1_000


def acknowledged(model: PathModel, nbytes: int, *, rate: int, is_app_limited: bool = False) -> None:
    sample = RateSample(rate, is_app_limited, True)
    model.on_ack(AckSample(NS_PER_MS, sample, nbytes, nbytes, 0, []))


def test_no_rate_sample_at_all() -> None:
    model = PathModel(segment=SEGMENT, initial_rtt=100 * NS_PER_MS)
    before = model.pacing_rate
    model.on_rtt(NS_PER_MS, rttvar=NS_PER_MS // 2, sent_at=0)
    acknowledged(model, 20 * SEGMENT, rate=0)
    assert model.pacing_rate >= before


def test_an_application_that_says_little() -> None:
    """A few bytes in a round trip are its rate, not the path's."""
    model = PathModel(segment=SEGMENT, initial_rtt=100 * NS_PER_MS)
    before = model.pacing_rate
    model.on_rtt(100 * NS_PER_MS, rttvar=50 * NS_PER_MS, sent_at=0)
    for _ in range(20):
        acknowledged(model, 64, rate=640, is_app_limited=True)
    assert model.pacing_rate >= before
    assert model.cwnd >= 10 * SEGMENT
