"""The blocking API beyond what both drivers do: threads, interrupts, the program's end, trust."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import surewire
from surewire.api.driving import EndpointDriver
from surewire.api.listener import Listener
from surewire.api.stream import Stream
from surewire.crypto.checked import CheckedClient
from surewire.drivers.udp import UdpSocket
from surewire.errors import (
    Aborted,
    ConfigError,
    HandshakeTimeout,
    LocalProtocolError,
    Reset,
    Unconfirmed,
    UntrustedServer,
)
from surewire.native.config import NativeConfig
from surewire.native.endpoint import Endpoint

LONG = 30.0  # s
HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent.parent
THREAD = "surewire-driver"


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def drivers() -> int:
    return sum(thread.name == THREAD for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    eventually(lambda: not drivers())


@pytest.fixture
def listener() -> Iterator[Listener]:
    with surewire.listen((HOST, 0), plain=True) as made:
        yield made


@pytest.fixture
def pair(listener: Listener) -> Iterator[tuple[Stream, Stream]]:
    client = surewire.connect(listener.address, plain=True)
    server = listener.accept(LONG)
    for each in (client, server):
        each.settimeout(LONG)
    yield client, server
    client.abort()
    server.abort()


Pair = tuple[Stream, Stream]


# The verbs of sockets that asyncio has no equal for.


def test_timeouts_are_of_each_call(pair: Pair) -> None:
    client, server = pair
    client.settimeout(0.01)
    assert client.gettimeout() == 0.01
    for call in (lambda: client.recv(1), lambda: client.recv_into(bytearray(1)), lambda: client.recv_exactly(1)):
        with pytest.raises(TimeoutError):
            call()
    client.settimeout(None)
    server.sendall(b"x")
    assert client.recv(1) == b"x"
    with pytest.raises(ConfigError):
        client.settimeout(-1)


def test_a_send_buffer_that_stays_full_times_out(pair: Pair) -> None:
    client, _ = pair
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(60 << 20))  # more than both buffers hold


def test_send_takes_what_there_is_room_for(pair: Pair) -> None:
    client, server = pair
    data = os.urandom(20 << 20)
    taken = client.send(data)
    assert 0 < taken < len(data)
    assert client.send(b"") == 0
    assert server.recv_exactly(taken) == data[:taken]


def test_recv_into_fills_a_buffer(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"abc")
    client.shutdown()
    buffer = bytearray(b"......")
    count = server.recv_into(memoryview(buffer)[1:])
    assert buffer[1 : 1 + count] == b"abc"[:count]
    server.recv_exactly(3 - count)
    assert server.recv_into(buffer) == 0
    with pytest.raises(EOFError, match="0 of 1"):
        server.recv_exactly(1)
    for wrong in (lambda: server.recv_into(bytearray()), lambda: server.recv(0)):
        with pytest.raises(ConfigError):
            wrong()


def test_shutdown_of_both_directions_throws_away_what_comes(pair: Pair) -> None:
    client, server = pair
    server.sendall(bytes(100_000))
    client.shutdown(socket.SHUT_RDWR)
    assert server.recv(1) == b""
    assert server.close() == "confirmed"
    with pytest.raises(ConfigError):
        client.shutdown(socket.SHUT_RD)


def test_close_says_again_what_it_said(pair: Pair) -> None:
    client, server = pair
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(server.close)
        assert client.close() == "confirmed"
        assert closing.result(LONG) == "confirmed"
    assert client.close() == "confirmed"


def test_close_does_not_wait_long_for_a_peer_that_has_everything(pair: Pair) -> None:
    client, server = pair
    client.sendall(b"all")
    assert client.close() == "confirmed"
    assert server.recv_exactly(3) == b"all"
    assert server.close() == "confirmed"


def test_an_end_that_is_not_confirmed_in_time_is_an_error(listener: Listener) -> None:
    with stopped_peer(listener) as stream:
        stream.sendall(b"x")
        with pytest.raises(Unconfirmed, match=r"within 0.05 s"):
            stream.close(0.05)
        with pytest.raises(Aborted):
            stream.close()


@contextlib.contextmanager
def stopped_peer(listener: Listener) -> Iterator[Stream]:
    """A stream to a process that has stopped running."""
    program = f"import surewire; s = surewire.connect(('{HOST}', {listener.address[1]}), plain=True); s.recv(1)"
    with subprocess.Popen([sys.executable, "-c", program], env=environment()) as peer:
        try:
            stream = listener.accept(LONG)
            os.kill(peer.pid, signal.SIGSTOP)
            yield stream
            stream.abort()
        finally:
            peer.kill()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def test_a_block_that_ends_well_closes(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(lambda: read_all(listener.accept(LONG)))
        with surewire.connect(listener.address, plain=True) as client:
            client.sendall(b"done")
        assert reading.result(LONG) == b"done"


def read_all(stream: Stream) -> bytes:
    data = b""
    with stream:
        while piece := stream.recv(65_536):
            data += piece
    return data


def test_a_block_that_ends_badly_resets(listener: Listener) -> None:
    with pytest.raises(ZeroDivisionError), surewire.connect(listener.address, plain=True):
        server = listener.accept(LONG)
        raise ZeroDivisionError
    with pytest.raises(Reset, match="ZeroDivisionError"):
        server.recv(1)


# Threads.


def test_sends_of_several_threads_do_not_mix(pair: Pair) -> None:
    client, server = pair
    count, size = 8, 300_000
    with ThreadPoolExecutor(count) as threads:
        sending = [threads.submit(client.sendall, bytes([number]) * size) for number in range(count)]
        got = server.recv_exactly(count * size)
        for each in sending:
            each.result(LONG)
    blocks = {got[start : start + size] for start in range(0, len(got), size)}
    assert blocks == {bytes([number]) * size for number in range(count)}


def test_threads_of_one_server_answer_their_clients(listener: Listener) -> None:
    count, messages = 6, 40

    def answer(stream: Stream) -> None:
        with stream:
            while data := stream.recv(1000):
                stream.sendall(data.upper())

    def ask(number: int) -> None:
        with surewire.connect(listener.address, plain=True) as stream:
            for message in range(messages):
                text = b"client %d message %d" % (number, message)
                stream.sendall(text)
                assert stream.recv_exactly(len(text)) == text.upper()

    with ThreadPoolExecutor(2 * count) as threads:
        asking = [threads.submit(ask, number) for number in range(count)]
        answering = [threads.submit(answer, listener.accept(LONG)) for _ in range(count)]
        for each in asking + answering:
            each.result(LONG)


def test_peers_are_answered_while_the_application_does_something_else(pair: Pair, tmp_path: Path) -> None:
    client, server = pair
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3_000_000))
    with path.open("rb") as file:
        assert client.sendfile(file) == 3_000_000  # acknowledged, though nobody calls anything of the server's
    assert server.recv_exactly(3_000_000) == path.read_bytes()


def test_a_waiting_writer_and_a_waiting_reader_share_a_stream(pair: Pair) -> None:
    client, server = pair
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(client.recv, 10)
        writing = threads.submit(client.sendall, bytes(40 << 20))
        server.recv_exactly(30 << 20)
        server.sendall(b"read me")
        assert reading.result(LONG) == b"read me"
        server.recv_exactly(10 << 20)
        writing.result(LONG)


# Listeners.


def test_accepting_can_time_out_and_be_ended(listener: Listener) -> None:
    with pytest.raises(TimeoutError):
        listener.accept(0.01)
    with ThreadPoolExecutor(1) as threads:
        accepting = threads.submit(listener.accept)
        with pytest.raises(TimeoutError):
            listener.accept(0.01)  # by now the other one waits, probably
        listener.close()
        with pytest.raises(LocalProtocolError, match="closed"):
            accepting.result(LONG)
    assert list(listener) == []
    listener.close()
    assert "closed" in repr(listener)


def test_streams_outlive_their_listener(pair: Pair, listener: Listener) -> None:
    client, server = pair
    listener.close()
    client.sendall(b"still here")
    assert server.recv_exactly(10) == b"still here"


def test_whoever_was_not_accepted_is_reset(listener: Listener) -> None:
    client = surewire.connect(listener.address, plain=True)
    client.sendall(b"x")
    late = surewire.connect(listener.address, plain=True)
    late.sendall(b"x")
    eventually(lambda: late.stats().acknowledged == 1)
    listener.close()
    for each in (client, late):
        with pytest.raises(Reset, match="server closes"):
            each.recv(1)


def test_what_arrives_can_be_iterated(listener: Listener) -> None:
    served = []

    def serve() -> None:
        for stream in listener:
            served.append(read_all(stream))
            if len(served) == 3:
                listener.close()

    with ThreadPoolExecutor(1) as threads:
        serving = threads.submit(serve)
        for number in range(3):
            with surewire.connect(listener.address, plain=True) as client:
                client.sendall(b"%d" % number)
        serving.result(LONG)
    assert served == [b"0", b"1", b"2"]


# Interrupts.


class Interrupted(BaseException):
    """What the signal handler raises, as Ctrl-C would."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def on_alarm(number: int, frame: types.FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, on_alarm)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_wait_can_be_interrupted_and_the_stream_goes_on(pair: Pair, alarm: None) -> None:
    client, server = pair
    for _ in range(3):
        with pytest.raises(Interrupted):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            client.recv(1)
    server.sendall(b"x")
    assert client.recv(1) == b"x"


def test_a_wait_behind_another_driver_can_be_interrupted(pair: Pair, alarm: None, listener: Listener) -> None:
    client, server = pair
    with ThreadPoolExecutor(1) as threads:
        accepting = threads.submit(listener.accept)
        with pytest.raises(Interrupted):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            server.recv(1)
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        listener.close()
        with pytest.raises(LocalProtocolError):
            accepting.result(LONG)


def test_an_interrupt_in_the_middle_of_the_protocol_ends_the_endpoint(listener: Listener) -> None:
    strikes: list[BaseException] = []

    def clock() -> int:
        if strikes and threading.current_thread() is threading.main_thread():
            raise strikes.pop()
        return time.monotonic_ns()

    udp = UdpSocket((HOST, 0), remote=listener.address)
    endpoint = Endpoint(None, config=NativeConfig(), rng=random.Random(1), now=clock())
    driver = EndpointDriver(endpoint, udp, clock=clock)
    with driver.lock, driver:
        connection = endpoint.connect(udp.remote, security=CheckedClient(), now=clock())
        driver.push(connection)
    client = Stream(driver, connection)
    server = listener.accept(LONG)
    strikes.append(Interrupted())
    with pytest.raises(Interrupted):
        client.sendall(b"x")
    for call in (lambda: client.sendall(b"more"), lambda: client.recv(1)):
        with pytest.raises(Aborted, match="stopped by Interrupted"):
            call()
    with pytest.raises(Reset, match="stopped by Interrupted"):
        server.recv(1)


# Ends of programs.


def run(program: str, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import surewire\nserver = ('{HOST}', {port})\n{program}"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


def test_a_program_that_closes_and_ends_leaves_nobody_in_doubt(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as threads:
        program = "s = surewire.connect(server, plain=True)\ns.sendall(b'x' * 100000)\nprint(s.close())"
        running = threads.submit(run, program, listener.address[1])
        assert len(read_all(listener.accept(LONG))) == 100_000
        ended = running.result(LONG)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("confirmed\n", "", 0)


def test_a_program_that_forgets_to_close_tells_both_sides(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as threads:
        program = "s = surewire.connect(server, plain=True)\ns.send(bytes(60 << 20))"  # more than the peer takes unread
        running = threads.submit(run, program, listener.address[1])
        stream = listener.accept(LONG)
        ended = running.result(LONG)
        assert "the program ended without close(); " in ended.stderr
        with pytest.raises(Reset, match="program ended"):
            while stream.recv(1 << 20):
                pass


def test_a_program_waits_at_its_end_for_all_peers_together() -> None:
    serve = f"import surewire\nwith surewire.listen(('{HOST}', 0), plain=True) as server:\n"
    serve += "    print(server.address[1], flush=True)\n    input()"
    server = subprocess.Popen(
        [sys.executable, "-c", serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    with server:
        assert server.stdout is not None
        program = f"""
import os, signal

streams = [surewire.connect(server, plain=True) for _ in range(15)]
os.kill({server.pid}, signal.SIGSTOP)
for stream in streams:
    stream.shutdown()
print("all")
"""
        try:
            # It times out if the end takes a few seconds for each of the fifteen.
            ended = run(program, int(server.stdout.readline()))
        finally:
            server.kill()
    assert (ended.stdout, ended.stderr, ended.returncode) == ("all\n", "", 0)


def test_a_stream_that_is_forgotten_is_reset_and_warned_of(listener: Listener) -> None:
    client = surewire.connect(listener.address, plain=True)
    server = listener.accept(LONG)
    with pytest.warns(ResourceWarning, match="unclosed <surewire.Stream"):
        del client
        gc.collect()
    with pytest.raises(Reset, match="forgot") as reset:
        server.recv(1)
    assert reset.value.code == 1, "the transport's own, not the application's"


def test_descriptors_are_given_back(listener: Listener) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(5):
        client = surewire.connect(listener.address, plain=True)
        client.abort()
        listener.accept(LONG).abort()
    eventually(lambda: drivers() == 1)
    assert count() == before


# Trust.


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Listener]:
    with surewire.listen((HOST, 0), server_key=tmp_path / "server.key") as made:
        yield made


def test_a_server_is_known_by_its_key(sealed: Listener, tmp_path: Path) -> None:
    assert sealed.public_key is not None
    for key in (sealed.public_key, sealed.public_key.hex()):
        client = surewire.connect(sealed.address, server_key=key)
        assert (client.server_key, client.fingerprint) == (sealed.public_key, sealed.fingerprint)
        server = sealed.accept(LONG)
        assert (server.server_key, server.fingerprint) == (None, None)
        server.abort()
        client.abort()
    with pytest.raises(UntrustedServer, match="another key than the one demanded"):
        surewire.connect(sealed.address, server_key=bytes(32))


def test_trust_once_given_is_remembered(sealed: Listener, tmp_path: Path) -> None:
    known, fingerprint = tmp_path / "known", sealed.fingerprint
    assert fingerprint is not None
    with pytest.raises(UntrustedServer, match=f"is not known; its fingerprint is {fingerprint}"):
        surewire.connect(sealed.address, known_servers=known)
    with pytest.raises(UntrustedServer, match="not sw1:aaaa"):
        surewire.connect(sealed.address, known_servers=known, trust="sw1:" + "a" * 24)
    assert not known.exists()
    surewire.connect(sealed.address, known_servers=known, trust=fingerprint.upper()).abort()
    assert known.stat().st_mode & 0o777 == 0o600
    surewire.connect(sealed.address, known_servers=known).abort()


def test_a_key_that_has_changed_is_refused_until_it_is_vouched_for(sealed: Listener, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"{HOST}:{sealed.address[1]} {'ab' * 32}\n")
    with pytest.raises(UntrustedServer, match="has changed"):
        surewire.connect(sealed.address, known_servers=known)
    surewire.connect(sealed.address, known_servers=known, trust=sealed.fingerprint).abort()
    surewire.connect(sealed.address, known_servers=known).abort()


def test_a_server_keeps_its_key(sealed: Listener, tmp_path: Path) -> None:
    with surewire.listen((HOST, 0), server_key=tmp_path / "server.key") as again:
        assert again.public_key == sealed.public_key
    with surewire.listen((HOST, 0), server_key=bytes(range(32))) as other:
        assert other.public_key != sealed.public_key


def test_a_shared_key_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "psk"
    path.touch(0o600)
    path.write_text("5a" * 32 + "\n")
    with surewire.listen((HOST, 0), psk=path) as listener:
        assert (listener.public_key, listener.fingerprint) == (None, None)
        client = surewire.connect(f"{HOST}:{listener.address[1]}", psk=b"\x5a" * 32)
        client.sendall(b"hello")
        server = listener.accept(LONG)
        assert server.recv_exactly(5) == b"hello"
        client.abort()
        server.abort()


def test_a_sealed_server_does_not_take_plain_clients(sealed: Listener) -> None:
    with pytest.raises((surewire.HandshakeFailed, surewire.Refused, HandshakeTimeout)):
        surewire.connect(sealed.address, plain=True, timeout=0.5)


def test_a_name_that_nobody_has_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError):
        surewire.connect(("name.invalid", 9), plain=True)
    with pytest.raises(OSError), warnings.catch_warnings():
        surewire.listen(("192.0.2.1", 0), plain=True)


def test_what_the_socket_did_is_told_apart_from_what_the_path_did() -> None:
    with (
        surewire.listen((HOST, 0), plain=True) as listener,
        surewire.connect(listener.address, plain=True) as client,
        listener.accept(30) as server,
    ):
        client.sendall(bytes(100_000))
        server.recv_exactly(100_000)
        before = client.socket_stats()
        assert before.datagrams_sent >= 2 and before.bytes_sent > 100_000 and before.kernel_drops == 0
        client.sendall(b"more")
        server.recv_exactly(4)
        assert client.socket_stats().datagrams_sent > before.datagrams_sent  # the first was a picture of its time
