"""The receiving side of an RDP transfer: its rules, without socket, clock or file.

The session writes to a `Sink` before it acknowledges. When everything up to the FIN has arrived it says
so by `ReceivedAll` and waits: the driver checks the digest, gives the file its final name, and calls
`confirm`; only then is the FIN acknowledged, so a sender that sees that ACK knows that the file stands.
Meanwhile repeated FINs are answered with the ACK of the data, which keeps the sender patient.

Calls are as in `sender`. What proves that a packet belongs to the transfer is its checksum, begun with
the session's key, from a peer of ours, and its place in the window from any other.
"""

from __future__ import annotations

from collections import deque

from surewire.core.acks import AckTracker
from surewire.core.events import Closed, Established, Event, ReceivedAll
from surewire.core.state import SIMPLEX, Input, State, StateMachine
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.errors import Aborted, DestinationError, IdleTimeout, MalformedSegment, Reset, SurewireError
from surewire.rdp.config import RdpConfig
from surewire.rdp.incoming import IncomingStream, host_of
from surewire.rdp.packing import Outbox
from surewire.rdp.records import PacketLog, PacketRecord
from surewire.transfer.files import Sink
from surewire.wire import text
from surewire.wire.segment import Extension, PacketType, Segment

_OPEN = (State.ESTABLISHED, State.CLOSE_WAIT, State.TIME_WAIT)
_UNUSED_FOR = NS_PER_S  # after an opening that nothing followed, another sender's is taken


class ReceiverStats:
    """What the path and strangers did, for diagnostics; not part of the assignment's summary."""

    __slots__ = ("damaged", "ignored", "migrations", "strangers")

    def __init__(self) -> None:
        self.damaged = 0  # datagrams that are no packet, or whose checksum is wrong or missing
        self.ignored = 0  # packets that mean nothing here: outside the window, of a wrong type
        self.migrations = 0  # changes of the sender's address that were followed
        self.strangers = 0  # packets from an address that is not the sender's


class RdpReceiver:
    """Receives one stream from whoever opens first."""

    def __init__(self, sink: Sink, *, config: RdpConfig | None = None) -> None:
        self.config = config or RdpConfig()
        self.stats = ReceiverStats()
        self.packets = PacketLog()
        self.started_at: int | None = None  # our ACK of the first SYN
        self.ended_at: int | None = None  # our ACK of the last FIN
        self._machine = StateMachine(SIMPLEX)
        self._timers = TimerTable()
        self._events: deque[Event] = deque()
        self._outbox = Outbox(self.config.transport.max_train)
        self._acks = AckTracker(self.config.transport, self._timers)
        self._incoming = IncomingStream(sink)
        self._suspect_syn = b""  # a SYN with a damaged or unknown trailer, seen once
        self._machine.handle(Input.OPEN_PASSIVE)

    # Getters.

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def peer(self) -> Address | None:
        """The sender's address as observed, once there is one."""
        return self._incoming.peer

    @property
    def gaps(self) -> int:
        """Holes in what was received: at most `max_gaps`."""
        return self._incoming.books.gaps

    @property
    def tracked_ranges(self) -> int:
        """Ranges of packet numbers received that are remembered: at most `max_tracked_ranges`."""
        return self._acks.tracked_ranges

    @property
    def is_ours(self) -> bool:
        """True when the sender speaks the extension."""
        return self._incoming.key is not None

    @property
    def contiguous(self) -> int:
        """Bytes received without a gap from the start."""
        return self._incoming.books.contiguous

    @property
    def received(self) -> int:
        """Bytes received and written, each counted once."""
        return self._incoming.books.received

    @property
    def expected_size(self) -> int | None:
        """Bytes the sender means to send, if it said so."""
        return self._incoming.announced_size

    @property
    def duration(self) -> int:
        """From our ACK of the first SYN to our ACK of the last FIN, ns; 0 while one is missing."""
        return 0 if self.started_at is None or self.ended_at is None else self.ended_at - self.started_at

    # Outputs.

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next train to send, or None when nothing may go out now."""
        self.packets.now = now
        if self._acks.is_due and self.state is not State.CLOSED:
            self._put_ack(now)
        return self._outbox.poll()

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
        """Take datagrams from `source`: `stride` bytes each, the last may be shorter. The buffer is not kept."""
        self.packets.now = now
        if self._machine.state is State.CLOSED:
            return  # what is still on its way is nobody's fault
        rest = memoryview(buffer)
        try:
            while rest:
                rest = rest[self._take_ours(rest, stride, source, now) :]
                if rest:
                    self._handle_datagram(rest[:stride], source, now)
                    rest = rest[stride:]
        except DestinationError as error:
            self._fail(error, reason=str(error))

    def handle_timeout(self, *, now: int) -> None:
        """Act on every deadline that has passed."""
        self.packets.now = now
        for timer in self._timers.pop_expired(now):
            if timer is Timer.DELAYED_ACK:
                self._acks.make_due()
            elif timer is Timer.IDLE:
                self._on_idle(now)
            elif timer is Timer.LINGER:
                self._timers.cancel_all()
                self._machine.handle(Input.TIMEOUT)
                self._events.append(Closed(None))

    def handle_refused(self, *, now: int) -> None:
        """The path reported that nothing listens at the sender's port: it may have gone, or be quick to end."""
        self.packets.now = now
        self.leave(now=now)

    def _on_idle(self, now: int) -> None:
        transport = self.config.transport
        seconds, what = transport.idle_timeout / NS_PER_S, "the sender has been silent"
        if self._stalls_at <= now:
            seconds, what = transport.stall_limit / NS_PER_S, "the sender goes on, but nothing new has arrived"
        self._fail(IdleTimeout(f"{what} for {seconds:g} s"), Input.TIMEOUT, reason="the other side fell silent")

    def confirm(self, *, now: int) -> None:
        """The file stands under its final name: acknowledge the FIN."""
        self.packets.now = now
        if self.state is not State.CLOSE_WAIT:
            return  # the sender gave up meanwhile
        self._machine.handle(Input.CONFIRM)
        self._timers.cancel(Timer.IDLE)
        self._incoming.is_confirmed = True
        for number in self._incoming.fin_numbers:
            self._acks.on_received(number, number + 1, now=now)
        self._acks.make_due()
        self._arm_linger(now)

    def leave(self, *, now: int) -> None:
        """Do not linger any longer in TIME_WAIT; anywhere else this does nothing."""
        if self.state is State.TIME_WAIT:
            self._timers.arm(Timer.LINGER, now)

    def abort(self, error: SurewireError | str, *, now: int) -> None:
        """End the transfer now and tell the sender why."""
        self.packets.now = now
        if self.state is not State.CLOSED:
            failure = Aborted(error) if isinstance(error, str) else error
            self._fail(failure, reason=str(failure) if self.peer is not None else None)

    # Datagrams.

    def _take_ours(self, datagrams: memoryview, stride: int, source: Address, now: int) -> int:
        """The quick way through: take the DATs of ours at the beginning; return how many bytes they are."""
        key = self._incoming.key
        if key is None:
            return 0
        count = 0
        for dats in text.parse_our_dats(datagrams, stride, key=key, magic=self._incoming.magic):
            self._take(dats, source, now)
            count += len(dats.payloads)
        return count * stride

    def _handle_datagram(self, datagram: memoryview, source: Address, now: int) -> None:
        """Any datagram that did not go the quick way."""
        key = self._incoming.key
        try:
            segment = text.parse(datagram, key=0 if key is None else key)
        except MalformedSegment:
            self.stats.damaged += 1
            return
        if segment.type is PacketType.SYN:
            self._handle_syn(segment, bytes(datagram), source, now)
        elif self.is_ours and segment.extension is None:
            self.stats.damaged += 1
            if source == self.peer and segment.type in (PacketType.DAT, PacketType.FIN):
                self._acks.make_due()  # every ACK so far may have been damaged: the sender does not know us for ours
        elif segment.type is PacketType.DAT:
            self._handle_dat(segment, source, now)
        elif segment.type is PacketType.FIN:
            self._handle_fin(segment, source, now)
        elif segment.type is PacketType.RST:
            self._handle_rst(segment, source)
        else:
            self._handle_farewell(segment, source, now)

    def _handle_syn(self, segment: Segment, datagram: bytes, source: Address, now: int) -> None:
        incoming = self._incoming
        is_first = self.state is State.LISTEN
        is_same = not is_first and incoming.is_same_opening(segment, source)
        if segment.trailer and segment.offer is None and datagram != self._suspect_syn:
            # Perhaps ours, damaged: acting on it would give up the checksums. A foreign peer's comes again unchanged.
            self._suspect_syn = datagram
            self.stats.damaged += 1
            return
        if not is_first and not is_same and self._is_unused():
            if not self._may_reopen(segment, source, now):
                self.stats.strangers += 1
                self.packets.add("r", PacketType.SYN, segment.number, 0, source)
                return  # one of the two will send data, or open again: then it is clear whom to refuse
            is_first = True
        self.packets.add("R" if is_same else "r", PacketType.SYN, segment.number, 0, source)
        if is_first:
            self._open(segment, source, now)
        elif not is_same:
            self.stats.strangers += 1
            self._put_stray_rst(segment, source)
            return
        is_fresh = True
        if segment.offer is not None and self.is_ours:
            packet_number = segment.offer.packet_number
            is_fresh = self._acks.is_new(packet_number)
            self._belongs(source, 0, 0, packet_number)  # a NAT may have changed its binding since
            self._acks.on_received(packet_number, packet_number + 1, now=now)
        self._acks.make_due()
        if is_fresh:  # replays keep nothing alive
            self._arm_idle(now)

    def _is_unused(self) -> bool:
        """True when somebody has opened and sent nothing since: perhaps a stray packet, or a sender that is gone."""
        return self.state is State.ESTABLISHED and not self._incoming.books.highest and not self._incoming.has_fin

    def _may_reopen(self, segment: Segment, source: Address, now: int) -> bool:
        """True for another opening in place of an unused one: by the same sender, or by anybody after a while."""
        idle = self._timers.deadline(Timer.IDLE)
        since = now - idle + self.config.transport.idle_timeout if idle is not None else 0
        return since >= _UNUSED_FOR or (source == self.peer and (segment.offer is not None or not self.is_ours))

    def _open(self, segment: Segment, source: Address, now: int) -> None:
        if self.state is State.LISTEN:
            self._machine.handle(Input.SYN_RECEIVED)
        self._acks = AckTracker(self.config.transport, self._timers)
        self._incoming.open(segment, source, self.config, now=now)
        self._events.append(Established(source, self.is_ours))

    def _handle_dat(self, segment: Segment, source: Address, now: int) -> None:
        """A DAT that did not go the quick way: a foreign peer's, or one of ours spelled unusually."""
        packet_number = segment.extension.packet_number if segment.extension is not None else None
        if self.state is State.LISTEN:
            self.packets.add("R", PacketType.DAT, segment.number, segment.length or 0, source)
            self._put_stray_rst(segment, source)
            return
        payloads = [memoryview(segment.payload)]
        self._take(text.Dats(segment.number, packet_number if self.is_ours else None, payloads), source, now)

    def _take(self, dats: text.Dats, source: Address, now: int) -> None:
        """Write and acknowledge consecutive DATs."""
        number, packet_number, payloads = dats
        incoming, sizes = self._incoming, list(map(len, payloads))
        start = number - incoming.base
        stop = start + sum(sizes)
        is_open = self._machine.state in _OPEN
        is_fresh = packet_number is None or self._acks.is_new(packet_number)
        if not is_open or (source != incoming.peer and not self._belongs(source, start, stop, packet_number)):
            self.stats.strangers += 1
            self.packets.add_data("R", number, sizes, source)
            return
        books = incoming.books
        new = books.accept(start, stop) if books.is_acceptable(start, stop) else None
        for low, high in new or ():
            incoming.write(low, high, start, stop, payloads)
        if new:
            incoming.advanced_at = now
        elif new is None:  # outside the window, or one hole too many: not taken, so not acknowledged
            self.stats.ignored += len(payloads)
        if new is not None and packet_number is not None:
            self._acks.on_received(packet_number, packet_number + len(payloads), now=now)
            if not is_fresh:
                self._acks.make_due()
        if new == [(start, stop)]:
            self.packets.add_data("r", number, sizes, source)
        else:
            self._record_overlap(number, sizes, start, new or [], source)
        if is_fresh:  # replays keep nothing alive
            self._arm_idle(now)
        if packet_number is None:
            self._put_ack(now)  # a foreign sender may wait for each
        elif new is None:
            self._acks.make_due()
        if books.size is not None:
            self._check_complete(now)

    def _record_overlap(
        self, number: int, sizes: list[int], start: int, new: list[tuple[int, int]], source: Address
    ) -> None:
        """Record DATs of which some bytes, or all, had come before."""
        for size in sizes:
            added = sum(max(min(high, start + size) - max(low, start), 0) for low, high in new)
            self.packets.add_data("r" if added else "R", number, [size], source)
            if 0 < added < size:
                self.packets.discount_old(size - added)
            start, number = start + size, number + size

    def _belongs(self, source: Address, start: int, stop: int, packet_number: int | None) -> bool:
        """True for the sender's address, and for a new one that a packet proves to be the sender's too."""
        incoming = self._incoming
        if source == incoming.peer:
            return True
        if packet_number is not None:  # the checksum, keyed by the session, has been right
            is_newest = packet_number > self._acks.largest  # a late packet from the old address moves nothing back
        else:
            is_newest = (
                incoming.key is None
                and host_of(source) == host_of(incoming.peer)
                and incoming.books.is_acceptable(start, stop)
                and stop > incoming.books.contiguous
            )
            if not is_newest:
                return False
        if is_newest:
            incoming.peer = source
            self.stats.migrations += 1
        return True

    # The end.

    def _handle_fin(self, segment: Segment, source: Address, now: int) -> None:
        incoming = self._incoming
        packet_number = segment.extension.packet_number if segment.extension is not None else None
        if self.state is State.LISTEN:
            self.packets.add("r", PacketType.FIN, segment.number, 0, source)
            self._put_stray_rst(segment, source)
            return
        size = segment.number - incoming.base
        if self.is_ours and packet_number is not None:
            if not self._belongs(source, size, size, packet_number):
                return
        elif source != incoming.peer and not self._moved_before_fin(source, size):
            self.stats.strangers += 1
            return
        elif incoming.is_off_by_one(size):
            size = incoming.books.contiguous
        if not self.is_ours and self.state is State.ESTABLISHED:
            incoming.books.size = None  # without a checksum the last FIN counts, not a damaged one for ever
        if size < 0 or not incoming.books.set_size(size):
            self.stats.ignored += 1
            return
        is_repeated = self.packets.count("r", PacketType.FIN) > 0
        self.packets.add("R" if is_repeated else "r", PacketType.FIN, segment.number, 0, source)
        if segment.extension is not None:
            incoming.digest = segment.extension.digest
        incoming.on_fin(packet_number, segment.number)
        if self.state is State.TIME_WAIT:
            if packet_number is not None:
                self._acks.on_received(packet_number, packet_number + 1, now=now)
            self._arm_linger(now)
        else:
            self._arm_idle(now)
        self._acks.make_due()
        self._check_complete(now)

    def _moved_before_fin(self, source: Address, size: int) -> bool:
        """Follow a sender without extension to another port if its FIN stands exactly where the data end."""
        incoming = self._incoming
        if (
            self.is_ours
            or host_of(source) != host_of(incoming.peer)
            or incoming.books.has_gaps
            or size != incoming.books.contiguous
        ):
            return False
        incoming.peer = source
        self.stats.migrations += 1
        return True

    def _check_complete(self, now: int) -> None:
        incoming = self._incoming
        if self._machine.state is State.ESTABLISHED and incoming.books.is_complete:
            self._machine.handle(Input.FIN_RECEIVED)
            self._timers.cancel(Timer.IDLE)
            self._events.append(ReceivedAll(incoming.books.contiguous, incoming.digest))

    def _handle_rst(self, segment: Segment, source: Address) -> None:
        if self.state in (State.LISTEN, State.CLOSED) or (source != self.peer and not self.is_ours):
            self.stats.strangers += 1
            return
        event = "R" if self.packets.count("r", PacketType.RST) else "r"
        self.packets.add(event, PacketType.RST, 0, 0, source)
        if self.state is State.TIME_WAIT:
            return  # all is done here; the sender has lost patience with a lost ACK
        reason = segment.extension.reason if segment.extension is not None else None
        self._fail(Reset("the sender ended the transfer" + (f": {reason}" if reason else "")), Input.RESET)

    def _handle_farewell(self, segment: Segment, source: Address, now: int) -> None:
        """An ACK: a sender of ours acknowledges the ACK of its FIN."""
        if self.state is not State.TIME_WAIT or not self.is_ours or segment.number != self._incoming.acknowledgment:
            self.stats.ignored += 1
            return
        event = "R" if self.packets.count("r", PacketType.ACK) else "r"
        self.packets.add(event, PacketType.ACK, segment.number, segment.window or 0, source)
        self._timers.arm(Timer.LINGER, now)

    def _fail(self, error: SurewireError, event: Input = Input.ABORT, *, reason: str | None = None) -> None:
        """Close with `error`; with a `reason`, tell the sender."""
        if reason is not None and self.peer is not None:
            for copy in range(self.config.reset_copies if self.is_ours else 1):
                extension = Extension(reason=reason) if self.is_ours else None
                packet = text.emit_rst(self._incoming.magic, extension=extension, key=self._incoming.key or 0)
                self._outbox.put(packet, self.peer)
                self.packets.add("S" if copy else "s", PacketType.RST, 0, 0, self.peer)
        self._timers.cancel_all()
        self._machine.handle(event)
        self._events.append(Closed(error))

    def _arm_idle(self, now: int) -> None:
        """Limit the sender's silence, and how long it may go on without anything new."""
        if self._machine.state is State.ESTABLISHED:
            transport = self.config.transport
            self._timers.arm(Timer.IDLE, min(now + transport.idle_timeout, self._stalls_at))

    @property
    def _stalls_at(self) -> int:
        return self._incoming.advanced_at + self.config.transport.stall_limit

    def _arm_linger(self, now: int) -> None:
        linger = self.config.transport.linger if self.is_ours else self.config.plain_linger
        self._timers.arm(Timer.LINGER, now + linger)

    # Answers.

    def _put_ack(self, now: int) -> None:
        incoming, peer = self._incoming, self._incoming.peer
        number, window = incoming.acknowledgment, incoming.books.window
        extension = None
        if self.is_ours:
            acks = self._acks
            extension = Extension(received=tuple(acks.ranges()), echo=acks.latest, ack_delay=now - acks.latest_at)
        packet = text.emit_ack(
            incoming.magic, number, window, field=incoming.ack_field, extension=extension, key=incoming.key or 0
        )
        self.packets.add(self.packets.ack_event(number, window, is_sent=True), PacketType.ACK, number, window, peer)
        self._outbox.put(packet, peer)
        self._acks.on_sent()
        if self.started_at is None:
            self.started_at = now
        if incoming.is_confirmed:
            self.ended_at = now

    def _put_stray_rst(self, segment: Segment, source: Address) -> None:
        self._outbox.put(text.emit_rst(segment.magic), source)
        self.packets.add("s", PacketType.RST, 0, 0, source)
