"""What `surewire send` says of a file that has arrived: as an object for programs, and in words."""

from __future__ import annotations

from typing import NamedTuple

from surewire.apps.bottleneck import Verdict
from surewire.apps.console import human
from surewire.apps.transfer_view import milliseconds, printable
from surewire.core.units import NS_PER_S
from surewire.drivers.udp_options import UdpStats
from surewire.native.statistics import ConnectionStats


class SentFile(NamedTuple):
    """A file that the receiver has confirmed."""

    name: str
    size: int
    sha256: bytes
    seconds: float  # from before connecting until the receiver confirmed
    peer: str
    fingerprint: str | None  # of the receiver's public key; None where it has shown none
    is_sealed: bool
    stats: ConnectionStats
    socket: UdpStats
    verdict: Verdict


def rate(sent: SentFile) -> float:
    """Bytes of the file a second."""
    return sent.size / sent.seconds if sent.seconds else 0.0


def loss(stats: ConnectionStats) -> float:
    """Share of the stream's bytes sent that were lost, 0..1; what was taken for lost and arrived does not count."""
    total = total_bytes(stats)
    return min(max(stats.lost_bytes - stats.spurious_bytes, 0) / total, 1.0) if total else 0.0


def total_bytes(stats: ConnectionStats) -> int:
    """Bytes of the stream sent, again and again ones included."""
    return stats.acknowledged + stats.retransmitted_bytes


def record(sent: SentFile) -> dict[str, object]:
    """The object of --json: sizes in bytes, times in seconds, rates in bytes a second."""
    stats = sent.stats
    return {
        "name": sent.name,
        "bytes": sent.size,
        "seconds": round(sent.seconds, 6),
        "rate": round(rate(sent), 1),
        "sha256": sent.sha256.hex(),
        "rtt": stats.rtt_ns / NS_PER_S,
        "min_rtt": stats.min_rtt_ns / NS_PER_S,
        "loss": round(loss(stats), 6),
        "sent_bytes": stats.sent_bytes,
        "stream_bytes": total_bytes(stats),
        "retransmitted": stats.retransmitted_bytes,
        "datagrams": stats.datagrams_sent,
        "path_mtu": stats.path_mtu,
        "congestion": stats.congestion,
        "max_rate": stats.max_rate,
        "local_drops": sent.socket.kernel_drops,
        "offload": sent.socket.segmentation,
        "offload_failures": sent.socket.offload_failures,
        "limited_by": sent.verdict.code,
        "sealed": sent.is_sealed,
        "to": sent.peer,
        "fingerprint": sent.fingerprint,
    }


def summary(sent: SentFile) -> str:
    """Four lines for people."""
    stats = sent.stats
    unique = stats.acknowledged
    factor = total_bytes(stats) / unique if unique else 1.0
    lost = loss(stats)
    least = 1 / (1 - lost) if lost < 1 else float("inf")
    return (
        f"sent {printable(sent.name)}: {human(sent.size)} in {sent.seconds:.3f} s, {human(rate(sent))}/s; the receiver "
        "has stored it\n"
        f"SHA-256 {sent.sha256.hex()}\n"
        f"loss {lost:.2%}, total/unique bytes {factor:.4f}, 1/(1-p) {least:.4f}; round trip "
        f"{milliseconds(stats.rtt_ns)}, datagrams of {stats.datagram_size} bytes\n"
        f"limited by: {sent.verdict.text}\n"
    )
