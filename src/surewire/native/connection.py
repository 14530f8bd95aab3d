"""One native connection: its rules, without socket, clock or keys of its own.

Both ends are alike once the handshake is over; bytes flow both ways. After any call a driver drains
`poll_transmit`, then reads `poll_timeout`, then `poll_event` until it returns None. Inputs are
`handle_datagrams` (already routed by connection id), `handle_long`, `handle_timeout` and `handle_refused`. The
application's verbs are `abort` and those of `application_side`.

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
from surewire.core.trains import Address, Train
from surewire.errors import Aborted, Refused, RemoteProtocolError, Reset, SurewireError, TransferError
from surewire.native.application_side import ApplicationSide
from surewire.native.config import NativeConfig
from surewire.native.ending import Ending
from surewire.native.greeting import Greeting, Opening
from surewire.native.incoming import Incoming
from surewire.native.keys import Keys
from surewire.native.opening import Agreement, ClientOpening, ServerOpening
from surewire.native.packing import Scratch
from surewire.native.paths import Paths
from surewire.native.receiving import Receiving
from surewire.native.recovering import Recovering
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.native.sending import Sending
from surewire.native.silence import Silence
from surewire.native.statistics import ConnectionStats, Counters
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire.slots import Slots

_UNSEALED = (State.CLOSED, State.SYN_SENT)  # no keys yet, or no more
_WORN_OUT = "the peer acknowledges nothing that the present key has sealed, so it cannot be changed"
_OF_REPAIR_WINDOW = 75  # per cent of it make a block at most: what is sent behind it is kept, too
_PATH_FRAMES = (frames.PathChallenge, frames.PathResponse)


class Connection(ApplicationSide):
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
        self._timers = timers = TimerTable()
        self.counters = counters = Counters()
        sending = Sending(config, timers, counters, scratch or Scratch(), now=now)
        recovering = Recovering(config.repair_window)
        receiving = Receiving(Incoming(config.transport), AckTracker(config.tracking, timers), recovering, counters)
        super().__init__(StateMachine(SEALED), sending, receiving, Silence(config, timers, sending))
        self.config = config
        self.error: SurewireError | None = None  # why the connection ended, unless it ended well
        is_client = isinstance(opening, ClientOpening)
        self.paths = Paths(peer, is_validated=is_client, rng=rng)
        self.opening = opening
        self._events: deque[Event] = deque()
        self._keys: Keys | None = None
        self._ready: deque[Train] = deque()  # datagrams that are made already: handshake and end
        self._greeting = Greeting(opening, config, timers, paths=self.paths, counters=counters, ready=self._ready)
        self._ending = Ending(config, self._machine, timers, sending, receiving)
        self._machine.handle(Input.OPEN_ACTIVE if is_client else Input.SYN_RECEIVED)
        if isinstance(opening, ServerOpening):
            self._agree(opening.agreement, now)
        self._greeting.begin(now)

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
    def is_closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def is_confirmed(self) -> bool:
        """True when both sides have ended, and both know: nothing of it can go wrong any more."""
        return self.state is State.TIME_WAIT or (self.state is State.CLOSED and self.error is None)

    @property
    def probe_timeout(self) -> int:
        """How long what was sent may be unanswered before the peer is asked, ns; it waits longer the next time."""
        outbound = self._sending.outbound
        return outbound.rtt.pto(outbound.rules.max_ack_delay)

    @property
    def asked_at(self) -> int:
        """When something was sent last that has to be acknowledged (bytes of the stream, pings, sums), ns; 0: never.

        What comes after that may be an answer.
        """
        return self._sending.outbound.log.newest_sent_at

    def stats(self) -> ConnectionStats:
        """How the connection stands."""
        return self._sending.stats(self._receiving.incoming)

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
        if self.state is State.SYN_RECEIVED:
            if isinstance(packet, wire.Hello):
                self._greeting.on_hello(nbytes, now)
        elif self.state is State.SYN_SENT:
            self._silence.refusals = 0
            answer = self._greeting.on_answer(packet, now)
            if isinstance(answer, Agreement):
                self._agree(answer, now)
                self._on_established(now)
                self._sending.say(frames.emit_ping())  # the server waits for something sealed
            elif answer is not None:
                self._close(Input.ABORT, error=answer)

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
                failure = self._greeting.on_timer(now)
                if failure is not None:
                    self._close(Input.TIMEOUT, error=failure)
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

    def _agree(self, agreement: Agreement, now: int) -> None:
        self._keys = Keys(agreement.keys, update_after=self.config.update_keys_after)
        self._silence.on_peer_patience(agreement.peer.idle_timeout_ns)
        rules = self._sending.outbound.rules
        rules.max_ack_delay = agreement.peer.max_ack_delay_ns
        rules.repair_window = agreement.peer.repair_window * _OF_REPAIR_WINDOW // 100
        self._sending.start(
            self._keys.sending,
            agreement.peer_id,
            most=agreement.peer.max_datagram,
            window=agreement.peer.window,
            now=now,
        )

    def _on_established(self, now: int) -> None:
        self._greeting.end(self._sending, self._receiving, now)
        self._machine.handle(Input.SYN_ACKED)
        if self._sending.outbound.scoreboard.is_finished:
            self._machine.handle(Input.FINISH)
        self._events.append(Established(self.paths.peer, True))
        self._silence.begin(now)

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
