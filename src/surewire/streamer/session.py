"""One end of a Streamer connection: its rules, without socket, clock or thread.

Both ends are alike; bytes flow both ways. After any call a driver drains `poll_transmit`, then reads
`poll_timeout`, then `poll_event` until it returns None. `poll_transmit` makes one packet, at the last
moment: what has been written and received by then is in it. The application's verbs are `write`, `read`,
`flush`, `finish` and `abort`.

Every packet that wants an acknowledgment has a packet number that is used once, so an acknowledgment
says which transmission arrived. Silence is answered by a ping of a few bytes, not by a full segment: its
acknowledgment shows what is missing. Acknowledgments ride on data where there are any.
"""

from __future__ import annotations

import random
from collections import deque

from surewire.core.events import Closed, Established, Event
from surewire.core.sent_log import SentRun
from surewire.core.state import DUPLEX, FIN_UNACKNOWLEDGED, Input, State, StateMachine
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.errors import (
    Aborted,
    ConnectionLost,
    HandshakeTimeout,
    IdleTimeout,
    LocalProtocolError,
    MalformedSegment,
    RemoteProtocolError,
    SurewireError,
)
from surewire.streamer.acknowledging import Acknowledging
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.incoming import IncomingStream
from surewire.streamer.opening import Opening
from surewire.streamer.outgoing import OutgoingStream
from surewire.streamer.sending import SEGMENT, Sending
from surewire.wire import compact

_NARROW_LEAD = 32  # a quarter of what the format allows: more than 64 later packets must not overtake such a one
_TRIES_TO_BE_SURE = 12  # without an answer, after which the peer is taken to have gone
_KEEPALIVE_TRIES = 10  # questions to a silent peer before it is taken for gone: enough on a path that loses half


class SessionStats:
    """What went out and came in, for those who compare."""

    __slots__ = ("acks", "damaged", "data", "ignored", "pings", "retransmissions")

    def __init__(self) -> None:
        self.data = 0  # packets sent with data or FIN, repeated ones too
        self.retransmissions = 0  # those of them that were sent before
        self.pings = 0  # packets sent that only ask for an acknowledgment
        self.acks = 0  # packets sent that only acknowledge
        self.damaged = 0  # datagrams received whose hash is wrong, or that are no packets of this connection
        self.ignored = 0  # packets received that say what cannot be


class StreamerSession:
    """One end of a connection with `peer`."""

    def __init__(self, peer: Address, *, rng: random.Random, now: int, config: StreamerConfig | None = None) -> None:
        self.config = config or StreamerConfig()
        self.peer = peer
        self.stats = SessionStats()
        self.error: SurewireError | None = None  # why the connection ended, unless it ended well
        self.note: str | None = None  # what a successful user should still know
        self._timers = TimerTable()
        self._events: deque[Event] = deque()
        self._machine = StateMachine(DUPLEX)
        self._opening = Opening(rng)
        self._sending = Sending(self.config, self._timers, now=now)
        self.outbound = self._sending.outbound
        self._outgoing = OutgoingStream(self.outbound.scoreboard, self._timers, self.config, segment=SEGMENT)
        self._incoming = IncomingStream(self.config)
        self._acking = Acknowledging(self.config, self._timers)
        self._is_staying = False  # all is done here, but the peer may not know it
        self._machine.handle(Input.OPEN_DUPLEX)

    # Getters.

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def room(self) -> int:
        """Bytes that `write` would take now."""
        return 0 if self.state is State.CLOSED else self._outgoing.room

    @property
    def is_readable(self) -> bool:
        """True when `read` would return something."""
        return self._incoming.unread > 0

    @property
    def has_ended(self) -> bool:
        """True when everything up to the peer's FIN has been read."""
        return not self.is_readable and self._incoming.books.is_complete

    @property
    def reading_error(self) -> SurewireError | None:
        """Why nothing more will come although the peer's FIN has not; None while something may."""
        if self.state is not State.CLOSED or self._incoming.books.is_complete:
            return None
        return self.error or ConnectionLost("this side was closed before the peer had finished")

    @property
    def unacknowledged(self) -> int:
        """Bytes written that the peer has not acknowledged."""
        return self._outgoing.written - min(self.outbound.scoreboard.una, self._outgoing.written)

    @property
    def held_bytes(self) -> int:
        """Bytes received and not read, and the holes between them: at most `receive_buffer` + `receive_window`."""
        return self._incoming.held

    @property
    def gaps(self) -> int:
        """Holes in what was received: at most `max_gaps`."""
        return self._incoming.books.gaps

    @property
    def tracked_ranges(self) -> int:
        """Ranges of packet numbers received that are remembered: at most `max_tracked_ranges`."""
        return self._acking.tracker.tracked_ranges

    # The application's verbs.

    def write(self, data: Buffer, *, now: int) -> int:
        """Take bytes to send.

        Returns:
            How many were taken: fewer than given, perhaps none, when the buffer is full.

        Raises:
            LocalProtocolError: after `finish`, or after the connection has ended.
        """
        if self.state not in (State.ESTABLISHED, State.CLOSE_WAIT):
            raise LocalProtocolError("cannot send: this side has been closed")
        taken = self._outgoing.write(data)
        self._watch(now)
        return taken

    def read(self) -> bytes:
        """Take everything that has arrived in order; b"" when there is nothing now."""
        was_full = self._incoming.is_full
        data = self._incoming.read()
        if was_full and self.state is not State.CLOSED:
            self._acking.tracker.make_due()  # tells the peer that it may go on
        return data

    def flush(self, *, now: int) -> None:
        """The application waits for the peer: what it wrote so far is held back no longer."""
        self._outgoing.flush()

    def finish(self, *, now: int) -> None:
        """Nothing more will be written: let the FIN follow. Harmless when repeated."""
        if self.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            self._outgoing.finish()
            self._machine.handle(Input.FINISH)
            self._watch(now)

    def abort(self, reason: str, *, now: int) -> None:
        """End the connection now; the peer is not told."""
        if self.state is not State.CLOSED:
            self._close(Input.ABORT, error=Aborted(reason))

    # Outputs.

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next packet, as a train of one; None when nothing is to be sent now."""
        if self._machine.state is State.CLOSED:
            return None
        sending, acks = self._sending, self._acking.tracker
        self._outgoing.release(is_idle=sending.is_idle, now=now)
        sending.set_window(is_known=self._opening.is_known)
        sending.set_segment(self._acking.block(room=compact.MAX_HOLES) if acks.is_pending else None)
        runs = self.outbound.poll_runs(now=now)
        if runs:
            return self._train(self._data_packet(runs[0]))
        if acks.is_due and (packet := self._ack_packet()) is not None:
            return self._train(packet)
        return None

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called, or None."""
        return self._timers.next_deadline()

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    # Inputs.

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """Take datagrams: `stride` bytes each, the last may be shorter.

        `source` is not looked at: the hash tells whose they are, whatever name or NAT stands between.
        """
        view = memoryview(buffer)
        for start in range(0, len(view), stride):
            self._handle_datagram(view[start : start + stride], now)

    def handle_timeout(self, *, now: int) -> None:
        """Act on every deadline that has passed."""
        for timer in self._timers.pop_expired(now):
            if self.state is State.CLOSED:
                return
            if timer is Timer.LOSS:
                self.outbound.on_loss_timer(now=now)
            elif timer is Timer.PTO:
                self._on_pto(now)
            elif timer is Timer.DELAYED_ACK:
                self._acking.tracker.make_due()
            elif timer is Timer.COALESCE:
                self._outgoing.flush()
            elif timer is Timer.IDLE:
                self._on_idle(now)
            elif timer is Timer.KEEPALIVE:
                self._ask_peer(now)
            elif timer is Timer.LINGER:
                self._on_linger()

    def handle_refused(self, *, now: int) -> None:
        """Nothing listens at the peer's port: it may be about to start, so this changes nothing."""

    # Packets out.

    def _data_packet(self, run: SentRun) -> bytes:
        board, opening = self.outbound.scoreboard, self._opening
        is_ping = run.nbytes == 0
        is_fin = not is_ping and run.stop > board.size
        payload = b"" if is_ping else self._outgoing.get(run.offset, min(run.stop, board.size))
        wide = run.first - self.outbound.log.largest_acked > _NARROW_LEAD
        syn = opening.sender_nonce
        header = compact.header_size(None, data=not is_ping, syn=syn is not None, wide=wide)
        ack = None
        # A FIN that is acknowledged has brought our acknowledgment, too (see `_follow_fins`); and a SYN with one tells
        # the peer that it is known.
        if self._acking.tracker.is_pending or is_ping or is_fin or syn is not None:
            ack = self._acking.block(room=compact.MAX_PACKET - header - len(payload) - 1)
        if is_fin:
            self._acking.on_fin_sent(ack)
        if ack is not None:
            self._acking.on_ridden()
        if is_ping:
            self.stats.pings += 1
        else:
            self.stats.data += 1
            self.stats.retransmissions += run.retransmission
        return self._emit(
            compact.Packet(
                run.first, None if is_ping else run.offset, payload, is_fin, syn, ack, self._incoming.is_full
            ),
            wide=wide,
        )

    def _ack_packet(self) -> bytes | None:
        ack = self._acking.block(room=compact.MAX_HOLES)
        self._acking.on_sent_alone()
        if ack is None:
            return None  # nothing has arrived that could be acknowledged
        self.stats.acks += 1
        packet = compact.Packet(nonce=self._opening.sender_nonce, ack=ack, full=self._incoming.is_full)
        return self._emit(packet, wide=False)

    def _emit(self, packet: compact.Packet, *, wide: bool) -> bytes:
        opening = self._opening
        return compact.emit(packet, sender_nonce=opening.nonce, receiver_nonce=opening.peer_nonce or 0, wide=wide)

    def _train(self, packet: bytes) -> Train:
        return Train([packet], len(packet), len(packet), self.peer)

    # Packets in.

    def _handle_datagram(self, datagram: memoryview, now: int) -> None:
        if self._machine.state is State.CLOSED:
            return
        opening = self._opening
        nonce = opening.peer_nonce or compact.peek_nonce(datagram)
        if nonce is None:
            self.stats.damaged += 1
            return
        expected = compact.Expected(
            number=self._acking.tracker.largest + 1,
            offset=self._incoming.books.contiguous,
            ack=self.outbound.log.next_number,
        )
        try:
            packet = compact.parse(datagram, sender_nonce=nonce, receiver_nonce=opening.nonce, expected=expected)
        except MalformedSegment:
            self.stats.damaged += 1
            return
        if opening.peer_nonce is None:
            opening.peer_nonce = nonce
            self._events.append(Established(self.peer, True))
        if packet.ack is not None or packet.nonce is None:
            opening.is_known = True  # such a packet's hash has our nonce in it
        elif opening.is_known:
            # It was sent before the peer knew us, and now it does: old, or a forger's, who need guess one nonce only.
            self.stats.ignored += 1
            return
        is_fresh = packet.number is not None and self._acking.tracker.is_new(packet.number)
        try:
            self._handle_packet(packet, now)
        except RemoteProtocolError:
            self.stats.ignored += 1
            return
        self._follow_fins(now, is_fresh=is_fresh)
        self._watch(now, is_heard=True)

    def _handle_packet(self, packet: compact.Packet, now: int) -> None:
        if packet.ack is not None:
            is_first = packet.ack.largest > self.outbound.log.largest_acked
            echo = packet.ack.largest if is_first else None
            # No position and no delay are stated: a byte each that nothing needs. Round trips include held-back ACKs.
            self.outbound.on_ack_numbers(packet.ack.ranges(), position=0, echo=echo, ack_delay=0, now=now)
            self._outgoing.discard_acked()
        self._sending.on_heard(is_full=packet.full, now=now)
        self._sending.set_ping_interval(has_met=True)
        if packet.number is None:
            return
        was_full = self._incoming.is_full
        is_data = packet.offset is not None
        if packet.offset is not None and not self._incoming.take(
            packet.offset, bytes(packet.payload), is_last=packet.fin
        ):
            if self.config.pipelining is Pipelining.GO_BACK_N:
                self._acking.tracker.make_due()  # says again what is in order
            return
        self._acking.tracker.on_received(packet.number, packet.number + 1, now=now)
        if not is_data or packet.nonce is not None or self.config.acks is AckPolicy.EACH:
            self._acking.tracker.make_due()
        if self.state is State.FIN_WAIT_2 and not (was_full and self._incoming.is_full):
            self._arm_peer_close(now)

    # Silence.

    def _on_pto(self, now: int) -> None:
        self.outbound.on_pto(now=now)
        self._sending.set_ping_interval(has_met=self._opening.peer_nonce is not None)

    def _watch(self, now: int, *, is_heard: bool = False) -> None:
        """Limit the peer's silence while something of ours is not acknowledged; ask it now and then if nothing is."""
        board = self.outbound.scoreboard
        is_waiting = self.state is not State.CLOSED and (
            self.unacknowledged > 0 or (self._is_finished and not board.is_done)
        )
        if is_waiting:
            self._timers.cancel(Timer.KEEPALIVE)
            if is_heard or self._timers.deadline(Timer.IDLE) is None:
                silent_at, stalls_at = now + self._silence_limit(), self.outbound.stalls_at
                self._timers.arm(Timer.IDLE, silent_at if stalls_at is None else min(silent_at, stalls_at))
            return
        self._timers.cancel(Timer.IDLE)
        is_met = self._opening.peer_nonce is not None
        self._timers.set(
            Timer.KEEPALIVE,
            now + self.config.keepalive_interval if is_met and self.state is State.ESTABLISHED else None,
        )

    def _ask_peer(self, now: int) -> None:
        """The peer has been silent, as it may be: is it still there? A reader would wait for a dead one for ever."""
        timers, patience = self._timers, self.config.transport.idle_timeout
        if timers.deadline(Timer.IDLE) is None:
            timers.arm(Timer.IDLE, now + patience)
        timers.arm(Timer.KEEPALIVE, now + patience // _KEEPALIVE_TRIES)
        self.outbound.ask()

    @property
    def _is_finished(self) -> bool:
        return self.state not in (State.ESTABLISHED, State.CLOSE_WAIT, State.CLOSED)

    def _silence_limit(self) -> int:
        if self._opening.peer_nonce is None:
            return self.config.transport.handshake_timeout
        if self._is_only_fin_open:
            limit = self.config.last_ack_timeout
            if self.config.pipelining is Pipelining.SELECTIVE_REPEAT:
                return limit
            # Without pings, the tries of both sides are full timeouts apart.
            transport = self.config.transport
            tries = _TRIES_TO_BE_SURE * self.outbound.rtt.pto(transport.max_ack_delay)
            return max(limit, min(tries, transport.idle_timeout))
        return self.config.transport.idle_timeout

    @property
    def _is_only_fin_open(self) -> bool:
        """True when all that is missing is the acknowledgment of a FIN to a peer that has finished."""
        return self.state in (State.LAST_ACK, State.CLOSING) and self.unacknowledged == 0

    def _on_idle(self, now: int) -> None:
        seconds = self._silence_limit() / NS_PER_S
        stalls_at = self.outbound.stalls_at
        if self._opening.peer_nonce is None:
            self._close(
                Input.TIMEOUT, error=HandshakeTimeout(f"nobody answered at {_named(self.peer)} within {seconds:g} s")
            )
        elif self._is_only_fin_open:
            self._close(Input.TIMEOUT)  # the peer has everything, and its grace period is over
        elif self.state is State.ESTABLISHED and self.unacknowledged == 0:
            seconds += self.config.keepalive_interval / NS_PER_S
            self._close(Input.TIMEOUT, error=IdleTimeout(f"the peer has been silent for {seconds:g} s, asked or not"))
        elif stalls_at is not None and stalls_at <= now:
            seconds = self.config.transport.stall_limit / NS_PER_S
            self._close(
                Input.TIMEOUT,
                error=IdleTimeout(
                    f"the peer answers, but has taken nothing of what was sent for {seconds:g} s; "
                    f"{self.unacknowledged} bytes were not acknowledged"
                ),
            )
        elif self.unacknowledged == 0:
            self._close(
                Input.TIMEOUT,
                note=f"all data were acknowledged, but the peer has been silent for {seconds:g} s and "
                "never acknowledged the end",
            )
        else:
            self._close(
                Input.TIMEOUT,
                error=IdleTimeout(
                    f"the peer has been silent for {seconds:g} s; {self.unacknowledged} bytes were not acknowledged"
                ),
            )

    # The end.

    def _follow_fins(self, now: int, *, is_fresh: bool) -> None:
        """Move on when our FIN has been acknowledged, when the peer's has arrived, or both."""
        state = self._machine.state
        if state in FIN_UNACKNOWLEDGED and self.outbound.scoreboard.is_done:
            if state is State.LAST_ACK and not self._acking.tells_end:
                self._stay_for_peer(now, is_fresh=is_fresh)  # it has our FIN, but may not know yet that we have its
            else:
                self._machine.handle(Input.FIN_ACKED)
        if self._incoming.books.is_complete and self.state in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2):
            self._machine.handle(Input.FIN_RECEIVED)
        if self.state is State.CLOSED and state is not State.CLOSED:
            self._timers.cancel_all()
            self._events.append(Closed(None))
        elif self.state is State.FIN_WAIT_2 and state is not State.FIN_WAIT_2:
            self._arm_peer_close(now)
        elif self.state is State.TIME_WAIT:
            self._stay_for_peer(now, is_fresh=is_fresh)

    def _arm_peer_close(self, now: int) -> None:
        """Limit the wait for the peer's FIN.

        A peer that is held up because nobody reads here gets longer, once: its pings must not keep this side for ever.
        """
        config = self.config
        is_slow = self._incoming.is_full or config.pipelining is not Pipelining.SELECTIVE_REPEAT  # tries are far apart
        limit = max(config.peer_close_timeout, config.transport.idle_timeout) if is_slow else config.peer_close_timeout
        self._timers.arm(Timer.LINGER, now + limit)

    def _stay_for_peer(self, now: int, *, is_fresh: bool) -> None:
        """Stay as long as the peer may need to notice that our last acknowledgment was lost.

        Whatever a peer sends that has not noticed has a number of its own: replays (not `is_fresh`) are answered, but
        keep nothing alive.
        """
        tracker, transport = self._acking.tracker, self.config.transport
        if tracker.is_pending:
            tracker.make_due()  # nothing will come that it could ride on
        if is_fresh or not self._is_staying:
            self._is_staying = True
            grace = max(transport.linger, 3 * self.outbound.rtt.pto(transport.max_ack_delay) // 2)
            self._timers.arm(Timer.LINGER, now + grace)

    def _on_linger(self) -> None:
        note = None
        if self.state is State.FIN_WAIT_2:
            why = (
                "nobody has read what it sent" if self._incoming.is_full else "the peer has not closed its side in time"
            )
            note = f"all data were acknowledged, but {why}"
        self._close(Input.TIMEOUT, note=note)

    def _close(self, why: Input, *, error: SurewireError | None = None, note: str | None = None) -> None:
        self._timers.cancel_all()
        self._machine.handle(why)
        self.error, self.note = error, note
        self._events.append(Closed(error, note))


def _named(peer: Address) -> str:
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) == 2 else str(peer)
