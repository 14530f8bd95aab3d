"""The players of a stream in virtual time: a session and an application on a host, and how they ended.

Nothing here knows how a session works, nor what network the hosts are on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from surewire.core.events import Closed, Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.errors import SurewireError
from surewire.impair import ETHERNET_OVERHEAD
from surewire.lab.simulated.workloads import StreamSession, Workload
from surewire.sim import Endpoint, Host

ORIGIN = NS_PER_S
"""The network's time at the beginning of a run; not 0, so that a duration taken for a time shows."""

MakeSession = Callable[[Address, random.Random, int], StreamSession]
"""Makes a session from the peer's address, a random generator of its own, and the time it starts (ns)."""

Wrap = Callable[[Endpoint], Endpoint]
"""Puts an endpoint around a session: one that checks, counts or disturbs what passes."""


@dataclass(frozen=True, kw_only=True)
class Player:
    """One side of a pair.

    Attributes:
        workload: what it does.
        make_session: makes its session.
        start: ns after the beginning at which it comes up, >= 0; what reaches it before is lost.
    """

    workload: Workload
    make_session: MakeSession
    start: int = 0


@dataclass(frozen=True, kw_only=True)
class SideOutcome:
    """How one side ended. Times are ns since the beginning, None for never.

    Attributes:
        closed_at: when its session closed.
        error, note: what the session said then.
        packets, udp_bytes: datagrams and their bytes given to sendto.
        first_sent_at: when sendto was first called.
        last_read_at: when its last read was done.
        is_right: True when it read exactly what it should.
    """

    closed_at: int | None
    error: SurewireError | None
    note: str | None
    packets: int
    udp_bytes: int
    first_sent_at: int | None
    last_read_at: int | None
    is_right: bool

    @property
    def eth_bytes(self) -> int:
        """Bytes as the class-room socket reports them for Ethernet."""
        return self.udp_bytes + ETHERNET_OVERHEAD * self.packets

    @property
    def is_success(self) -> bool:
        """True when it read what it should, and its session closed without error."""
        return self.closed_at is not None and self.error is None and self.is_right


@dataclass(frozen=True, kw_only=True)
class StreamerOutcome:
    """How both sides ended; times as in `SideOutcome`."""

    host1: SideOutcome
    host2: SideOutcome

    @property
    def eth_bytes(self) -> int:
        """Both sides' Ethernet bytes."""
        return self.host1.eth_bytes + self.host2.eth_bytes

    @property
    def first_sent_at(self) -> int | None:
        """When the first packet was given to sendto."""
        return min((t for t in (self.host1.first_sent_at, self.host2.first_sent_at) if t is not None), default=None)

    @property
    def both_closed_at(self) -> int | None:
        """When the later of both sessions closed."""
        times = (self.host1.closed_at, self.host2.closed_at)
        return None if None in times else max(t for t in times if t is not None)

    @property
    def is_success(self) -> bool:
        return self.host1.is_success and self.host2.is_success


class Side:
    """A player on its host."""

    def __init__(
        self,
        player: Player,
        address: Address,
        peer: Address,
        rng: random.Random,
        *,
        send_time: int = 0,
        wrap: Wrap | None = None,
    ) -> None:
        """A host, not yet on a network; `send_time` as for `sim.Host`, `wrap` is put around the session."""
        self.player = player
        self.session = player.make_session(peer, rng, ORIGIN + player.start)
        endpoint = self.session if wrap is None else wrap(self.session)
        self.host = Host(address, endpoint, self._on_event, on_turn=self._on_turn, send_time=send_time)
        self.closed: Closed | None = None
        self.closed_at: int | None = None

    @property
    def is_over(self) -> bool:
        """True when its session has closed and its socket has nothing more to send."""
        # A session may say a last word after it has closed: then the socket is still busy with it.
        return self.closed is not None and not self.host.is_sending

    def outcome(self) -> SideOutcome:
        """How it stands now."""
        reads = self.player.workload.reads
        data = b"".join(read.data for read in reads)
        return SideOutcome(
            closed_at=self._elapsed(self.closed_at),
            error=self.closed.error if self.closed else None,
            note=self.closed.note if self.closed else None,
            packets=self.host.datagrams,
            udp_bytes=self.host.sent_bytes,
            first_sent_at=self._elapsed(self.host.first_sent_at),
            last_read_at=self._elapsed(reads[-1].done_at) if reads else None,
            is_right=data == self.player.workload.expected,
        )

    def _elapsed(self, time: int | None) -> int | None:
        return None if time is None else time - ORIGIN

    def _on_event(self, event: Event, now: int) -> None:
        if isinstance(event, Closed):
            self.closed = event
            self.closed_at = now

    def _on_turn(self, now: int) -> bool:
        application = self.player.workload.application
        return application.done_at is None and application.on_turn(self.session, now)
