"""Every limit and constant of a native connection, with unit, reason and worst-case memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from surewire.core.config import TransportConfig
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError

LEAST_DATAGRAM = 1_200
"""Bytes of UDP payload that every path is taken to carry (RFC 9000 §14)."""

MOST_DATAGRAM = 65_507
"""Bytes of UDP payload that fit an IPv4 datagram."""

DEFAULT_TRANSPORT = TransportConfig(
    ack_every=8,
    ack_pairs=100,
    max_train=64,
    max_ack_ranges=64,
    min_ack_ranges=16,
    max_tracked_ranges=8_192,
    linger=3 * NS_PER_S,
    tail_effort=0.04,
)
"""Losses are judged by time, so few acknowledgments do; in a window of 16 MiB at most 7,000 holes can be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeConfig:
    """What one connection may use and how long it waits. Times are ns, sizes bytes.

    Attributes:
        transport: the limits of the protocol core. `receive_window` is also the most memory that what arrived and was
            not read takes, holes included; bytes that go straight into a sink take none, and have eight windows.
        congestion: the controller of what is sent.
        max_rate: bytes of the stream a second that are sent at most, whatever the controller allows; None: no limit.
        send_buffer: bytes written and not acknowledged that are kept, those of files not counted.
        repair_window: bytes of the stream that are kept of what came last, where datagrams are missing, to work out
            lost ones by sums of others; 0: the peer sends no sums. Three times as much is the most memory that takes,
            while something is worked out.
        max_datagram: longest datagram that is searched for, 1,200..65,507.
        fixed_datagram: length of full datagrams, if it is not to be searched for.
        connection_id_prefix: what the ids that this side is addressed by begin with, 0..4 bytes: for load balancers.
        keepalive: silence of the peer after which it is asked whether it is there. Shorter than the 30 s after
            which many NATs forget a UDP flow (RFC 4787 §4.3 asks for 2 min, few do so).
        wait_at_end: least and most time in TIME_WAIT: three probe timeouts, unless the peer says that it is done.
        update_keys_after: datagrams after which a side changes its key; None: when the cipher's limit is near.
    """

    transport: TransportConfig = field(default=DEFAULT_TRANSPORT)
    congestion: Congestion = field(default_factory=Congestion)
    max_rate: int | None = None
    send_buffer: int = 16 << 20
    repair_window: int = 4 << 20
    max_datagram: int = MOST_DATAGRAM
    fixed_datagram: int | None = None
    connection_id_prefix: bytes = b""
    keepalive: int = 10 * NS_PER_S
    wait_at_end: tuple[int, int] = (100 * NS_PER_MS, 3 * NS_PER_S)
    update_keys_after: int | None = None

    @property
    def tracking(self) -> TransportConfig:
        """`transport` with room for every range that a full window of datagrams can be torn into.

        What is forgotten of received numbers can only be refused. So the replay window is as wide as the flow window.
        """
        least = self.transport.receive_window // (2 * LEAST_DATAGRAM)
        if least <= self.transport.max_tracked_ranges:
            return self.transport
        return replace(self.transport, max_tracked_ranges=least)

    def __post_init__(self) -> None:
        """Refuse values that no connection can work with.

        Raises:
            ConfigError: a value is out of its range.
        """
        for name in ("max_datagram", "fixed_datagram"):
            size = getattr(self, name)
            if size is not None and not LEAST_DATAGRAM <= size <= MOST_DATAGRAM:
                raise ConfigError(f"a datagram has {LEAST_DATAGRAM} to {MOST_DATAGRAM} bytes, not {size}")
        if len(self.connection_id_prefix) > 4:
            raise ConfigError("a prefix of connection ids has at most 4 bytes")
        least, most = self.wait_at_end
        if self.repair_window < 0 or self.send_buffer < 1 or self.keepalive < 1 or not 0 < least <= most:
            raise ConfigError("sizes and times are positive")
        if self.max_rate is not None and self.max_rate < 1:
            raise ConfigError("a limit of the rate is positive")
        if self.update_keys_after is not None and self.update_keys_after < 1:
            raise ConfigError("a key protects at least one datagram")
