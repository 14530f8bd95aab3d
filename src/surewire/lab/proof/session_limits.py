"""What the sessions of this package are held to, from their configurations: limits for `session_checker.Watched`."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.state import DUPLEX, SIMPLEX, State
from surewire.core.units import NS_PER_S
from surewire.lab.proof.session_checker import Level, Limits
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.streamer.session import StreamerSession

_ACKS = 1 << 18  # what is in flight to a peer that acknowledges byte positions only, docs/format-rdp.md
_SYN_INTERVAL = NS_PER_S  # longest between two SYN


def sender_limits(session: RdpSender) -> Limits:
    """Of an RDP sender: every state waits for the peer, so each has a timer."""
    config, transport = session.config, session.config.transport
    longest = max(transport.idle_timeout, config.silent_close, _SYN_INTERVAL)

    def levels() -> list[Level]:
        board, log = session.outbound.scoreboard, session.outbound.log
        found = [("bytes sent beyond the file", board.next_offset, board.size + 1)]
        if not session.is_ours:
            found.append(("bytes in flight to a plain peer", log.bytes_in_flight, _ACKS + 2 * 1024))
        return found

    return Limits(transitions=SIMPLEX, max_wait=lambda: longest, may_rest=lambda: False, levels=levels)


def receiver_limits(session: RdpReceiver) -> Limits:
    """Of an RDP receiver: it rests until somebody opens, and while the application stores the file."""
    config, transport = session.config, session.config.transport
    longest = max(transport.idle_timeout, transport.linger, config.plain_linger)
    return Limits(
        transitions=SIMPLEX,
        max_wait=lambda: longest,
        may_rest=lambda: session.state in (State.LISTEN, State.CLOSE_WAIT),
        levels=lambda: _record_levels(session, transport),
    )


def _record_levels(session: RdpReceiver | StreamerSession, transport: TransportConfig) -> list[Level]:
    return [
        ("holes in the stream", session.gaps, transport.max_gaps),
        ("ranges of packet numbers", session.tracked_ranges, transport.max_tracked_ranges),
    ]


def streamer_limits(session: StreamerSession) -> Limits:
    """Of a Streamer session: it rests until it has met its peer, and when only the application has something to do.

    Once it has met the peer, ESTABLISHED is no rest: a reader would wait for a dead peer for ever.
    """
    config, transport = session.config, session.config.transport
    longest = max(
        transport.idle_timeout,
        transport.handshake_timeout,
        transport.linger,
        config.peer_close_timeout,
        config.last_ack_timeout,
        config.keepalive_interval,
    )

    def levels() -> list[Level]:
        return [
            ("bytes in the send buffer", session.unacknowledged, config.send_buffer),
            ("bytes received and held", session.held_bytes, config.receive_buffer + transport.receive_window),
            *_record_levels(session, transport),
        ]

    def max_wait() -> int:
        # The grace period is at least one and a half probe timeouts, as they were when it began.
        nonlocal longest
        longest = max(longest, 3 * session.outbound.rtt.pto(transport.max_ack_delay) // 2)
        return longest

    return Limits(
        transitions=DUPLEX,
        max_wait=max_wait,
        may_rest=lambda: (
            not session.unacknowledged
            and (
                session.state is State.CLOSE_WAIT or (session.state is State.ESTABLISHED and not session.tracked_ranges)
            )
        ),
        levels=levels,
    )
