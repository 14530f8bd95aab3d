"""The exchange that opens a connection: when HELLO and WELCOME leave, and what is known when they have arrived.

What the messages say is the matter of `opening`. This is their timing: a client repeats its HELLO until
`handshake_timeout` is over, a server answers HELLOs and waits. It is over with the first sealed datagram, and changes
no state: the connection does, by what comes out of here.
"""

from __future__ import annotations

from collections import deque

from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Train
from surewire.core.units import NS_PER_S
from surewire.errors import HandshakeFailed, HandshakeTimeout, SurewireError
from surewire.native.config import NativeConfig
from surewire.native.opening import Agreement, ClientOpening, ServerOpening, round_trip
from surewire.native.paths import Paths
from surewire.native.receiving import Receiving
from surewire.native.sending import Sending
from surewire.native.statistics import Counters
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames

_ACKS_PER_ROUND_TRIP = 64  # of bulk without much loss: eight of them in the least time that a loss takes to be found

Opening = ClientOpening | ServerOpening


class Greeting:
    """Arms `Timer.HANDSHAKE` of one connection, and puts what is to be said into `ready`."""

    __slots__ = ("_config", "_counters", "_opening", "_paths", "_ready", "_timers")

    def __init__(
        self,
        opening: Opening,
        config: NativeConfig,
        timers: TimerTable,
        *,
        paths: Paths,
        counters: Counters,
        ready: deque[Train],
    ) -> None:
        self._opening = opening
        self._config = config
        self._timers = timers
        self._paths = paths
        self._counters = counters
        self._ready = ready

    def begin(self, now: int) -> None:
        """A client says HELLO; a server has got one, and waits for something sealed."""
        if isinstance(self._opening, ClientOpening):
            self._say_hello(self._opening, now)
        else:
            self._timers.arm(Timer.HANDSHAKE, now + self._config.transport.handshake_timeout)

    def on_hello(self, nbytes: int, now: int) -> None:
        """A HELLO of so many bytes has come, the first or a copy of it: a server answers."""
        opening = self._opening
        self._paths.on_received(nbytes)
        if self._ready or not isinstance(opening, ServerOpening):
            return
        datagram, copies = b"", opening.copies(nbytes)
        while copies and self._paths.allowance() >= opening.size:
            copies -= 1
            datagram = datagram or opening.welcome(now=now)
            self._paths.on_sent(opening.size)
            self._ready.append(self._train(datagram))

    def on_answer(self, packet: wire.LongDatagram, now: int) -> Agreement | SurewireError | None:
        """A client got this: what both sides know now, or why there is no connection; None: it goes on waiting."""
        opening = self._opening
        if not isinstance(opening, ClientOpening) or isinstance(packet, wire.Hello):
            return None
        if isinstance(packet, wire.Retry):
            if opening.on_retry(packet):
                self._say_hello(opening, now)
            return None
        if not isinstance(packet, wire.Welcome):
            return opening.failure(packet)
        try:
            return opening.agreement if opening.on_welcome(packet) else None
        except HandshakeFailed as error:
            return error

    def on_timer(self, now: int) -> SurewireError | None:
        """`Timer.HANDSHAKE` has passed: why there is no connection, or None when a client asks once more."""
        opening, limit = self._opening, self._config.transport.handshake_timeout
        if isinstance(opening, ClientOpening) and now < opening.sent_at[0] + limit:
            self._say_hello(opening, now)
            return None
        return HandshakeTimeout(f"no answer in {limit / NS_PER_S:g} s")

    def end(self, sending: Sending, receiving: Receiving, now: int) -> None:
        """The answer is here: say what it has shown of the round trip, and ask where that is not much."""
        self._timers.cancel(Timer.HANDSHAKE)
        transport, sent_at, rtt = self._config.transport, self._opening.sent_at, sending.outbound.rtt
        sample = round_trip(sent_at, transport.initial_rtt, now=now)
        is_server = isinstance(self._opening, ServerOpening)
        # What comes first from the client answers the WELCOME only if it is the client's first datagram.
        if len(sent_at) == 1 and not (is_server and receiving.tracker.is_new(0)):
            sending.outbound.on_round_trip(sample, now=now)
        else:
            longest = max(now - sent_at[0], 1)
            sending.guess_round_trip(min(sample, transport.initial_rtt), min(longest, transport.initial_rtt))
            if is_server:  # a client asks in any case
                sending.say(frames.emit_ping())
        if rtt.samples:
            receiving.tracker.interval = min(rtt.smoothed_rtt // _ACKS_PER_ROUND_TRIP, transport.max_ack_delay)

    def _say_hello(self, opening: ClientOpening, now: int) -> None:
        self._ready.append(self._train(opening.hello(now=now)))
        limit = self._config.transport.handshake_timeout
        self._timers.arm(Timer.HANDSHAKE, min(opening.next_at(now), opening.sent_at[0] + limit))

    def _train(self, datagram: bytes) -> Train:
        self._counters.datagrams_sent += 1
        self._counters.sent_bytes += len(datagram)
        return Train([datagram], len(datagram), len(datagram), self._paths.peer)
