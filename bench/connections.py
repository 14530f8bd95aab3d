"""What a native connection costs an endpoint while nothing happens, and whether many of them slow each other down.

    python bench/connections.py [--connections 1000 5000] [--psk]

One client endpoint opens all connections to one server endpoint; trains go from one to the other by hand, in virtual
time, 10 ms each way. Each connection sends 64 bytes, gets them back, and then says nothing.

server, client   bytes a connection takes at that side after the echo (tracemalloc, after a collection)
open             CPU time to open a connection and echo once, both sides, searches of the MTU included, microseconds
echo             CPU time of one more echo while all others are idle, both sides, microseconds
turn             CPU time of one turn of an endpoint with nothing to do (three polls), microseconds

The last two should be the same for any number of connections. Keepalives are off, or echoes would be among hundreds
of them. With `--psk` connections are sealed with a shared key, else checked. tracemalloc slows everything, so times
are taken in a run without it.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from dataclasses import replace
from typing import NamedTuple

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.crypto.sealed import PskClient, PskServer
from surewire.native.admission import AdmissionConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.security import ClientSecurity, ServerSecurity

SERVER: Address = ("203.0.113.1", 4433)
CLIENT: Address = ("192.0.2.1", 50_000)
HOP = 10 * NS_PER_MS
HOUR = 3600 * NS_PER_S
CONFIG = NativeConfig(keepalive=HOUR, transport=replace(DEFAULT_TRANSPORT, idle_timeout=2 * HOUR))
ECHOES = 500
TURNS = 20_000
LIMITS = AdmissionConfig(
    max_connections=1 << 20,
    max_per_address=1 << 20,
    max_half_open=1 << 20,
    max_half_open_per_address=1 << 20,
    max_waiting=1 << 20,
)


class Figures(NamedTuple):
    """Of one run: bytes and microseconds."""

    server_bytes: float
    client_bytes: float
    open_us: float
    echo_us: float
    turn_us: float


class Pair:
    """A client and a server endpoint, and the time."""

    def __init__(self, *, is_sealed: bool) -> None:
        self.now = NS_PER_S
        key = random.Random(1).randbytes(32)
        self._security: ClientSecurity = PskClient(key) if is_sealed else CheckedClient()
        security: ServerSecurity = PskServer(key) if is_sealed else CheckedServer()
        self.server = Endpoint(security, config=CONFIG, rng=random.Random(2), now=self.now, limits=LIMITS)
        self.client: Endpoint | None = Endpoint(None, config=CONFIG, rng=random.Random(3), now=self.now)
        self.opened: list[Connection] = []
        self.accepted: list[Connection] = []
        self._sockets = memoryview(bytearray(65_536)), memoryview(bytearray(65_536))

    def open(self, count: int) -> None:
        """Open connections, 100 in a round trip, and echo once over each."""
        assert self.client is not None
        while len(self.opened) < count:
            for _ in range(min(100, count - len(self.opened))):
                connection = self.client.connect(SERVER, security=self._security, now=self.now)
                self.opened.append(connection)
                self._write(self.client, connection)
            self.settle()

    def echo(self, connection: Connection) -> None:
        """One more 64 bytes to and fro."""
        assert self.client is not None
        self._write(self.client, connection)
        self.settle()

    def _write(self, endpoint: Endpoint, connection: Connection) -> None:
        connection.write(b"x" * 64, now=self.now)
        endpoint.touch(connection)

    def settle(self) -> None:
        """Let a second pass: all that was written is echoed and acknowledged."""
        assert self.client is not None
        until = self.now + NS_PER_S
        while self.now < until:
            moved = self._carry(self.client, self.server, CLIENT, 0)
            self._serve()
            moved = self._carry(self.server, self.client, SERVER, 1) or moved
            self._collect()
            if not moved:
                deadlines = [one.poll_timeout() for one in (self.client, self.server)]
                soonest = min((deadline for deadline in deadlines if deadline is not None), default=until)
                self.now = min(max(soonest, self.now), until)
            for endpoint in (self.client, self.server):
                deadline = endpoint.poll_timeout()
                if deadline is not None and deadline <= self.now:
                    endpoint.handle_timeout(now=self.now)

    def _carry(self, sender: Endpoint, receiver: Endpoint, source: Address, socket: int) -> bool:
        """Bring all that one side has to send to the other, as a driver's reads would."""
        memory, moved = self._sockets[socket], False
        while (train := sender.poll_transmit(now=self.now)) is not None:
            at = 0
            for buffer in train.buffers:
                memory[at : at + len(buffer)] = buffer
                at += len(buffer)
            receiver.handle_datagrams(memory[:at], train.stride, source, now=self.now + HOP)
            moved = True
        if moved:
            self.now += HOP
        return moved

    def _serve(self) -> None:
        while (accepted := self.server.poll_accept()) is not None:
            self.accepted.append(accepted)
        for connection in self.server.take_changed():
            while connection.poll_event() is not None:
                pass
            if connection.readable:
                connection.write(connection.read(1_024, now=self.now), now=self.now)
                self.server.touch(connection)

    def _collect(self) -> None:
        assert self.client is not None
        for connection in self.client.take_changed():
            while connection.poll_event() is not None:
                pass
            if connection.readable and len(connection.read(1_024, now=self.now)) != 64:
                raise SystemExit("an echo is not what was sent")


def measure_memory(count: int, *, is_sealed: bool) -> tuple[float, float]:
    """Bytes a connection takes at the server and at the client."""
    tracemalloc.start()
    pair = Pair(is_sealed=is_sealed)
    pair.open(10)  # what exists once
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    pair.open(10 + count)
    gc.collect()
    both, _ = tracemalloc.get_traced_memory()
    if len(pair.accepted) != 10 + count:
        raise SystemExit("not all connections were accepted")
    pair.opened.clear()
    pair.client = None
    gc.collect()
    server, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    client = (both - server) / (10 + count)
    return (both - before) / count - client, client


def measure(count: int, *, is_sealed: bool) -> Figures:
    """All figures for so many connections."""
    memory = measure_memory(count, is_sealed=is_sealed)
    gc.collect()
    pair = Pair(is_sealed=is_sealed)
    begin = time.process_time_ns()
    pair.open(count)
    opened = time.process_time_ns()
    for number in range(ECHOES):
        pair.echo(pair.opened[number % 7])
    echoed = time.process_time_ns()
    for _ in range(TURNS):
        pair.server.poll_transmit(now=pair.now)
        pair.server.poll_timeout()
        pair.server.take_changed()
    ended = time.process_time_ns()
    return Figures(
        *memory,
        (opened - begin) / count / 1_000,
        (echoed - opened) / ECHOES / 1_000,
        (ended - echoed) / TURNS / 1_000,
    )


def main() -> None:
    """Print a line for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1_000, 5_000], metavar="N")
    parser.add_argument("--psk", action="store_true", help="sealed with a shared key instead of checked")
    options = parser.parse_args()
    print(f"{'connections':>11} {'server B':>9} {'client B':>9} {'open us':>9} {'echo us':>9} {'turn us':>9}")
    for count in options.connections:
        figures = measure(count, is_sealed=options.psk)
        print(f"{count:>11,} {figures.server_bytes:>9,.0f} {figures.client_bytes:>9,.0f}", end=" ")
        print(f"{figures.open_us:>9,.0f} {figures.echo_us:>9,.0f} {figures.turn_us:>9.2f}")


if __name__ == "__main__":
    main()
