"""One native connection: its rules, without socket, clock or keys of its own.

Both ends are alike once the handshake is over; bytes flow both ways. After any call a driver drains
`poll_transmit`, then reads `poll_timeout`, then `poll_event` until it returns None. Inputs are
`handle_datagrams` (already routed by connection id), `handle_long`, `handle_timeout` and `handle_refused`. The
application's verbs are `write`, `send_source`, `read`, `read_into`, `divert`, `limit_rate`, `finish`, `close`, `abort`.

The end is confirmed to both sides: a stream is over when its end mark is acknowledged, and whoever is last to
need the other says that it is done (DONE), so that TIME-WAIT need not run its time.
"""

from __future__ import annotations

import random
from collections import deque

from surewire.core.acks import AckTracker
from surewire.core.events import Closed, Established, Event
from surewire.core.state import SEALED, Input, State, StateMachine
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.errors import (
    Aborted,
    ConfigError,
    HandshakeFailed,
    HandshakeTimeout,
    LocalProtocolError,
    Refused,
    RemoteProtocolError,
    Reset,
    SurewireError,
    TransferError,
)
from surewire.native.config import NativeConfig
from surewire.native.ending import Ending
from surewire.native.incoming import Incoming
from surewire.native.keys import Keys
from surewire.native.opening import Agreement, ClientOpening, ServerOpening, round_trip
from surewire.native.packing import Scratch
from surewire.native.paths import Paths
from surewire.native.receiving import Receiving
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.native.sending import Sending
from surewire.native.silence import Silence
from surewire.native.statistics import ConnectionStats, Counters
from surewire.transfer.files import OffsetSink, ScatterSource
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire.slots import Slots

_WRITABLE = (State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT)
_UNSEALED = (State.CLOSED, State.SYN_SENT)  # no keys yet, or no more
_WORN_OUT = "the peer acknowledges nothing that the present key has sealed, so it cannot be changed"
_ACKS_PER_ROUND_TRIP = 64  # of bulk without much loss: eight of them in the least time that a loss takes to be found
_PATH_FRAMES = (frames.PathChallenge, frames.PathResponse)

Opening = ClientOpening | ServerOpening


class Connection:
    """One end of a connection. Made by `open` (client) or `accept` (server)."""

    def __init__(
        self,
        peer: Address,
        opening: Opening,
        *,
        config: NativeConfig,
        rng: random.Random,
        now: int,
        scratch: Scratch | None,
    ) -> None:
        self.config = config
        self.counters = Counters()
        self.error: SurewireError | None = None  # why the connection ended, unless it ended well
        self.paths = Paths(peer, is_validated=isinstance(opening, ClientOpening), rng=rng)
        self.opening = opening
        self._timers = TimerTable()
        self._events: deque[Event] = deque()
        self._machine = StateMachine(SEALED)
        self._keys: Keys | None = None
        self._sending = Sending(config, self._timers, self.counters, scratch or Scratch(), now=now)
        self._receiving = Receiving(
            Incoming(config.transport), AckTracker(config.tracking, self._timers), self.counters
        )
        self._silence = Silence(config, self._timers, self._sending)
        self._ending = Ending(config, self._machine, self._timers, self._sending, self._receiving)
        self._ready: deque[Train] = deque()  # datagrams that are made already: handshake and end
        if isinstance(opening, ClientOpening):
            self._machine.handle(Input.OPEN_ACTIVE)
            self._say_hello(opening, now)
        else:
            self._machine.handle(Input.SYN_RECEIVED)
            self._agree(opening.agreement, now)
            self._timers.arm(Timer.HANDSHAKE, now + config.transport.handshake_timeout)

    @classmethod
    def open(
        cls,
        peer: Address,
        *,
        security: ClientSecurity,
        connection_id: bytes,
        config: NativeConfig,
        rng: random.Random,
        now: int,
        scratch: Scratch | None = None,
    ) -> Connection:
        """A client's end: the first HELLO waits to be sent. Trains are written into `scratch`, which may be shared."""
        opening = ClientOpening(security, connection_id, config=config, rng=rng)
        return cls(peer, opening, config=config, rng=rng, now=now, scratch=scratch)

    @classmethod
    def accept(
        cls,
        hello: wire.Hello,
        *,
        source: Address,
        hello_bytes: int,
        security: ServerSecurity,
        connection_id: bytes,
        is_validated: bool,
        config: NativeConfig,
        rng: random.Random,
        now: int,
        scratch: Scratch | None = None,
    ) -> Connection:
        """A server's end; the WELCOME waits to be sent. `is_validated`: the client has proved its address.

        Raises:
            HandshakeFailed: the HELLO is malformed, or made with another key.
        """
        opening = ServerOpening(hello, security, connection_id, config=config, rng=rng)
        connection = cls(source, opening, config=config, rng=rng, now=now, scratch=scratch)
        connection.paths.is_validated = is_validated
        connection.handle_long(hello, source, hello_bytes, now=now)
        return connection

    # Getters.

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def connection_id(self) -> bytes:
        """What the peer addresses this side by."""
        return self.opening.connection_id

    @property
    def peer(self) -> Address:
        """Where datagrams go."""
        return self.paths.peer

    @property
    def trailer(self) -> int:
        """Bytes at the end of each datagram that are the seal's."""
        return self._keys.receiving.overhead if self._keys is not None else 0

    @property
    def is_established(self) -> bool:
        """True from the end of the handshake to the end of the connection."""
        return self.state not in (State.CLOSED, State.SYN_SENT, State.SYN_RECEIVED)

    @property
    def is_closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def is_confirmed(self) -> bool:
        """True when both sides have ended, and both know: nothing of it can go wrong any more."""
        return self.state is State.TIME_WAIT or (self.state is State.CLOSED and self.error is None)

    @property
    def room(self) -> int:
        """Bytes that `write` would take now."""
        return self._sending.stream.room if self._may_write else 0

    @property
    def _may_write(self) -> bool:
        return self.state in _WRITABLE and not self._sending.outbound.scoreboard.is_finished

    @property
    def written(self) -> int:
        """Bytes that the application gave to send, those of sources included."""
        return self._sending.stream.written

    @property
    def acknowledged(self) -> int:
        """Bytes below which the peer has everything."""
        board = self._sending.outbound.scoreboard
        return min(board.una, board.size)

    @property
    def readable(self) -> int:
        """Bytes that `read` would return."""
        return self._receiving.incoming.readable

    @property
    def diverted_left(self) -> int:
        """Bytes that the sink of `divert` still waits for, up to the last hole."""
        return self._receiving.incoming.diverted_left

    @property
    def has_ended(self) -> bool:
        """True when the peer's end is reached and everything before it has been read."""
        incoming = self._receiving.incoming
        return incoming.books.is_complete and not incoming.readable

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that arrivals take, holes included: at most `receive_window`."""
        return self._receiving.incoming.held

    @property
    def probe_timeout(self) -> int:
        """How long what was sent may be unanswered before the peer is asked, ns; it waits longer the next time."""
        outbound = self._sending.outbound
        return outbound.rtt.pto(outbound.rules.max_ack_delay)

    def stats(self) -> ConnectionStats:
        """How the connection stands."""
        return self._sending.stats(self._receiving.incoming)

    # The application's verbs.

    def write(self, data: Buffer, *, now: int) -> int:
        """Take bytes to send; `bytes` are kept without a copy.

        Returns:
            How many were taken: fewer than given, perhaps none, when the buffer is full.

        Raises:
            LocalProtocolError: after `finish`, or after the connection has ended.
        """
        self._require_writable()
        taken = self._sending.stream.write(data)
        self._on_written()
        return taken

    def send_source(self, source: ScatterSource, offset: int, length: int, *, now: int) -> None:
        """Let `length` bytes of a source follow what was written. They are read when they are sent.

        Raises:
            LocalProtocolError: after `finish`, or after the connection has ended.
        """
        self._require_writable()
        if length > 0:
            self._sending.stream.append_source(source, offset, length)
            self._on_written()

    def _on_written(self) -> None:
        self._sending.on_written()
        if self.is_established:
            self._silence.on_demand()

    def _require_writable(self) -> None:
        if not self._may_write:
            raise LocalProtocolError("cannot send: this side has been closed")

    def read(self, most: int, *, now: int) -> bytes:
        """Take out at most `most` bytes in order; b"" when there are none now."""
        data = self._receiving.incoming.read(most)
        self._receiving.on_read()
        return data

    def read_into(self, target: memoryview, *, now: int) -> int:
        """Fill `target` (of bytes) with bytes in order; return how many there were, 0 when there are none now."""
        count = self._receiving.incoming.read_into(target)
        self._receiving.on_read()
        return count

    def divert(self, sink: OffsetSink, length: int, *, now: int) -> None:
        """Let `sink` have the next `length` bytes of the stream, from its offset 0, as they come and in any order.

        Raises:
            LocalProtocolError: an earlier sink still waits for bytes.
            DestinationError: the sink cannot store what has arrived already.
        """
        self._receiving.incoming.divert(sink, length)
        self._receiving.on_read()

    def limit_rate(self, rate: int | None, *, now: int) -> None:
        """From now on let at most `rate` bytes of the stream leave a second, repeats included; None: no limit.

        Raises:
            ConfigError: it is not positive.
        """
        if rate is not None and rate < 1:
            raise ConfigError("a limit of the rate is positive")
        self._sending.limit_rate(rate)

    def finish(self, *, now: int) -> None:
        """Nothing more will be written: let the end follow. Harmless when repeated."""
        if not self._may_write:
            return
        self._sending.outbound.scoreboard.finish()
        if self.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            self._machine.handle(Input.FINISH)

    def close(self, *, now: int) -> None:
        """Write no more, and throw away what still comes: only the peer's end matters now."""
        self.finish(now=now)
        self._receiving.incoming.discard()
        self._receiving.on_read()

    def abort(self, code: int, text: str, *, now: int) -> None:
        """End the connection now, and tell the peer why (at most 255 bytes of text in UTF-8)."""
        if self.state is State.TIME_WAIT:  # all is confirmed already
            self._ending.is_done_due = True
            self._close(Input.TIMEOUT)
        elif self.state is not State.CLOSED:
            self._give_up(Aborted(text), text, code=code)

    # Outputs.

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next train to send, or None when nothing may go out now. It is valid until the next call."""
        if self._ready:
            return self._ready.popleft()
        if self._keys is None or self.state in (State.CLOSED, State.SYN_RECEIVED):
            return None
        try:
            train = self._poll_path(now)
            if train is None and self.paths.is_validated:
                train = self._sending.poll(self._receiving, self.paths.peer, now=now)
            if not self._keys.sending.is_worn_out:
                return train
            self._give_up(RemoteProtocolError(_WORN_OUT), _WORN_OUT)
            return self._ready.popleft() if self._ready else None
        except TransferError as error:  # its text may name a file of this host: the peer gets another one
            self._give_up(error, "what was to be sent can no longer be read")
            return self._ready.popleft() if self._ready else None

    def _poll_path(self, now: int) -> Train | None:
        """A question to an address, or the answer to one."""
        paths = self.paths
        if paths.is_settled:
            return None
        probe, emit = paths.poll_response(), frames.emit_path_response
        if probe is None:
            deadline = paths.next_deadline()
            if deadline is None:
                return None
            pto = self._sending.outbound.rtt.pto(0)
            probe, emit = paths.poll_challenge(now=now, pto=pto), frames.emit_path_challenge
            self._timers.set(Timer.PATH_CHALLENGE, paths.next_deadline())
        return None if probe is None else self._sending.aside(emit(probe.data), probe.address, length=probe.budget)

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called, or None."""
        return self._timers.next_deadline()

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    # Inputs.

    def handle_datagrams(self, slots: Slots, first: int, stop: int, source: Address, *, now: int) -> None:
        """Take short datagrams [first, stop) of `slots`, all from `source` and all with this side's id."""
        keys = self._keys
        if keys is None or self.state is State.CLOSED:
            return
        receiving = self._receiving
        arrivals = receiving.tracker.arrivals
        try:
            found = receiving.handle(slots, first, stop, keys.receiving, now=now)
        except TransferError as error:
            self._give_up(error, "what arrived cannot be stored")
            return
        if found is None:
            if keys.receiving.is_worn_out:
                self._give_up(RemoteProtocolError("too many forged datagrams"), "too many forged datagrams")
            return
        nbytes = (stop - first - 1) * slots.stride + len(slots.datagrams[stop - 1])
        self.counters.received_bytes += nbytes
        if not isinstance(self.opening, ClientOpening):
            is_probing = bool(found) and all(isinstance(frame, _PATH_FRAMES) for frame in found)
            is_newest = receiving.newest_is_new and not is_probing
            self.paths.on_authentic(source, nbytes, is_newest=is_newest, now=now)
        if receiving.tracker.arrivals == arrivals:
            return  # replays, or what cannot be taken: no sign of life
        self._silence.refusals = 0
        if self.state is State.SYN_RECEIVED:
            self._on_established(now)
        for frame in found:
            self._handle_frame(frame, source, nbytes, now)
            if self.is_closed:
                return
        self._ending.follow(now)
        if self._machine.state is State.CLOSED:
            self._end()
        elif self._machine.state is not State.TIME_WAIT:
            self._silence.on_heard(now)

    def handle_long(self, packet: wire.LongDatagram, source: Address, nbytes: int, *, now: int) -> None:
        """Take a datagram of the handshake that names this connection."""
        opening = self.opening
        if isinstance(opening, ServerOpening):
            if isinstance(packet, wire.Hello) and self.state is State.SYN_RECEIVED:
                self.paths.on_received(nbytes)
                self._say_welcome(opening, nbytes, now)
        elif self.state is State.SYN_SENT:
            self._silence.refusals = 0
            if isinstance(packet, wire.Retry):
                if opening.on_retry(packet):
                    self._say_hello(opening, now)
            elif isinstance(packet, wire.Welcome):
                self._on_welcome(opening, packet, now)
            elif not isinstance(packet, wire.Hello):
                failure = opening.failure(packet)
                if failure is not None:
                    self._close(Input.RESET, error=failure)

    def handle_timeout(self, *, now: int) -> None:
        """Act on every deadline that has passed."""
        outbound = self._sending.outbound
        for timer in self._timers.pop_expired(now):
            if self.state is State.CLOSED:
                return
            if timer is Timer.LOSS:
                outbound.on_loss_timer(now=now)
            elif timer is Timer.PTO:
                outbound.on_pto(now=now)
                self._sending.on_pto(now=now)
            elif timer is Timer.DELAYED_ACK:
                self._receiving.tracker.make_due()
            elif timer is Timer.HANDSHAKE:
                self._on_handshake_timer(now)
            elif timer is Timer.IDLE:
                error = self._silence.verdict(self.state, now)
                self._give_up(error, str(error))
            elif timer is Timer.KEEPALIVE:
                self._silence.ask(now)
            elif timer is Timer.LINGER:
                self._ending.is_done_due = True  # in case that the peer still wants to know
                self._close(Input.TIMEOUT)

    def handle_refused(self, *, now: int) -> None:
        """The path reported that nothing listens at the peer's port. Anybody can forge that, so the peer is asked."""
        is_opening = self.state is State.SYN_SENT
        if self.state in (State.CLOSED, State.TIME_WAIT) or not self._silence.on_refused(now, is_opening=is_opening):
            return
        if is_opening:
            self._close(Input.TIMEOUT, error=Refused("nobody listens there: the port is closed"))
        else:
            self._close(Input.TIMEOUT, error=Reset("the peer is gone: its port is closed"))

    def handle_too_long(self, size: int, *, now: int) -> None:
        """The local interface refused a datagram of `size` bytes."""
        self._sending.on_too_long(size, now=now)

    # The opening.

    def _say_hello(self, opening: ClientOpening, now: int) -> None:
        hello = opening.hello(now=now)
        self._ready.append(self._handshake_train(hello))
        limit = self.config.transport.handshake_timeout
        self._timers.arm(Timer.HANDSHAKE, min(opening.next_at(now), opening.sent_at[0] + limit))

    def _say_welcome(self, opening: ServerOpening, hello_bytes: int, now: int) -> None:
        if self._ready:
            return
        datagram, copies = b"", opening.copies(hello_bytes)
        while copies and self.paths.allowance() >= opening.size:
            copies -= 1
            datagram = datagram or opening.welcome(now=now)
            self.paths.on_sent(opening.size)
            self._ready.append(self._handshake_train(datagram))

    def _handshake_train(self, datagram: bytes) -> Train:
        self.counters.datagrams_sent += 1
        self.counters.sent_bytes += len(datagram)
        return Train([datagram], len(datagram), len(datagram), self.paths.peer)

    def _on_welcome(self, opening: ClientOpening, packet: wire.Welcome, now: int) -> None:
        try:
            is_ours = opening.on_welcome(packet)
        except HandshakeFailed as error:
            self._close(Input.ABORT, error=error)
            return
        if not is_ours or opening.agreement is None:
            return
        self._agree(opening.agreement, now)
        self._on_established(now)
        self._sending.say(frames.emit_ping())  # the server waits for something sealed

    def _agree(self, agreement: Agreement, now: int) -> None:
        self._keys = Keys(agreement.keys, update_after=self.config.update_keys_after)
        self._silence.on_peer_patience(agreement.peer.idle_timeout_ns)
        self._sending.outbound.rules.max_ack_delay = agreement.peer.max_ack_delay_ns
        self._sending.start(
            self._keys.sending,
            agreement.peer_id,
            most=agreement.peer.max_datagram,
            window=agreement.peer.window,
            now=now,
        )

    def _on_established(self, now: int) -> None:
        self._timers.cancel(Timer.HANDSHAKE)
        sent_at, rtt = self.opening.sent_at, self._sending.outbound.rtt
        sample = round_trip(sent_at, self.config.transport.initial_rtt, now=now)
        is_server = self.state is State.SYN_RECEIVED
        # What comes first from the client answers the WELCOME only if it is the client's first datagram.
        if len(sent_at) == 1 and not (is_server and self._receiving.tracker.is_new(0)):
            self._sending.outbound.on_round_trip(sample)
        else:
            rtt.reset(min(sample, self.config.transport.initial_rtt))
            if is_server:  # a client asks in any case
                self._sending.say(frames.emit_ping())
        if rtt.samples:
            least = rtt.smoothed_rtt // _ACKS_PER_ROUND_TRIP
            self._receiving.tracker.interval = min(least, self.config.transport.max_ack_delay)
        self._machine.handle(Input.SYN_ACKED)
        if self._sending.outbound.scoreboard.is_finished:
            self._machine.handle(Input.FINISH)
        self._events.append(Established(self.paths.peer, True))
        self._silence.begin(now)

    def _on_handshake_timer(self, now: int) -> None:
        opening, limit = self.opening, self.config.transport.handshake_timeout
        if isinstance(opening, ClientOpening) and now < opening.sent_at[0] + limit:
            self._say_hello(opening, now)
            return
        self._close(Input.TIMEOUT, error=HandshakeTimeout(f"no answer in {limit / NS_PER_S:g} s"))

    # Frames.

    def _handle_frame(self, frame: frames.Frame, source: Address, nbytes: int, now: int) -> None:
        if isinstance(frame, frames.Ack):
            self._sending.on_ack(frame, now=now)
        elif isinstance(frame, frames.Ping):
            self._receiving.tracker.make_due()
        elif isinstance(frame, frames.PathChallenge):
            self.paths.on_challenge(source, frame.data, nbytes)
        elif isinstance(frame, frames.PathResponse):
            if self.paths.on_response(frame.data, now=now) is not None and self.paths.has_host_changed:
                self._sending.change_path(now=now)
            self._timers.set(Timer.PATH_CHALLENGE, self.paths.next_deadline())
        elif isinstance(frame, frames.Reset) and self.state is State.TIME_WAIT:
            self._close(Input.TIMEOUT)  # all is confirmed already
        elif isinstance(frame, frames.Reset):
            self._close(Input.RESET, error=Reset(frame.text or "the peer ended the connection", code=frame.code))
        elif isinstance(frame, frames.Done):
            self._ending.on_peer_done()
            if self.is_closed:
                self._end()

    # The end.

    def _say_last(self, frame: bytes) -> None:
        train = self._sending.last_words(frame, self.paths.peer)
        if train is not None:
            self._ready.append(train)

    def _give_up(self, error: SurewireError, text: str, *, code: int = frames.GAVE_UP) -> None:
        """End with this error here; the peer is told the text, which names nothing of this host."""
        self._ready.clear()
        if self.state not in _UNSEALED:
            self._say_last(frames.emit_reset(code, text))
        self._close(Input.ABORT, error=error)

    def _close(self, why: Input, *, error: SurewireError | None = None) -> None:
        self._machine.handle(why)
        self.error = error
        self._end()

    def _end(self) -> None:
        if self._ending.is_done_due:
            self._ready.clear()
            for _ in range(self._ending.last_copies):
                self._say_last(frames.emit_done())
        self._timers.cancel_all()
        self._events.append(Closed(self.error))
