"""What a stream does, whichever driver runs it, sealed or not."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_S
from surewire.errors import Aborted, ConfigError, DestinationError, HandshakeTimeout, LocalProtocolError, Refused, Reset
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from tests.drivers.stream_kinds import LONG, AioRoom, AnyStream, BlockingRoom, ends_with

Room = BlockingRoom | AioRoom

PSK = bytes(range(32))
KINDS: dict[str, dict[str, Any]] = {"plain": {"plain": True}, "sealed": {"psk": PSK}}


def small_buffers(size: int) -> NativeConfig:
    fields = {name: getattr(DEFAULT_TRANSPORT, name) for name in TransportConfig.__slots__}
    transport = TransportConfig(**{**fields, "receive_window": size})
    return NativeConfig(transport=transport, send_buffer=size, fixed_datagram=1_400)


def make_room(driver: str, **options: Any) -> Room:
    if driver == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        return AioRoom(loop=uvloop.new_event_loop(), **options)
    return BlockingRoom(**options) if driver == "blocking" else AioRoom(**options)


@pytest.fixture(params=["blocking", "asyncio", "uvloop"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(KINDS))
def room(request: pytest.FixtureRequest, driver: str) -> Iterator[Room]:
    made = make_room(driver, **KINDS[request.param])
    yield made
    made.close()


@pytest.fixture
def pair(room: Room) -> tuple[AnyStream, AnyStream]:
    client = room.connect()
    client.sendall(b"!")
    server = room.accept()
    assert server.recv(1) == b"!"
    return client, server


Pair = tuple[AnyStream, AnyStream]


def read_to_end(stream: AnyStream) -> bytes:
    data = bytearray()
    while piece := stream.recv(1 << 20):
        data += piece
    return bytes(data)


def test_bytes_cross_both_ways_at_once(pair: Pair) -> None:
    there, back = (random.Random(seed).randbytes(700_000) for seed in (1, 2))
    client, server = pair
    with ThreadPoolExecutor(4) as threads:
        sending = [threads.submit(client.sendall, there), threads.submit(server.sendall, back)]
        receiving = [threads.submit(server.recv_exactly, len(there)), threads.submit(client.recv_exactly, len(back))]
        assert [each.result(LONG) for each in receiving] == [there, back]
        for each in sending:
            each.result(LONG)


def test_writes_have_no_boundaries(pair: Pair) -> None:
    client, server = pair
    data = bytes(range(200))
    for value in data:
        client.sendall(bytes([value]))
    client.sendall(b"")
    client.finish()
    assert read_to_end(server) == data


def test_whatever_has_bytes_can_be_sent_and_changed_afterwards(pair: Pair) -> None:
    client, server = pair
    changing = bytearray(b"x" * 100_000)
    client.sendall(changing)
    changing[:] = bytes(len(changing))
    client.sendall(memoryview(b"0123456789")[2:4])
    client.sendall(memoryview(bytes(16)).cast("I"))
    assert server.recv_exactly(100_018) == b"x" * 100_000 + b"23" + bytes(16)
    with pytest.raises(TypeError, match="takes bytes, not str"):
        client.sendall("text")


def test_no_more_is_read_than_asked_for(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"abcdef")
    assert server.recv_exactly(2) == b"ab"
    got = server.recv(3)
    assert 0 < len(got) <= 3
    assert got + server.recv_exactly(4 - len(got)) == b"cdef"


def test_a_reader_that_is_slow_slows_the_writer(driver: str) -> None:
    size, window = 1_000_000, 65_536
    room = make_room(driver, plain=True, config=small_buffers(window))
    client = room.connect()
    server = room.accept()
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(client.sendall, bytes(size))
        left = 2 * window + 10_000  # more than both buffers hold
        server.recv_exactly(size - left)
        assert not sending.done()
        server.recv_exactly(left)
        sending.result(LONG)
    room.close()


def test_a_direction_can_end_while_the_other_goes_on(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"question")
    client.finish()
    assert read_to_end(server) == b"question"
    assert server.recv(10) == b""
    server.sendall(b"answer")
    server.finish()
    assert read_to_end(client) == b"answer"
    assert client.recv(10) == b""
    client.close()
    server.close()


def test_closing_is_confirmed_to_both_sides(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"all of it")
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(client.close)
        assert read_to_end(server) == b"all of it"
        server.close()
        closing.result(LONG)
    client.close()


def test_both_sides_may_close_at_once(pair: Pair) -> None:
    with ThreadPoolExecutor(2) as threads:
        for closing in [threads.submit(side.close) for side in pair]:
            closing.result(LONG)


def test_what_was_not_read_is_thrown_away_by_close(pair: Pair) -> None:
    client, server = pair
    client.sendall(bytes(200_000))
    with ThreadPoolExecutor(2) as threads:
        for closing in [threads.submit(side.close) for side in pair]:
            closing.result(LONG)


def test_too_late_is_an_error_of_the_caller(pair: Pair) -> None:
    client, server = pair
    client.finish()
    with pytest.raises(LocalProtocolError):
        client.sendall(b"x")
    server.close()
    client.close()
    for call in (lambda: client.recv(1), lambda: client.sendall(b"x")):
        with pytest.raises(LocalProtocolError, match="closed"):
            call()


def test_an_abort_is_told_to_the_peer(pair: Pair) -> None:
    client, server = pair
    client.abort(42, "no ink left")
    for call in (lambda: server.recv(1), lambda: server.sendall(b"x"), server.close):
        told = ends_with(Reset, call)
        assert isinstance(told, Reset)
        assert (told.code, str(told)) == (42, "no ink left")
    for call in (lambda: client.recv(1), lambda: client.sendall(b"x"), client.close):
        assert str(ends_with(Aborted, call)) == "no ink left"


def test_an_abort_with_a_code_that_cannot_be_sent_changes_nothing(pair: Pair) -> None:
    client, server = pair
    for code in (-1, 1 << 62):
        with pytest.raises(LocalProtocolError, match="62 bits"):
            client.abort(code, "no")
    client.sendall(b"still fine")
    assert server.recv_exactly(10) == b"still fine"


def test_what_had_arrived_before_an_abort_can_be_read(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"last words")
    while server.stats().received < 11:
        pass
    client.abort(1, "")
    assert server.recv_exactly(10) == b"last words"
    ends_with(Reset, lambda: server.recv(1))


def test_both_ends_agree_on_their_addresses(pair: Pair) -> None:
    client, server = pair
    assert client.peer == server.address
    assert server.peer == client.address
    assert client.address != server.address


def test_a_wait_that_ends_early_loses_nothing(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(TimeoutError):
        server.recv(10, timeout=0.02)
    client.sendall(b"later")
    assert server.recv_exactly(5) == b"later"


def test_closing_ends_a_wait_elsewhere(pair: Pair) -> None:
    client, server = pair
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(client.recv, 1)
        with pytest.raises(TimeoutError):
            server.recv(1, timeout=0.02)  # the other one is waiting by now, probably
        closing = threads.submit(client.close)
        with pytest.raises(LocalProtocolError):
            reading.result(LONG)
        server.close()
        closing.result(LONG)


def test_one_server_serves_many_at_once(room: Room) -> None:
    count = 20
    clients = [room.connect() for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(b"%04d" % number * 1000)
    for server in [room.accept() for _ in range(count)]:
        server.sendall(server.recv_exactly(4000))
    for number, client in enumerate(clients):
        assert client.recv_exactly(4000) == b"%04d" % number * 1000


def test_nobody_listening_is_told(room: Room) -> None:
    client = room.connect()
    port = client.address[1]
    client.abort(0, "")
    with pytest.raises((Refused, HandshakeTimeout)):
        while True:  # until its socket is closed
            room.connect(("127.0.0.1", port), timeout=2.0)


def test_another_key_gets_no_answer(driver: str) -> None:
    room = make_room(driver, psk=PSK)
    with pytest.raises(HandshakeTimeout):
        room.connect(psk=bytes(32), timeout=0.3)
    room.close()


# Files.


@pytest.fixture
def content(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(random.Random(7).randbytes(1_000_000))
    return path


def test_a_file_goes_from_disk_to_disk(pair: Pair, content: Path, tmp_path: Path) -> None:
    client, server = pair
    size = content.stat().st_size
    with ThreadPoolExecutor(1) as threads, content.open("rb") as source, (tmp_path / "copy").open("w+b") as target:
        sending = threads.submit(client.sendfile, source)
        assert server.recvfile(target, size) == size
        assert sending.result(LONG) == size
        assert source.tell() == target.tell() == 0
    assert hashlib.sha256((tmp_path / "copy").read_bytes()).digest() == hashlib.sha256(content.read_bytes()).digest()


def test_parts_of_files_mix_with_other_bytes(pair: Pair, content: Path, tmp_path: Path) -> None:
    client, server = pair
    whole = content.read_bytes()
    with ThreadPoolExecutor(1) as threads, content.open("rb") as source, (tmp_path / "part").open("w+b") as target:
        client.sendall(b"head")
        sending = threads.submit(client.sendfile, source.fileno(), 1000, 300_000)
        assert server.recv_exactly(104) == b"head" + whole[1000:1100]
        target.write(b"....")
        target.flush()
        assert server.recvfile(target.fileno(), 100_000, 2) == 100_000
        assert server.recv_exactly(199_900) == whole[101_100:301_000]
        assert sending.result(LONG) == 300_000
        client.sendall(b"tail")
        client.finish()
        assert server.recvfile(target, 50) == 4
    # stored from offset 2 on; then the tail covered what was before and two bytes of it
    assert (tmp_path / "part").read_bytes() == b"tail" + whole[1102:101_100]


def test_an_empty_file_is_no_wait(pair: Pair, tmp_path: Path) -> None:
    client, server = pair
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("r+b") as file:
        assert client.sendfile(file) == 0
        assert server.recvfile(file, 0) == 0


def test_files_that_cannot_be_are_refused(pair: Pair, content: Path) -> None:
    client, server = pair
    with content.open("rb") as file:
        with pytest.raises(ConfigError, match="of a file of 1000000"):
            client.sendfile(file, 999_999, 2)
        with pytest.raises(ConfigError):
            client.sendfile(file, -1)
        with pytest.raises(ConfigError, match="not open for writing"):
            server.recvfile(file, 1)
    with content.open("r+b") as target, pytest.raises(ConfigError, match="in a file"):
        server.recvfile(target, 1, 1 << 70)
    with pytest.raises(ConfigError, match="not an open file"):
        client.sendfile(file)
    reading, writing = os.pipe()
    with pytest.raises(ConfigError, match="regular"):
        client.sendfile(reading)
    with pytest.raises(ConfigError, match="regular"):
        server.recvfile(writing, 1)
    os.close(reading)
    os.close(writing)
    client.sendall(b"still fine")
    assert server.recv_exactly(10) == b"still fine"


@pytest.mark.parametrize("is_early", [True, False])
def test_bytes_that_cannot_be_stored_end_the_connection(pair: Pair, is_early: bool) -> None:
    client, server = pair
    with ThreadPoolExecutor(1) as threads, open(os.memfd_create("full", os.MFD_ALLOW_SEALING), "r+b") as full:
        fcntl.fcntl(full, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        if is_early:
            client.sendall(bytes(1000))
            while server.stats().received < 1001:
                pass
        storing = threads.submit(server.recvfile, full, 1000)
        if not is_early:
            client.sendall(bytes(1000))
        with pytest.raises(DestinationError, match="cannot be written"):
            storing.result(LONG)
    ends_with(Reset, lambda: client.recv(1))


def test_a_file_that_becomes_shorter_ends_the_connection(driver: str, tmp_path: Path) -> None:
    room = make_room(driver, plain=True, config=small_buffers(65_536))
    client = room.connect()
    server = room.accept()
    path = tmp_path / "shrinking"
    path.write_bytes(bytes(5_000_000))
    with ThreadPoolExecutor(1) as threads, path.open("rb") as file:
        sending = threads.submit(client.sendfile, file)
        server.recv_exactly(100_000)
        os.truncate(path, 100_000)  # the window keeps the sender from being far beyond
        ends_with(Reset, lambda: server.recv(65_536))
        with pytest.raises(Exception, match="became shorter"):
            sending.result(LONG)
    room.close()


def test_a_limit_of_the_rate_holds_and_is_lifted_at_once(driver: str) -> None:
    """At 1,000 bytes a second these would take a minute and a half."""
    room = make_room(driver, plain=True, mtu=1_400, max_rate=500_000, congestion="cubic")
    client = room.connect(max_rate=1_000)
    server = room.accept()
    began = time.monotonic()
    client.sendall(bytes(100_000))
    while not server.stats().received:
        time.sleep(0.01)
    time.sleep(0.3)
    received = server.stats().received
    assert received <= 10 * 1_400 + 1_000 * (time.monotonic() - began)  # ten datagrams may leave at once
    shown = [(stats.congestion, stats.max_rate) for stats in (client.stats(), server.stats())]
    assert shown == [("cubic", 1_000), ("cubic", 500_000)]
    assert client.limit(None) is None
    assert server.recv_exactly(100_000) == bytes(100_000)
    assert time.monotonic() - began < LONG
    room.close()


def test_a_limit_that_is_raised_does_not_wait_for_the_old_one(driver: str) -> None:
    patient = dataclasses.replace(DEFAULT_TRANSPORT, idle_timeout=300 * NS_PER_S)
    quiet = NativeConfig(transport=patient, keepalive=100 * NS_PER_S)  # nothing else wakes them up
    room = make_room(driver, plain=True, mtu=1_400, config=quiet)
    client = room.connect()
    server = room.accept()
    assert client.limit(40) == 40
    client.sendall(bytes(50_000))
    with ThreadPoolExecutor(1) as threads:
        receiving = threads.submit(server.recv_exactly, 50_000)
        time.sleep(0.1)  # by now what waits is due in a minute
        assert client.limit(10_000_000) == 10_000_000
        assert receiving.result(LONG) == bytes(50_000)
    room.close()


@pytest.mark.parametrize("rate", [0, -5, 2.5, "20M", True])
def test_what_is_no_limit_is_refused_and_changes_nothing(driver: str, rate: Any) -> None:
    room = make_room(driver, plain=True, max_rate=70_000)
    client = room.connect()
    room.accept()
    with pytest.raises(ConfigError, match="max_rate is a whole number of bytes a second"):
        client.limit(rate)
    assert client.stats().max_rate == 70_000
    room.close()


def test_a_limit_of_a_stream_that_is_over_does_no_harm(driver: str) -> None:
    room = make_room(driver, plain=True)
    client = room.connect()
    room.accept()
    client.abort(0, "")
    client.limit(5)
    room.close()
