"""A tester for Streamer: two programs that tell each other the numbers 0, 1, 2, ... over a bad network.

Run it in two terminals, in this folder; either may be started first:

    python3 test.py 8000 8001 1
    python3 test.py 8000 8001 2

Instance 1 is at the first port and talks to the second, instance 2 the other way round.

Stage 1: instance 2 sends the numbers as text with a space after each, one send() a number; instance 1 checks them.
Stage 2: instance 1 sends the same numbers in big chunks, and closes; instance 2 checks them and closes.

To try a worse network, change the line in main() that sets `lossy_socket.sim`; for more or fewer numbers, change NUMS.
Or leave the file as it is and set environment variables:

    STREAMER_NUMS        how many numbers, in place of NUMS
    STREAMER_LOSS        loss_rate, the share of the packets that are lost, 0 to 1
    STREAMER_CORRUPTION  corruption_rate, the mean number of flipped bits in a packet
    STREAMER_DELAY       max_delivery_delay, seconds
    STREAMER_SEED        an integer: other packets are lost and damaged. Without it, each run loses the same ones.

It ends with status 0 when all went well, 1 when the port is taken, what was received is wrong or Streamer raised an
exception, and 2 when it was called in a wrong way.
"""

from __future__ import annotations

import dataclasses
import os
import random
import sys
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import lossy_socket

from streamer import Streamer

NUMS = 1000
CHUNK_BYTES = 12345
USAGE = "usage: python3 test.py <port1> <port2> <1 or 2>"


class Call(NamedTuple):
    """What the command line says."""

    port1: int
    port2: int
    instance: int


def parse_arguments(arguments: list[str]) -> Call:
    """Take the command line apart.

    Raises:
        ValueError: it is not two different ports and an instance.
    """
    port1, port2, instance = map(int, arguments)
    if not (0 < port1 < 65536 and 0 < port2 < 65536 and instance in (1, 2)):
        raise ValueError("a port is from 1 to 65535, an instance 1 or 2")
    if port1 == port2:
        raise ValueError("with one port, an instance would talk to itself, and be content")
    return Call(port1, port2, instance)


def apply_environment() -> int:
    """Let the environment change the network and seed the generator. Returns how many numbers to send.

    Raises:
        ValueError: a variable does not hold a number, or one out of range.
    """
    rates = {
        field: float(os.environ[variable])
        for variable, field in (
            ("STREAMER_LOSS", "loss_rate"),
            ("STREAMER_CORRUPTION", "corruption_rate"),
            ("STREAMER_DELAY", "max_delivery_delay"),
        )
        if variable in os.environ
    }
    if rates:
        lossy_socket.sim = dataclasses.replace(lossy_socket.sim, **rates)
    if "STREAMER_SEED" in os.environ:
        random.seed(int(os.environ["STREAMER_SEED"]))
    count = int(os.environ.get("STREAMER_NUMS", NUMS))
    if count < 0:
        raise ValueError(f"STREAMER_NUMS must be 0 or more, not {count}")
    return count


def fail(message: str) -> NoReturn:
    """Say what is wrong and end the program with status 1."""
    print(f"TEST FAILED: {message}", flush=True)
    # sys.exit would wait for the threads of Streamer, and one that delivers wrong data may well not stop them
    os._exit(1)


def show(text: bytes) -> str:
    """The text in quotes, made printable and short."""
    return repr(text.decode(errors="backslashreplace")[:80])


def chunks(count: int) -> Iterator[bytes]:
    """The numbers as text in pieces of just more than CHUNK_BYTES bytes, the last one shorter."""
    buffer = b""
    for number in range(count):
        buffer += b"%d " % number
        if len(buffer) > CHUNK_BYTES:
            yield buffer
            buffer = b""
    if buffer:
        yield buffer


def send_one_by_one(streamer: Streamer, count: int) -> None:
    """Send each number with a send() of its own."""
    for number in range(count):
        print(f"sending {number}")
        streamer.send(b"%d " % number)


def send_in_chunks(streamer: Streamer, count: int) -> None:
    """Send the numbers in big chunks, one send() a chunk."""
    for chunk in chunks(count):
        print(f"sending {len(chunk)} bytes")
        streamer.send(chunk)


def receive(streamer: Streamer, count: int) -> None:
    """Receive the numbers and check them.

    A stream knows no borders between the pieces that were sent: recv() may return half a number or a hundred.
    """
    expected = 0
    text = b""
    while expected < count:
        piece = streamer.recv()
        if not piece:
            fail(f"the stream ended where {expected} should have come")
        *words, text = (text + piece).split(b" ")
        for word in words:
            if expected == count:
                fail(f"received {show(word)} behind the last number")
            if word != b"%d" % expected:
                fail(f"received {show(word)} where {expected} should have come")
            print(f"received {expected}")
            expected += 1
    if text:
        fail(f"received {show(text)} behind the last number")


def run_instance_1(streamer: Streamer, count: int) -> None:
    """Receive small pieces, then send big ones."""
    receive(streamer, count)
    print("STAGE 1 TEST PASSED!")
    send_in_chunks(streamer, count)
    streamer.close()


def run_instance_2(streamer: Streamer, count: int) -> None:
    """Send small pieces, then receive big ones."""
    send_one_by_one(streamer, count)
    receive(streamer, count)
    streamer.close()
    print("STAGE 2 TEST PASSED!")


def main() -> int:
    """Run the instance that the command line names. Returns the exit status."""
    try:
        call = parse_arguments(sys.argv[1:])
    except ValueError:
        print(USAGE, file=sys.stderr)
        return 2
    lossy_socket.sim = lossy_socket.SimulationParams(loss_rate=0.0, corruption_rate=0.0, max_delivery_delay=0.0)
    try:
        count = apply_environment()
    except ValueError as error:
        print(f"test.py: in the environment: {error}", file=sys.stderr)
        return 2

    here, there = (call.port1, call.port2) if call.instance == 1 else (call.port2, call.port1)
    try:
        streamer = Streamer(dst_ip="localhost", dst_port=there, src_ip="localhost", src_port=here)
    except OSError as error:
        print(f"test.py: cannot use port {here}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"instance {call.instance} is at port {here}")
    if call.instance == 1:
        run_instance_1(streamer, count)
    else:
        run_instance_2(streamer, count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
