"""The assignment's tester on the class-room network, in virtual time: never a failure, few bytes, soon done.

The limits are those the project has set itself for real runs (means of both hosts' Ethernet bytes, and of
seconds until both have closed). Virtual runs are a little quicker, so they have to keep them, too.
"""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import (
    ClassroomPair,
    Player,
    StreamerOutcome,
    StreamerSimulation,
    streamer_session,
)
from surewire.lab.simulated.workloads import StreamSession, Workload, bulk, number_exchange, ping_pong
from surewire.streamer.session import StreamerSession

CLEAN = ClassroomConfig()
DELAYED = ClassroomConfig(max_delay=100 * NS_PER_MS)
LOSSY = ClassroomConfig(loss=0.1, max_delay=100 * NS_PER_MS)
CORRUPT = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=100 * NS_PER_MS)
HARSH = ClassroomConfig(loss=0.3, corruption=0.3, max_delay=300 * NS_PER_MS)


def play(numbers: int, config: ClassroomConfig, seeds: range) -> list[StreamerOutcome]:
    """Run the tester with each seed; every run has to succeed without a remark."""
    outcomes = []
    for seed in seeds:
        outcome = StreamerSimulation(numbers, config, seed=seed).run(300 * NS_PER_S)
        assert outcome.is_success, (seed, outcome)
        assert outcome.host1.note is None and outcome.host2.note is None, (seed, outcome)
        outcomes.append(outcome)
    return outcomes


def seconds(outcome: StreamerOutcome) -> float:
    assert outcome.both_closed_at is not None
    return outcome.both_closed_at / NS_PER_S


@pytest.mark.parametrize(
    ("numbers", "config", "runs", "eth_bytes", "limit_s"),
    [
        pytest.param(1_000, CLEAN, 20, 8_300, 3.5, id="S1"),
        pytest.param(1_000, DELAYED, 50, 8_400, 3.5, id="S2"),
        pytest.param(1_000, LOSSY, 200, 9_700, 3.3, id="S3"),
        pytest.param(1_000, CORRUPT, 200, 11_000, 4.0, id="S4"),
        pytest.param(10_000, CORRUPT, 20, 131_000, 8.0, id="S5"),
        pytest.param(1_000, HARSH, 200, 19_000, 7.0, id="S6"),
    ],
)
def test_the_tester_keeps_its_limits(
    numbers: int, config: ClassroomConfig, runs: int, eth_bytes: int, limit_s: float
) -> None:
    outcomes = play(numbers, config, range(runs))
    assert fmean(outcome.eth_bytes for outcome in outcomes) <= eth_bytes
    assert fmean(map(seconds, outcomes)) <= limit_s


def test_a_long_stream_uses_nine_tenths_of_what_the_socket_lets_through() -> None:
    numbers = 100_000
    ceiling = 100 * 0.9 * 0.9048 * 1472  # bytes a second: full packets that are neither lost nor corrupted
    data_bytes = 2 * len(number_exchange(numbers)[0].expected)
    rates = []
    for outcome in play(numbers, CORRUPT, range(4)):
        assert outcome.host2.last_read_at is not None
        rates.append(data_bytes / (outcome.host2.last_read_at / NS_PER_S))
    assert fmean(rates) >= 0.9 * ceiling


def test_two_sides_that_draw_the_same_nonce_understand_each_other() -> None:
    def twin(peer: Address, rng: random.Random, now: int) -> StreamSession:
        return StreamerSession(peer, rng=random.Random(1), now=now)

    for seed in range(10):
        players = [Player(workload=workload, make_session=twin) for workload in number_exchange(1_000)]
        outcome = ClassroomPair(CORRUPT, players[0], players[1], seed=seed).run(60 * NS_PER_S)
        assert outcome.is_success, (seed, outcome)


def random_case(rng: random.Random) -> tuple[ClassroomConfig, tuple[Workload, Workload], int, int]:
    """A path that lets at least a third through, a workload, and when the hosts come up."""
    config = ClassroomConfig(
        loss=rng.choice([0, 0.1, 0.3]),
        corruption=rng.choice([0, 0.1, 0.3]),
        max_delay=int(rng.choice([0, 0.02, 0.1, 0.3, 1.0]) * NS_PER_S),
        reliable_after=rng.choice([None, None, 0, 5 * NS_PER_S]),
    )
    data = [rng.randbytes(rng.choice([0, 1, 1_000, 60_000])) for _ in range(2)]
    workloads = rng.choice(
        [
            number_exchange(rng.choice([1, 10, 1_000, 3_000])),
            ping_pong(rng.choice([1, 5, 30]), rng.choice([1, 100, 2_000])),
            bulk(data[0], data[1], piece=rng.choice([10, 1_000, 50_000])),
        ]
    )
    late = int(rng.random() * 5 * NS_PER_S)
    start1, start2 = rng.choice([(0, 0), (0, late), (late, 0)])
    return config, workloads, start1, start2


@pytest.mark.parametrize("block", range(4))
def test_any_workload_succeeds_on_any_usable_path(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        config, workloads, start1, start2 = random_case(random.Random(f"any workload {seed}"))
        players = [
            Player(workload=workload, make_session=streamer_session(), start=start)
            for workload, start in zip(workloads, (start1, start2), strict=True)
        ]
        pair = ClassroomPair(config, players[0], players[1], seed=seed)
        outcome = pair.run(600 * NS_PER_S)
        assert outcome.is_success, (seed, config, outcome)
        assert max(host.max_datagram for host in pair.hosts) <= 1472
