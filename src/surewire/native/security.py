"""What the native transport needs of whoever agrees on keys and protects datagrams.

Only shapes: `surewire.crypto` has the sealed kind (Noise handshakes, AEAD) and the checked one (a CRC). A
connection never sees a key, so it runs without the `cryptography` package, and tests can hand in their own.

Each direction of a connection has keys of its own. A `Protection` is one key; `successor` is the key after
an update, so that whoever steals one cannot read what was sent before.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol

from surewire.wire.slots import Slots


class Protection(Protocol):
    """One key of one direction."""

    @property
    def overhead(self) -> int:
        """Bytes at the end of each datagram that are the protection's, >= 0."""

    @property
    def packets_limit(self) -> int:
        """Datagrams that this key may protect before it has to be replaced, > 0."""

    @property
    def failures_limit(self) -> int:
        """Forged datagrams after which the connection has to end, > 0."""

    def seal(self, slots: Slots, count: int, number: int) -> None:
        """Protect the first `count` datagrams in place; they have packet numbers `number`, `number` + 1, ...

        Everything but the trailers must have been written. Numbers are below 2**62 and never used twice.
        """

    def open(self, slots: Slots, index: int, number: int) -> bool:
        """Check datagram `index` against packet number `number`, and bring its body into the clear, in place.

        False when it is not genuine; its body is then meaningless. Never raises, whatever the bytes.
        """

    def open_train(self, slots: Slots, first: int, stop: int, number: int) -> int:
        """Open datagrams [first, stop), numbered from `number` on, as `open` does, until one is not genuine.

        Returns:
            The index of that one, or `stop`.
        """

    def successor(self) -> Protection:
        """The key after an update (Noise §11.3, Rekey)."""


class KeyPair(Protocol):
    """The keys of a connection after its handshake, one for each direction."""

    @property
    def sending(self) -> Protection: ...

    @property
    def receiving(self) -> Protection: ...


class ClientHandshake(Protocol):
    """One handshake, of the side that begins."""

    @property
    def suite(self) -> int:
        """What stands in the HELLO: how both sides agree on keys and protect datagrams, 0..255."""

    def hello(self, prologue: bytes, payload: bytes) -> bytes:
        """The first message. The same bytes are sent again if there is no answer; call it once for each prologue."""

    def finish(self, message: bytes) -> bytes:
        """Take the answer; return its payload.

        Raises:
            HandshakeFailed: it does not fit the first message or the keys: perhaps a forgery, so go on waiting.
            UntrustedServer: it is genuine, but nobody vouches for the server: end.
        """

    def keys(self) -> KeyPair:
        """After `finish`."""


class ServerHandshake(Protocol):
    """One handshake, of the side that answers."""

    def accept(self, prologue: bytes, message: bytes) -> bytes:
        """Take the first message; return its payload.

        Raises:
            HandshakeFailed: it is malformed, or made with another key.
        """

    def welcome(self, payload: bytes) -> bytes:
        """The answer, after `accept`. The same bytes are sent again if the first message comes again."""

    def keys(self) -> KeyPair:
        """After `welcome`."""


class ClientSecurity(Protocol):
    """How a client wants to be connected."""

    def begin(self, rng: random.Random) -> ClientHandshake:
        """A handshake of its own for each connection."""


class ServerSecurity(Protocol):
    """Whom a server answers, and how."""

    @property
    def suites(self) -> Sequence[int]:
        """The suites it takes; clients with another one are refused."""

    def begin(self, suite: int, rng: random.Random) -> ServerHandshake:
        """A handshake of one of these suites."""
