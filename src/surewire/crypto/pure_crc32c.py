"""CRC-32C without any package: what a plain source checkout runs on, and what the fast one is tested against.

The Castagnoli polynomial, reflected (RFC 3720 §12.1 and appendix B.4). Four bytes a step, by tables of 16 bits:
about 30 MB/s. The tables (1 MiB) are made when they are first needed, in some 50 ms.
"""

from __future__ import annotations

from array import array
from functools import cache
from struct import unpack

from surewire.wire.slots import Buffer

# x^32 + 0x1EDC6F41 with the bits of each byte in the order in which the checksum takes them: lowest first.
_POLYNOMIAL = 0x82F63B78
_ALL_ONES = 0xFFFF_FFFF


def crc32c(data: Buffer, value: int = 0) -> int:
    """The checksum of `data`.

    Args:
        data: any bytes, none included.
        value: the checksum of the bytes before, 0..2**32 - 1; 0 when there are none.
    """
    low_half, high_half, one_byte = _tables()
    crc = value ^ _ALL_ONES
    words = len(data) // 4
    for word in unpack(f"<{words}I", data[: 4 * words]):
        crc ^= word
        crc = low_half[crc & 0xFFFF] ^ high_half[crc >> 16]
    for byte in data[4 * words :]:
        crc = one_byte[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ _ALL_ONES


@cache
def _tables() -> tuple[array[int], array[int], array[int]]:
    """What the lower and the upper 16 bits become after four bytes, and what 8 bits become after one."""
    one_byte = array("L", [_after_a_byte(value) for value in range(256)])
    high_half = array("L")
    for value in range(2**16):
        first = one_byte[value & 0xFF] ^ value >> 8
        high_half.append(one_byte[first & 0xFF] ^ first >> 8)
    low_half = array("L", [high_half[value & 0xFFFF] ^ value >> 16 for value in high_half])
    return low_half, high_half, one_byte


def _after_a_byte(register: int) -> int:
    """The register of the checksum after eight bits that are zero."""
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register
