"""A relay on real loopback sockets, a server behind it, and clients; the test itself runs the relay in slices."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from surewire.drivers.relay import Relay, RelayTap
from surewire.drivers.relay_config import RelayConfig
from surewire.drivers.relay_sockets import Endpoint

MS = 1_000_000
PATIENCE_S = 20


@dataclass
class Bench:
    """A relay, the server behind it, and a way to make clients."""

    relay: Relay
    server: socket.socket
    cleanup: contextlib.ExitStack

    def client(self) -> socket.socket:
        sock = self.cleanup.enter_context(udp_socket())
        sock.connect(self.relay.endpoint.address)
        return sock

    def until(self, done: Callable[[], bool]) -> None:
        """Relay until `done`, and fail if that takes absurdly long."""
        give_up = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < give_up, "nothing came"
            self.relay.run(5 * MS)

    def receive(self, sock: socket.socket, count: int = 1) -> list[tuple[bytes, tuple[str, int]]]:
        got: list[tuple[bytes, tuple[str, int]]] = []

        def enough() -> bool:
            got.extend(waiting(sock))
            return len(got) >= count

        self.until(enough)
        return got


def udp_socket(port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def waiting(sock: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
    """Every datagram that is there now."""
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(sock.recvfrom(65535))
    return got


@contextlib.contextmanager
def bench(config: RelayConfig | None = None, *, tap: RelayTap | None = None) -> Iterator[Bench]:
    with contextlib.ExitStack() as cleanup:
        server = cleanup.enter_context(udp_socket())
        to = Endpoint.resolve(*server.getsockname())
        relay = Relay(Endpoint.resolve("127.0.0.1", 0), to, config or RelayConfig(), tap=tap)
        yield Bench(cleanup.enter_context(relay), server, cleanup)


def round_trip(b: Bench, client: socket.socket, payload: bytes) -> None:
    client.send(payload)
    ((datagram, source),) = b.receive(b.server)
    assert datagram == payload
    b.server.sendto(b"re:" + payload, source)
    ((answer, _),) = b.receive(client)
    assert answer == b"re:" + payload
