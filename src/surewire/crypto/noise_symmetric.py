"""The symmetric half of the Noise framework (revision 34, §4.3, §5.1, §5.2, §11.3) with SHA-256.

`CipherState` is a key and its nonce counter; `SymmetricState` is what both sides have agreed on so far: a chaining
key that every secret was mixed into, and a hash of everything that was sent. Objects hold secrets: they have no
representation, and no error text has any of their bytes.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from surewire.crypto.aead import KEY_SIZE, Cipher, InvalidTag
from surewire.errors import HandshakeFailed, LocalProtocolError

HASH_SIZE = 32  # bytes: HASHLEN of SHA-256
_LAST_NONCE = 2**64 - 1  # kept for `rekeyed` (§5.1)


def rekeyed(cipher: Cipher, key: bytes) -> bytes:
    """The key after `key`; the way back is as hard as breaking the cipher.

    Source: §4.2, REKEY(k): the first 32 bytes of what the last nonce encrypts of 32 zero bytes.
    """
    return cipher.aead(key).encrypt(cipher.nonce.pack(_LAST_NONCE), bytes(KEY_SIZE), b"")[:KEY_SIZE]


class CipherState:
    """A key, or none yet, and how many messages it has taken (§5.1)."""

    __slots__ = ("_cipher", "_nonce", "key")

    def __init__(self, cipher: Cipher, key: bytes | None = None, nonce: int = 0) -> None:
        self._cipher = cipher
        self.key = key
        self._nonce = nonce

    def encrypt(self, associated_data: bytes, plaintext: bytes) -> bytes:
        """EncryptWithAd: as it is while there is no key."""
        if self.key is None:
            return plaintext
        ciphertext = self._cipher.aead(self.key).encrypt(self._next_nonce(), plaintext, associated_data)
        self._nonce += 1
        return ciphertext

    def decrypt(self, associated_data: bytes, ciphertext: bytes) -> bytes:
        """DecryptWithAd: as it is while there is no key.

        Raises:
            HandshakeFailed: it is not genuine; the nonce is not used up.
        """
        if self.key is None:
            return ciphertext
        try:
            plaintext = self._cipher.aead(self.key).decrypt(self._next_nonce(), ciphertext, associated_data)
        except InvalidTag:
            raise HandshakeFailed("the message was not made with our key, or was changed on the way") from None
        self._nonce += 1
        return plaintext

    def copy(self) -> CipherState:
        """Another one that goes its own way from here."""
        return CipherState(self._cipher, self.key, self._nonce)

    def _next_nonce(self) -> bytes:
        if self._nonce >= _LAST_NONCE:
            raise LocalProtocolError("the key has no nonce left")
        return self._cipher.nonce.pack(self._nonce)


class SymmetricState:
    """The chaining key, the hash of the handshake so far, and a key as soon as there is one (§5.2)."""

    __slots__ = ("_chaining_key", "_cipher", "_state", "hash")

    def __init__(self, cipher: Cipher, hash_so_far: bytes, chaining_key: bytes, state: CipherState) -> None:
        self._cipher = cipher
        self.hash = hash_so_far
        self._chaining_key = chaining_key
        self._state = state

    @classmethod
    def of(cls, protocol_name: str, cipher: Cipher) -> SymmetricState:
        """InitializeSymmetric."""
        name = protocol_name.encode("ascii")
        start = name.ljust(HASH_SIZE, b"\0") if len(name) <= HASH_SIZE else hashlib.sha256(name).digest()
        return cls(cipher, start, start, CipherState(cipher))

    def copy(self) -> SymmetricState:
        """Another one that goes its own way from here."""
        return SymmetricState(self._cipher, self.hash, self._chaining_key, self._state.copy())

    @property
    def has_key(self) -> bool:
        """Whether messages are encrypted yet."""
        return self._state.key is not None

    def mix_hash(self, data: bytes) -> None:
        """MixHash: both sides have to have seen `data`."""
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """MixKey: both sides have to know `secret`; the next key depends on it."""
        self._chaining_key, key = self._derive(secret, 2)
        self._state = CipherState(self._cipher, key)

    def mix_key_and_hash(self, secret: bytes) -> None:
        """MixKeyAndHash: for pre-shared keys, both of the above (§9)."""
        self._chaining_key, mixed, key = self._derive(secret, 3)
        self.mix_hash(mixed)
        self._state = CipherState(self._cipher, key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """EncryptAndHash: what goes on the wire for `plaintext`."""
        ciphertext = self._state.encrypt(self.hash, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """DecryptAndHash; raises HandshakeFailed and then changes nothing."""
        plaintext = self._state.decrypt(self.hash, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """Split: the initiator's sending key, and the responder's."""
        first, second = self._derive(b"", 2)
        return CipherState(self._cipher, first), CipherState(self._cipher, second)

    def _derive(self, secret: bytes, count: int) -> list[bytes]:
        """HKDF(chaining key, secret, count) of §4.3, which is RFC 5869's with the chaining key as salt and no info."""
        size = count * HASH_SIZE
        output = HKDF(SHA256(), size, salt=self._chaining_key, info=None).derive(secret)
        return [output[start : start + HASH_SIZE] for start in range(0, size, HASH_SIZE)]
