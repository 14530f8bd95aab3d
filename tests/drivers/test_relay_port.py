"""How a relay's datagrams go through the system: trains or single, they stay whole, unchanged and in order."""

from __future__ import annotations

import errno
import itertools
import random
import socket
import struct
import time
from typing import Any

import pytest

from surewire.core.trains import Train
from surewire.drivers.relay_config import RelayConfig, RelayStats
from surewire.drivers.relay_port import MAX_TRAIN, Port, trains
from surewire.drivers.udp import UdpSocket
from surewire.drivers.udp_options import ON_LINUX
from surewire.impair import LinkConfig
from tests.drivers.relay_bench import MS, bench, udp_socket

BOTH_WAYS = pytest.mark.parametrize("offload", [True, False], ids=["trains", "single"])


def sizes(rng: random.Random, count: int) -> list[int]:
    """Runs of equal lengths with shorter, longer and empty ones between."""
    lengths: list[int] = []
    while len(lengths) < count:
        lengths += [rng.choice([0, 1, 100, 700, 1200, 1400])] * rng.randint(1, 90)
    return lengths[:count]


@pytest.mark.parametrize("seed", range(20))
def test_trains_are_a_cut_that_one_call_can_send(seed: int) -> None:
    rng = random.Random(seed)
    datagrams = [rng.randbytes(size) for size in sizes(rng, 400)] + [bytes(60_000)] * 2
    cut = list(trains(datagrams))
    assert list(itertools.chain(*cut)) == datagrams
    for train in cut:
        lengths = [len(datagram) for datagram in train]
        assert len(set(lengths[:-1])) <= 1
        assert lengths[-1] <= lengths[0]
        assert len(train) == 1 or min(lengths) > 0
        assert len(train) <= MAX_TRAIN
        assert sum(lengths) <= 65_000 or len(train) == 1
    empty = datagrams.count(b"")
    assert len(cut) - empty < (len(datagrams) - empty) / 8


@BOTH_WAYS
def test_what_passes_is_whole_unchanged_and_in_order(offload: bool) -> None:
    rng = random.Random(1)
    datagrams = [rng.randbytes(size) for size in sizes(rng, 300)]
    with bench(RelayConfig(offload=offload, up=LinkConfig(delay=20 * MS))) as b:
        client = b.client()
        for datagram in datagrams:
            client.send(datagram)
        assert [datagram for datagram, _ in b.receive(b.server, len(datagrams))] == datagrams


@BOTH_WAYS
def test_trains_of_a_client_pass_both_ways(offload: bool) -> None:
    pieces = [bytes([i]) * 1000 for i in range(40)]
    with bench(RelayConfig(offload=offload)) as b, UdpSocket(("127.0.0.1", 0)) as client:
        client.send(Train([*pieces, b"short"], 1000, 40_005, b.relay.endpoint.address[:2]))
        received = b.receive(b.server, 41)
        assert [datagram for datagram, _ in received] == [*pieces, b"short"]
        with UdpSocket(("127.0.0.1", 0), raw=b.server) as server:
            server.send(Train(pieces, 1000, 40_000, received[0][1]))
            got = b""

            def everything() -> bool:
                nonlocal got
                while (read := client.receive()) is not None:
                    assert read.stride == 1000
                    got += bytes(read.buffer)
                return len(got) >= 40_000

            b.until(everything)
        assert got == b"".join(pieces)


TIMESTAMPNS = 35  # Linux: SO_TIMESTAMPNS, and the number of the control message


def wait_for_stamps() -> None:
    """Linux begins to note arrivals some time after a socket asked for it; until then it tells when they are read."""
    with udp_socket() as probe, udp_socket() as clock:
        probe.setsockopt(socket.SOL_SOCKET, TIMESTAMPNS, 1)
        clock.settimeout(0.01)
        for _ in range(500):
            probe.sendto(b"?", probe.getsockname())
            with pytest.raises(TimeoutError):
                clock.recv(1)
            _, ancillary, _, _ = probe.recvmsg(1, 64)
            seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2][:16])
            if time.time_ns() - (seconds * 10**9 + nanoseconds) >= 8 * MS:
                return
    pytest.skip("this kernel does not tell when a datagram arrived")


def test_a_delay_counts_from_the_arrival_not_from_the_reading() -> None:
    """A relay that did not run for a while says so, although it sends what it reads at once."""
    if not ON_LINUX:
        pytest.skip("only Linux tells when a datagram arrived")
    with bench() as b, udp_socket() as clock:
        wait_for_stamps()
        b.client().send(b"x")
        clock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            clock.recv(1)
        b.relay.run(0)
        stats = b.relay.snapshot()
        assert b.receive(b.server)[0][0] == b"x"
    assert stats.late == 1
    assert stats.worst_lateness >= 40 * MS
    assert not stats.kept_up


class FakeSocket:
    """Refuses trains with the given errors, then everything with `single`; notes what it took."""

    def __init__(self, refusals: list[int], single: int | None = None) -> None:
        self.refusals = refusals
        self.single = single
        self.taken: list[bytes] = []
        self.calls = 0

    def setsockopt(self, level: int, name: int, value: int, /) -> None: ...

    def getsockopt(self, level: int, name: int, /) -> int:
        return 0

    def recvmsg_into(self, *_: Any) -> Any:
        raise BlockingIOError

    def sendmsg(self, buffers: Any, ancdata: Any, flags: int, address: Any, /) -> int:
        self.calls += 1
        if self.refusals:
            code = self.refusals.pop(0)
            raise OSError(code, "refused")
        ((_, _, data),) = ancdata
        assert struct.unpack("=H", data) == (len(buffers[0]),)
        self.taken += buffers
        return sum(len(buffer) for buffer in buffers)

    def send(self, data: bytes, /) -> int:
        self.calls += 1
        if self.single is not None:
            raise OSError(self.single, "refused")
        self.taken.append(data)
        return len(data)


def port_of(fake: FakeSocket) -> tuple[Port, RelayStats]:
    stats = RelayStats()
    sock: Any = fake
    return Port(sock, stats, bytearray(65_536), offload=True), stats


@pytest.mark.skipif(not ON_LINUX, reason="segmentation is Linux's")
@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.ECONNREFUSED, errno.EAGAIN])
def test_a_refused_train_goes_one_by_one_and_nothing_twice(code: int) -> None:
    fake = FakeSocket([code])
    port, stats = port_of(fake)
    datagrams = [bytes([i]) * 100 for i in range(10)]
    port.send(datagrams, None)
    port.send(datagrams, None)
    assert fake.taken == datagrams * 2
    # the second train is tried as one only where the first refusal said nothing about trains
    assert fake.calls == (12 if code in (errno.ECONNREFUSED, errno.EAGAIN) else 21)
    assert stats.unsent == stats.congested == 0
    assert stats.icmp_errors == (code == errno.ECONNREFUSED)


@pytest.mark.skipif(not ON_LINUX, reason="segmentation is Linux's")
def test_shorter_trains_go_on_when_long_ones_do_not_fit_the_device() -> None:
    fake = FakeSocket([errno.EINVAL])
    port, _ = port_of(fake)
    port.send([bytes(1400)] * 5, None)
    port.send([bytes(1300)] * 5, None)
    assert fake.calls == 1 + 5 + 1


@pytest.mark.parametrize(
    ("code", "congested", "unsent"), [(errno.EAGAIN, 3, 0), (errno.ENOBUFS, 3, 0), (errno.ENETUNREACH, 0, 3)]
)
def test_what_cannot_be_sent_is_counted(code: int, congested: int, unsent: int) -> None:
    port, stats = port_of(FakeSocket([code], single=code))
    port.send([bytes(10)] * 3, None)
    assert (stats.congested, stats.unsent) == (congested, unsent)
    assert stats.kept_up == (not congested)


@BOTH_WAYS
def test_equal_datagrams_of_two_clients_do_not_mix(offload: bool) -> None:
    with bench(RelayConfig(offload=offload, up=LinkConfig(delay=10 * MS))) as b:
        clients = [b.client() for _ in range(2)]
        for i in range(60):
            clients[i // 3 % 2].send(b"%d %02d" % (i // 3 % 2, i))
        seen: dict[tuple[str, int], list[bytes]] = {}
        for datagram, source in b.receive(b.server, 60):
            seen.setdefault(source, []).append(datagram)
        expected = [[b"%d %02d" % (who, i) for i in range(60) if i // 3 % 2 == who] for who in (0, 1)]
        assert sorted(seen.values()) == expected
