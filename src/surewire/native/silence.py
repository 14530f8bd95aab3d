"""How long a peer may be silent, or may answer without taking anything, before the connection is lost.

A peer of whom nothing is demanded is asked now and then whether it is there (RFC 9293 §3.8.4), which also
keeps the way through a NAT open. Where long datagrams vanish and short ones pass, it is heard for ever: so
progress is limited as well as silence (`Outbound.stalls_at`).
"""

from __future__ import annotations

from surewire.core.state import FIN_UNACKNOWLEDGED, State
from surewire.core.timers import Timer, TimerTable
from surewire.core.units import NS_PER_S
from surewire.errors import IdleTimeout, SurewireError, Unconfirmed
from surewire.native.config import NativeConfig
from surewire.native.sending import Sending
from surewire.wire import native_frames as frames

_INTERVAL_SHARE = 10  # of the silence allowed: the wait between two pings to a silent peer
_MAX_DOUBLINGS = 10
_SHORTEST_KEEPALIVE = NS_PER_S // 2  # whatever the peer says of its patience
_REFUSALS = 3  # unreachable-port messages in a row, with nothing valid in between
_REFUSED_FOR = NS_PER_S  # between the first and the last of them, or three probe timeouts: time for an answer
_LONG_PING = 400  # bytes: three times that is what a peer at a new address can be asked with (RFC 9000 §8.1)


class Silence:
    """Arms `Timer.IDLE` and `Timer.KEEPALIVE` of one connection, and says what their passing means."""

    __slots__ = ("_asked", "_config", "_is_sure", "_keepalive", "_refused_since", "_sending", "_timers", "refusals")

    def __init__(self, config: NativeConfig, timers: TimerTable, sending: Sending) -> None:
        self._config = config
        self._timers = timers
        self._sending = sending
        self._keepalive = config.keepalive
        self._is_sure = False  # the peer has said something sealed, so it knows that this side has its keys
        self._asked = 0  # pings since it said something
        self._refused_since = 0
        self.refusals = 0
        """Reports that nobody listens at the peer's port, since it said something."""

    def on_peer_patience(self, limit: int) -> None:
        """The peer gives up after `limit` ns without a word."""
        least = min(limit, self._config.transport.idle_timeout) // 3
        self._keepalive = min(self._keepalive, max(least, _SHORTEST_KEEPALIVE))

    def begin(self, now: int) -> None:
        """The handshake is over."""
        self._timers.arm(Timer.IDLE, now + self._config.transport.idle_timeout)
        # The server waits for something sealed, and what was sent may be lost.
        self._timers.arm(Timer.KEEPALIVE, now + self._sending.outbound.rtt.pto(0))

    def on_heard(self, now: int) -> None:
        """Something genuine came."""
        timers, stalls_at = self._timers, self._sending.outbound.stalls_at
        limit = now + self._config.transport.idle_timeout
        timers.arm(Timer.IDLE, limit if stalls_at is None else min(limit, stalls_at))
        timers.arm(Timer.KEEPALIVE, now + self._keepalive)
        self._is_sure = True
        self._asked = 0

    def on_demand(self) -> None:
        """There is more for the peer to take."""
        stalls_at, limit = self._sending.outbound.stalls_at, self._timers.deadline(Timer.IDLE)
        if stalls_at is not None:
            self._timers.arm(Timer.IDLE, stalls_at if limit is None else min(limit, stalls_at))

    def on_refused(self, now: int, *, is_opening: bool) -> bool:
        """Somebody reports that nobody listens at the peer's port; True when that is to be believed.

        Whoever knows both addresses can forge such reports (RFC 5927 §2). So an open connection asks the peer, and
        ends only if it has not answered for a while in which reports went on.
        """
        if not self.refusals:
            self._refused_since = now
        self.refusals += 1
        if is_opening:
            return self.refusals >= _REFUSALS
        pto = self._sending.outbound.rtt.pto(self._config.transport.max_ack_delay)
        wait = max(_REFUSED_FOR, _REFUSALS * pto)
        if self.refusals >= _REFUSALS and now - self._refused_since >= wait:
            return True
        soon, due = now + wait // _REFUSALS, self._timers.deadline(Timer.KEEPALIVE)
        self._timers.arm(Timer.KEEPALIVE, soon if due is None else min(soon, due))
        return False

    def ask(self, now: int) -> None:
        """`Timer.KEEPALIVE` has passed: ask, and ask again a few times before giving up."""
        self._sending.say(frames.emit_ping() + frames.emit_padding(_LONG_PING))
        wait = max(self._config.transport.idle_timeout // _INTERVAL_SHARE, self._sending.outbound.rtt.smoothed_rtt)
        if not self._is_sure:
            wait = min(wait, self._sending.outbound.rtt.pto(0) << self._asked)
        self._asked = min(self._asked + 1, _MAX_DOUBLINGS)
        self._timers.arm(Timer.KEEPALIVE, now + wait)

    def verdict(self, state: State, now: int) -> SurewireError:
        """`Timer.IDLE` has passed in this state: what has happened."""
        outbound, seconds = self._sending.outbound, self._config.transport.idle_timeout / NS_PER_S
        stalls_at = outbound.stalls_at
        if state in FIN_UNACKNOWLEDGED and outbound.scoreboard.is_data_acked:
            return Unconfirmed("all data were acknowledged, but the peer did not confirm the end")
        if stalls_at is not None and now >= stalls_at:
            return IdleTimeout("the peer answers, but takes nothing of what is sent")
        return IdleTimeout(f"nothing heard from the peer for {seconds:g} s")
