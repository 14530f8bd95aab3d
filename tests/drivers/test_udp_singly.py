"""Where the kernel neither cuts nor joins, `UdpSocket` does, in tight loops: the same as one datagram at a time."""

from __future__ import annotations

import errno
import os
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surewire.core.trains import Train
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import SOL_UDP, UDP_GRO, ControlMessage
from tests.drivers.fake_udp import LOCALHOST, PEER, FakeRaw

OTHER = ("192.0.2.8", 4001)


class PickyRaw(FakeRaw):
    """Refuses datagrams by what is in them, however often they are sent."""

    codes = {ord("L"): errno.EMSGSIZE, ord("P"): errno.EPERM}

    def _take(self, data: bytes, segment: int) -> None:
        assert not segment
        if (code := self.codes.get(data[0])) is not None:
            raise OSError(code, os.strerror(code))
        super()._take(data, segment)


def sent(datagrams: list[bytes], rooms: list[int], *, together: bool) -> tuple[PickyRaw, dict[str, Any]]:
    """What the socket has sent when all was dealt with; it is full each time that one of `rooms` is used up."""
    raw = PickyRaw(has_segment=False)
    udp = UdpSocket(LOCALHOST, remote=PEER, raw=raw)
    left = list(rooms)
    raw.room = left.pop(0) if left else None
    trains = [b"".join(datagrams)] if together else datagrams
    for data in trains:
        is_done = udp.send(Train([data], len(datagrams[0]), len(data), PEER))
        while not is_done:
            raw.room = left.pop(0) if left else None
            is_done = udp.flush()
    stats = udp.stats
    return raw, {
        "sent": stats.datagrams_sent,
        "bytes": stats.bytes_sent,
        "dropped": stats.datagrams_dropped,
        "errors": dict(stats.send_errors),
        "too long": udp.take_too_long(),
        "full": stats.would_block,
    }


@given(st.lists(st.sampled_from("ddddLP"), min_size=1, max_size=12), st.integers(1, 9), st.lists(st.integers(0, 6)))
def test_a_train_leaves_as_its_datagrams_would(kinds: list[str], rest: int, rooms: list[int]) -> None:
    datagrams = [kind.encode() + bytes([at]) * 8 for at, kind in enumerate(kinds)]
    datagrams[-1] = datagrams[-1][:rest]
    together, singly = sent(datagrams, rooms, together=True), sent(datagrams, rooms, together=False)
    assert together[0].datagrams == singly[0].datagrams == [each for each in datagrams if each[:1] == b"d"]
    assert together[1] == singly[1]


def joined(size: int, count: int) -> list[ControlMessage]:
    """What the kernel says with a read of `count` datagrams of so many bytes."""
    return [(SOL_UDP, UDP_GRO, struct.pack("=i", size))] if count > 1 else []


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([1, 1, 1, 2, 3]),
            st.booleans(),
            st.sampled_from([0, 0, 0, 0, errno.ECONNREFUSED, errno.EAGAIN]),
        )
    ),
    st.booleans(),
)
def test_what_is_read_together_is_what_came(arrivals: list[tuple[int, int, bool, int]], has_joined: bool) -> None:
    """Whether the kernel joins none, or now and then some that come together, or there is nothing for a moment."""
    raw = FakeRaw(has_segment=has_joined)
    udp = UdpSocket(LOCALHOST, raw=raw)
    expected, total = [], 0
    for at, (size, together, is_other, code) in enumerate(arrivals):
        source = OTHER if is_other else PEER
        count = together if has_joined and size else 1
        if code:
            raw.reads.append(code)
        raw.reads.append((bytes([at % 256]) * size * count, joined(size, count), source))
        if size:
            expected += [(bytes([at % 256]) * size, source)] * count
        total += count
    found = []
    while raw.reads or udp.holds_datagram:
        received = udp.receive()
        if received is not None:
            whole = bytes(received.buffer)
            found += [
                (whole[at : at + received.stride], received.source) for at in range(0, len(whole), received.stride)
            ]
    assert found == expected
    assert udp.stats.datagrams_received == total
    assert udp.stats.bytes_received == sum(len(each) for each, _ in expected)
    assert udp.stats.refusals == sum(code == errno.ECONNREFUSED for _, _, _, code in arrivals)
