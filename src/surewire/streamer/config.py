"""Settings of a Streamer connection: how it recovers, when it acknowledges, what it holds back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from surewire.core.config import TransportConfig
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError


class Pipelining(StrEnum):
    """How many segments are on their way at once, and what a loss makes the sender repeat."""

    STOP_AND_WAIT = "stop-and-wait"  # one segment; it is sent again after a timeout
    GO_BACK_N = "go-back-n"  # many; the receiver keeps only what is in order, a timeout repeats all of them
    SELECTIVE_REPEAT = "selective-repeat"  # many; the receiver keeps everything, only what is lost is repeated


class AckPolicy(StrEnum):
    """When a receiver that has nothing to send itself acknowledges."""

    EACH = "each"  # every packet, at once
    DELAYED = "delayed"  # several packets together, or after `max_ack_delay`


def _transport() -> TransportConfig:
    return TransportConfig(
        initial_rtt=100 * NS_PER_MS,
        max_ack_delay=100 * NS_PER_MS,
        ack_every=4,
        max_ack_ranges=65,
        ack_reordered=False,
        overtaking_window=100 * NS_PER_MS,
        min_pto=250 * NS_PER_MS,
        max_pto=250 * NS_PER_MS,
        tail_effort=0.02,
        tail_effort_spared=32_000,
        handshake_timeout=120 * NS_PER_S,
        linger=2 * NS_PER_S,
        receive_window=1 << 20,
        max_gaps=1024,
        max_train=1,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamerConfig:
    """What one connection may do. Times are ns, sizes bytes.

    Attributes:
        pipelining: see `Pipelining`. Both sides should agree; if they do not, the stream still arrives.
        acks: see `AckPolicy`.
        nagle: hold back a segment that is not full while others are on their way (RFC 9293 §3.7.4), and merge
            what several writes brought. Off: each write leaves in packets of its own.
        coalesce_delay: how long a segment that is not full is held back although nothing is on its way, unless
            the application waits for the peer or has finished: most programs write several times in a row.
        fin_rides: the FIN may be a mark on the last data; off: it is a packet of its own, when all are acknowledged.
        send_buffer: bytes written and not yet acknowledged that `write` takes; memory is as much.
        receive_buffer: bytes received in order and not yet read, above which the peer is asked to stop.
        repeat_acks_above: share of the peer's packets missing, 0..1, from which on an acknowledgment that goes alone
            goes twice. Losing one costs the peer a ping and both sides its answer.
        ping_interval: wait between pings that are not answered. Shorter than a slow round trip: when every
            second packet is lost, only one in four is answered.
        patient_pings: unanswered pings after which the interval doubles each time; more than fit into the
            peer's grace period.
        max_ping_interval: what it doubles to at most.
        patient_openings, max_opening_interval: the same while nothing has been heard of the peer: it was not
            started yet, it seems.
        keepalive_interval: silence after which a peer of whom nothing is demanded is asked whether it is still there;
            `idle_timeout` later it is taken for gone. Half a minute keeps a NAT's binding alive (RFC 4787 §4.3).
        peer_close_timeout: how long after its FIN was acknowledged a side waits for the other's, counted
            from the last sign of it that asked for an acknowledgment.
        last_ack_timeout: silence after which a FIN is taken for acknowledged, if the peer has finished and
            has all data: it has gone after its grace period.
        congestion: the controller of what is sent; None: none, as the class-room's sendto lets a hundred packets a
            second through and nothing is gained by sending fewer. On any other socket one is needed.
        transport: limits and timing of the core. `linger` is the grace period, `handshake_timeout` how long
            to wait for the peer to be started, `idle_timeout` its longest silence while something is
            unacknowledged.
    """

    pipelining: Pipelining = Pipelining.SELECTIVE_REPEAT
    acks: AckPolicy = AckPolicy.DELAYED
    nagle: bool = True
    coalesce_delay: int = 20 * NS_PER_MS
    fin_rides: bool = True
    send_buffer: int = 1 << 20
    receive_buffer: int = 8 << 20
    repeat_acks_above: float = 0.3
    ping_interval: int = 150 * NS_PER_MS
    patient_pings: int = 24
    max_ping_interval: int = NS_PER_S // 2
    patient_openings: int = 12
    max_opening_interval: int = 2 * NS_PER_S
    keepalive_interval: int = 30 * NS_PER_S
    peer_close_timeout: int = 10 * NS_PER_S
    last_ack_timeout: int = 5 * NS_PER_S
    congestion: Congestion | None = None
    transport: TransportConfig = field(default_factory=_transport)

    def __post_init__(self) -> None:
        """Refuse what the packet format or the rules cannot work with.

        Raises:
            ConfigError: a value is out of range, or not of its field's type.
        """
        self._check_types()
        for name in (
            "send_buffer",
            "receive_buffer",
            "ping_interval",
            "patient_pings",
            "max_ping_interval",
            "patient_openings",
            "max_opening_interval",
            "keepalive_interval",
            "peer_close_timeout",
            "last_ack_timeout",
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive")
        if self.coalesce_delay < 0:
            raise ConfigError("coalesce_delay must not be negative")
        if not 0 <= self.repeat_acks_above <= 1:
            raise ConfigError("repeat_acks_above is a share, 0 to 1")
        if max(self.send_buffer, self.transport.receive_window) >= 1 << 22:
            raise ConfigError("offsets are sent in 3 bytes: send_buffer and receive_window stay below 4 MiB")

    def _check_types(self) -> None:
        """Refuse what would be taken for something else, not refused, later on.

        The word "go-back-n" equals its member but is not the same object, "off" is true, and 0.1 s is no time in ns.
        """
        for each in fields(self):
            value, kind = getattr(self, each.name), type(each.default)
            if each.name == "transport":
                kind = TransportConfig
            elif each.name == "congestion":
                kind = Congestion if value is not None else type(None)
            if not isinstance(value, (int, float) if kind is float else kind):
                raise ConfigError(f"{each.name} must be of type {kind.__name__}, not {value!r}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> StreamerConfig:
        """The defaults, changed by STREAMER_MODE, STREAMER_ACKS and STREAMER_NAGLE (on or off) where they are set.

        Raises:
            ConfigError: a variable has a value that is none of those.
        """
        nagle = _choice(environment, "STREAMER_NAGLE", ["on", "off"])
        return cls(
            pipelining=Pipelining(_choice(environment, "STREAMER_MODE", list(Pipelining)) or cls().pipelining),
            acks=AckPolicy(_choice(environment, "STREAMER_ACKS", list(AckPolicy)) or cls().acks),
            nagle=nagle != "off",
        )


def _choice(environment: Mapping[str, str], name: str, values: list[str]) -> str:
    """The variable's value, "" when it is not set."""
    value = environment.get(name, "")
    if value and value not in values:
        raise ConfigError(f"{name} is {', '.join(values[:-1])} or {values[-1]}, not {value!r}")
    return value
