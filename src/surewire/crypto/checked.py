"""Checked mode: a CRC-32C ends every datagram. No security of any kind.

It finds what a path damages, for measurement, teaching and trusted links. Anybody who sees a datagram can read it,
and anybody can make one that passes: see docs/security.md. Needs no package besides the standard library.

    | header | body | CRC-32C (4, big-endian) |    over header and body, continued from the number's high bits

The datagram has the number's low 32 bits only. To begin the sum with the others lets a receiver that restored them
wrongly (a copy that is 2**31 packets old) see it, just as it would with a nonce.
"""

from __future__ import annotations

import random
from struct import Struct

from surewire.crypto.crc32c import crc32c
from surewire.crypto.directions import Directions
from surewire.wire.slots import Slots

SUITE = 0  # "checked", in the first message
TRAILER = 4  # bytes
# There is no key that could wear out, and damage is no attack: limits beyond every packet number.
_NO_LIMIT = 2**62
_WORD = Struct(">I")
_LOW = 2**32 - 1


class CheckedProtection:
    """A checksum in the place of a key: the same in both directions, and for ever."""

    __slots__ = ()

    overhead = TRAILER
    packets_limit = _NO_LIMIT
    failures_limit = _NO_LIMIT

    def seal(self, slots: Slots, count: int, number: int) -> None:
        """Write the checksums of the first `count` datagrams, whose packet numbers are `number`, `number` + 1, ..."""
        checksum, write, buffer, stride = crc32c, _WORD.pack_into, slots.buffer, slots.stride
        # The high bits change at most once in a train, and hardly ever.
        same = min(count, 2**32 - (number & _LOW))
        position = first = 0
        for stop, high_bits in ((same, number >> 32), (count, (number >> 32) + 1)):
            for checked in slots.checked[first:stop]:
                write(buffer, position + len(checked), checksum(checked, high_bits))
                position += stride
            first = stop

    def open(self, slots: Slots, index: int, number: int) -> bool:
        """Whether the checksum of datagram `index` fits; its body is in the clear already."""
        checked = slots.checked[index]
        size = len(checked)
        if size < slots.header:
            return False
        expected: int = _WORD.unpack_from(slots.buffer, index * slots.stride + size)[0]
        return crc32c(checked, number >> 32) == expected

    def open_train(self, slots: Slots, first: int, stop: int, number: int) -> int:
        """Compare the checksums of datagrams [first, stop) until one does not fit; return its index, or `stop`."""
        if number & _LOW > _LOW - (stop - first):  # the high bits change on the way
            return next(
                (index for index in range(first, stop) if not self.open(slots, index, number + index - first)), stop
            )
        read, buffer, stride, high = _WORD.unpack_from, slots.buffer, slots.stride, number >> 32
        end = first * stride + len(slots.checked[first])
        for index, checked in enumerate(slots.checked[first:stop], first):
            if (crc32c(checked, high),) != read(buffer, end):
                return index
            end += stride
        return stop

    def successor(self) -> CheckedProtection:
        """Itself: there is nothing to replace."""
        return self


class CheckedHandshake:
    """Either side's handshake: the messages are the payloads, in clear, and bind nothing.

    The datagrams that carry them have checksums of their own, so damage is found before they come here.
    """

    __slots__ = ()

    suite = SUITE

    def hello(self, prologue: bytes, payload: bytes) -> bytes:
        """The client's message. The prologue is bound to nothing, since there is nothing to bind it with."""
        return payload

    def accept(self, prologue: bytes, message: bytes) -> bytes:
        """The payload of the client's message."""
        return message

    def welcome(self, payload: bytes) -> bytes:
        """The server's message."""
        return payload

    def finish(self, message: bytes) -> bytes:
        """The payload of the server's message."""
        return message

    def keys(self) -> Directions[CheckedProtection]:
        """The checksum, twice."""
        return Directions(CheckedProtection(), CheckedProtection())


class CheckedClient:
    """A client that asks for checked mode."""

    def begin(self, rng: random.Random) -> CheckedHandshake:
        """A handshake; it needs no randomness."""
        return CheckedHandshake()


class CheckedServer:
    """A server that takes checked mode, and nothing else."""

    suites = (SUITE,)

    def begin(self, suite: int, rng: random.Random) -> CheckedHandshake:
        """A handshake; it needs no randomness."""
        return CheckedHandshake()
