"""The UDP driver that must not fragment: the option, and what it learns when the interface refuses a size."""

from __future__ import annotations

import errno
import json
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import surewire
from surewire.drivers.namespaces import Namespaces
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import (
    IP_MTU_DISCOVER,
    IPV6_MTU_DISCOVER,
    ON_LINUX,
    PMTUDISC_PROBE,
)
from tests.drivers.fake_udp import LOCALHOST, PEER, FakeRaw, random_train
from tests.drivers.wired_rooms import require_lab

SRC = Path(surewire.__file__).resolve().parent.parent
OVERHEAD = {"127.0.0.1": 28, "::1": 48}  # IP and UDP headers

IN_SMALL_ROOM = """
import json, sys
from surewire.core.trains import Train
from surewire.drivers.udp import UdpSocket

host, limit = sys.argv[1], int(sys.argv[2])

with UdpSocket((host, 0)) as receiver, UdpSocket((host, 0), dont_fragment=True) as sender:
    def arrived():
        sizes = []
        while (got := receiver.receive()) is not None:
            whole, last = divmod(len(got.buffer), got.stride)
            sizes += [got.stride] * whole + [last] * (last > 0)
        return sizes

    def send(*sizes):
        data = [bytes(size) for size in sizes]
        done = sender.send(Train(data, sizes[0], sum(sizes), receiver.address))
        return [done, arrived(), sender.take_too_long(), sender.stats.segmentation]

    seen = {
        "could segment": sender.stats.segmentation,
        "dont_fragment": sender.stats.dont_fragment,
        "largest": send(limit),
        "one more": send(limit + 1),
        "train above": send(limit + 100, limit + 100, 10),
        "train below": send(limit, limit, limit),
        "failures": sender.stats.offload_failures,
    }
    print(json.dumps(seen))
"""


class RecordingRaw(FakeRaw):
    """Keeps the options that were set, and refuses the levels it is told to."""

    def __init__(self, *, refuses: tuple[int, int] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.refuses = refuses
        self.options: list[tuple[int, int, int]] = []

    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        if (level, name) == self.refuses:
            raise OSError(errno.ENOPROTOOPT, "no such option")
        self.options.append((level, name, value))
        super().setsockopt(level, name, value)


class NarrowRaw(FakeRaw):
    """A socket whose interface takes datagrams of `largest` bytes; trains of larger ones fail with `code`."""

    def __init__(self, largest: int, code: int) -> None:
        super().__init__()
        self.largest = largest
        self.code = code

    def _take(self, data: bytes, segment: int) -> None:
        if segment > self.largest:
            raise OSError(self.code, "too long")
        if not segment and len(data) > self.largest:
            raise OSError(errno.EMSGSIZE, "too long")
        super()._take(data, segment)


def over(raw: FakeRaw, **options: Any) -> UdpSocket:
    return UdpSocket(LOCALHOST, raw=raw, **options)


@pytest.mark.skipif(not ON_LINUX, reason="these options are Linux's")
@pytest.mark.parametrize(
    ("family", "host", "option"),
    [
        (socket.AF_INET, "127.0.0.1", (socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)),
        (socket.AF_INET6, "::1", (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)),
    ],
)
def test_the_option_is_set_only_when_asked_for(family: int, host: str, option: tuple[int, int, int]) -> None:
    plain, asked = RecordingRaw(family=family, host=host), RecordingRaw(family=family, host=host)
    assert not over(plain).stats.dont_fragment
    assert over(asked, dont_fragment=True).stats.dont_fragment
    assert [o for o in asked.options if o not in plain.options] == [option]
    refusing = RecordingRaw(family=family, host=host, refuses=option[:2])
    assert not over(refusing, dont_fragment=True).stats.dont_fragment


@pytest.mark.skipif(not ON_LINUX, reason="the option is Linux's")
def test_the_kernel_takes_the_option() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.setblocking(False)
        raw.bind(LOCALHOST)
        with closing(UdpSocket(LOCALHOST, raw=raw, dont_fragment=True)) as asked:
            assert asked.stats.dont_fragment
            assert raw.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER) == PMTUDISC_PROBE


def test_a_refused_datagram_is_told_once_and_the_smallest_counts() -> None:
    sender = over(NarrowRaw(1472, errno.EMSGSIZE))
    assert sender.take_too_long() is None
    for size in (8972, 1473, 3000, 1472):
        assert sender.send(random_train([size], size, PEER))
    assert sender.take_too_long() == 1473
    assert sender.take_too_long() is None
    assert sender.stats.send_errors == {"EMSGSIZE": 3}


def test_other_failures_say_nothing_of_a_size() -> None:
    raw = FakeRaw()
    raw.script.extend([errno.EHOSTUNREACH, errno.ENOBUFS])
    sender = over(raw)
    sender.send(random_train([3000], 3000, PEER))
    sender.send(random_train([3000], 3000, PEER))
    assert sender.take_too_long() is None


@pytest.mark.parametrize("code", [errno.EMSGSIZE, errno.EINVAL])
def test_a_train_of_refused_datagrams_costs_no_smaller_train_its_segmentation(code: int) -> None:
    raw = NarrowRaw(1472, code)
    sender = over(raw)
    assert sender.send(random_train([2000, 2000, 1000], 2000, PEER))
    assert [len(d) for d in raw.datagrams] == [1000]
    assert sender.take_too_long() == 2000
    assert sender.stats.segmentation
    assert sender.stats.offload_failures == 1
    sent = random_train([1472] * 3, 1472, PEER)
    calls = len(raw.calls)
    assert sender.send(sent)
    assert raw.datagrams[1:] == sent.datagrams()
    assert len(raw.calls) == calls + 1


def test_a_kernel_that_cannot_segment_loses_it_for_good() -> None:
    """EINVAL without a refused datagram is no matter of size."""
    raw = FakeRaw()
    raw.refuse_segments_with = errno.EINVAL
    sender = over(raw)
    assert sender.send(random_train([1000] * 3, 1000, PEER))
    assert not sender.stats.segmentation
    assert sender.take_too_long() is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_on_an_interface_of_1500_bytes(host: str) -> None:
    require_lab()
    limit = 1500 - OVERHEAD[host]
    with Namespaces(["room"]) as namespaces:
        namespaces.run("room", ["ip", "link", "set", "lo", "mtu", "1500"])
        command = ["env", f"PYTHONPATH={SRC}", sys.executable, "-c", IN_SMALL_ROOM, host, str(limit)]
        seen = json.loads(namespaces.run("room", command))
    segments = seen["could segment"]
    assert seen["dont_fragment"]
    assert seen["largest"] == [True, [limit], None, segments]
    assert seen["one more"] == [True, [], limit + 1, segments]
    assert seen["train above"] == [True, [10], limit + 100, segments]
    assert seen["train below"] == [True, [limit] * 3, None, segments]
    assert seen["failures"] == (1 if segments else 0)
