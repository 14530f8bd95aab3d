"""A peer of a native connection that has genuine keys and keeps to no rule: for fuzzing, and for tests.

It makes its handshake as it should, and from then on seals whatever it is told to, with any number.
"""

from __future__ import annotations

import random

from surewire.core.events import Event
from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.crypto.crc32c import crc32c
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.security import ClientSecurity, KeyPair, Protection, ServerSecurity
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire import native_parameters
from surewire.wire.native_parameters import Parameters
from surewire.wire.slots import Slots

MS, S = NS_PER_MS, NS_PER_S
CLIENT: Address = ("198.18.0.1", 50_000)
SERVER: Address = ("203.0.113.1", 4_433)
CLIENT_ID, SERVER_ID = b"clientid", b"serverid"

Security = tuple[ClientSecurity, ServerSecurity]


def checked() -> Security:
    """Everything in clear."""
    return CheckedClient(), CheckedServer()


class Rogue:
    """The other end of `target`, which is a server unless `is_server`: then this is one, and the target a client."""

    def __init__(
        self,
        *,
        is_server: bool = False,
        security: Security | None = None,
        config: NativeConfig | None = None,
        window: int = 1 << 20,
        max_datagram: int = 65_507,
        repair_window: int = 0,
        seed: int = 1,
    ) -> None:
        self.now = S
        self.number = 0  # of the next datagram
        self.expected = 0  # the number of the target's next datagram
        self.heard: list[frames.Frame] = []
        self.events: list[Event] = []
        self.home = SERVER if is_server else CLIENT
        self._to = CLIENT_ID if is_server else SERVER_ID
        self._rng = random.Random(seed)
        own_id = SERVER_ID if is_server else None
        mine = Parameters((wire.VERSION,), max_datagram, window, 30 * S, own_id, 5 * MS, repair_window)
        parameters = native_parameters.emit(mine)
        client, server = security or checked()
        config = config or NativeConfig()
        if is_server:
            self.target, keys = self._serve(client, server, parameters, config)
        else:
            self.target, keys = self._connect(client, server, parameters, config)
        self.sending: Protection = keys.sending
        self.receiving: Protection = keys.receiving
        self._phase = 0  # of what the target sends

    def _connect(
        self, client: ClientSecurity, server: ServerSecurity, parameters: bytes, config: NativeConfig
    ) -> tuple[Connection, KeyPair]:
        handshake, attempt = client.begin(self._rng), self._rng.randbytes(8)
        prologue = wire.prologue(attempt, CLIENT_ID, wire.VERSION, handshake.suite, (wire.VERSION,))
        message = handshake.hello(prologue, parameters)
        target = Connection.accept(
            wire.Hello(attempt, wire.VERSION, CLIENT_ID, handshake.suite, b"", message),
            source=CLIENT,
            hello_bytes=1_200,
            security=server,
            connection_id=SERVER_ID,
            is_validated=False,
            config=config,
            rng=self._rng,
            now=self.now,
        )
        welcome = wire.parse(_polled(target, self.now), crc32c)
        assert isinstance(welcome, wire.Welcome)
        handshake.finish(welcome.message)
        return target, handshake.keys()

    def _serve(
        self, client: ClientSecurity, server: ServerSecurity, parameters: bytes, config: NativeConfig
    ) -> tuple[Connection, KeyPair]:
        target = Connection.open(
            SERVER, security=client, connection_id=CLIENT_ID, config=config, rng=self._rng, now=self.now
        )
        hello = wire.parse(_polled(target, self.now), crc32c)
        assert isinstance(hello, wire.Hello)
        handshake = server.begin(hello.suite, self._rng)
        handshake.accept(
            wire.prologue(hello.dcid, hello.scid, hello.version, hello.suite, (wire.VERSION,)), hello.message
        )
        welcome = wire.Welcome(hello.scid, wire.VERSION, SERVER_ID, handshake.welcome(parameters))
        target.handle_long(welcome, SERVER, 200, now=self.now)
        return target, handshake.keys()

    # Listening.

    def drain(self) -> list[bytes]:
        """What the target sends now."""
        sent: list[bytes] = []
        while (train := self.target.poll_transmit(now=self.now)) is not None:
            sent += train.datagrams()
            assert len(sent) < 5_000, "it never stops sending"
        while (event := self.target.poll_event()) is not None:
            self.events.append(event)
        return sent

    def listen(self) -> list[frames.Frame]:
        """The frames that the target sends now, opened; they are kept in `heard` as well."""
        new: list[frames.Frame] = []
        for data in self.drain():
            new += self.open(data)
        self.heard += new
        return new

    def open(self, data: bytes) -> list[frames.Frame]:
        """The frames of one of the target's datagrams, whose key may have changed since the last one."""
        slots = Slots(memoryview(bytearray(data)), stride=len(data), header=13, trailer=self.receiving.overhead)
        number = wire.restore_number(int.from_bytes(data[9:13], "big"), self.expected)
        self.expected = max(self.expected, number + 1)
        if data[0] & wire.KEY_PHASE != self._phase:
            self._phase ^= 1
            self.receiving = self.receiving.successor()
        assert self.receiving.open(slots, 0, number), "not sealed as agreed"
        return frames.parse(slots.bodies[0])

    # Talking.

    def datagram(
        self, body: bytes, *, number: int | None = None, phase: int = 0, key: Protection | None = None
    ) -> bytes:
        """A genuine datagram; with the next number unless one is given."""
        if number is None:
            number, self.number = self.number, self.number + 1
        keys = key or self.sending
        data = bytearray(13 + len(body) + keys.overhead)
        wire.SHORT.pack_into(data, 0, wire.SHORT_FORM | phase, self._to, number & 0xFFFF_FFFF)
        data[13 : 13 + len(body)] = body
        keys.seal(Slots(memoryview(data), stride=len(data), header=13, trailer=keys.overhead), 1, number)
        return bytes(data)

    def throw(self, *datagrams: bytes, source: Address | None = None) -> None:
        """Let datagrams of one length arrive together."""
        memory = memoryview(bytearray(b"".join(datagrams)))
        slots = Slots(memory, stride=len(datagrams[0]), header=13, trailer=self.target.trailer)
        self.target.handle_datagrams(slots, 0, len(datagrams), source or self.home, now=self.now)

    def say(self, *bodies: bytes, source: Address | None = None) -> list[frames.Frame]:
        """Send frames, each body in a datagram of its own; return what is answered at once."""
        for body in bodies:
            self.throw(self.datagram(body), source=source)
        return self.listen()

    def wait(self, duration: int) -> list[frames.Frame]:
        """Let time pass; return what is said meanwhile."""
        until, heard, steps = self.now + duration, self.listen(), 0
        while (deadline := self.target.poll_timeout()) is not None and deadline <= until:
            steps = steps + 1 if deadline <= self.now else 0
            assert steps < 100, "its timers never rest"
            self.now = max(self.now, deadline)
            self.target.handle_timeout(now=self.now)
            heard += self.listen()
        self.now = until
        return heard


def _polled(connection: Connection, now: int) -> bytes:
    train = connection.poll_transmit(now=now)
    assert train is not None and train.datagram_count == 1
    return train.datagrams()[0]
