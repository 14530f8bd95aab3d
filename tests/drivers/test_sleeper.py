"""Sleeps end when they should; no word is lost."""

from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.sleeper import Sleeper
from surewire.drivers.udp import UdpSocket
from tests.drivers.fake_udp import LOCALHOST

LONG = 20 * NS_PER_S  # a sleep that the test's timeout would end if nothing else did


@pytest.fixture
def udp() -> Iterator[UdpSocket]:
    with UdpSocket(LOCALHOST) as made:
        yield made


@pytest.fixture
def sleeper(udp: UdpSocket) -> Iterator[Sleeper]:
    made = Sleeper(udp)
    yield made
    made.close()


def test_a_word_before_or_during_a_sleep_ends_it(sleeper: Sleeper) -> None:
    sleeper.wake()
    sleeper.wake()
    sleeper.sleep(LONG, writable=False)
    timer = threading.Timer(0.02, sleeper.wake)
    timer.start()
    sleeper.sleep(LONG, writable=False)
    timer.join()


def test_more_words_than_fit_are_one(sleeper: Sleeper) -> None:
    for _ in range(10_000):
        sleeper.wake()
    sleeper.sleep(LONG, writable=False)


def test_a_datagram_ends_a_sleep(sleeper: Sleeper, udp: UdpSocket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", udp.address)
        sleeper.sleep(LONG, writable=False)
    received = udp.receive()
    assert received is not None and bytes(received.buffer) == b"x"


def test_a_deadline_ends_a_sleep(sleeper: Sleeper) -> None:
    for nanoseconds in (-5, 0, NS_PER_MS):
        sleeper.sleep(nanoseconds, writable=False)


def test_room_in_the_socket_ends_a_sleep_but_not_twice_for_nothing(sleeper: Sleeper, udp: UdpSocket) -> None:
    sleeper.sleep(LONG, writable=True)
    sleeper.sleep(LONG, writable=True)  # nothing was sent since: a short nap instead of turning round at once
    udp.stats.send_calls += 1
    sleeper.sleep(LONG, writable=True)


def test_datagrams_gather_for_as_long_as_they_may(sleeper: Sleeper, udp: UdpSocket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", udp.address)
        began = time.monotonic_ns()
        sleeper.sleep(LONG, writable=False, gather=30 * NS_PER_MS)
        assert time.monotonic_ns() - began >= 30 * NS_PER_MS
        began = time.monotonic_ns()
        sleeper.sleep(NS_PER_MS, writable=False, gather=LONG)  # no longer than the sleep
        sleeper.sleep(0, writable=False, gather=LONG)
        sleeper.sleep(LONG, writable=True, gather=LONG)  # the socket takes more
        assert time.monotonic_ns() - began < LONG // 2


def test_a_nap_is_part_of_the_sleep(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    slept, wait = list[float](), select.select

    def noted(readable: list[int], writable: list[int], odd: list[int], seconds: float) -> tuple[list[int], ...]:
        slept.append(seconds)
        return wait(readable, writable, odd, seconds)

    monkeypatch.setattr(select, "select", noted)
    sleeper.sleep(5 * NS_PER_MS, writable=False, gather=3 * NS_PER_MS)
    assert slept == [0.003, 0.002]


def test_a_word_ends_a_sleep_in_which_datagrams_gather(sleeper: Sleeper) -> None:
    timer = threading.Timer(0.02, sleeper.wake)
    timer.start()
    sleeper.sleep(2 * LONG, writable=False, gather=LONG)
    timer.join()
    began = time.monotonic_ns()
    sleeper.sleep(20 * NS_PER_MS, writable=False)
    assert time.monotonic_ns() - began >= 20 * NS_PER_MS, "one word, one sleep"


def test_high_descriptors_can_be_watched() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("no descriptors above 1,024 allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held: list[socket.socket] = []
    try:
        while not held or held[-1].fileno() < 1030:
            held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with UdpSocket(LOCALHOST) as udp:
            sleeper = Sleeper(udp)
            assert udp.fileno() >= 1024
            sleeper.sleep(NS_PER_MS, writable=False)
            sleeper.sleep(LONG, writable=True)
            began = time.monotonic_ns()
            sleeper.sleep(5 * NS_PER_MS, writable=False, gather=5 * NS_PER_MS)
            assert time.monotonic_ns() - began >= 5 * NS_PER_MS, "nothing is taken off for a nap that was none"
            sleeper.wake()
            sleeper.sleep(LONG, writable=False)
            sleeper.close()
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_waking_nobody_is_harmless(udp: UdpSocket) -> None:
    sleeper = Sleeper(udp)
    sleeper.close()
    sleeper.wake()
