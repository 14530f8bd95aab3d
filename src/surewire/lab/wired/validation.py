"""What the wire is set to against what it does, measured by programs that know nothing of it.

Each check sets one thing, sends numbered datagrams or kernel TCP through the whole laboratory (NAT included), and
compares. Shares are judged by four standard deviations of what chance allows, and rates and times by a
tolerance that is stated in the row. `saturation` looks for the packet rate at which the emulator falls behind.
"""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from surewire.drivers.namespaces import NamespaceError
from surewire.impair import GilbertElliott, LinkConfig, Scenario
from surewire.lab.wired.emulation import read_message
from surewire.lab.wired.laboratory import LabOptions, LabReport, WiredLab

_MS = 1_000_000
_PORT = 46_000
_PATIENCE_S = 60.0
_PROBER = "surewire.lab.wired.prober"
_PER_SECOND = 4_000
# For what is still on its way, in queues too.
_SETTLE_S = 0.7
_SIGMAS = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        what: what was set, in words.
        set_to: the value that was set.
        measured: what came out.
        tolerance: how far from it that may be.
        unit: of all three.
        kept_up: whether the emulator did not fall behind meanwhile.
    """

    what: str
    set_to: float
    measured: float
    tolerance: float
    unit: str
    kept_up: bool

    @property
    def is_right(self) -> bool:
        """Whether the wire did what it was set to."""
        return abs(self.measured - self.set_to) <= self.tolerance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Probed:
    """What two ends of a measurement found.

    Attributes:
        near: the object that `ping` or `flood` printed.
        far: the object that `echo` or `sink` printed.
        lab: the laboratory's report.
    """

    near: dict[str, Any]
    far: dict[str, Any]
    lab: LabReport


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One step of `saturation`: `packet_bytes` are of IP, rates in packets a second."""

    packet_bytes: int
    offered: float
    delivered: float
    late: int
    slow_turns: int
    unread: int
    worst_lateness_ms: float
    kept_up: bool


def checks(count: int) -> Iterator[Row]:
    """All comparisons, one after the other.

    Args:
        count: datagrams each; 10,000 take 2.5 s each.

    Raises:
        NamespaceError: the laboratory cannot be built, or failed.
    """
    for delay_ms in (0, 10, 50, 150):
        yield _round_trip(delay_ms, count=min(count, 1000))
    for percent in (1, 10, 30):
        yield loss_check(percent, count)
    yield _share("bursts, 5% in fives: loss", LinkConfig(bursts=_BURSTS), 5, _lost, count, correlation=2 * _MEAN_BURST)
    yield _mean_burst(count)
    yield _share("duplication 5%", LinkConfig(duplicate=0.05), 5, _duplicated, count)
    yield _share("reordering 5%, 20 ms", LinkConfig(reorder=0.05, delay=20 * _MS), 5, _overtaking, count)
    yield _share("corruption 5%: lost to checksums", LinkConfig(corrupt=0.05), 5, _lost, count)
    mended = LabOptions(past_checksum=True, seed=1)
    yield _share(
        "corruption 5%, past the checksum: damaged", LinkConfig(corrupt=0.05), 5, _damaged, count, options=mended
    )
    for megabits in (1, 10, 100):
        yield _rate(megabits)


def loss_check(percent: int, count: int) -> Row:
    """Independent loss of so many percent, measured with `count` datagrams. Raises as `checks`."""
    return _share(f"loss {percent}%", LinkConfig(loss=percent / 100), percent, _lost, count)


def saturation(packet_bytes: int, rates: tuple[int, ...], *, seconds: float = 2.0) -> Iterator[Step]:
    """Flood a wire without impairments, faster and faster, until the emulator or the sender falls behind.

    Args:
        packet_bytes: size of the IP packets.
        rates: packets a second to offer, ascending; 0: as fast as one process can.
        seconds: how long each.

    Raises:
        NamespaceError: the laboratory failed.
    """
    clean = LinkConfig(delay=5 * _MS)
    for rate in rates:
        count = int((rate or 200_000) * seconds)
        probed = probe(_scenario(clean), "flood", "sink", packet_bytes, count, rate)
        wire = probed.lab.wire
        yield Step(
            packet_bytes=packet_bytes,
            offered=round(count / probed.near["seconds"]),
            delivered=round(wire.up["delivered"] / probed.near["seconds"]),
            late=wire.wire["late"],
            slow_turns=wire.wire["slow_turns"],
            unread=wire.unread,
            worst_lateness_ms=round(wire.wire["worst_lateness"] / _MS, 3),
            kept_up=probed.lab.kept_up,
        )


def probe(
    scenario: Scenario,
    near: str,
    far: str,
    packet_bytes: int,
    count: int,
    per_second: int,
    options: LabOptions | None = None,
) -> Probed:
    """Send datagrams from client to server with `surewire.lab.wired.prober`.

    Raises:
        NamespaceError: the laboratory cannot be built, or a prober failed.
    """
    # A scenario's own seed: else all checks of one share would meet the same luck.
    options = options or LabOptions(seed=zlib.crc32(repr(scenario).encode()), emulator="tun")
    with WiredLab(scenario, options) as lab:
        address = (lab.ADDRESSES["server"], str(_PORT))
        receiver = lab.start_module("server", _PROBER, far, *address)
        read_message(receiver, "the prober")
        sender = lab.start_module("client", _PROBER, near, *address, str(packet_bytes), str(count), str(per_second))
        answers = []
        for process in (sender, receiver):
            # The second ends with its input.
            try:
                out, _ = process.communicate(timeout=_PATIENCE_S)
                answers.append(json.loads(out))
            except (subprocess.TimeoutExpired, ValueError) as error:
                raise NamespaceError(f"the prober failed: {error}") from error
            if process is sender:
                time.sleep(_SETTLE_S)
        return Probed(near=answers[0], far=answers[1], lab=lab.finish())


_MEAN_BURST = 5
_BURSTS = GilbertElliott.from_average(0.05, _MEAN_BURST)


def _scenario(up: LinkConfig, down: LinkConfig | None = None) -> Scenario:
    return Scenario(name="validation", up=up, down=down or LinkConfig())


def _round_trip(delay_ms: int, *, count: int) -> Row:
    link = LinkConfig(delay=delay_ms * _MS)
    probed = probe(_scenario(link, link), "ping", "echo", 200, count, 500)
    measured = median(probed.near["round_trips_ns"] or [0]) / _MS
    return Row(
        what=f"delay {delay_ms} ms each way: round trip, median",
        set_to=2 * delay_ms,
        measured=round(measured, 3),
        # Two programs, two kernels' stacks and the NAT take part of a millisecond themselves.
        tolerance=1.0,
        unit="ms",
        kept_up=probed.lab.kept_up,
    )


def _share(
    what: str,
    link: LinkConfig,
    percent: float,
    measure: Callable[[Probed], int],
    count: int,
    *,
    correlation: float = 1.0,
    options: LabOptions | None = None,
) -> Row:
    """A share of the datagrams; `correlation`: how many of them make one independent draw."""
    probed = probe(_scenario(link), "flood", "sink", 200, count, _PER_SECOND, options)
    share = percent / 100
    deviation = math.sqrt(share * (1 - share) * correlation / count)
    return Row(
        what=what,
        set_to=percent,
        measured=round(measure(probed) / count * 100, 3),
        tolerance=round(_SIGMAS * deviation * 100, 3),
        unit="%",
        kept_up=probed.lab.kept_up,
    )


def _lost(probed: Probed) -> int:
    return int(probed.near["sent"] - probed.far["unique"])


def _duplicated(probed: Probed) -> int:
    return int(probed.far["received"] - probed.far["unique"])


def _damaged(probed: Probed) -> int:
    return int(probed.far["damaged"])


def _overtaking(probed: Probed) -> int:
    return int(probed.far["overtaking"])


def _mean_burst(count: int) -> Row:
    probed = probe(_scenario(LinkConfig(bursts=_BURSTS)), "flood", "sink", 200, count, _PER_SECOND)
    bursts = max(1.0, count * 0.05 / _MEAN_BURST)
    # Lengths are geometric: their standard deviation is a little less than their mean.
    deviation = math.sqrt(_MEAN_BURST * (_MEAN_BURST - 1) / bursts)
    return Row(
        what="bursts, 5% in fives: mean length",
        set_to=_MEAN_BURST,
        measured=round(probed.far["mean_burst"], 3),
        tolerance=round(_SIGMAS * deviation, 3),
        unit="datagrams",
        kept_up=probed.lab.kept_up,
    )


def _rate(megabits: int) -> Row:
    # A queue of 200 ms: it stays filled although the sender has to share a processor.
    link = LinkConfig(rate=megabits * 1_000_000, queue=max(16 * 1024, megabits * 25_000))
    per_second = int(megabits * 1_000_000 * 1.3 / 8 / 1500)
    probed = probe(_scenario(link), "flood", "sink", 1500, 2 * per_second, per_second)
    return Row(
        what=f"rate {megabits} Mbit/s, offered 130%, packets of 1,500 bytes",
        set_to=megabits,
        measured=round(probed.far["bytes_per_s"] * 8 / 1e6, 3),
        # The span begins with the first arrival, so it holds one packet less than are counted.
        tolerance=round(megabits * 0.01 + 1500 * 8 / 2e6, 3),
        unit="Mbit/s",
        kept_up=probed.lab.kept_up,
    )
