"""How long full datagrams are: as long as the path takes them, but no longer than about a millisecond of its rate.

A path that takes 65,507 bytes is not always a fast one: loopback behind an emulated link of 20 Mbit/s is such a path.
There a datagram of that length would be 26 ms of the rate, and a loss would cost as much.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_S

ORDINARY = 1_472
"""UDP payload of an Ethernet frame under IPv4, in bytes: never too long for a rate."""

_JUMBO = 8_972
_MARGIN = 2  # milliseconds of the rate at which a size in use is given up: else gains would change it to and fro


def datagram_size(longest: int, rate: int, *, present: int) -> int:
    """The size to use, bytes.

    Args:
        longest: what the path takes, bytes.
        rate: of the path, bytes a second.
        present: the size in use, which is given up only when the rate is too low for it.
    """
    if longest <= ORDINARY:
        return longest
    earned = rate * NS_PER_MS // NS_PER_S
    for size in (longest, _JUMBO):
        if size <= longest and earned * (_MARGIN if size <= present else 1) >= size:
            return size
    return ORDINARY
