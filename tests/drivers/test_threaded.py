"""The threaded driver: blocking verbs, two threads, no lost wake-up, no silent death, and it always ends."""

from __future__ import annotations

import array
import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from typing import Any

import pytest

from surewire.core.state import State
from surewire.core.units import NS_PER_S
from surewire.drivers.threaded import ThreadedDriver
from surewire.errors import Aborted, ConnectionLost, IdleTimeout, LocalProtocolError, Reset, SurewireError
from tests.drivers.fake_stream import ENDPOINT, FakeSession, FakeSocket, connect

LONG = 30  # s; for what must happen, sooner or later
NAMES = {"surewire-listener", "surewire-transmitter"}


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in NAMES]


class End:
    """A session, a socket and their driver."""

    def __init__(self, **session: Any) -> None:
        self.session = FakeSession(**session)
        self.socket = FakeSocket()

    def start(self) -> ThreadedDriver:
        self.driver = ThreadedDriver(self.session, self.socket, ENDPOINT)
        return self.driver

    def hear(self, packet: bytes) -> None:
        self.socket.inbox.put((packet, ("peer", 9)))

    def break_off(self) -> None:
        self.socket.gate.set()
        with contextlib.suppress(SurewireError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.session.needs_peer_end = False
            self.driver.close()


@pytest.fixture
def end() -> Iterator[End]:
    one = End()
    yield one
    one.break_off()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(ours())
    yield
    deadline = time.monotonic() + LONG
    while set(ours()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(ours()) - before


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)


def is_blocked(future: Future[Any], driver_did: Callable[[], bool]) -> bool:
    """True if the call is still waiting after the driver has done what it does before it waits."""
    eventually(driver_did)
    with contextlib.suppress(NotDone):
        future.result(0.05)
    return not future.done()


def test_two_drivers_talk_and_end(pool: ThreadPoolExecutor) -> None:
    one, other = End(), End()
    connect(one.socket, other.socket)
    first, second = one.start(), other.start()
    data = bytes(range(256)) * 100
    first.send(data)
    second.send(b"back")
    received = b""
    while len(received) < len(data):
        piece = second.recv()
        assert piece
        received += piece
    assert received == data
    assert first.recv() == b"back"
    closing = [pool.submit(first.close), pool.submit(second.close)]
    assert [future.result(LONG) for future in closing] == [None, None]
    assert [first.recv(), first.recv(), second.recv()] == [b""] * 3
    assert one.socket.destinations == {ENDPOINT}
    assert set(one.session.sources) == {("other", 2)}


def test_there_are_two_threads_and_both_are_daemons(end: End) -> None:
    before = set(threading.enumerate())
    end.start()
    mine = set(threading.enumerate()) - before
    assert {thread.name for thread in mine} == NAMES
    assert len(mine) == 2
    assert all(thread.daemon for thread in mine)


def test_send_does_not_wait_for_a_packet_that_leaves(end: End) -> None:
    driver = end.start()
    end.socket.gate.clear()
    driver.send(b"first")
    assert end.socket.is_sending.wait(LONG)
    polls = end.session.calls["poll_transmit"]
    for _ in range(1000):
        driver.send(b"x")  # would block if the lock were held during sendto
    end.hear(b"Dhello")
    assert driver.recv() == b"hello"
    assert end.session.calls["poll_transmit"] == polls  # it asks when it can send, not before
    end.socket.gate.set()
    eventually(lambda: b"".join(packet[1:] for packet in end.socket.sent) == b"first" + b"x" * 1000)


def test_a_packet_is_built_when_the_one_before_has_left(end: End) -> None:
    driver = end.start()
    end.socket.gate.clear()
    driver.send(b"1")
    assert end.socket.is_sending.wait(LONG)
    driver.send(b"2")
    driver.send(b"3")
    end.socket.gate.set()
    eventually(lambda: end.socket.sent == [b"D1", b"D23"])


def test_idle_means_idle(end: End) -> None:
    end.session.deadlines = [time.monotonic_ns() + 3600 * NS_PER_S]
    end.start()
    for _ in range(10):
        assert end.socket.waits.acquire(timeout=LONG)
    assert end.session.calls["poll_transmit"] <= 2


def test_deadlines_are_kept_in_silence_and_while_there_is_much_to_send(end: End) -> None:
    now = time.monotonic_ns()
    end.session.deadlines = [now, now + NS_PER_S // 50, now + NS_PER_S // 25]
    driver = end.start()
    eventually(lambda: end.session.calls.get("handle_timeout") == 3)
    end.socket.outbox = lambda message: time.sleep(0.001)
    driver.send(bytes(200_000))
    end.session.deadlines = [time.monotonic_ns()]
    eventually(lambda: end.session.calls["handle_timeout"] == 4)
    assert len(end.socket.sent) < 200


def test_send_blocks_while_the_buffer_is_full(pool: ThreadPoolExecutor) -> None:
    end = End(limit=10)
    driver = end.start()
    end.socket.gate.clear()
    driver.send(b"0")
    assert end.socket.is_sending.wait(LONG)
    data = bytes(range(25))
    sending = pool.submit(driver.send, data)
    assert is_blocked(sending, lambda: end.session.calls["write"] == 2)
    other = pool.submit(driver.send, b"whole")
    end.socket.outbox = lambda message: end.hear(b"D")  # an acknowledgment, as it were: something changes
    end.socket.gate.set()
    sending.result(LONG)
    other.result(LONG)
    eventually(lambda: b"".join(packet[1:] for packet in end.socket.sent) == b"0" + data + b"whole")
    end.break_off()


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b""), array.array("i")])
def test_empty_data_send_nothing(end: End, data: Any) -> None:
    driver = end.start()
    driver.send(data)
    assert "write" not in end.session.calls


@pytest.mark.parametrize("data", [bytearray(b"abcd"), memoryview(b"abcd"), array.array("H", b"abcd")])
def test_whatever_holds_bytes_can_be_sent(end: End, data: Any) -> None:
    end.start().send(data)
    eventually(lambda: end.socket.sent == [b"Dabcd"])


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2]])
def test_other_things_cannot_be_sent(end: End, data: Any) -> None:
    driver = end.start()
    with pytest.raises(TypeError):
        driver.send(data)
    driver.send(b"still works")


def test_recv_waits_and_tells_the_session_that_it_does(end: End, pool: ThreadPoolExecutor) -> None:
    driver = end.start()
    end.hear(b"Dready")
    eventually(lambda: end.session.calls.get("handle_datagrams") == 1)
    assert driver.recv() == b"ready"
    assert "flush" not in end.session.calls
    receiving = pool.submit(driver.recv)
    assert is_blocked(receiving, lambda: end.session.calls.get("flush") == 1)
    end.hear(b"D")  # a packet without data for the application
    assert is_blocked(receiving, lambda: end.session.calls["handle_datagrams"] == 2)
    end.hear(b"Dlate")
    assert receiving.result(LONG) == b"late"
    assert end.session.calls["flush"] == 1


def test_what_a_session_has_to_say_after_a_read_is_sent(end: End) -> None:
    end.session.announces_room = True
    driver = end.start()
    eventually(lambda: end.session.calls.get("poll_transmit", 0) >= 1)
    end.hear(b"Dx")
    eventually(lambda: end.session.calls["poll_transmit"] >= 2)
    assert driver.recv() == b"x"
    eventually(lambda: end.socket.sent == [b"W"])


def test_recv_in_another_thread_gets_the_rest_while_close_waits(end: End, pool: ThreadPoolExecutor) -> None:
    driver = end.start()
    closing = pool.submit(driver.close)
    assert is_blocked(closing, lambda: end.socket.sent == [b"F"])
    receiving = pool.submit(driver.recv)
    assert is_blocked(receiving, lambda: end.session.calls.get("flush") == 1)
    end.hear(b"Dlast")
    assert receiving.result(LONG) == b"last"
    receiving = pool.submit(driver.recv)
    end.hear(b"F")
    assert receiving.result(LONG) == b""
    assert closing.result(LONG) is None


def test_what_arrived_can_be_received_after_close(end: End) -> None:
    driver = end.start()
    end.hear(b"Dunread")
    end.hear(b"F")
    driver.close()
    assert [driver.recv(), driver.recv(), driver.recv()] == [b"unread", b"", b""]


def test_send_after_close(end: End) -> None:
    end.session.needs_peer_end = False
    driver = end.start()
    driver.close()
    for data in (b"x", b""):
        with pytest.raises(LocalProtocolError, match="after close"):
            driver.send(data)


def test_close_ends_a_send_that_waits(pool: ThreadPoolExecutor) -> None:
    end = End(limit=1)
    driver = end.start()
    end.socket.gate.clear()
    driver.send(b"0")
    assert end.socket.is_sending.wait(LONG)
    sending = pool.submit(driver.send, b"12345")
    assert is_blocked(sending, lambda: end.session.calls["write"] == 2)
    closing = pool.submit(driver.close)
    with pytest.raises(LocalProtocolError):
        sending.result(LONG)
    end.socket.gate.set()
    end.hear(b"F")
    closing.result(LONG)
    assert end.socket.sent == [b"D0", b"D1", b"F"]


def test_close_from_many_threads_and_again(end: End, pool: ThreadPoolExecutor) -> None:
    driver = end.start()
    closing = [pool.submit(driver.close) for _ in range(8)]
    assert is_blocked(closing[0], lambda: end.session.calls.get("finish") == 8)
    assert not any(future.done() for future in closing)
    end.hear(b"F")
    assert [future.result(LONG) for future in closing] == [None] * 8
    assert not any(thread.is_alive() for thread in ours())
    driver.close()
    assert end.socket.sent == [b"F"]


def test_a_note_is_a_warning_at_the_line_of_the_application(end: End) -> None:
    end.session.needs_peer_end = False
    end.session.note = "the peer never closed"

    def facade() -> None:  # stands for Streamer.close
        driver.close()

    driver = end.start()
    with pytest.warns(RuntimeWarning, match="the peer never closed") as caught:
        facade()
    assert caught[0].filename == __file__
    assert caught[0].lineno == facade.__code__.co_firstlineno + 5
    facade()  # says nothing


@pytest.mark.parametrize("lets_timeouts_out", [False, True])
def test_it_ends_over_a_socket_that_times_out(end: End, lets_timeouts_out: bool) -> None:
    end.socket.lets_timeouts_out = lets_timeouts_out
    driver = end.start()
    assert end.socket.timeout is not None
    assert 0 < end.socket.timeout < 0.2
    assert end.socket.waits.acquire(timeout=LONG)
    end.hear(b"Dthere")
    assert driver.recv() == b"there"
    end.hear(b"F")
    driver.close()


def test_a_connection_that_fails_ends_every_call_and_the_threads(pool: ThreadPoolExecutor) -> None:
    end = End(limit=1)
    driver = end.start()
    end.socket.gate.clear()
    driver.send(b"0")
    assert end.socket.is_sending.wait(LONG)
    sending = pool.submit(driver.send, b"123")
    assert is_blocked(sending, lambda: end.session.calls["write"] == 2)
    end.hear(b"Darrived")
    end.hear(b"R")
    with pytest.raises(Reset, match="the peer said no"):
        sending.result(LONG)
    assert driver.recv() == b"arrived"
    for _ in range(2):
        with pytest.raises(Reset):
            driver.recv()
    with pytest.raises(Reset):
        driver.send(b"x")
    end.socket.gate.set()
    eventually(lambda: not ours())  # without close()
    with pytest.raises(Reset):
        driver.close()
    driver.close()
    with pytest.raises(LocalProtocolError):
        driver.send(b"x")


def test_an_error_raised_often_does_not_gather_tracebacks(end: End) -> None:
    driver = end.start()
    end.hear(b"R")
    eventually(lambda: end.session.state is State.CLOSED)
    depths = []
    for _ in range(5):
        with pytest.raises(Reset) as caught:
            driver.recv()
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1


def test_recv_does_not_take_its_own_close_for_the_end(end: End) -> None:
    end.session.needs_peer_end = False
    driver = end.start()
    end.hear(b"Dhalf of it")
    eventually(lambda: end.session.calls.get("handle_datagrams") == 1)
    driver.close()
    assert driver.recv() == b"half of it"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="before the peer had finished"):
            driver.recv()


def test_the_end_is_told_though_what_was_sent_is_lost(end: End) -> None:
    driver = end.start()
    end.hear(b"Dall")
    end.hear(b"F")
    end.hear(b"R")
    eventually(lambda: end.session.state is State.CLOSED)
    assert [driver.recv(), driver.recv()] == [b"all", b""]
    with pytest.raises(Reset):
        driver.close()


def test_an_end_once_told_stays_the_end(end: End) -> None:
    driver = end.start()
    end.hear(b"F")
    assert driver.recv() == b""
    end.session.deadlines = []
    end.hear(b"R")
    eventually(lambda: end.session.state is State.CLOSED)
    assert driver.recv() == b""
    with pytest.raises(Reset):
        driver.close()


@pytest.mark.parametrize("method", ["handle_datagrams", "handle_timeout", "poll_transmit", "handle_refused"])
@pytest.mark.parametrize("is_abort_broken", [False, True])
def test_a_defect_in_either_thread_is_told_in_every_call(end: End, method: str, is_abort_broken: bool) -> None:
    defect = ZeroDivisionError("a defect")
    end.session.defect[method] = defect
    if is_abort_broken:
        end.session.defect["abort"] = KeyError("another")
    if method == "handle_timeout":
        end.session.deadlines = [0]
    driver = end.start()
    if method == "handle_refused":
        end.socket.inbox.put(ConnectionResetError("forcibly closed"))
    else:
        end.hear(b"Dx")
    calls: list[Callable[[], object]] = [driver.recv, lambda: driver.send(b"x"), driver.close]
    with pytest.raises(Aborted):
        while driver.recv():
            pass  # the listener may have been quicker
    for call in calls:
        with pytest.raises(Aborted, match="ZeroDivisionError: a defect") as caught:
            call()
        assert caught.value.__cause__ is defect
    assert end.session.calls["abort"] == 1
    assert hasattr(defect, "__notes__") == is_abort_broken


def test_a_socket_that_cannot_send_is_told(end: End, pool: ThreadPoolExecutor) -> None:
    def refuse(message: bytes) -> None:
        raise OSError("no such host")

    end.socket.outbox = refuse
    driver = end.start()
    receiving = pool.submit(driver.recv)
    driver.send(b"x")
    with pytest.raises(Aborted, match="no such host"):
        receiving.result(LONG)
    eventually(lambda: not ours())


@pytest.mark.parametrize("error", [RuntimeError("datagram too big"), ValueError("what is this")])
def test_a_programming_error_in_sendto_is_told(end: End, error: Exception) -> None:
    def refuse(message: bytes) -> None:
        raise error

    end.socket.outbox = refuse
    driver = end.start()
    driver.send(b"x")
    with pytest.raises(Aborted) as caught:
        driver.recv()
    assert caught.value.__cause__ is error


def test_a_send_buffer_of_the_system_that_is_full_is_a_lost_packet(end: End) -> None:
    def refuse(message: bytes) -> None:
        end.socket.outbox = lambda message: None
        raise TimeoutError("timed out")

    end.socket.outbox = refuse
    driver = end.start()
    driver.send(bytes(1500))
    eventually(lambda: len(end.socket.sent) == 2)
    assert end.session.error is None


def test_refusals_are_the_sessions_business(end: End) -> None:
    def refuse(message: bytes) -> None:
        end.socket.outbox = lambda message: None
        raise ConnectionRefusedError("nobody there")

    end.socket.outbox = refuse
    driver = end.start()
    driver.send(b"x")
    eventually(lambda: end.session.calls.get("handle_refused") == 1)
    end.socket.inbox.put(ConnectionResetError("forcibly closed"))
    eventually(lambda: end.session.calls.get("handle_refused") == 2)
    end.hear(b"Dgoes on")
    assert driver.recv() == b"goes on"


def test_an_abort_says_its_last_word(end: End) -> None:
    end.session.defect["handle_datagrams"] = ZeroDivisionError("a defect")
    driver = end.start()
    end.hear(b"Dx")
    with pytest.raises(Aborted):
        driver.close()
    assert end.socket.sent[-1] == b"R"


@pytest.mark.parametrize("how", ["closed", "stopped"])
def test_a_socket_taken_away_is_a_failure_not_a_hang(end: End, pool: ThreadPoolExecutor, how: str) -> None:
    driver = end.start()
    receiving = pool.submit(driver.recv)
    if how == "closed":
        end.socket.inbox.put(OSError(9, "Bad file descriptor"))
    else:
        end.socket.stoprecv()
    with pytest.raises(Aborted, match="Bad file descriptor" if how == "closed" else "stopped from outside"):
        receiving.result(LONG)


def test_a_socket_taken_away_after_the_end_does_not_matter(end: End) -> None:
    end.session.needs_peer_end = False
    end.session.close(None)
    end.socket.inbox.put(OSError(9, "Bad file descriptor"))
    driver = end.start()
    eventually(lambda: not ours())
    driver.close()


def test_an_empty_datagram_is_ignored(end: End) -> None:
    driver = end.start()
    end.hear(b"")
    end.hear(b"Dnext")
    assert driver.recv() == b"next"
    assert len(end.session.sources) == 1


def test_a_session_that_gives_up_while_close_waits(end: End, pool: ThreadPoolExecutor) -> None:
    driver = end.start()
    closing = pool.submit(driver.close)
    assert is_blocked(closing, lambda: end.socket.sent == [b"F"])
    end.session.close(IdleTimeout("silence"))
    end.hear(b"D")
    with pytest.raises(IdleTimeout):
        closing.result(LONG)


def test_no_wake_up_is_lost(pool: ThreadPoolExecutor) -> None:
    """Every byte goes back and forth alone: one lost notification, and this waits for ever."""
    one, other = End(), End()
    connect(one.socket, other.socket)
    first, second = one.start(), other.start()

    def echo() -> None:
        while data := second.recv():
            second.send(data)

    echoing = pool.submit(echo)
    for number in range(500):
        first.send(b"%d" % number)
        assert first.recv() == b"%d" % number
    closing = pool.submit(first.close)
    echoing.result(LONG)
    second.close()
    closing.result(LONG)
