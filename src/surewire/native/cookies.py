"""Cookies: how a server lets a client prove its address without keeping anything of it.

    | stamp (4): seconds since the endpoint began | 16 bytes of HMAC-SHA-256 over stamp, ids, version, suite, address |

The server sends the cookie to where the HELLO came from; who sends it back can receive there. It is good for ten
seconds, for the same address and the same HELLO only, so it is worth nothing to anybody else, and a client can use
it for one attempt. The secret is drawn from the endpoint's generator and replaced every minute; the one before
is kept so that no cookie dies early. (RFC 9000 §8.1.2 and §21.3; RFC 6013 §1 for what such cookies are against.)

Invariants: two secrets are all that is kept; the comparison takes the same time whatever the cookie.
"""

from __future__ import annotations

import hmac
import random
from struct import Struct

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.wire.native_datagram import Hello

LIFETIME_S = 10
"""A round trip, and a few losses of the HELLO that brings it back."""

ROTATION_S = 60
"""How long a secret makes cookies; twice as long it checks them."""

_STAMP = Struct(">I")
_MAC_SIZE = 16  # bytes: 128 bits cannot be guessed within a cookie's life
_SECRET_SIZE = 32  # bytes
_CONTEXT = Struct(">8s8sIB")


class Cookies:
    """Makes cookies and knows them again."""

    __slots__ = ("_began", "_rng", "_secrets")

    def __init__(self, rng: random.Random, *, now: int) -> None:
        """`rng` is kept; for a server that is to be safe it is one nobody can predict (random.SystemRandom)."""
        self._rng = rng
        self._began = now
        self._secrets: dict[int, bytes] = {}  # by the number of the minute in which they make cookies

    @property
    def kept_secrets(self) -> int:
        """Secrets that are kept: two at most."""
        return len(self._secrets)

    def make(self, hello: Hello, source: Address, *, now: int) -> bytes:
        """A cookie of 20 bytes for this HELLO from this address."""
        seconds = self._seconds(now)
        return _STAMP.pack(seconds) + self._mac(self._secret_of_today(seconds), seconds, hello, source)

    def is_genuine(self, hello: Hello, source: Address, *, now: int) -> bool:
        """Whether the HELLO's cookie was made here, for this HELLO and this address, in the last 10 to 11 s."""
        cookie = hello.cookie
        if len(cookie) != _STAMP.size + _MAC_SIZE:
            return False
        (seconds,) = _STAMP.unpack_from(cookie)
        if not 0 <= self._seconds(now) - seconds <= LIFETIME_S:
            return False
        secret = self._secrets.get(seconds // ROTATION_S)
        if secret is None:
            return False
        return hmac.compare_digest(self._mac(secret, seconds, hello, source), bytes(cookie[_STAMP.size :]))

    def _seconds(self, now: int) -> int:
        return ((now - self._began) // NS_PER_S) & 0xFFFFFFFF

    def _secret_of_today(self, seconds: int) -> bytes:
        period = seconds // ROTATION_S
        secret = self._secrets.get(period)
        if secret is None:
            secret = self._rng.randbytes(_SECRET_SIZE)
            kept = {period - 1: self._secrets[period - 1]} if period - 1 in self._secrets else {}
            self._secrets = {**kept, period: secret}
        return secret

    def _mac(self, secret: bytes, seconds: int, hello: Hello, source: Address) -> bytes:
        # The parts before the address have fixed lengths, so no two contexts give the same bytes.
        context = _STAMP.pack(seconds) + _CONTEXT.pack(hello.dcid, hello.scid, hello.version, hello.suite)
        return hmac.digest(secret, context + repr(source).encode(), "sha256")[:_MAC_SIZE]
