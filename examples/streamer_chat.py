"""Streamer without the class-room socket: two sides talk over UDP on this machine, and every fifth packet is lost.

    PYTHONPATH=src python3 examples/streamer_chat.py [SEED]

A `StreamerSession` holds the rules, a `ThreadedDriver` runs it over whatever has the four methods of `LossyUDP` that
the assignment allows; here that is a socket made for the purpose. It takes about 3 s, of which 2 are the grace
period. Nothing here slows the sender down to what a path carries (LossyUDP's 10 ms a packet does): keep it at home.
"""

from __future__ import annotations

import random
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from surewire.drivers.threaded import ThreadedDriver
from surewire.streamer.session import StreamerSession

LOSS = 0.2


class HomeSocket(socket.socket):
    """A UDP socket on this machine that loses packets."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.bind(("127.0.0.1", 0))
        self.rng = rng
        self.sent = self.lost = 0

    def sendto(self, message: bytes, dst: tuple[str, int]) -> None:  # type: ignore[override]
        self.sent += 1
        if self.rng.random() < LOSS:
            self.lost += 1
        else:
            super().sendto(message, dst)

    def recvfrom(self, bufsize: int = 2048) -> tuple[bytes, Any]:  # type: ignore[override]
        return super().recvfrom(bufsize)

    def stoprecv(self) -> None:
        """Not needed: the driver has set a timeout, and looks whether it is done whenever that has passed."""


def connect(here: HomeSocket, there: HomeSocket) -> ThreadedDriver:
    """One end of a connection. Its two threads run from now on."""
    peer = there.getsockname()
    session = StreamerSession(peer, rng=random.Random(here.rng.random()), now=time.monotonic_ns())
    return ThreadedDriver(session, here, peer)


def lines(stream: ThreadedDriver) -> Iterator[str]:
    """What the other side says, line by line, until it closes. A stream has no lines, so they are put together."""
    rest = b""
    while data := stream.recv():
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in whole)


def answer_all(stream: ThreadedDriver) -> None:
    """Repeat every line, louder; leave when the other side has left."""
    for line in lines(stream):
        stream.send(line.upper().encode() + b"\n")
    stream.close()


def talk(stream: ThreadedDriver, sayings: list[str]) -> None:
    """Say something, wait for the answer, and so on."""
    answers = lines(stream)
    for saying in sayings:
        stream.send(saying.encode() + b"\n")
        print(f"{saying:<14} -> {next(answers)}")
    stream.close()


def main(seed: int) -> None:
    rng = random.Random(seed)
    with HomeSocket(rng) as one, HomeSocket(rng) as two, ThreadPoolExecutor() as threads:
        answering = threads.submit(answer_all, connect(two, one))
        talk(connect(one, two), ["hello", "are you there?", "good bye"])
        answering.result()
        print(f"both have closed: {one.sent + two.sent} packets, {one.lost + two.lost} of them lost")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
