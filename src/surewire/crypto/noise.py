"""The Noise handshake (revision 34, §5.3 and §9) over X25519 and SHA-256: patterns as tables, one interpreter.

Theory of operation. A `HandshakeState` walks through the messages of its pattern. Each token of a message either
puts a key on the wire (e: a fresh one, s: the lasting one) or mixes a Diffie-Hellman result (ee, es, se, ss: the
initiator's key first) or a pre-shared key (psk) into the symmetric state; then the payload follows, encrypted as soon
as anything secret was mixed in. Since every byte sent goes into the running hash, and the hash is the associated data
of everything encrypted, two sides that do not have the same view of the whole handshake end at the next tag.

Departures from the specification: none on the wire. A message that does not fit leaves the state as it was, where
§5.3 would have it thrown away: anybody can forge a datagram, and the genuine answer may be the next one. A forger
learns from it only what he knew: whether his own message had a right tag.

Randomness is the caller's: `rng.randbytes(32)` is the private key of each `e`. In earnest it has to be a
`random.SystemRandom`; a seeded generator makes keys that can be computed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from surewire.crypto.aead import KEY_SIZE, TAG_SIZE, Cipher
from surewire.crypto.directions import Directions
from surewire.crypto.noise_patterns import Pattern
from surewire.crypto.noise_symmetric import CipherState, SymmetricState
from surewire.errors import HandshakeFailed, LocalProtocolError

MAX_MESSAGE = 65_535  # bytes (§3)


def public_key(private: bytes) -> bytes:
    """The public X25519 key of a private one; both are 32 bytes."""
    return _private_key(private).public_key().public_bytes_raw()


def _private_key(private: bytes) -> X25519PrivateKey:
    if len(private) != KEY_SIZE:
        raise LocalProtocolError(f"a private key has {KEY_SIZE} bytes, not {len(private)}")
    return X25519PrivateKey.from_private_bytes(private)


def _agree(private: X25519PrivateKey | None, public: bytes | None) -> bytes:
    """DH(key pair, public key) of §4.1, without the results that are the same for everybody."""
    if private is None or public is None:
        raise LocalProtocolError("the pattern needs a key that was not given")
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        # The result is all zero: a public key of small order, which makes a "secret" known beforehand (RFC 7748 §6.1).
        raise HandshakeFailed("the peer's public key is one that agrees on no secret") from None


class HandshakeState:
    """One side of one handshake: write and read messages in turn, then `split`."""

    __slots__ = (
        "_ephemeral",
        "_index",
        "_is_initiator",
        "_pattern",
        "_psks",
        "_remote",
        "_rng",
        "_static",
        "_symmetric",
    )

    def __init__(
        self,
        pattern: Pattern,
        cipher: Cipher,
        *,
        is_initiator: bool,
        prologue: bytes,
        rng: random.Random,
        static: bytes | None = None,
        remote_static: bytes | None = None,
        psks: Sequence[bytes] = (),
    ) -> None:
        """Initialize.

        Args:
            prologue: what both sides must have seen alike before; any bytes.
            static: our lasting private key, 32 bytes, where the pattern has one.
            remote_static: the peer's lasting public key, 32 bytes, where the pattern has it known beforehand.
            psks: pre-shared keys of 32 bytes, in the order of the pattern's psk tokens.

        Raises:
            LocalProtocolError: a key is missing, too many, or has another length.
        """
        if len(psks) != pattern.psk_count or any(len(psk) != KEY_SIZE for psk in psks):
            raise LocalProtocolError(f"{pattern.name} needs {pattern.psk_count} shared keys of {KEY_SIZE} bytes")
        self._pattern, self._is_initiator, self._rng = pattern, is_initiator, rng
        self._symmetric = SymmetricState.of(f"Noise_{pattern.name}_25519_{cipher.name}_SHA256", cipher)
        self._static = None if static is None else _private_key(static)
        self._ephemeral: X25519PrivateKey | None = None
        # the peer's public keys by the token that sends them
        self._remote: dict[str, bytes | None] = {"e": None, "s": remote_static}
        self._psks = list(psks)
        self._index = 0  # of the next message
        self._symmetric.mix_hash(prologue)
        self._mix_what_is_known()

    def _mix_what_is_known(self) -> None:
        """The keys of the pre-messages, the initiator's first."""
        ours = None if self._static is None else self._static.public_key().public_bytes_raw()
        theirs = self._remote["s"]
        initiators, responders = (ours, theirs) if self._is_initiator else (theirs, ours)
        known = (self._pattern.is_initiator_known, initiators), (self._pattern.is_responder_known, responders)
        for is_known, public in known:
            if is_known:
                if public is None or len(public) != KEY_SIZE:
                    raise LocalProtocolError(f"{self._pattern.name} needs a key of {KEY_SIZE} bytes beforehand")
                self._symmetric.mix_hash(public)

    @property
    def is_finished(self) -> bool:
        """Whether every message was sent or received, so that `split` is next."""
        return self._index == len(self._pattern.messages)

    @property
    def remote_static(self) -> bytes | None:
        """The peer's lasting public key, as soon as it is known. Genuine only once a message after it decrypted."""
        return self._remote["s"]

    @property
    def hash(self) -> bytes:
        """The hash of the handshake; after its end it names this connection and no other (§11.2)."""
        return self._symmetric.hash

    def write_message(self, payload: bytes) -> bytes:
        """WriteMessage: the next message, which carries `payload`.

        Raises:
            LocalProtocolError: it is not our turn, a key is missing, or the message would be too long.
            HandshakeFailed: the peer's public key is one that agrees on no secret.
        """
        pieces = []
        for token in self._turn(is_ours=True):
            if token == "e":
                self._ephemeral = _private_key(self._rng.randbytes(KEY_SIZE))
                pieces.append(self._ephemeral.public_key().public_bytes_raw())
                self._mix_ephemeral(pieces[-1])
            elif token == "s":
                if self._static is None:
                    raise LocalProtocolError("the pattern needs a key that was not given")
                pieces.append(self._symmetric.encrypt_and_hash(self._static.public_key().public_bytes_raw()))
            else:
                self._mix_secret(token)
        pieces.append(self._symmetric.encrypt_and_hash(payload))
        message = b"".join(pieces)
        if len(message) > MAX_MESSAGE:
            raise LocalProtocolError(f"a handshake message has at most {MAX_MESSAGE} bytes, not {len(message)}")
        self._index += 1
        return message

    def read_message(self, message: bytes) -> bytes:
        """ReadMessage: the payload of the next message.

        Raises:
            HandshakeFailed: it does not fit; nothing has changed.
            LocalProtocolError: the next message is ours to write, or a key is missing.
        """
        tokens = self._turn(is_ours=False)
        before = self._symmetric, self._remote, self._psks
        self._symmetric, self._remote, self._psks = self._symmetric.copy(), dict(self._remote), list(self._psks)
        try:
            payload = self._read(tokens, message)
        except HandshakeFailed:
            self._symmetric, self._remote, self._psks = before
            raise
        self._index += 1
        return payload

    def _read(self, tokens: tuple[str, ...], message: bytes) -> bytes:
        if len(message) > MAX_MESSAGE:
            raise HandshakeFailed(f"a handshake message has at most {MAX_MESSAGE} bytes, not {len(message)}")
        rest = message
        for token in tokens:
            if token not in ("e", "s"):
                self._mix_secret(token)
                continue
            size = KEY_SIZE + (TAG_SIZE if token == "s" and self._symmetric.has_key else 0)
            if len(rest) < size:
                raise HandshakeFailed(f"a handshake message of {len(message)} bytes ends within a key")
            key, rest = rest[:size], rest[size:]
            if token == "e":
                self._mix_ephemeral(key)
                self._remote["e"] = key
            else:
                self._remote["s"] = self._symmetric.decrypt_and_hash(key)
        return self._symmetric.decrypt_and_hash(rest)

    def split(self) -> Directions[CipherState]:
        """Split: the keys for what comes after the handshake.

        Raises:
            LocalProtocolError: messages are missing.
        """
        if not self.is_finished:
            raise LocalProtocolError("the handshake is not finished")
        initiators, responders = self._symmetric.split()
        return Directions(initiators, responders) if self._is_initiator else Directions(responders, initiators)

    def _turn(self, *, is_ours: bool) -> tuple[str, ...]:
        """The tokens of the next message."""
        if self.is_finished:
            raise LocalProtocolError("the handshake has no more messages")
        if is_ours != ((self._index % 2 == 0) == self._is_initiator):
            raise LocalProtocolError("the next message of the handshake is the other side's to write")
        return self._pattern.messages[self._index]

    def _mix_ephemeral(self, public: bytes) -> None:
        """What both sides do with an `e`; with pre-shared keys it has to make the key a fresh one, too (§9.2)."""
        self._symmetric.mix_hash(public)
        if self._pattern.psk_count:
            self._symmetric.mix_key(public)

    def _mix_secret(self, token: str) -> None:
        """Tokens that put nothing on the wire."""
        if token == "psk":
            self._symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        # the letters are the initiator's key and the responder's
        initiators, responders = token[0], token[1]
        ours, theirs = (initiators, responders) if self._is_initiator else (responders, initiators)
        private = self._ephemeral if ours == "e" else self._static
        self._symmetric.mix_key(_agree(private, self._remote[theirs]))
