"""Equal datagrams laid end to end in one buffer, with every view that a codec needs, made once.

Making a slice costs as much as packing a header. A train is written into, and read from, the same memory
again and again with the same stride, so its slices are made when the stride is seen first and kept.

    |<----------------- stride ----------------->|<-- the next datagram ...
    | header |         body           | trailer  |
             |<-------- sealed ----------------->|
    |<------------ checked ---------->|
"""

from __future__ import annotations

from surewire.errors import LocalProtocolError

Buffer = bytes | bytearray | memoryview


class Slots:
    """Views of datagram number i: `datagrams[i]`, `headers[i]`, `bodies[i]`, `sealed[i]`, `checked[i]`."""

    __slots__ = (
        "_behind",
        "bodies",
        "buffer",
        "checked",
        "count",
        "datagrams",
        "header",
        "headers",
        "sealed",
        "stride",
        "trailer",
    )

    def __init__(self, buffer: memoryview, *, stride: int, header: int, trailer: int) -> None:
        """Cut `buffer` into datagrams of `stride` bytes; only the last may be shorter.

        Raises:
            LocalProtocolError: header and trailer do not fit the stride.
        """
        if stride < header + trailer or stride < 1:
            raise LocalProtocolError(f"a datagram of {stride} bytes has no room for header and trailer")
        self.buffer, self.stride, self.header, self.trailer = buffer, stride, header, trailer
        self.datagrams = [buffer[start : start + stride] for start in range(0, len(buffer), stride)]
        self.count = len(self.datagrams)
        self.headers = [datagram[:header] for datagram in self.datagrams]
        self.bodies = [datagram[header : max(len(datagram) - trailer, header)] for datagram in self.datagrams]
        self.sealed = [datagram[header:] for datagram in self.datagrams]
        self._behind: dict[int, list[memoryview]] = {}
        self.checked = [datagram[: max(len(datagram) - trailer, 0)] for datagram in self.datagrams]

    def behind(self, head: int) -> list[memoryview]:
        """The bodies without their first `head` bytes."""
        views = self._behind.get(head)
        if views is None:
            views = self._behind[head] = [body[head:] for body in self.bodies]
        return views

    def last(self, index: int, length: int) -> Slots:
        """Datagram number `index` as slots of its own, `length` bytes long."""
        start = index * self.stride
        return Slots(
            self.buffer[start : start + length], stride=max(length, 1), header=self.header, trailer=self.trailer
        )
