"""How a connection begins: one message each way, repeated until the answer is there.

The client's HELLO names the attempt by a random id; the server's WELCOME brings the id that datagrams to it
carry from then on. Both messages are a handshake's (`security`), and bind versions, suite and ids, so that
nobody on the path can talk the two into something weaker. No state is shared with what follows: what an
opening leaves behind is an `Agreement`.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.crc32c import crc32c
from surewire.errors import HandshakeFailed, MalformedSegment, Refused, SurewireError
from surewire.native.config import NativeConfig
from surewire.native.security import ClientSecurity, KeyPair, ServerSecurity
from surewire.wire import native_datagram as wire
from surewire.wire import native_parameters
from surewire.wire.native_parameters import Parameters

VERSIONS = (wire.VERSION,)
"""What this side speaks, best first."""

_FIRST_SHARE = 3  # of the round trip guessed: on a path that loses, the first wait is what an opening takes longer
_TRIES_EACH = 3  # with one wait, before it doubles: at 10% loss each way, one opening in 140 fails three times
_LONGEST_INTERVAL = NS_PER_S // 2  # between two HELLOs: 20 kbit/s where nobody answers
_MOST_COPIES = 3  # of a WELCOME: at 50% loss each way, a HELLO is answered in 44% of the cases instead of 25%
_LEAST_SHARE = 16  # of the round trip guessed: nothing so soon after a message is taken for its answer


class Agreement(NamedTuple):
    """What both sides know after the handshake."""

    keys: KeyPair
    peer_id: bytes  # what datagrams to the peer are addressed to
    peer: Parameters


def _parameters(config: NativeConfig, connection_id: bytes | None) -> bytes:
    transport = config.transport
    return native_parameters.emit(
        Parameters(
            versions=VERSIONS,
            max_datagram=config.fixed_datagram or config.max_datagram,
            window=transport.receive_window,
            idle_timeout_ns=transport.idle_timeout,
            connection_id=connection_id,
            max_ack_delay_ns=transport.max_ack_delay,
            repair_window=config.repair_window,
        )
    )


def round_trip(sent_at: list[int], initial_rtt: int, *, now: int) -> int:
    """The time from the message that is answered at `now`, one of those sent at these times, to now (ns, > 0).

    Of several messages it is unknown which was answered (Karn). Then it is a guess, and rather too short than too
    long: what is done too early costs a probe, and what is done too late is what a short transfer waits for.
    """
    likely = (now - at for at in reversed(sent_at) if now - at > initial_rtt // _LEAST_SHARE)
    return max(next(likely, now - sent_at[0]), 1)


class ClientOpening:
    """The client's side: HELLO after HELLO until a WELCOME fits."""

    __slots__ = ("_config", "_cookie", "_handshake", "_message", "agreement", "attempt_id", "connection_id", "sent_at")

    def __init__(
        self, security: ClientSecurity, connection_id: bytes, *, config: NativeConfig, rng: random.Random
    ) -> None:
        """Begin; `connection_id` is what the server will address this side by."""
        self._config = config
        self._handshake = security.begin(rng)
        self.connection_id = connection_id
        self.attempt_id = rng.randbytes(wire.CID_SIZE)
        prologue = wire.prologue(self.attempt_id, connection_id, wire.VERSION, self._handshake.suite, (wire.VERSION,))
        self._message = self._handshake.hello(prologue, _parameters(config, None))
        self._cookie = b""
        self.agreement: Agreement | None = None
        self.sent_at: list[int] = []  # when each HELLO left

    def hello(self, *, now: int) -> bytes:
        """The datagram to send now."""
        self.sent_at.append(now)
        packet = wire.Hello(
            self.attempt_id, wire.VERSION, self.connection_id, self._handshake.suite, self._cookie, self._message
        )
        return wire.emit(packet, crc32c)

    def next_at(self, now: int) -> int:
        """When the next HELLO is due if nothing has come by then.

        The waits double, each third time, from far below the guess: a HELLO too many costs 1,200 bytes, where one that
        was lost makes a short transfer half as long again. And at 50% loss each way one in four is answered. A path of
        100 ms sees two or three, a satellite's of 600 ms seven.
        """
        doublings = min((len(self.sent_at) - 1) // _TRIES_EACH, 10)
        wait = self._config.transport.initial_rtt // _FIRST_SHARE << doublings
        return now + min(max(wait, NS_PER_MS), _LONGEST_INTERVAL)

    def on_retry(self, packet: wire.Retry) -> bool:
        """A server under load asks for proof of the address; True when the HELLO should go out again at once.

        Later cookies replace the first, which does not live long, but wait for the timer: or each would make a HELLO.
        """
        if packet.scid != self.attempt_id:
            return False
        is_first = not self._cookie
        self._cookie = packet.cookie
        return is_first

    def on_welcome(self, packet: wire.Welcome) -> bool:
        """The answer; False when it is none to our HELLO: forged perhaps, so the right one may still come.

        Raises:
            HandshakeFailed: the server is genuine, but what it says cannot be.
            UntrustedServer: nobody vouches for the server.
        """
        try:
            payload = self._handshake.finish(packet.message)
        except HandshakeFailed as error:
            if type(error) is HandshakeFailed:
                return False
            raise
        try:
            peer = native_parameters.parse(payload)
        except MalformedSegment as error:
            raise HandshakeFailed(f"the server's parameters make no sense: {error}") from error
        if peer.connection_id is None:
            raise HandshakeFailed("the server did not say by which connection id to address it")
        best = next((version for version in VERSIONS if version in peer.versions), None)
        if best != packet.version:
            raise HandshakeFailed("somebody on the path hid the version that both sides prefer")
        # Not the datagram's: anybody could have changed that one.
        self.agreement = Agreement(self._handshake.keys(), peer.connection_id, peer)
        return True

    def failure(self, packet: wire.Versions | wire.Refused) -> SurewireError | None:
        """Why a server will not have us; None when the datagram is no answer to our HELLO.

        It is not authenticated, but whoever can make it has seen the HELLO, and could keep it from arriving as well.
        """
        if packet.scid != self.attempt_id:
            return None
        if isinstance(packet, wire.Refused):
            return Refused(f"the server refused the connection: {packet.text or 'no reason given'}")
        if wire.VERSION not in packet.versions:
            return HandshakeFailed("the server speaks no version that this side knows")
        if self._handshake.suite in packet.suites:
            return None
        return HandshakeFailed(
            "the server protects connections in another way: a shared key (psk), and plain, take both sides"
        )


class ServerOpening:
    """The server's side: one WELCOME, sent again when the HELLO comes again."""

    __slots__ = ("_answers", "_welcome", "agreement", "attempt_id", "client_id", "connection_id", "sent_at")

    def __init__(
        self,
        hello: wire.Hello,
        security: ServerSecurity,
        connection_id: bytes,
        *,
        config: NativeConfig,
        rng: random.Random,
    ) -> None:
        """Take a HELLO of a version and suite that this side has.

        Raises:
            HandshakeFailed: it is malformed, or made with another key.
        """
        handshake = security.begin(hello.suite, rng)
        prologue = wire.prologue(hello.dcid, hello.scid, hello.version, hello.suite, (wire.VERSION,))
        payload = handshake.accept(prologue, hello.message)
        try:
            peer = native_parameters.parse(payload)
        except MalformedSegment as error:
            raise HandshakeFailed(f"the client's parameters make no sense: {error}") from error
        message = handshake.welcome(_parameters(config, connection_id))
        self._welcome = wire.emit(wire.Welcome(hello.scid, hello.version, connection_id, message), crc32c)
        self.attempt_id = hello.dcid
        self.client_id = hello.scid
        self.connection_id = connection_id
        self.agreement = Agreement(handshake.keys(), hello.scid, peer)
        self.sent_at: list[int] = []  # when the first and the last WELCOME left: a stranger can ask for any number
        self._answers = 0  # HELLOs that were answered

    @property
    def size(self) -> int:
        """Bytes of the WELCOME."""
        return len(self._welcome)

    def copies(self, hello_bytes: int) -> int:
        """How often the WELCOME answers the next HELLO, of so many bytes: once the first, for the client asks again
        because a HELLO or a WELCOME was lost; and never so often that the answer is longer than what asks for it.
        """
        return max(min(self._answers + 1, _MOST_COPIES, hello_bytes // self.size), 1)

    def welcome(self, *, now: int) -> bytes:
        """The datagram that answers each HELLO of this attempt."""
        self._answers += 1
        self.sent_at = [*self.sent_at[:1], now]
        return self._welcome
