"""What a connection counts, and the picture of itself that it gives to whoever asks."""

from __future__ import annotations

from typing import NamedTuple


class Counters:
    """What went out and came in; all counts start at 0 and never shrink."""

    __slots__ = (
        "damaged",
        "datagrams_received",
        "datagrams_sent",
        "duplicates",
        "malformed",
        "received_bytes",
        "recovered_bytes",
        "refused",
        "retransmitted_bytes",
        "sent_bytes",
    )

    def __init__(self) -> None:
        self.datagrams_sent = 0
        self.sent_bytes = 0  # UDP payload of these
        self.retransmitted_bytes = 0  # bytes of the stream that were sent again
        self.datagrams_received = 0
        self.received_bytes = 0  # UDP payload of these
        self.recovered_bytes = 0  # bytes of the stream worked out from sums of datagrams
        self.damaged = 0  # received, and not genuine
        self.malformed = 0  # genuine, but not what the format says
        self.duplicates = 0  # received again
        self.refused = 0  # beyond the window, or against what was said before


class ConnectionStats(NamedTuple):
    """How a connection stands. Times are ns, rates bytes a second, sizes bytes; 0 for what is not known yet.

    Attributes:
        rtt_ns, min_rtt_ns, rttvar_ns: round trip, smoothed, least, and its variation.
        congestion: name of the controller, one of `surewire.core.congestion.NAMES`.
        delivery_rate: what the controller takes the path's rate to be; 0 for one that keeps no such figure.
        max_rate: the limit that was set, bytes of the stream a second; None: there is none.
        cwnd, bytes_in_flight: allowed on the way, and on the way.
        path_mtu: UDP payload that the path is known to take.
        datagram_size: UDP payload of a full datagram: no more than that, nor than about a millisecond of the rate.
        written, acknowledged: bytes of the stream, by the application and by the peer.
        received: bytes of the peer's stream, in order.
        peer_window: bytes that the peer would take beyond what it acknowledged.
        sent_bytes: UDP payload sent.
        retransmitted_bytes, lost_bytes: bytes of the stream that were sent again, and that were declared lost.
        spurious, spurious_bytes: segments declared lost that arrived after all, and their bytes of the stream.
        probes: probe timeouts.
        sums: datagrams sent with sums of others, for what of these is lost.
        recovered_bytes: bytes of the peer's stream that were lost, and worked out from such sums.
        datagrams_sent, datagrams_received, received_bytes: counts of this side.
        damaged, malformed, duplicates, refused: datagrams that brought nothing, see `Counters`.
        key_updates: changes of this side's key.
        is_app_limited: nothing was waiting to be sent.
        is_window_limited: the peer's window was what held the rest back.
    """

    rtt_ns: int
    min_rtt_ns: int
    rttvar_ns: int
    congestion: str
    delivery_rate: int
    max_rate: int | None
    cwnd: int
    bytes_in_flight: int
    path_mtu: int
    datagram_size: int
    written: int
    acknowledged: int
    received: int
    peer_window: int
    sent_bytes: int
    retransmitted_bytes: int
    lost_bytes: int
    spurious: int
    spurious_bytes: int
    probes: int
    sums: int
    recovered_bytes: int
    datagrams_sent: int
    datagrams_received: int
    received_bytes: int
    damaged: int
    malformed: int
    duplicates: int
    refused: int
    key_updates: int
    is_app_limited: bool
    is_window_limited: bool
