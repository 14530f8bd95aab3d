"""What an application may rely on, on the Streamer of the drop-in folder over real sockets on the loopback."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from types import ModuleType
from typing import Any

import pytest

from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError, ConnectionLost, HandshakeTimeout, IdleTimeout, LocalProtocolError
from tests.drivers.fake_stream import FakeSocket, connect
from tests.drivers.streamer_room import (
    FOLDER,
    HOST,
    LONG,
    NAMES,
    Room,
    eventually,
    free_ports,
    our_threads,
    quick,
    receive,
    receive_all,
)

BINARY = bytes(range(256)) * 20 + bytes(3000) + b"\0\xff\r\n" * 50


@pytest.fixture
def room() -> Iterator[Room]:
    state = random.getstate()
    one = Room()
    yield one
    one.clear()
    random.setstate(state)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def stays_blocked(future: Future[Any], seconds: float = 0.15) -> bool:
    try:
        future.result(seconds)
    except NotDone:
        return True
    return False


def close_both(pool: ThreadPoolExecutor, *streamers: Any) -> None:
    for closing in [pool.submit(streamer.close) for streamer in streamers]:
        assert closing.result(LONG) is None


def test_recv_blocks_until_there_is_data(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    receiving = pool.submit(one.recv)
    assert stays_blocked(receiving)
    other.send(b"\0")
    assert receiving.result(LONG) == b"\0"
    close_both(pool, one, other)


def test_empty_data_send_nothing(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    one.send(b"")
    receiving = pool.submit(other.recv)
    assert stays_blocked(receiving)
    assert [sock.sent for sock in room.sockets] == [[], []]
    one.send(b"x")
    one.send(b"")
    assert receiving.result(LONG) == b"x"
    close_both(pool, one, other)


@pytest.mark.parametrize("data", ["text", 7, None])
def test_only_bytes_can_be_sent(room: Room, data: Any) -> None:
    one, _ = room.pair()
    with pytest.raises(TypeError):
        one.send(data)


@pytest.mark.parametrize("rates", [(0, 0, 0), (0.2, 0, 0.02), (0, 0.5, 0), (0.1, 0.1, 0.05)])
def test_binary_data_stay_as_they_are_both_ways(
    room: Room, pool: ThreadPoolExecutor, rates: tuple[float, float, float]
) -> None:
    room.impair(*rates)
    random.seed(3)
    one, other = room.pair()
    back = BINARY[::-1]
    sending = [pool.submit(one.send, BINARY), pool.submit(other.send, back)]
    receiving = [pool.submit(receive, other, len(BINARY)), pool.submit(receive, one, len(back))]
    assert [future.result(LONG) for future in sending] == [None, None]
    assert [future.result(LONG) for future in receiving] == [BINARY, back]
    close_both(pool, one, other)
    assert [one.recv(), other.recv()] == [b"", b""]


def test_send_returns_before_the_acknowledgment_until_its_buffer_is_full(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(send_buffer=4000))
    here, there = free_ports(2)
    one = room.open(here, there)
    one.send(BINARY[:4000])  # nobody is there to acknowledge
    sending = pool.submit(one.send, BINARY[4000:])
    assert stays_blocked(sending)
    other = room.open(there, here)
    assert receive(other, len(BINARY)) == BINARY
    sending.result(LONG)
    close_both(pool, one, other)


def test_a_receiver_that_does_not_read_stops_the_sender(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(send_buffer=10_000, receive_buffer=10_000))
    one, other = room.pair()
    data = random.Random(1).randbytes(60_000)
    sending = pool.submit(one.send, data)
    assert stays_blocked(sending, 1)
    assert receive(other, len(data)) == data
    sending.result(LONG)
    close_both(pool, one, other)


def test_data_of_two_threads_never_mix(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(send_buffer=2000))
    one, other = room.pair()
    for letter in b"abc":
        pool.submit(one.send, bytes([letter]) * 5000)
    received = receive(other, 15_000)
    assert sorted(received[at : at + 5000] for at in (0, 5000, 10_000)) == [bytes([x]) * 5000 for x in b"abc"]
    close_both(pool, one, other)


# The end.


def test_the_end_is_told_after_all_data_and_then_always(room: Room, pool: ThreadPoolExecutor) -> None:
    room.impair(0.1, 0.1, 0.03)
    one, other = room.pair()
    one.send(BINARY)
    closing = pool.submit(one.close)
    assert receive_all(other) == BINARY
    other.send(b"still open this way")
    assert receive(one, 19) == b"still open this way"
    other.close()
    closing.result(LONG)
    assert receive_all(one) == b""


def test_close_waits_until_all_data_are_acknowledged(room: Room, pool: ThreadPoolExecutor) -> None:
    here, there = free_ports(2)
    one = room.open(here, there)
    one.send(BINARY)
    closing = pool.submit(one.close)
    assert stays_blocked(closing, 0.3)
    other = room.open(there, here)
    receiving = pool.submit(receive_all, other)
    eventually(receiving.done)
    other.close()
    closing.result(LONG)
    assert receiving.result(LONG) == BINARY


@pytest.mark.parametrize("seed", range(3))
def test_both_close_at_once(room: Room, pool: ThreadPoolExecutor, seed: int) -> None:
    room.impair(0.2, 0.1, 0.03)
    random.seed(seed)
    one, other = room.pair()
    one.send(b"from one")
    other.send(b"from the other")
    close_both(pool, one, other)
    assert receive_all(one) == b"from the other"
    assert receive_all(other) == b"from one"


def test_no_data_ever(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    receiving = pool.submit(one.recv)
    close_both(pool, one, other)
    assert receiving.result(LONG) == b""
    assert other.recv() == b""


def test_no_data_ever_and_one_closes_later(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    closing = pool.submit(one.close)
    assert other.recv() == b""
    assert stays_blocked(closing)
    other.close()
    closing.result(LONG)


def test_close_twice_and_send_after_close(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    one.send(b"x")
    close_both(pool, one, one, other)
    one.close()
    for data in (b"y", b""):
        with pytest.raises(LocalProtocolError):
            one.send(data)
    assert receive_all(other) == b"x"


def test_recv_in_another_thread_during_close(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    receiving = pool.submit(receive_all, one)
    closing = pool.submit(one.close)
    assert other.recv() == b""
    for _ in range(3):
        other.send(BINARY)
    other.close()
    assert receiving.result(LONG) == BINARY * 3
    closing.result(LONG)


def test_nobody_ever_answers(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(handshake_timeout=500 * NS_PER_MS))
    one = room.open(*free_ports(2))
    one.send(b"is there anybody")
    receiving = pool.submit(one.recv)
    with pytest.raises(HandshakeTimeout, match="nobody answered"):
        one.close()
    with pytest.raises(HandshakeTimeout):
        receiving.result(LONG)
    one.close()
    assert not our_threads()


def test_nobody_ever_answers_and_there_was_nothing_to_say(room: Room) -> None:
    room.config(quick(handshake_timeout=500 * NS_PER_MS))
    one = room.open(*free_ports(2))
    with pytest.raises(HandshakeTimeout):
        one.close()


def test_the_peer_vanishes_with_data_unacknowledged(room: Room) -> None:
    room.config(quick(idle_timeout=600 * NS_PER_MS))
    one, other = room.pair()
    one.send(b"x")
    other.send(b"y")
    assert (one.recv(), other.recv()) == (b"y", b"x")
    room.sockets[1].is_gone = True
    one.send(b"lost")
    with pytest.raises(IdleTimeout, match="4 bytes were not acknowledged"):
        one.close()
    with pytest.raises(IdleTimeout):
        one.recv()


def test_the_peer_vanishes_and_a_full_buffer_does_not_block_for_ever(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(idle_timeout=600 * NS_PER_MS, send_buffer=1000))
    one, other = room.pair()
    one.send(b"x")
    other.send(b"y")
    assert (one.recv(), other.recv()) == (b"y", b"x")
    room.sockets[1].is_gone = True
    sending = pool.submit(one.send, bytes(5000))
    with pytest.raises(IdleTimeout):
        sending.result(LONG)
    eventually(lambda: len(our_threads()) <= 2)  # perhaps the other's; ours end without close()


def test_the_peer_never_closes(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(peer_close_timeout=400 * NS_PER_MS, last_ack_timeout=600 * NS_PER_MS))
    one, other = room.pair()
    one.send(b"all")
    with pytest.warns(RuntimeWarning, match="has not closed") as caught:
        one.close()
    assert caught[0].filename == __file__
    with pytest.raises(ConnectionLost):
        one.recv()  # b"" would say that the other end had closed
    assert receive_all(other) == b"all"
    other.close()  # late, and nobody there: but the peer had finished, so nothing is lost
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.close()


# Addresses and starting order.


@pytest.mark.parametrize("src_ip", [{}, {"src_ip": socket.INADDR_ANY}, {"src_ip": "localhost"}, {"src_ip": HOST}])
@pytest.mark.parametrize("host", ["localhost", HOST])
def test_addresses(room: Room, pool: ThreadPoolExecutor, src_ip: dict[str, Any], host: str) -> None:
    here, there = free_ports(2)
    one = room.open(here, there, host=host, **src_ip)
    other = room.open(there, here, host="localhost", src_ip=HOST)
    one.send(b"x")
    other.send(b"y")
    assert (one.recv(), other.recv()) == (b"y", b"x")
    close_both(pool, one, other)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_destination_that_cannot_be_is_refused(room: Room, port: int) -> None:
    with pytest.raises(ConfigError, match=f"dst_port must be from 1 to 65535, not {port}"):
        room.streamer.Streamer(HOST, port)
    with pytest.raises(TypeError):
        room.streamer.Streamer(HOST, "8000")
    assert room.sockets == []


def test_the_source_port_may_be_left_to_the_system(room: Room) -> None:
    one = room.streamer.Streamer(HOST, free_ports(1)[0])
    assert room.sockets[0].getsockname()[1] > 0
    with pytest.raises(OSError, match="in use"):
        room.open(room.sockets[0].getsockname()[1], 9)
    assert one is not None


def test_host_2_is_there_before_host_1(room: Room, pool: ThreadPoolExecutor) -> None:
    room.config(quick(patient_pings=3, max_ping_interval=600 * NS_PER_MS))
    here, there = free_ports(2)
    early = room.open(here, there)
    early.send(BINARY)
    eventually(lambda: len(room.sockets[0].sent) >= 6)
    sizes = [len(packet) for packet in room.sockets[0].sent]
    assert sum(sizes) < 1472 + 20 * len(sizes)  # one full packet; the rest only ask whether it arrived
    late = room.open(there, here)
    assert receive(late, len(BINARY)) == BINARY
    close_both(pool, early, late)


def test_two_connections_in_one_process(room: Room, pool: ThreadPoolExecutor) -> None:
    before = threading.active_count()
    pairs = [room.pair(), room.pair()]
    assert threading.active_count() == before + 8
    texts = [b"first" * 500, b"second" * 500]
    for (one, _), text in zip(pairs, texts, strict=True):
        one.send(text)
    assert [receive(other, len(text)) for (_, other), text in zip(pairs, texts, strict=True)] == texts
    close_both(pool, *pairs[0], *pairs[1])


def test_a_new_connection_on_the_ports_of_the_last_one(room: Room, pool: ThreadPoolExecutor) -> None:
    here, there = free_ports(2)
    for text in (b"one", b"two"):
        streamers = room.open(here, there), room.open(there, here)
        streamers[0].send(text)
        assert streamers[1].recv() == text
        close_both(pool, *streamers)
        for sock in room.sockets[-2:]:
            sock.close()


# Threads, locks, random numbers.


def test_two_threads_a_streamer_and_none_after_close(room: Room, pool: ThreadPoolExecutor) -> None:
    room.impair(0.1, 0, 0.05)
    pool.submit(int).result(LONG)
    before = set(threading.enumerate())
    one, other = room.pair()
    one.send(BINARY * 5)
    seen = set[threading.Thread]()
    received = 0
    while received < len(BINARY) * 5:
        received += len(other.recv())
        seen |= set(threading.enumerate()) - before
    mine = {thread for thread in seen if not isinstance(thread, threading.Timer)}  # those are LossyUDP's
    assert len(mine) == 4
    assert {thread.name for thread in mine} == NAMES
    close_both(pool, one, other)
    assert not our_threads()


def test_nothing_waits_for_sendto(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    room.sockets[0].gate.clear()
    one.send(bytes(2000))
    eventually(lambda: len(room.sockets[0].sent) == 1)
    for _ in range(100):
        pool.submit(one.send, b"x").result(LONG)
    other.send(b"hello")
    assert pool.submit(one.recv).result(LONG) == b"hello"
    room.sockets[0].gate.set()
    assert receive(other, 2100) == bytes(2000) + b"x" * 100
    close_both(pool, one, other)


def test_an_idle_connection_sends_nothing(room: Room, pool: ThreadPoolExecutor) -> None:
    one, other = room.pair()
    one.send(b"x")
    assert other.recv() == b"x"
    other.send(b"y")
    assert one.recv() == b"y"
    time.sleep(0.5)  # for the acknowledgments, delayed ones too
    counts = [len(sock.sent) for sock in room.sockets]
    time.sleep(0.5)
    assert [len(sock.sent) for sock in room.sockets] == counts
    close_both(pool, one, other)


class Classroom:
    """A module lossy_socket whose LossyUDP has what the assignment names and nothing else."""

    def __init__(self) -> None:
        self.made: list[FakeSocket] = []
        made = self.made

        class LossyUDP:
            def __init__(self) -> None:
                self.sendto, self.recvfrom = (fake := FakeSocket()).sendto, fake.recvfrom
                self.stoprecv, self.settimeout = fake.stoprecv, fake.settimeout
                self.bind = lambda address: bound.append(address)
                made.append(fake)

        self.bound = bound = list[Any]()
        self.module = ModuleType("lossy_socket")
        self.module.LossyUDP = LossyUDP  # type: ignore[attr-defined]


def test_another_lossy_socket_will_do_and_the_shared_generator_is_left_alone(
    room: Room, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom = Classroom()
    monkeypatch.setattr(room.streamer, "LossyUDP", classroom.module.LossyUDP)
    random.seed(5)
    state = random.getstate()
    one, other = room.open(1, 2), room.open(2, 1, src_ip=HOST)
    connect(*classroom.made)
    one.send(BINARY)
    assert receive(other, len(BINARY)) == BINARY
    close_both(pool, one, other)
    assert random.getstate() == state
    assert classroom.bound == [("", 1), (HOST, 2)]


# Settings.


@pytest.mark.parametrize(
    ("mode", "acks", "nagle"),
    [
        ("stop-and-wait", "each", "off"),
        ("stop-and-wait", "delayed", "on"),
        ("go-back-n", "each", "on"),
        ("go-back-n", "delayed", "off"),
        ("selective-repeat", "each", "off"),
    ],
)
def test_the_environment_chooses_and_all_of_it_works(
    room: Room, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, mode: str, acks: str, nagle: str
) -> None:
    for name, value in (("STREAMER_MODE", mode), ("STREAMER_ACKS", acks), ("STREAMER_NAGLE", nagle)):
        monkeypatch.setenv(name, value)
    chosen = room.streamer.StreamerConfig.from_environment(room.streamer.os.environ)
    assert (chosen.pipelining, chosen.acks, chosen.nagle) == (mode, acks, nagle == "on")
    room.config(quick(pipelining=chosen.pipelining, acks=chosen.acks, nagle=chosen.nagle))
    room.impair(0.1, 0.1, 0.02)
    random.seed(4)
    one, other = room.pair()
    for at in range(0, 3000, 1000):
        one.send(BINARY[at : at + 1000])
    assert receive(other, 3000) == BINARY[:3000]
    close_both(pool, one, other)


def test_a_wrong_setting_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.config(None)
    monkeypatch.setenv("STREAMER_MODE", "pigeon")
    with pytest.raises(ConfigError, match="pigeon"):
        room.open(*free_ports(2))
    assert room.sockets == []


# Whole programs.


def test_a_program_that_never_closes_ends_by_itself() -> None:
    here, there = free_ports(2)
    text = f"""
import sys
sys.path[:0] = [{str(FOLDER)!r}]
from streamer import Streamer
one, other = Streamer("localhost", {there}, src_port={here}), Streamer("localhost", {here}, src_port={there})
one.send(b"x")
print(other.recv())
one.send(bytes(100000))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0
    assert done.stdout.startswith("b'x'\n")
    told = done.stderr.splitlines()
    assert 1 <= len(told) <= 2  # which of the two ways to notice comes first depends on the version of Python
    assert all("without close()" in line or "before close() was done" in line for line in told)
    assert "Traceback" not in done.stderr


def test_without_the_package_it_says_so_in_one_line(tmp_path: Any) -> None:
    for name in ("streamer.py", "lossy_socket.py"):
        shutil.copy(FOLDER / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "streamer.py"], cwd=tmp_path, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 1
    assert "needs the package surewire" in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_is_found_in_the_repository_without_installation() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", "import streamer; print(streamer.Streamer.__name__)"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("Streamer\n")
