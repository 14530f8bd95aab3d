"""The variants of Streamer: which there are, that each works, and that the figures tell what a switch is for."""

from __future__ import annotations

import itertools

import pytest

from surewire.apps.streamer_variants import (
    DEFAULT,
    USUAL,
    Figures,
    Result,
    Trial,
    Variant,
    problem,
    run_trial,
    variants,
)
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.errors import IdleTimeout
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import SideOutcome, StreamerOutcome, StreamerSimulation
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig

BAD = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=NS_PER_S // 10)
WORST = ClassroomConfig(loss=0.3, corruption=0.3, max_delay=3 * NS_PER_S // 10)
SLOW = ClassroomConfig(loss=0.1, corruption=0.1, max_delay=3 * NS_PER_S // 10)
ALL = variants([], [], [])
MODES = list(Pipelining)


def mean(variant: Variant, *, numbers: int, network: ClassroomConfig = BAD, seeds: int = 5) -> Figures:
    result = Result(variant, [run_trial(variant, numbers, network, seed) for seed in range(1, seeds + 1)])
    assert not result.failures
    assert result.mean is not None
    return result.mean


def side(*, closed_at: int | None = 1, error: IdleTimeout | None = None, is_right: bool = True) -> SideOutcome:
    return SideOutcome(
        closed_at=closed_at,
        error=error,
        note=None,
        packets=1,
        udp_bytes=1,
        first_sent_at=0,
        last_read_at=1,
        is_right=is_right,
    )


# Which there are


def test_there_are_twelve_and_their_names_differ() -> None:
    assert len(ALL) == len({variant.name for variant in ALL}) == 12


def test_the_usual_ones_are_among_them_once_each() -> None:
    assert len(set(USUAL)) == len(USUAL) == 6
    assert set(USUAL) <= set(ALL)


def test_the_default_variant_is_streamers_default() -> None:
    assert DEFAULT.config == StreamerConfig()
    assert DEFAULT.name == "selective-repeat"


def test_a_name_says_what_differs() -> None:
    first = Variant(pipelining=Pipelining.STOP_AND_WAIT, acks=AckPolicy.EACH, nagle=False)
    assert first.name == "stop-and-wait, ACK each, Nagle off"


def test_given_settings_leave_the_variants_that_have_them() -> None:
    found = variants([Pipelining.GO_BACK_N, Pipelining.STOP_AND_WAIT], [], [False])
    assert [variant.name for variant in found] == [
        "stop-and-wait, ACK each, Nagle off",
        "stop-and-wait, Nagle off",
        "go-back-n, ACK each, Nagle off",
        "go-back-n, Nagle off",
    ]


def test_controllers_are_named_and_there_is_none_unless_asked_for() -> None:
    cubic = Congestion("cubic")
    found = variants([Pipelining.GO_BACK_N], [AckPolicy.DELAYED], [True, False], [None, cubic])
    assert [variant.name for variant in found] == [
        "go-back-n",
        "go-back-n, cubic",
        "go-back-n, Nagle off",
        "go-back-n, Nagle off, cubic",
    ]
    assert [variant.config.congestion for variant in found] == [None, cubic, None, cubic]
    assert all(variant.congestion is None for variant in ALL)


# Trials


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    first, again, other = (run_trial(DEFAULT, 1000, BAD, seed) for seed in (1, 1, 2))
    assert first.figures == again.figures
    assert first.figures != other.figures


def test_the_figures_of_a_perfect_network_add_up() -> None:
    trial = run_trial(DEFAULT, 1000, ClassroomConfig(), 1)
    assert trial.figures is not None
    assert (trial.figures.repeated, trial.figures.pings, trial.problem) == (0, 0, "")
    assert trial.figures.acks < trial.figures.packets
    assert 2 <= trial.figures.closed_s - trial.figures.last_number_s < 3  # the grace period


def test_a_trial_that_fails_says_why() -> None:
    trial = run_trial(DEFAULT, 10, ClassroomConfig(loss=1), 1)
    assert trial.figures is None
    assert trial.problem.startswith("host 1: ")
    assert "host 2: nobody answered" in trial.problem


def test_failed_trials_are_not_in_the_mean() -> None:
    one, three = (Figures(*[value] * len(Figures._fields)) for value in (1.0, 3.0))
    result = Result(DEFAULT, [Trial(1, one), Trial(2, None, "lost"), Trial(3, three)])
    assert result.mean == Figures(*[2.0] * len(Figures._fields))
    assert [trial.seed for trial in result.failures] == [2]
    assert Result(DEFAULT, [Trial(1, None, "lost")]).mean is None


def test_every_kind_of_problem_is_named() -> None:
    assert problem(StreamerOutcome(host1=side(), host2=side())) == ""
    assert problem(StreamerOutcome(host1=side(closed_at=None), host2=side())) == "host 1: did not close"
    outcome = StreamerOutcome(host1=side(error=IdleTimeout("silent")), host2=side(is_right=False))
    assert problem(outcome) == "host 1: silent; host 2: read something else than was sent"


# All of them work


@pytest.mark.parametrize("variant", ALL, ids=lambda variant: variant.name)
@pytest.mark.parametrize("network", [BAD, SLOW], ids=["bad", "slow"])
def test_every_variant_delivers(variant: Variant, network: ClassroomConfig) -> None:
    for seed in range(1, 6):
        assert run_trial(variant, 100, network, seed).problem == ""


@pytest.mark.parametrize("acks", AckPolicy)
@pytest.mark.parametrize(("seed", "numbers"), [(12, 1000), (25, 1000), (48, 3000), (84, 3000)])
def test_a_copy_on_its_way_does_not_stop_the_sender(acks: AckPolicy, seed: int, numbers: int) -> None:
    """The original was acknowledged after all, the copy lost: with a window of one it was waited for in vain."""
    variant = Variant(pipelining=Pipelining.STOP_AND_WAIT, acks=acks)
    assert run_trial(variant, numbers, SLOW, seed).problem == ""


@pytest.mark.parametrize(
    ("mode", "acks", "seed"),
    [
        (Pipelining.STOP_AND_WAIT, AckPolicy.EACH, 1240),
        (Pipelining.STOP_AND_WAIT, AckPolicy.DELAYED, 1252),
        (Pipelining.GO_BACK_N, AckPolicy.EACH, 1495),
        (Pipelining.GO_BACK_N, AckPolicy.DELAYED, 1858),
    ],
)
def test_a_side_does_not_leave_a_peer_whose_timeouts_are_long(mode: Pipelining, acks: AckPolicy, seed: int) -> None:
    """The peer still repeated what had arrived, a timeout at a time, when its silence was taken for its end."""
    assert run_trial(Variant(pipelining=mode, acks=acks), 1000, WORST, seed).problem == ""


@pytest.mark.parametrize(("mode1", "mode2"), list(itertools.permutations(MODES, 2)))
@pytest.mark.parametrize("acks", AckPolicy)
def test_hosts_of_different_modes_understand_each_other(mode1: Pipelining, mode2: Pipelining, acks: AckPolicy) -> None:
    for seed in range(1, 6):
        simulation = StreamerSimulation(
            200,
            BAD,
            seed=seed,
            host1=StreamerConfig(pipelining=mode1, acks=acks),
            host2=StreamerConfig(pipelining=mode2, nagle=seed % 2 == 0),
        )
        assert problem(simulation.run(3600 * NS_PER_S)) == ""


# What the switches are for


def test_a_window_that_takes_random_loss_for_congestion_is_slow() -> None:
    newreno = mean(Variant(congestion=Congestion("newreno")), numbers=20_000, seeds=2)
    assert newreno.last_number_s > 2 * mean(DEFAULT, numbers=20_000, seeds=2).last_number_s


def test_pipelining_saves_time_and_repeating_only_what_is_lost_saves_bytes() -> None:
    stop_and_wait, go_back_n, selective = (mean(Variant(pipelining=mode), numbers=10_000, seeds=3) for mode in MODES)
    assert stop_and_wait.last_number_s > 5 * selective.last_number_s
    assert go_back_n.repeated > 5 * selective.repeated
    assert go_back_n.eth_bytes > 2 * selective.eth_bytes
    assert go_back_n.pings == stop_and_wait.pings == 0


def test_go_back_n_goes_back_when_the_oldest_is_overdue() -> None:
    """If sending on put the timeout off, nearly two hundred packets would follow each loss in vain."""
    steady = ClassroomConfig(loss=0.1, corruption=0.1)
    modes = (Pipelining.GO_BACK_N, Pipelining.STOP_AND_WAIT)
    go_back_n, stop_and_wait = (
        mean(Variant(pipelining=mode), numbers=100_000, network=steady, seeds=1) for mode in modes
    )
    assert go_back_n.last_number_s < stop_and_wait.last_number_s / 2


def test_an_ack_for_each_packet_costs_packets_and_bytes() -> None:
    each, delayed = (mean(Variant(acks=policy), numbers=10_000) for policy in (AckPolicy.EACH, AckPolicy.DELAYED))
    assert each.acks > 1.5 * delayed.acks
    assert each.eth_bytes > delayed.eth_bytes


def test_nagle_saves_packets_bytes_and_time() -> None:
    without, with_it = mean(Variant(nagle=False), numbers=1000, seeds=2), mean(DEFAULT, numbers=1000)
    assert without.packets > 1000 > 20 * with_it.packets
    assert without.eth_bytes > 5 * with_it.eth_bytes
    assert without.last_number_s > 5 * with_it.last_number_s


def test_a_first_solution_is_the_slowest_of_the_usual_ones() -> None:
    first, *others = (mean(variant, numbers=200, seeds=2) for variant in USUAL)
    assert first.last_number_s > 5 * max(other.last_number_s for other in others)
    assert first.eth_bytes > max(other.eth_bytes for other in others)
