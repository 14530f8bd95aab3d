"""Every limit and constant of a connection, with unit, reason and worst-case memory."""

from __future__ import annotations

from dataclasses import dataclass

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError

_MAY_BE_ZERO = {"ack_pairs", "ack_reordered", "overtaking_window", "min_pto", "tail_effort", "tail_effort_spared"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportConfig:
    """What one connection may use and how long it waits. Times are ns, sizes bytes.

    Attributes:
        initial_rtt: round trip assumed until one is measured. RFC 9002 §6.2.2 suggests 333 ms; half of
            it costs a duplicate SYN on a slow path and saves 300 ms on a lossy one.
        max_ack_delay: longest an acknowledgment is held back; small against any path worth waiting for.
        ack_every: datagrams that are acknowledged together (RFC 9000 §13.2.2 says two).
        ack_pairs: how many at the beginning are acknowledged two by two at least, whatever `ack_every` says: who starts
            up learns the path by them. Google's QUIC takes a hundred, too.
        min_ack_ranges: most recent arrivals (runs of datagrams) an acknowledgment reports at least, so
            that each is reported in several acknowledgments, of which some may be lost.
        max_ack_ranges: most it reports.
        max_tracked_ranges: ranges of received numbers that are remembered; 16 bytes each, so 64 kB.
        ack_reordered: acknowledge at once what arrived out of order or twice (RFC 9000 §13.2.1).
        overtaking_window: how much later than another a transmission must have been sent, at least, for its
            arrival to show that the other is lost; 0: loss is judged by time instead (see `loss`).
        min_pto: shortest wait before the first probe; 0 leaves it to the round trips.
        tail_effort: share of the bytes sent, 0..1, that may be spent to end sooner (see `probing.TailEffort`).
        tail_effort_spared: bytes sent that do not count for it.
        tail_ping_interval: wait for a ping at the end of what there is to send, while there is effort to spend.
        max_pto: longest wait between probes. A path that returns after an outage is noticed this soon.
        idle_timeout: silence of the peer after which an open connection is lost.
        stall_timeout: time after which a connection is lost whose peer answers, but takes nothing of what is sent;
            see `stall_limit`.
        handshake_timeout: time after which an unanswered opening is given up.
        linger: TIME_WAIT: how long after the last FIN a receiver still answers, unless the sender says that
            it is done: an outage of 10 s that swallows the last ACK, the sender's longest wait, and some.
        max_closing_pto: longest wait between two FINs.
        receive_window: how far beyond the acknowledged prefix the peer may send. Costs no memory where
            the sink takes bytes in any order (files); a rate of 1 Gbit/s at 100 ms needs 12.5 MB.
        max_gaps: holes the receiver keeps track of; a segment that would make more is dropped
            unacknowledged. 16 bytes each in two lists: 256 kB.
        max_train: segments in one train (UDP_SEGMENT takes 64).
    """

    initial_rtt: int = 150 * NS_PER_MS
    max_ack_delay: int = 5 * NS_PER_MS
    ack_every: int = 2
    ack_pairs: int = 0
    min_ack_ranges: int = 16
    max_ack_ranges: int = 48
    max_tracked_ranges: int = 4096
    ack_reordered: bool = True
    overtaking_window: int = 0
    min_pto: int = 0
    tail_effort: float = 0.0
    tail_effort_spared: int = 0
    tail_ping_interval: int = 25 * NS_PER_MS
    max_pto: int = 2 * NS_PER_S
    idle_timeout: int = 30 * NS_PER_S
    stall_timeout: int = 120 * NS_PER_S
    handshake_timeout: int = 30 * NS_PER_S
    linger: int = 15 * NS_PER_S
    max_closing_pto: int = NS_PER_S // 2
    receive_window: int = 16 << 20
    max_gaps: int = 16_384
    max_train: int = 44

    @property
    def stall_limit(self) -> int:
        """`stall_timeout`, or twice the silence allowed: an outage is no stall, nor is the time to recover from it."""
        return max(self.stall_timeout, 2 * self.idle_timeout)

    def __post_init__(self) -> None:
        """Refuse values that no connection can work with.

        Raises:
            ConfigError: a value is not positive, or a train is longer than the system call takes.
        """
        for name in self.__slots__:
            least = 0 if name in _MAY_BE_ZERO else 1
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be positive" if least else f"{name} must not be negative")
        if self.max_train > 64:
            raise ConfigError("max_train is at most 64 segments")
