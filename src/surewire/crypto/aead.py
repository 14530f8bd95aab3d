"""The two ciphers of Noise that surewire knows, and what they have to be told: nonces and limits.

Both are AEADs with keys of 32 bytes, nonces of 12 and tags of 16 (Noise revision 34, §12.3 and §12.4). Nothing here
chooses nonces: a handshake counts them, a connection takes its packet numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM as _AesGcm
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305 as _ChaChaPoly

from surewire.wire.slots import Buffer

__all__ = ["AESGCM", "CHACHAPOLY", "KEY_SIZE", "TAG_SIZE", "Cipher", "Copying", "InvalidTag"]

KEY_SIZE = 32  # bytes
TAG_SIZE = 16  # bytes


class Aead(Protocol):
    """One key of a cipher, for messages: the result is a new object."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class InPlaceAead(Protocol):
    """One key of a cipher, for datagrams: the result is written over the input.

    `buffer` begins where `data` does and is exactly TAG_SIZE bytes longer (encrypting) or shorter (decrypting).
    """

    def encrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: memoryview, buffer: memoryview, /
    ) -> object: ...

    def decrypt_into(
        self, nonce: bytes, data: memoryview, associated_data: memoryview, buffer: memoryview, /
    ) -> object: ...


class Copying:
    """An `InPlaceAead` of an `Aead` that cannot work in place: the cryptography package before its version 47."""

    __slots__ = ("_aead",)

    def __init__(self, aead: Aead) -> None:
        self._aead = aead

    def encrypt_into(self, nonce: bytes, data: Buffer, associated_data: Buffer, buffer: memoryview, /) -> None:
        """As `InPlaceAead` says."""
        buffer[:] = self._aead.encrypt(nonce, bytes(data), bytes(associated_data))

    def decrypt_into(self, nonce: bytes, data: Buffer, associated_data: Buffer, buffer: memoryview, /) -> None:
        """As `InPlaceAead` says; InvalidTag leaves the buffer as it was."""
        buffer[:] = self._aead.decrypt(nonce, bytes(data), bytes(associated_data))


class Cipher(NamedTuple):
    """A cipher under its name in Noise protocol names."""

    name: str
    aead: Callable[[bytes], Aead]
    in_place: Callable[[bytes], InPlaceAead]
    # 32 zero bits and 64 bits of number, in the byte order of the cipher's own counters (§12.3, §12.4)
    nonce: Struct
    # forged messages that all keys of a connection together may see (RFC 9001 §6.6, the integrity limit)
    failures_limit: int


# Chosen once, at import.
_WORKS_IN_PLACE = hasattr(_AesGcm, "encrypt_into") and hasattr(_ChaChaPoly, "decrypt_into")

AESGCM = Cipher(
    "AESGCM",
    _AesGcm,
    _AesGcm if _WORKS_IN_PLACE else lambda key: Copying(_AesGcm(key)),
    Struct(">4xQ"),
    failures_limit=2**52,
)
CHACHAPOLY = Cipher(
    "ChaChaPoly",
    _ChaChaPoly,
    _ChaChaPoly if _WORKS_IN_PLACE else lambda key: Copying(_ChaChaPoly(key)),
    Struct("<4xQ"),
    failures_limit=2**36,
)
