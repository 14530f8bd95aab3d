"""Who talks to whom: the two nonces, and who is known to know them.

Each side draws a nonce and puts it into its packets (SYN) until the peer is known to have it; every
packet's hash depends on it, and on the receiver's as soon as the sender has met it. So a packet left
over from an earlier run on the same ports, which would otherwise look right, fails the hash. It is no
secret and proves nothing to an attacker.

One kind of old packet does pass: a SYN that met nobody and is still on its way, as its hash has one nonce
only. The first SYN decides who the peer is. TCP Fast Open accepts that risk as well (RFC 7413 §2.1); to take
another one later would put what the peer has acknowledged at risk.

Nobody waits for a handshake: the first data ride on the SYN, as in TCP Fast Open (RFC 7413), but only
one segment of them is on its way until the peer has answered: it may not have been started yet.
"""

from __future__ import annotations

import random


class Opening:
    """The nonces of one connection."""

    __slots__ = ("is_known", "nonce", "peer_nonce")

    def __init__(self, rng: random.Random) -> None:
        self.nonce = rng.randrange(1, 1 << 16)
        self.peer_nonce: int | None = None  # until its first packet
        self.is_known = False  # the peer has our nonce

    @property
    def sender_nonce(self) -> int | None:
        """What our packets state of it: the nonce, or None when the peer has it."""
        return None if self.is_known else self.nonce
