"""The impaired wire: whole IP packets between two packet descriptors, each direction through a `Link`.

A packet descriptor gives one packet a read and takes one a write: a TUN device, or in tests a datagram socket. Nothing
is known here of namespaces or interfaces. Only IPv4 is carried, other packets are counted and gone.

How it works: one thread. Each turn reads at most `BATCH` packets a side, passes them through their direction's
link, puts what comes out into a heap, and writes what is due. When nothing was read it sleeps until a packet comes or
the next one is due.

Damage: `Link` flips bits anywhere in a packet, as a wire does and as tc-netem does. The receiving kernel checks
IP, UDP and TCP checksums, so a program sees damage as loss. With `past_checksum` the flips land in the
payload and the checksum is made good, so that the program gets the damaged bytes (`surewire.lab.wired.damage`).

Invariants: packets due at the same time leave in the order they came in; every packet read is in a link's
counters, or in `WireStats.overflowed` or `not_ip`; what the wire could not do in time is counted, see `WireStats`.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import time
from collections.abc import Callable
from dataclasses import dataclass

from surewire.drivers.tun import MAX_PACKET
from surewire.impair import Link, LinkConfig
from surewire.lab.wired.damage import repaired

_NS_PER_S = 1_000_000_000

BATCH = 32
"""Packets read from one side before the other gets its turn: less than a millisecond of work."""

# While there are packets in every turn, each so many turns it is asked whether to stop.
_BUSY_TURNS = 64

LATE = 2_000_000
"""A delivery this many ns past its time counts as late, a turn that takes longer as slow: well above what a
process needs to wake up, well below the round trips that are worth emulating."""

MAX_PENDING_BYTES = 256 * 1024 * 1024
"""What may be under way in both directions together, in memory; what comes beyond is dropped and counted."""

_WAITING_COST = 192  # bytes of memory a packet under way takes beside its own

Observer = Callable[[str, str, bytes, int], None]
"""Told of each packet: "up" or "down", "offered" or "delivered", the packet, the time in ns (monotonic)."""


@dataclass(slots=True)
class WireStats:
    """What happened beside the links.

    Attributes:
        late: packets delivered more than `LATE` after their time.
        worst_lateness: the longest delay of a delivery past its time, ns.
        slow_turns: turns of the loop that took longer than `LATE`; a packet that came meanwhile began its way late.
        overflowed: packets dropped because `MAX_PENDING_BYTES` were under way.
        unsent: deliveries that the system refused.
        not_ip_any_more: deliveries it refused because damage had left no IP version in them. On a real wire the
            receiving kernel drops these.
        not_ip: packets that were not IPv4.
        pending: packets not yet due at the end.
    """

    late: int = 0
    worst_lateness: int = 0
    slow_turns: int = 0
    overflowed: int = 0
    unsent: int = 0
    not_ip_any_more: int = 0
    not_ip: int = 0
    pending: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WireConfig:
    """What a wire does.

    Attributes:
        up: the way from the client's side to the server's; sizes are those of IP packets, so that `overhead`
            should be 0.
        down: the way back.
        seed: both links' generators are derived from it.
        past_checksum: whether damage gets past UDP and TCP checksums.
    """

    up: LinkConfig
    down: LinkConfig
    seed: int = 0
    past_checksum: bool = False


class _Way:
    """One direction: where packets come from, the link, where they go."""

    __slots__ = ("link", "name", "source", "target")

    def __init__(self, name: str, source: int, target: int, link: Link) -> None:
        self.name = name
        self.source = source
        self.target = target
        self.link = link


class Wire:
    """Carries packets while `run` runs; the descriptors stay the caller's and must not block."""

    def __init__(self, client: int, server: int, config: WireConfig, observer: Observer | None = None) -> None:
        """A wire between the descriptor of the client's side and that of the server's."""
        up, down = (
            Link(link, random.Random(f"surewire wire {config.seed} {name}"))
            for name, link in (("up", config.up), ("down", config.down))
        )
        self.stats = WireStats()
        self._ways = (_Way("up", client, server, up), _Way("down", server, client, down))
        self._past_checksum = config.past_checksum
        self._observer = observer
        self._due: list[tuple[int, int, _Way, bytes]] = []
        self._count = 0
        self._pending_bytes = 0
        self._on_first: Callable[[], None] | None = None

    @property
    def up(self) -> Link:
        """The link from the client's side to the server's."""
        return self._ways[0].link

    @property
    def down(self) -> Link:
        """The link from the server's side to the client's."""
        return self._ways[1].link

    def run(self, until: int, on_first: Callable[[], None] | None = None) -> None:
        """Carry packets until the descriptor `until` can be read (or has come to its end).

        Args:
            until: a pipe or socket that says when to stop; it is not read.
            on_first: called once when the first packet is read.
        """
        self._on_first = on_first
        sources = [way.source for way in self._ways]
        clock = time.monotonic_ns
        busy_turns = 0
        while True:
            began = clock()
            count = self._drain(self._ways[0]) + self._drain(self._ways[1])
            self._deliver_due()
            now = clock()
            if now - began > LATE:
                self.stats.slow_turns += 1
            busy_turns = busy_turns + 1 if count else 0
            if count and busy_turns % _BUSY_TURNS:
                continue
            wait = 0.0 if count else max(0, self._due[0][0] - now) / _NS_PER_S if self._due else 1.0
            readable, _, _ = select.select([*sources, until], [], [], wait)
            if until in readable:
                break
        self.stats.pending = len(self._due)

    def _drain(self, way: _Way) -> int:
        """Read what waits at one side, at most `BATCH`, into its link; returns how many."""
        source, link, due = way.source, way.link, self._due
        for count in range(BATCH):
            try:
                packet = os.read(source, MAX_PACKET)
            except BlockingIOError:
                return count
            now = time.monotonic_ns()
            if self._on_first is not None:
                self._begin(now)
            if not packet or packet[0] >> 4 != 4:
                self.stats.not_ip += 1
                continue
            if self._observer is not None:
                self._observer(way.name, "offered", packet, now)
            if self._pending_bytes + len(packet) + _WAITING_COST > MAX_PENDING_BYTES:
                self.stats.overflowed += 1
                continue
            for at, copy in link.transmit(packet, now=now):
                if self._past_checksum and copy is not packet:
                    copy = repaired(packet, copy)
                # The count keeps equal times in order and spares comparing ways.
                self._count += 1
                heapq.heappush(due, (at, self._count, way, copy))
                self._pending_bytes += len(copy) + _WAITING_COST
        return BATCH

    def _deliver_due(self) -> None:
        due = self._due
        stats = self.stats
        # The clock stands still for the choice, so that a backlog cannot keep the readers waiting.
        now = time.monotonic_ns()
        while due and due[0][0] <= now:
            at, _, way, packet = heapq.heappop(due)
            self._pending_bytes -= len(packet) + _WAITING_COST
            actual = time.monotonic_ns()
            lateness = actual - at
            if lateness > stats.worst_lateness:
                stats.worst_lateness = lateness
            if lateness > LATE:
                stats.late += 1
            try:
                os.write(way.target, packet)
            except OSError:
                if packet[0] >> 4 == 4:
                    stats.unsent += 1
                else:
                    stats.not_ip_any_more += 1
                continue
            if self._observer is not None:
                self._observer(way.name, "delivered", packet, actual)

    def _begin(self, now: int) -> None:
        """Both links count their times from the first packet of either."""
        for way in self._ways:
            way.link.begin(now=now)
        on_first, self._on_first = self._on_first, None
        if on_first is not None:
            on_first()
