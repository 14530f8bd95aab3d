"""The variants of Streamer that are compared, and what one of them does on a class-room network in virtual time.

A variant is a setting of the three switches a Streamer has: pipelining, when it acknowledges, Nagle's algorithm; and
the controller of what it sends, if it is to have one.
Both hosts run the same one. A trial is one run of the assignment's tester; the same variant, conditions and seed
give the same figures on any machine. Nothing is printed here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import SideOutcome, StreamerOutcome, StreamerSimulation
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession

_PATIENCE = 3600 * NS_PER_S  # virtual: a session gives up by itself long before, so this ends only what would never end
_PATIENCE_PER_NUMBER = 10 * NS_PER_S


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One setting of the switches."""

    pipelining: Pipelining = Pipelining.SELECTIVE_REPEAT
    acks: AckPolicy = AckPolicy.DELAYED
    nagle: bool = True
    congestion: Congestion | None = None

    @property
    def name(self) -> str:
        """The kind of pipelining, and what differs from Streamer's defaults beside it."""
        each = ", ACK each" if self.acks is AckPolicy.EACH else ""
        controller = "" if self.congestion is None else f", {self.congestion.name}"
        return f"{self.pipelining}{each}{'' if self.nagle else ', Nagle off'}{controller}"

    @property
    def config(self) -> StreamerConfig:
        """For a session of this variant."""
        return StreamerConfig(pipelining=self.pipelining, acks=self.acks, nagle=self.nagle, congestion=self.congestion)


DEFAULT = Variant()

USUAL = (
    Variant(pipelining=Pipelining.STOP_AND_WAIT, acks=AckPolicy.EACH, nagle=False),  # what a first solution does
    Variant(pipelining=Pipelining.STOP_AND_WAIT),
    Variant(pipelining=Pipelining.GO_BACK_N),
    DEFAULT,
    Variant(acks=AckPolicy.EACH),
    Variant(nagle=False),
)
"""What is compared unless something else is asked for: the way to Streamer's defaults, and what each switch gives."""


def variants(
    modes: Sequence[Pipelining],
    acks: Sequence[AckPolicy],
    nagle: Sequence[bool],
    congestion: Sequence[Congestion | None] = (),
) -> list[Variant]:
    """Every combination of the given settings, in a fixed order.

    An empty sequence stands for all settings, but for `congestion`: there it stands for none, as Streamer has it.
    """
    return [
        Variant(pipelining=mode, acks=policy, nagle=is_on, congestion=controller)
        for mode, policy, is_on, controller in itertools.product(
            Pipelining, AckPolicy, (True, False), congestion or (None,)
        )
        if mode in (modes or (mode,)) and policy in (acks or (policy,)) and is_on in (nagle or (is_on,))
    ]


class Figures(NamedTuple):
    """What a trial took, or several of them on average. Counts are of both hosts together.

    Attributes:
        packets: all packets given to sendto.
        repeated: those of them with data or a FIN that had been sent before.
        acks: those that only acknowledge.
        pings: those that only ask for an acknowledgment.
        eth_bytes: bytes of all packets, with UDP, IP and Ethernet headers as the class-room socket counts them.
        last_number_s: seconds from the start of the hosts until both had read all numbers.
        closed_s: seconds until both connections were closed, grace period included.
    """

    packets: float
    repeated: float
    acks: float
    pings: float
    eth_bytes: float
    last_number_s: float
    closed_s: float

    @classmethod
    def mean(cls, figures: Sequence[Figures]) -> Figures:
        """The mean of each figure; there must be at least one."""
        return cls(*(fmean(column) for column in zip(*figures, strict=True)))


class Trial(NamedTuple):
    """One run: its figures, or what went wrong."""

    seed: int
    figures: Figures | None
    problem: str = ""


class Result(NamedTuple):
    """All runs of a variant."""

    variant: Variant
    trials: Sequence[Trial]

    @property
    def failures(self) -> list[Trial]:
        """The runs that did not do what they should."""
        return [trial for trial in self.trials if trial.figures is None]

    @property
    def mean(self) -> Figures | None:
        """Over the runs that did not fail; None when all did."""
        good = [trial.figures for trial in self.trials if trial.figures is not None]
        return Figures.mean(good) if good else None


def run_trial(variant: Variant, numbers: int, network: ClassroomConfig, seed: int) -> Trial:
    """Run the tester with `numbers` (NUMS, >= 0) over `network` with two hosts of `variant`."""
    config = variant.config
    simulation = StreamerSimulation(numbers, network, seed=seed, host1=config, host2=config)
    outcome = simulation.run(_PATIENCE + numbers * _PATIENCE_PER_NUMBER)
    closed, last_read = outcome.both_closed_at, _last_read_at(outcome)
    if not outcome.is_success or closed is None or last_read is None:
        return Trial(seed, None, problem(outcome))
    stats = [session.stats for session in simulation.sessions if isinstance(session, StreamerSession)]
    return Trial(
        seed,
        Figures(
            packets=outcome.host1.packets + outcome.host2.packets,
            repeated=sum(each.retransmissions for each in stats),
            acks=sum(each.acks for each in stats),
            pings=sum(each.pings for each in stats),
            eth_bytes=outcome.eth_bytes,
            last_number_s=last_read / NS_PER_S,
            closed_s=closed / NS_PER_S,
        ),
    )


def problem(outcome: StreamerOutcome) -> str:
    """What went wrong, in one line, host by host; "" when nothing did."""
    sides = ((1, outcome.host1), (2, outcome.host2))
    return "; ".join(f"host {number}: {_side_problem(side)}" for number, side in sides if not side.is_success)


def _side_problem(side: SideOutcome) -> str:
    if side.error is not None:
        return str(side.error)
    return "did not close" if side.closed_at is None else "read something else than was sent"


def _last_read_at(outcome: StreamerOutcome) -> int | None:
    times = (outcome.host1.last_read_at, outcome.host2.last_read_at)
    return None if None in times else max(time for time in times if time is not None)
