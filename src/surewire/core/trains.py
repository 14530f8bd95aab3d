"""A train: equal datagrams for one destination that one system call can send.

`buffers`, laid end to end, hold the datagrams; each is `stride` bytes long, only the last may be
shorter. A driver hands the buffers to one scatter-gather call (UDP_SEGMENT) where it can and cuts
them at multiples of `stride` where it cannot. The buffers stay valid until the next call into the
object that made the train.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

Address = Hashable
"""Where a datagram goes or came from. Opaque to the core, which only compares addresses."""

Buffer = bytes | bytearray | memoryview


class Train(NamedTuple):
    """Datagrams to send at once.

    Attributes:
        buffers: the bytes, in order; their lengths need not match the datagrams.
        stride: bytes of each datagram but the last, which has 1..stride bytes.
        nbytes: bytes in all buffers together, > 0.
        destination: where every datagram of the train goes.
    """

    buffers: Sequence[Buffer]
    stride: int
    nbytes: int
    destination: Address

    @property
    def datagram_count(self) -> int:
        """Datagrams in the train, >= 1."""
        return -(-self.nbytes // self.stride)

    def datagrams(self) -> list[bytes]:
        """The datagrams one by one (copies): for drivers without segmentation offload, and tests."""
        whole = b"".join(self.buffers)
        return [whole[i : i + self.stride] for i in range(0, len(whole), self.stride)]
