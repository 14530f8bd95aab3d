"""The sending side of an RDP transfer: its rules, without socket, clock or file.

The session reads the file through a `Source` and hands out trains. A driver calls, in this order and
again after anything happened: `poll_transmit` until it returns None, `poll_timeout`, `poll_event`
until it returns None. Inputs are `handle_datagrams`, `handle_timeout`, `handle_refused`; the
application's one verb is `abort`.

A SYN offers the extension after its empty line. The first ACK with a checksum that fits the session
takes it up, at any time: a plain-looking ACK may be one of ours that the path damaged. From then on
packets without a right checksum are dropped, and positions, packet numbers and digest are what both
sides go by. Without it the session keeps to the assignment's minimal packets and byte positions.
"""

from __future__ import annotations

import random
from collections import deque

from surewire.core.congestion import CongestionController
from surewire.core.events import Closed, Established, Event
from surewire.core.outbound import Outbound
from surewire.core.rtt import RttEstimator
from surewire.core.sent_log import SentRun
from surewire.core.state import SIMPLEX, Input, State, StateMachine
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.errors import (
    Aborted,
    HandshakeTimeout,
    IdleTimeout,
    MalformedSegment,
    Refused,
    RemoteProtocolError,
    Reset,
    SourceChanged,
    SurewireError,
    Unconfirmed,
)
from surewire.rdp.config import RdpConfig
from surewire.rdp.outgoing import OutgoingStream
from surewire.rdp.packing import Outbox
from surewire.rdp.patience import Handshake, Patience
from surewire.rdp.records import PacketLog, PacketRecord
from surewire.transfer.files import Source
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType, Segment

_SENDING = (State.ESTABLISHED, State.FIN_WAIT_1)
_ISN_LIMIT = 1 << 30  # so that a file of up to 1 GiB stays below 2**31, where some peers' integers end
_SYN_INTERVAL_MAX = NS_PER_S
_RESET_SPACING = NS_PER_S // 5
_REFUSALS = 5  # unreachable-port messages in a row, with nothing valid in between


class SenderStats:
    """What the path and strangers did, for diagnostics; not part of the assignment's summary."""

    __slots__ = ("damaged", "ignored", "strangers")

    def __init__(self) -> None:
        self.damaged = 0  # datagrams that are no packet, or whose checksum is wrong
        self.ignored = 0  # packets that mean nothing here
        self.strangers = 0  # datagrams from an address that is not the peer's


class RdpSender:
    """Sends one source to one receiver."""

    def __init__(
        self,
        source: Source,
        peer: Address,
        *,
        rng: random.Random,
        now: int,
        config: RdpConfig | None = None,
        controller: CongestionController | None = None,
    ) -> None:
        self.config = config or RdpConfig()
        self.peer = peer
        self.stats = SenderStats()
        self.packets = PacketLog()
        self.started_at: int | None = None  # the ACK of the first SYN
        self.ended_at: int | None = None  # the ACK of the last FIN
        self._machine = StateMachine(SIMPLEX)
        self._timers = TimerTable()
        self._events: deque[Event] = deque()
        self._stream = OutgoingStream(source, isn=rng.randrange(_ISN_LIMIT), config=self.config)
        self._handshake = Handshake(session=rng.getrandbits(64), now=now)
        self._patience = Patience()
        self._stated_limit = 0  # by the latest ACK
        self._outbox = Outbox(self.config.transport.max_train)
        transport, segment = self.config.transport, self._stream.largest_payload()
        self.outbound = Outbound(
            size=source.size,
            segment=segment,
            config=transport,
            controller=controller or self.config.congestion.make(segment=segment, initial_rtt=transport.initial_rtt),
            rtt=RttEstimator(transport.initial_rtt),
            timers=self._timers,
            now=now,
        )
        self.outbound.rules.segment = self._stream.plain_payload()
        self.outbound.rules.max_rate = self.config.max_rate
        self._machine.handle(Input.OPEN_ACTIVE)
        self.packets.now = now
        self._send_syn(now)

    # Getters.

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def is_ours(self) -> bool:
        """True once the peer has shown that it speaks the extension."""
        return self._stream.key is not None

    @property
    def acked_bytes(self) -> int:
        """Bytes of the file below which everything is acknowledged."""
        return min(self.outbound.scoreboard.una, self.outbound.scoreboard.size)

    @property
    def duration(self) -> int:
        """From the ACK of the first SYN to the ACK of the last FIN, ns; 0 while one is missing."""
        return 0 if self.started_at is None or self.ended_at is None else self.ended_at - self.started_at

    # Outputs.

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next train to send, or None when nothing may go out now."""
        self.packets.now = now
        train = self._outbox.poll()
        if train is None and self._machine.state in _SENDING:
            if self.outbound.log.next_number >= self._stream.numbers_fit_below:
                self.outbound.rules.segment = self._stream.our_payload(self.outbound.log.next_number)
            runs = self.outbound.poll_runs(now=now)
            if not runs:
                return None
            try:
                self._pack(runs)
            except SourceChanged as error:
                self._give_up(error, Input.ABORT, reason="the file changed while it was sent")
            train = self._outbox.poll()
        return train

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called, or None."""
        return self._timers.next_deadline()

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    def take_records(self) -> list[PacketRecord]:
        """Records of packets sent and received since the last call."""
        return self.packets.take()

    def drop_records(self) -> None:
        """Forget the records since the last call; instead of `take_records` where nobody reads them."""
        self.packets.drop()

    # Inputs.

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """Take datagrams from `source`: `stride` bytes each, the last may be shorter."""
        self.packets.now = now
        view = memoryview(buffer)
        for start in range(0, len(view), stride):
            if self._machine.state is State.CLOSED:
                return
            if source != self.peer:
                self.stats.strangers += 1
                continue
            try:
                segment = text.parse(view[start : start + stride], key=self._handshake.key)
            except MalformedSegment:
                self.stats.damaged += 1
                continue
            self._handle_segment(segment, now)

    def handle_timeout(self, *, now: int) -> None:
        """Act on every deadline that has passed."""
        self.packets.now = now
        for timer in self._timers.pop_expired(now):
            if self.state is State.CLOSED:
                return
            if timer is Timer.HANDSHAKE:
                self._on_handshake_timer(now)
            elif timer is Timer.LOSS:
                self.outbound.on_loss_timer(now=now)
            elif timer is Timer.PTO:
                self.outbound.on_pto(now=now)
                if not self.is_ours:  # a damaged acknowledgment may have stated more than there is
                    self.outbound.rules.max_offset = self._stated_limit
            elif timer is Timer.IDLE:
                self._on_idle(now)

    def handle_refused(self, *, now: int) -> None:
        """The path reported that nothing listens at the peer's port."""
        self.packets.now = now
        self._patience.refusals += 1
        if self.state is State.FIN_WAIT_1 and not self.is_ours and self.outbound.scoreboard.is_data_acked:
            self._finish(now, note="the receiver was gone before it acknowledged the FIN; all data were acknowledged")
        elif self.state in (State.ESTABLISHED, State.FIN_WAIT_1) and self._patience.refusals >= _REFUSALS:
            self._give_up(Reset("the receiver is gone: its port is closed"), Input.TIMEOUT)

    def abort(self, reason: str, *, now: int) -> None:
        """End the transfer now and tell the peer why."""
        self.packets.now = now
        if self.state is not State.CLOSED:
            self._give_up(Aborted(reason), Input.ABORT, reason=reason)

    # The opening.

    def _send_syn(self, now: int) -> None:
        shake = self._handshake
        offer = None
        if self.config.extensions:
            offer = Offer(1, shake.session, self.outbound.log.next_number, self._stream.source.size)
        shake.sent_at.append(now)
        self.outbound.log.next_number += 1
        self._put(
            text.emit_syn(self.config.magic, self._stream.isn, offer), "S" if shake.tries else "s", PacketType.SYN
        )
        shake.tries += 1
        wait = min(2 * self.config.transport.initial_rtt << (shake.tries - 1), _SYN_INTERVAL_MAX)
        self._timers.arm(Timer.HANDSHAKE, now + wait)

    def _on_handshake_timer(self, now: int) -> None:
        shake, limit = self._handshake, self.config.transport.handshake_timeout
        if now - shake.opened_at < limit:
            self._send_syn(now)
            return
        why = ": the receiver's port is closed" if self._patience.refusals else ""
        self._give_up(
            HandshakeTimeout(f"no answer after {shake.tries} tries in {limit / NS_PER_S:g} s{why}"),
            Input.TIMEOUT,
            reason="no answer",
        )

    def _on_established(self, segment: Segment, now: int) -> None:
        self._timers.cancel(Timer.HANDSHAKE)
        self._machine.handle(Input.SYN_ACKED)
        self._arm_idle(now)
        self.started_at = now
        shake, extension = self._handshake, segment.extension
        answered = None if extension is None else extension.echo
        if answered is None and shake.tries == 1:
            answered = 0  # else it is unknown which SYN was answered (Karn)
        if answered is not None and answered < len(shake.sent_at):
            self.outbound.rtt.on_sample(max(now - shake.sent_at[answered], 1), ack_delay=0)
        self._events.append(Established(self.peer, extension is not None))

    # Packets.

    def _handle_segment(self, segment: Segment, now: int) -> None:
        if segment.type is PacketType.ACK:
            self._handle_ack(segment, now)
        elif segment.type is PacketType.RST:
            self._handle_rst(segment, now)
        else:
            self.stats.ignored += 1  # only receivers send the rest

    def _handle_ack(self, segment: Segment, now: int) -> None:
        if self.is_ours and segment.extension is None:
            self.stats.damaged += 1
            return
        position = self._stream.offset(segment.number)
        if position < 0 or (self.state is State.SYN_SENT and position > 0):
            self.stats.ignored += 1
            return
        window = self.config.assumed_window if segment.window is None else segment.window
        event = self.packets.ack_event(segment.number, window, is_sent=False)
        self.packets.add(event, PacketType.ACK, segment.number, window, self.peer)
        if segment.extension is not None and not self.is_ours:
            self._take_up_extension()
        if self.state is State.SYN_SENT:
            self._on_established(segment, now)
        try:
            self._acknowledge(segment, position, now)
        except RemoteProtocolError:
            self.stats.ignored += 1
            return
        self._patience.on_heard(now)
        self._arm_idle(now)
        rules = self.outbound.rules
        rules.max_offset = max(rules.max_offset, position + window)
        self._stated_limit = position + window
        if position > self._stream.source.size:
            self._finish(now)

    def _acknowledge(self, segment: Segment, position: int, now: int) -> None:
        if segment.extension is None:
            self.outbound.on_ack_bytes(position, now=now)
        else:
            received, echo, ack_delay = segment.extension.received, segment.extension.echo, segment.extension.ack_delay
            self.outbound.on_ack_numbers(list(received), position=position, echo=echo, ack_delay=ack_delay, now=now)

    def _handle_rst(self, segment: Segment, now: int) -> None:
        self.packets.add("r" if not self.packets.count("r", PacketType.RST) else "R", PacketType.RST, 0, 0, self.peer)
        reason = segment.extension.reason if segment.extension is not None else None
        if self.is_ours and segment.extension is None:
            if not self._patience.is_reset_proved(now, spacing=max(self.outbound.rtt.smoothed_rtt, _RESET_SPACING)):
                return
            reason = "it no longer knows this transfer"
        because = f": {reason}" if reason else ""
        if self.state is State.SYN_SENT:
            error: SurewireError = Refused(f"the receiver refused the transfer{because}")
        else:
            error = Reset(f"the receiver ended the transfer{because}")
        self._give_up(error, Input.RESET)

    def _take_up_extension(self) -> None:
        self._stream.key = self._handshake.key
        rules = self.outbound.rules
        rules.segment = self._stream.our_payload(self.outbound.log.next_number)
        rules.has_byte_acks = False
        rules.max_offset = 0  # what was stated without a checksum before may have been damaged
        rules.may_finish_early = True

    # The end.

    def _silence_limit(self) -> int:
        if self.state is State.FIN_WAIT_1 and not self.is_ours and self.outbound.scoreboard.is_data_acked:
            return self.config.silent_close
        return self.config.transport.idle_timeout

    def _arm_idle(self, now: int) -> None:
        """Limit the receiver's silence, and how long it may answer without taking anything."""
        silent_at, stalls_at = now + self._silence_limit(), self.outbound.stalls_at
        self._timers.arm(Timer.IDLE, silent_at if stalls_at is None else min(silent_at, stalls_at))

    def _on_idle(self, now: int) -> None:
        seconds = self._silence_limit() / NS_PER_S
        stalls_at = self.outbound.stalls_at
        if self.state is State.FIN_WAIT_1 and self.outbound.scoreboard.is_data_acked:
            if not self.is_ours:
                self._finish(None, note="the receiver never acknowledged the FIN; all data were acknowledged")
                return
            error: SurewireError = Unconfirmed(
                f"all data were acknowledged, but the receiver did not confirm the file within {seconds:g} s"
            )
        elif stalls_at is not None and stalls_at <= now:
            seconds = self.config.transport.stall_limit / NS_PER_S
            error = IdleTimeout(f"the receiver answers, but has taken nothing of what was sent for {seconds:g} s")
        else:
            error = IdleTimeout(f"the receiver has been silent for {seconds:g} s")
        self._give_up(error, Input.TIMEOUT, reason="the other side fell silent")

    def _finish(self, now: int | None, *, note: str | None = None) -> None:
        self.ended_at = now if now is not None else self._patience.heard_at or self.started_at
        if self.is_ours:
            self._say_farewell()
        self._timers.cancel_all()
        self._machine.handle(Input.FIN_ACKED)
        self._events.append(Closed(None, note))

    def _say_farewell(self) -> None:
        """Acknowledge the ACK of the FIN, so that the receiver need not linger."""
        number = self._stream.number(self._stream.source.size) + 1
        packet = text.emit_ack(self.config.magic, number, 0, extension=Extension(), key=self._stream.key or 0)
        for copy in range(self.config.farewell_copies):
            self.packets.add("S" if copy else "s", PacketType.ACK, number, 0, self.peer)
            self._outbox.put(packet, self.peer)

    def _give_up(self, error: SurewireError, event: Input, *, reason: str | None = None) -> None:
        """Close with `error`; with a `reason`, tell the peer."""
        if reason is not None:
            copies = self.config.reset_copies if self.is_ours else 1
            extension = Extension(reason=reason) if self.is_ours else None
            for copy in range(copies):
                packet = text.emit_rst(self.config.magic, extension=extension, key=self._stream.key or 0)
                self._put(packet, "S" if copy else "s", PacketType.RST)
        self._timers.cancel_all()
        self._machine.handle(event)
        self._events.append(Closed(error))

    # Packing.

    def _pack(self, runs: list[SentRun]) -> None:
        stream = self._stream
        pairs: list[Buffer] = []
        for run in runs:
            if run.offset >= stream.source.size:
                self._outbox.put_pairs(pairs, self.peer)  # in the order of their numbers
                pairs = []
                self._send_fin(run)
                continue
            data = stream.read(run)
            full, rest = divmod(run.nbytes, run.segment)
            sizes = [run.segment] * full + ([rest] if rest else [])
            event = "S" if run.retransmission else "s"
            self.packets.add_data(event, stream.number(run.offset), sizes, self.peer)
            pairs += stream.emit(run, data)
        self._outbox.put_pairs(pairs, self.peer)

    def _send_fin(self, run: SentRun) -> None:
        if self.state is State.ESTABLISHED:
            self._machine.handle(Input.FIN_SENT)
            self._arm_idle(run.sent_at)
        stream = self._stream
        extension = None
        if stream.key is not None:
            extension = Extension(packet_number=run.first, digest=stream.digest())
        packet = text.emit_fin(self.config.magic, stream.number(run.offset), extension=extension, key=stream.key or 0)
        self._put(packet, "S" if run.retransmission else "s", PacketType.FIN)

    def _put(self, packet: bytes, event: str, kind: PacketType) -> None:
        number = {PacketType.SYN: self._stream.isn, PacketType.FIN: self._stream.number(self._stream.source.size)}
        self.packets.add(event, kind, number.get(kind, 0), 0, self.peer)
        self._outbox.put(packet, self.peer)
