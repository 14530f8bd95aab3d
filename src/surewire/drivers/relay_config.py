"""What a relay is told and what it counts: plain data, no relaying.

Invariant: a `RelayConfig` that exists makes sense; `RelayStats.kept_up` is false whenever the relay itself, for
want of time or room, did to a datagram what no option asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from surewire.errors import ConfigError
from surewire.impair import LinkConfig
from surewire.impair.scenario import Rebinding

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000

LATE = 5 * _NS_PER_MS
"""A delivery this many ns past its time counts as late: far above what a waiting process needs to
wake up, far below the round-trip times that are worth emulating."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayConfig:
    """What a relay does and how much it may take.

    Attributes:
        up: the path from clients to the server.
        down: the path from the server to clients.
        seed: the two links' generators are derived from it; same seed, same decisions.
        rebinding: when all clients get a new source port (and address) towards the server; None for never.
        max_clients: clients served at once, 1..900; the datagrams of others are dropped and counted.
            Default 256: a socket each, well below the usual limit of 1,024 open files.
        idle_timeout: ns without a datagram either way after which a client's socket is closed, > 0.
            Default five minutes, as RFC 4787 section 4.3 recommends for a NAT.
        max_pending_bytes: memory of what waits to be delivered at any time, bytes, > 0: the datagrams and some 200
            bytes each; what comes beyond is dropped and counted. Default 256 MiB: almost two seconds of a gigabit a
            second.
        offload: read and send several datagrams with one system call, and ask when each arrived, where the
            system can (Linux). Without it a datagram's delay begins when it is read.

    Raises:
        ConfigError: a value is out of range.
    """

    up: LinkConfig = field(default_factory=LinkConfig)
    down: LinkConfig = field(default_factory=LinkConfig)
    seed: int = 0
    rebinding: Rebinding | None = None
    max_clients: int = 256
    idle_timeout: int = 300 * _NS_PER_S
    max_pending_bytes: int = 256 * 1024 * 1024
    offload: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.max_clients <= 900:
            raise ConfigError(f"max_clients must be 1 to 900, not {self.max_clients}")
        if self.idle_timeout <= 0 or self.max_pending_bytes <= 0:
            raise ConfigError("idle_timeout and max_pending_bytes must be above 0")


@dataclass(slots=True)
class RelayStats:
    """What happened beside the links.

    Attributes:
        clients: addresses given a socket since the start, an address that came back counted again.
        clients_evicted: of these, closed for being idle.
        clients_refused: datagrams dropped because their client got no socket.
        rebindings: times a client got another source port.
        rebindings_failed: times it should have, and the system gave no socket; it kept the old port.
        late: deliveries sent more than `LATE` after their time, which counts from the arrival.
        worst_lateness: the longest delay of a delivery past its time, ns.
        overflowed: datagrams dropped because `max_pending_bytes` were waiting.
        congested: deliveries dropped because the system's buffer for sending was full.
        unsent: deliveries the system refused to send for another reason (no route, too long).
        icmp_errors: errors reported by the other hosts, most often a closed port.
        pending: deliveries not yet due.
        receive_drops: datagrams the system dropped because the relay did not read fast enough;
            None where the system does not tell.
    """

    clients: int = 0
    clients_evicted: int = 0
    clients_refused: int = 0
    rebindings: int = 0
    rebindings_failed: int = 0
    late: int = 0
    worst_lateness: int = 0
    overflowed: int = 0
    congested: int = 0
    unsent: int = 0
    icmp_errors: int = 0
    pending: int = 0
    receive_drops: int | None = None

    @property
    def kept_up(self) -> bool:
        """Whether the path was as configured: nothing late, nothing dropped that the links let pass."""
        return not (self.late or self.overflowed or self.congested or self.receive_drops or self.clients_refused)
