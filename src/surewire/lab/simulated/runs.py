"""One run as data: what to move over which scenario by which protocol, and how it went.

`simulate` is a function of its `RunSpec` and nothing else, so a run can be done anywhere, in any order, twice: the
result is the same. Specs and results are plain data that can be sent to other processes and machines.

A file goes from the scenario's client to its server: by RDP, as a Streamer whose other side only reads, or by the
native transport in checked mode, whose datagrams are 12 bytes shorter than sealed ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from surewire.core.units import NS_PER_S
from surewire.crypto.checked import TRAILER
from surewire.errors import ConfigError, SurewireError
from surewire.impair import LinkStats
from surewire.impair.scenario import Scenario
from surewire.lab.simulated.capacity import capacity
from surewire.lab.simulated.native_simulation import NativeOutcome, NativeSimulation
from surewire.lab.simulated.players import ORIGIN, Player, SideOutcome
from surewire.lab.simulated.rdp_simulation import Outcome, RdpSimulation
from surewire.lab.simulated.stream_simulation import StreamSimulation
from surewire.lab.simulated.streamer_simulation import streamer_session
from surewire.lab.simulated.workloads import AwaitAcknowledgment, Finish, Read, Script, Workload, Write
from surewire.native.statistics import ConnectionStats
from surewire.sim import Host
from surewire.streamer.session import StreamerSession
from surewire.wire.native_datagram import HEADER_SIZE
from surewire.wire.native_frames import DATA_HEAD_SIZE
from surewire.wire.segment import PacketType

Protocol = Literal["rdp", "streamer", "native"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

HEADERS = 28
"""Bytes of the IPv4 and UDP headers that each datagram has on the link."""

_BITS_PER_BYTE = 8
_PIECE = 65_536  # bytes in a write of the application


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What to run.

    Attributes:
        protocol: "rdp", "streamer" or "native".
        scenario: the path.
        size: bytes to move, >= 1.
        seed: of everything random, the content included.
        deadline: ns of virtual time after which the run has failed, > 0; None for the scenario's.
        traced: hash every datagram.

    Raises:
        ConfigError: a value is out of its range.
    """

    protocol: Protocol
    scenario: Scenario
    size: int
    seed: int
    deadline: int | None = None
    traced: bool = False

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ConfigError(f"a protocol is {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}, not {self.protocol!r}")
        if self.size < 1:
            raise ConfigError(f"a run moves at least 1 byte, not {self.size}")
        if self.deadline is not None and self.deadline < 1:
            raise ConfigError(f"a run has a deadline above 0, not {self.deadline}")

    @property
    def limit(self) -> int:
        """The deadline that counts, ns."""
        return self.scenario.deadline if self.deadline is None else self.deadline


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How it went.

    Attributes:
        ok: the bytes arrived unchanged, the sender knows it, and both sides ended without error.
        error: what went wrong, with the kind of error first; None when nothing did.
        seconds: of virtual time until the sender had its confirmation; of a failed run, until it was over.
        goodput: payload bits a second in that time; 0 when the run failed.
        utilisation: of C(1 - p), 0..1, see `capacity`; None where the scenario has no such number.
        overhead: bytes that the sending side put on the link, IP and UDP headers included, for each payload byte.
        datagrams: that the sending side put on the link.
        retransmitted: those of them with data (or the end) that had been sent before; of the native transport,
            how many full ones the bytes make that were sent again.
        lost: datagrams of any direction, other traffic included, that the path lost.
        queue_dropped: likewise, that found a full queue, or were dropped by CoDel or the policer.
        trace_hash: of every datagram; None unless the run was traced.
    """

    ok: bool
    error: str | None = None
    seconds: float = 0.0
    goodput: float = 0.0
    utilisation: float | None = None
    overhead: float = 0.0
    datagrams: int = 0
    retransmitted: int = 0
    lost: int = 0
    queue_dropped: int = 0
    trace_hash: str | None = None


def simulate(spec: RunSpec) -> RunResult:
    """Run it in virtual time."""
    return _RUNS[spec.protocol](spec, random.Random(spec.seed).randbytes(spec.size))


def described(error: SurewireError) -> str:
    """An error with its kind, for tables."""
    return f"{type(error).__name__}: {error}"


def _run_rdp(spec: RunSpec, data: bytes) -> RunResult:
    run = RdpSimulation(data, spec.scenario, seed=spec.seed, traced=spec.traced)
    run.run(limit_s=spec.limit / NS_PER_S)
    error = _rdp_problem(spec, run)
    done_at = run.sender_outcome.closed_at if error is None else None
    return _result(
        spec,
        run.sender_host,
        elapsed=(run.network.now if done_at is None else done_at) - NS_PER_S,
        error=error,
        retransmitted=run.sender.packets.count("S", PacketType.DAT),
        links=(run.forward.stats, run.backward.stats),
        trace_hash=run.network.trace_hash if spec.traced else None,
    )


def _rdp_problem(spec: RunSpec, run: RdpSimulation) -> str | None:
    sides: tuple[tuple[str, Outcome], ...] = (("sender", run.sender_outcome), ("receiver", run.receiver_outcome))
    for name, side in sides:
        if side.error is not None:
            return f"{described(side.error)} ({name})"
        if not side.closed:
            return _too_late(spec, name)
    return None if run.is_identical else "Corrupt: the file at the receiver is another one"


def _run_streamer(spec: RunSpec, data: bytes) -> RunResult:
    pieces = (data[start : start + _PIECE] for start in range(0, len(data), _PIECE))
    confirmation, read = AwaitAcknowledgment(), Read()
    writing = Workload(application=Script(Write(pieces), Finish(), confirmation), reads=[], expected=b"")
    reading = Workload(application=Script(Finish(), read), reads=[read], expected=data)
    players = [Player(workload=workload, make_session=streamer_session()) for workload in (writing, reading)]
    run = StreamSimulation(spec.scenario, players[0], players[1], seed=spec.seed, traced=spec.traced)
    outcome = run.run(spec.limit)
    error = _side_problem(spec, "sender", outcome.host1) or _side_problem(spec, "receiver", outcome.host2)
    done_at = confirmation.done_at if error is None else None
    session = run.sessions[0]
    return _result(
        spec,
        run.hosts[0],
        elapsed=(run.network.now if done_at is None else done_at) - ORIGIN,
        error=error,
        retransmitted=session.stats.retransmissions if isinstance(session, StreamerSession) else 0,
        links=(run.path.up.stats, run.path.down.stats),
        trace_hash=run.network.trace_hash if spec.traced else None,
    )


def _run_native(spec: RunSpec, data: bytes) -> RunResult:
    run = NativeSimulation(data, spec.scenario, seed=spec.seed, traced=spec.traced)
    run.run(limit_s=spec.limit / NS_PER_S)
    error = _native_problem(spec, run)
    done_at = run.outcomes[0].confirmed_at if error is None else None
    return _result(
        spec,
        run.hosts[0],
        elapsed=(run.network.now if done_at is None else done_at) - NS_PER_S,
        error=error,
        retransmitted=_full_datagrams(run.client.stats()),
        links=(run.forward.stats, run.backward.stats),
        trace_hash=run.network.trace_hash if spec.traced else None,
    )


def _full_datagrams(stats: ConnectionStats) -> int:
    """How many full datagrams the bytes make that were sent again: the connection counts bytes."""
    return -(-stats.retransmitted_bytes // (stats.datagram_size - HEADER_SIZE - DATA_HEAD_SIZE - TRAILER))


def _native_problem(spec: RunSpec, run: NativeSimulation) -> str | None:
    sides: tuple[tuple[str, NativeOutcome], ...] = tuple(zip(("client", "server"), run.outcomes, strict=True))
    for name, side in sides:
        if side.error is not None:
            return f"{described(side.error)} ({name})"
        if not side.closed:
            return _too_late(spec, name)
    return None if run.is_identical else "Corrupt: the file at the server is another one"


def _side_problem(spec: RunSpec, name: str, side: SideOutcome) -> str | None:
    if side.error is not None:
        return f"{described(side.error)} ({name})"
    if side.closed_at is None:
        return _too_late(spec, name)
    return None if side.is_right else f"Corrupt: the {name} read something else than was sent"


def _too_late(spec: RunSpec, side: str) -> str:
    return f"Deadline: not over after {spec.limit / NS_PER_S:g} s ({side})"


def _result(
    spec: RunSpec,
    sender: Host,
    *,
    elapsed: int,
    error: str | None,
    retransmitted: int,
    links: tuple[LinkStats, LinkStats],
    trace_hash: str | None,
) -> RunResult:
    """Put the figures together; `elapsed` in ns, 0 when nothing took any time."""
    bits = spec.size * _BITS_PER_BYTE
    goodput = bits * NS_PER_S / elapsed if error is None and elapsed else 0.0
    bound = capacity(spec.scenario.up)
    share = None if bound is None else goodput / bound if bound else 0.0
    return RunResult(
        ok=error is None,
        error=error,
        seconds=elapsed / NS_PER_S,
        goodput=goodput,
        utilisation=share,
        overhead=(sender.sent_bytes + HEADERS * sender.datagrams) / spec.size,
        datagrams=sender.datagrams,
        retransmitted=retransmitted,
        lost=sum(link.lost for link in links),
        queue_dropped=sum(link.queue_dropped for link in links),
        trace_hash=trace_hash,
    )


_RUNS: dict[Protocol, Callable[[RunSpec, bytes], RunResult]] = {
    "rdp": _run_rdp,
    "streamer": _run_streamer,
    "native": _run_native,
}
