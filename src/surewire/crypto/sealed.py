"""Sealed mode: a Noise handshake, then an AEAD over every datagram. docs/security.md says what it promises.

    suite   protocol                              who is known
        1   Noise_NX_25519_AESGCM_SHA256          the server, by its public key
        2   Noise_NNpsk0_25519_AESGCM_SHA256      both, by a key that they share
        3   Noise_NX_25519_ChaChaPoly_SHA256      as 1
        4   Noise_NNpsk0_25519_ChaChaPoly_SHA256  as 2

    | header | sealed body | tag (16) |      associated data: the header; nonce: the packet number

A client has one suite and asks for no other, so nobody in between can talk it into a weaker one. Objects here hold
secrets: they show none in their representation or in errors. Randomness comes from the `rng` handed in, which has
to be a `random.SystemRandom` in earnest.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple, Protocol

from surewire.crypto.aead import AESGCM, CHACHAPOLY, KEY_SIZE, TAG_SIZE, Cipher, InvalidTag
from surewire.crypto.directions import Directions
from surewire.crypto.fingerprints import fingerprint
from surewire.crypto.noise import HandshakeState, public_key
from surewire.crypto.noise_patterns import pattern
from surewire.crypto.noise_symmetric import CipherState, rekeyed
from surewire.errors import ConfigError, LocalProtocolError
from surewire.wire.slots import Slots

__all__ = [
    "SUITES",
    "AnyServer",
    "KeyClient",
    "KeyServer",
    "PskClient",
    "PskServer",
    "SealedClientHandshake",
    "SealedProtection",
    "SealedServer",
    "SealedServerHandshake",
    "fingerprint",
    "public_key",
]

# Datagrams that one key may seal. For AES-GCM, RFC 9001 §6.6 and B.1.1 allow 2**23 of up to 64 KiB; half of it leaves
# time for the change. ChaCha20-Poly1305 needs no limit, but changing its keys as often makes a stolen one worth less.
_PACKETS_LIMIT = 2**22


class Suite(NamedTuple):
    """What a suite's number stands for."""

    pattern: str
    cipher: Cipher


SUITES = {
    1: Suite("NX", AESGCM),
    2: Suite("NNpsk0", AESGCM),
    3: Suite("NX", CHACHAPOLY),
    4: Suite("NNpsk0", CHACHAPOLY),
}
_BY_KEY = (1, 3)
_BY_PSK = (2, 4)
# in the order of the two above
_CIPHERS = ("aesgcm", "chachapoly")


class SealedProtection:
    """One key of one direction."""

    __slots__ = ("_cipher", "_decrypt", "_encrypt", "_key", "_nonce")

    overhead = TAG_SIZE
    packets_limit = _PACKETS_LIMIT

    def __init__(self, cipher: Cipher, key: bytes) -> None:
        aead = cipher.in_place(key)
        self._cipher, self._key = cipher, key
        self._encrypt, self._decrypt, self._nonce = aead.encrypt_into, aead.decrypt_into, cipher.nonce.pack

    def __repr__(self) -> str:
        return f"SealedProtection({self._cipher.name})"

    @property
    def failures_limit(self) -> int:
        """Forged datagrams that a connection may see, with all its keys (RFC 9001 §6.6)."""
        return self._cipher.failures_limit

    def seal(self, slots: Slots, count: int, number: int) -> None:
        """Encrypt the first `count` datagrams in place; their numbers are `number`, `number` + 1, ..."""
        encrypt, nonce = self._encrypt, self._nonce
        for header, body, sealed in zip(slots.headers[:count], slots.bodies, slots.sealed, strict=False):
            encrypt(nonce(number), body, header, sealed)
            number += 1

    def open(self, slots: Slots, index: int, number: int) -> bool:
        """Decrypt datagram `index` in place; False when it is not genuine."""
        try:
            self._decrypt(self._nonce(number), slots.sealed[index], slots.headers[index], slots.bodies[index])
        except InvalidTag:
            return False
        return True

    def open_train(self, slots: Slots, first: int, stop: int, number: int) -> int:
        """Decrypt datagrams [first, stop) in place until one is not genuine; return its index, or `stop`."""
        decrypt, nonce, index = self._decrypt, self._nonce, first
        sealed, headers, bodies = slots.sealed, slots.headers, slots.bodies
        try:
            for index in range(first, stop):
                decrypt(nonce(number + index - first), sealed[index], headers[index], bodies[index])
        except InvalidTag:
            return index
        return stop

    def successor(self) -> SealedProtection:
        """The key after an update (Noise §11.3); this one cannot be computed from it."""
        return SealedProtection(self._cipher, rekeyed(self._cipher, self._key))


class _Handshake:
    """What both sides have in common: the Noise state until its end, then the keys."""

    __slots__ = ("_cipher", "_keys", "_psks", "_rng", "_state", "_static", "_suite")

    def __init__(self, suite: int, rng: random.Random, *, psk: bytes | None, static: bytes | None) -> None:
        self._suite, self._rng = suite, rng
        self._cipher = SUITES[suite].cipher
        self._psks, self._static = () if psk is None else (psk,), static
        self._state: HandshakeState | None = None
        self._keys: Directions[SealedProtection] | None = None

    @property
    def suite(self) -> int:
        """Its number in the first message."""
        return self._suite

    def keys(self) -> Directions[SealedProtection]:
        """The keys of both directions, after the last message.

        Raises:
            LocalProtocolError: the handshake is not over.
        """
        if self._keys is None:
            raise LocalProtocolError("the handshake is not over")
        return self._keys

    def _start(self, prologue: bytes, *, is_initiator: bool) -> HandshakeState:
        self._keys = None
        self._state = HandshakeState(
            pattern(SUITES[self._suite].pattern),
            self._cipher,
            is_initiator=is_initiator,
            prologue=prologue,
            rng=self._rng,
            static=self._static,
            psks=self._psks,
        )
        return self._state

    def _started(self) -> HandshakeState:
        if self._state is None:
            raise LocalProtocolError("the handshake has no first message, or is over")
        return self._state

    def _end(self, state: HandshakeState) -> None:
        """Keep the keys and forget what they were made of."""
        sending, receiving = state.split()
        self._keys = Directions(self._protection(sending), self._protection(receiving))
        self._state = None

    def _protection(self, state: CipherState) -> SealedProtection:
        if state.key is None:
            raise LocalProtocolError("the handshake ended without a key")
        return SealedProtection(self._cipher, state.key)


class SealedClientHandshake(_Handshake):
    """The side that begins."""

    __slots__ = ("_server_key", "_verify")

    def __init__(
        self,
        suite: int,
        rng: random.Random,
        *,
        psk: bytes | None = None,
        verify: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__(suite, rng, psk=psk, static=None)
        self._verify = verify
        self._server_key: bytes | None = None

    @property
    def server_key(self) -> bytes | None:
        """The server's public key, once it was verified; None where servers have none."""
        return self._server_key

    def hello(self, prologue: bytes, payload: bytes) -> bytes:
        """The first message, with a fresh key in it; whatever was said before is void."""
        return self._start(prologue, is_initiator=True).write_message(payload)

    def finish(self, message: bytes) -> bytes:
        """The payload of the server's answer.

        Raises:
            HandshakeFailed: it does not fit what we said and know; the genuine one may still come.
            UntrustedServer: it fits, but `verify` does not vouch for the server's key.
            LocalProtocolError: nothing was said, or the answer was there already.
        """
        state = self._started()
        payload = state.read_message(message)
        if self._verify is not None and state.remote_static is not None:
            self._verify(state.remote_static)
            self._server_key = state.remote_static
        self._end(state)
        return payload


class SealedServerHandshake(_Handshake):
    """The side that answers."""

    __slots__ = ()

    def accept(self, prologue: bytes, message: bytes) -> bytes:
        """The payload of the first message. Where the server is known by its key, nobody vouches for it yet.

        Raises:
            HandshakeFailed: it is malformed, or made with another shared key.
        """
        return self._start(prologue, is_initiator=False).read_message(message)

    def welcome(self, payload: bytes) -> bytes:
        """The answer; call it once.

        Raises:
            LocalProtocolError: nothing was accepted, or it was answered already.
        """
        state = self._started()
        message = state.write_message(payload)
        self._end(state)
        return message


class KeyClient:
    """A client that knows servers by their public keys."""

    __slots__ = ("_suite", "_verify")

    def __init__(self, verify: Callable[[bytes], None], cipher: str = "aesgcm") -> None:
        """`verify(public key)` raises UntrustedServer unless the server of that key may have the connection.

        Raises:
            ConfigError: there is no such cipher ("aesgcm", "chachapoly").
        """
        self._suite, self._verify = _suite_of(_BY_KEY, cipher), verify

    def begin(self, rng: random.Random) -> SealedClientHandshake:
        """A handshake of its own for each connection."""
        return SealedClientHandshake(self._suite, rng, verify=self._verify)


class PskClient:
    """A client that shares a key with its server."""

    __slots__ = ("_psk", "_suite")

    def __init__(self, psk: bytes, cipher: str = "aesgcm") -> None:
        """`psk`: 32 random bytes. No password: whoever sees a handshake can try guesses as fast as he can hash.

        Raises:
            ConfigError: the key has another length, or there is no such cipher ("aesgcm", "chachapoly").
        """
        self._psk, self._suite = _checked_key(psk, "a shared key"), _suite_of(_BY_PSK, cipher)

    def begin(self, rng: random.Random) -> SealedClientHandshake:
        """A handshake of its own for each connection."""
        return SealedClientHandshake(self._suite, rng, psk=self._psk)


class SealedServer(Protocol):
    """One way in which a server takes sealed connections."""

    @property
    def suites(self) -> tuple[int, ...]: ...

    def begin(self, suite: int, rng: random.Random) -> SealedServerHandshake: ...


class KeyServer:
    """A server that is known by its public key, `public_key(private)`, and takes every client."""

    __slots__ = ("_private",)

    suites = _BY_KEY

    def __init__(self, private: bytes) -> None:
        """`private`: 32 random bytes, kept for as long as clients are to know the server.

        Raises:
            ConfigError: it has another length.
        """
        self._private = _checked_key(private, "a server's private key")

    def begin(self, suite: int, rng: random.Random) -> SealedServerHandshake:
        """A handshake of one of `suites`; LocalProtocolError for another one."""
        return SealedServerHandshake(_one_of(self.suites, suite), rng, psk=None, static=self._private)


class PskServer:
    """A server that takes the clients that share its key."""

    __slots__ = ("_psk",)

    suites = _BY_PSK

    def __init__(self, psk: bytes) -> None:
        """`psk`: 32 random bytes, the same as the clients'.

        Raises:
            ConfigError: it has another length.
        """
        self._psk = _checked_key(psk, "a shared key")

    def begin(self, suite: int, rng: random.Random) -> SealedServerHandshake:
        """A handshake of one of `suites`; LocalProtocolError for another one."""
        return SealedServerHandshake(_one_of(self.suites, suite), rng, psk=self._psk, static=None)


class AnyServer:
    """Several servers in one: a client gets the first that takes its suite."""

    __slots__ = ("_servers",)

    def __init__(self, *servers: SealedServer) -> None:
        self._servers = servers

    @property
    def suites(self) -> tuple[int, ...]:
        """The suites of all of them."""
        return tuple(dict.fromkeys(suite for server in self._servers for suite in server.suites))

    def begin(self, suite: int, rng: random.Random) -> SealedServerHandshake:
        """A handshake of one of `suites`; LocalProtocolError for another one."""
        _one_of(self.suites, suite)
        return next(server for server in self._servers if suite in server.suites).begin(suite, rng)


def _suite_of(suites: tuple[int, ...], cipher: str) -> int:
    if cipher not in _CIPHERS:
        raise ConfigError(f"the cipher is {' or '.join(_CIPHERS)}, not {cipher!r}")
    return suites[_CIPHERS.index(cipher)]


def _checked_key(key: bytes, what: str) -> bytes:
    if len(key) != KEY_SIZE:
        raise ConfigError(f"{what} has {KEY_SIZE} bytes, not {len(key)}")
    return bytes(key)


def _one_of(suites: tuple[int, ...], suite: int) -> int:
    if suite not in suites:
        raise LocalProtocolError(f"the server does not take suite {suite}")
    return suite
