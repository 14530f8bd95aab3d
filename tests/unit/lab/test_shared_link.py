"""What `SharedLink` tells of its flows and of the queue."""

from __future__ import annotations

import pytest

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError
from surewire.impair import LinkConfig
from surewire.impair.config import Change
from surewire.lab.simulated.shared_link import Native, SharedLink, Tcp

MS = NS_PER_MS
LINK = LinkConfig(rate=2_000_000, delay=10 * MS)
SLOW = Congestion("fixed", rate=100_000)  # 40% of the link: nothing waits


def test_the_statistics_are_those_of_the_sending_end() -> None:
    shared = SharedLink(LINK, LINK, [Native(congestion=SLOW)], seed=1).run(2)
    stats = shared.stats(0)
    assert stats.congestion == "fixed"
    assert stats.acknowledged == pytest.approx(shared.samples[-1].delivered[0], rel=0.1)


@pytest.mark.parametrize("flow", [Tcp(), Native(start=NS_PER_S)])
def test_other_flows_and_those_that_have_not_begun_have_none(flow: Native | Tcp) -> None:
    shared = SharedLink(LINK, LINK, [flow], seed=1).run(0.5)
    with pytest.raises(ConfigError, match="flow 0 is no native connection that has begun"):
        shared.stats(0)


def test_a_longer_way_is_no_wait() -> None:
    changes = Change(at=NS_PER_S, delay=110 * MS), Change(at=2 * NS_PER_S, delay=60 * MS)
    shared = SharedLink(
        LinkConfig(rate=2_000_000, delay=10 * MS, changes=changes), LINK, [Native(congestion=SLOW, start=0)], seed=1
    ).run(3)
    on_the_wire = 1500 * 8 * NS_PER_S // 2_000_000
    assert 0 < max(sample.worst_wait for sample in shared.between(0.3, 3)) <= 3 * on_the_wire


def test_a_flow_gets_what_it_sends_and_shares_are_of_any_span() -> None:
    flows = [Native(congestion=SLOW), Native(congestion=SLOW, start=NS_PER_S)]
    shared = SharedLink(LINK, LINK, flows, seed=1).run(3)
    first, second = shared.rates(2, 3)
    assert first == pytest.approx(100_000, rel=0.05)
    assert second == pytest.approx(100_000, rel=0.05)
    assert shared.rates(0, 1)[1] == 0


def test_a_run_goes_on_where_it_stopped() -> None:
    parts = SharedLink(LINK, LINK, [Native(), Tcp()], seed=3).run(0.4).run(0.6)
    assert parts.samples == SharedLink(LINK, LINK, [Native(), Tcp()], seed=3).run(1).samples


def test_a_seed_does_what_it_did_and_another_does_not() -> None:
    link = LinkConfig(rate=2_000_000, delay=10 * MS, loss=0.2)
    runs = [SharedLink(link, link, [Native()], seed=seed).run(1).samples for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_samples_are_taken_at_even_times() -> None:
    shared = SharedLink(LINK, LINK, [], seed=1, sample_every=20 * MS).run(0.1)
    assert [sample.at for sample in shared.samples] == [number * 20 * MS for number in range(6)]
    assert [sample.at for sample in shared.between(0.02, 0.06)] == [20 * MS, 40 * MS, 60 * MS]


def test_drops_are_the_queues_and_not_the_paths() -> None:
    """A flow of twice the rate of the link loses half in the queue; a path that loses has dropped nothing."""
    fast = Native(congestion=Congestion("fixed", rate=500_000, window=1_000_000))
    full = LinkConfig(rate=2_000_000, delay=10 * MS, queue=10_000)
    assert SharedLink(full, LINK, [fast], seed=1).run(2).drop_share(1, 2) == pytest.approx(0.5, abs=0.1)
    lossy = LinkConfig(rate=2_000_000, delay=10 * MS, loss=0.3)
    assert SharedLink(lossy, LINK, [Native(congestion=SLOW)], seed=1).run(2).drop_share(1, 2) == 0


def test_a_full_queue_is_waited_in() -> None:
    fast = Native(congestion=Congestion("fixed", rate=500_000, window=1_000_000))
    shared = SharedLink(LinkConfig(rate=2_000_000, delay=10 * MS, queue=25_000), LINK, [fast], seed=1).run(2)
    assert shared.mean_wait(1, 2) == pytest.approx(25_000 * 8 * NS_PER_S / 2_000_000, rel=0.15)


def test_a_flow_may_have_a_longer_way() -> None:
    flows = [Native(congestion=SLOW), Native(congestion=SLOW, extra_delay=40 * MS)]
    shared = SharedLink(LINK, LINK, flows, seed=1).run(1)
    near, far = shared.stats(0), shared.stats(1)
    assert far.min_rtt_ns - near.min_rtt_ns == pytest.approx(80 * MS, abs=15 * MS)


def test_a_tcp_like_flow_ends_when_it_is_told_to() -> None:
    shared = SharedLink(LINK, LINK, [Tcp(stop=NS_PER_S)], seed=1).run(3)
    assert shared.rates(0, 1)[0] > 100_000
    assert shared.rates(2, 3)[0] == 0


def test_algorithms_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ConfigError, match="cubic"):
        Tcp(algorithm="vegas")
