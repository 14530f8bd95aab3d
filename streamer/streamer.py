"""A reliable byte stream over a network that loses, damages, delays and reorders packets.

This file is only where the parts meet. Each part of the assignment lives in the package `surewire`:

    send, recv, close, and the two background threads      surewire/drivers/threaded.py
    part 1  chunking                                       surewire/streamer/sending.py, SEGMENT
    part 2  reordering: the receive buffer                 surewire/streamer/incoming.py, surewire/core/reassembly.py
    part 3  ACKs                                           surewire/core/acks.py
            timeouts and retransmissions                   surewire/core/outbound.py, surewire/core/loss.py
            FIN and the grace period                       surewire/streamer/session.py, surewire/core/state.py
    part 4  corruption: the packet and its hash            surewire/wire/compact.py
    part 5  pipelining, selective repeat                   surewire/core/outbound.py, surewire/core/scoreboard.py
    extra   Nagle's algorithm                              surewire/streamer/outgoing.py
            piggybacked and delayed ACKs                   surewire/streamer/acknowledging.py, surewire/core/acks.py
    every parameter with its default                       surewire/streamer/config.py

The session (surewire/streamer/session.py) holds all the rules of the protocol and knows neither socket nor
clock nor thread. So the same rules also run in a simulator, where a test of minutes takes milliseconds.
"""

from __future__ import annotations

import os
import random
import sys
import time

if sys.version_info < (3, 11):  # noqa: UP036  (a student's python3 may well be older, and this says so)
    sys.exit(f"streamer.py: needs Python 3.11 or newer, and this is {sys.version_info[0]}.{sys.version_info[1]}")

try:
    import surewire  # noqa: F401  (only to see whether it is there)
except ImportError:
    _SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "src")
    if not os.path.isdir(os.path.join(_SOURCE, "surewire")):
        sys.exit("streamer.py: needs the package surewire: install it, or leave this folder in its repository")
    sys.path.append(_SOURCE)

from socket import INADDR_ANY

from lossy_socket import LossyUDP

from surewire.drivers.threaded import ThreadedDriver
from surewire.errors import ConfigError
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession


class Streamer:
    """One end of a connection; the other end is a Streamer with the addresses swapped.

    Both ends may send and receive at any time, in several threads too. It does not matter which end is
    started first, and one may start two minutes before the other. The stream has no message boundaries: what one
    `send` took may come out of several `recv`, and what several took out of one.

    Attributes:
        config: what to use instead of the settings in the environment variables, for all new Streamers if set
            on the class. With it the same code runs as stop-and-wait or go-back-N: see `StreamerConfig`.
    """

    config: StreamerConfig | None = None

    def __init__(self, dst_ip: str, dst_port: int, src_ip: str | int = INADDR_ANY, src_port: int = 0) -> None:
        """Open a socket and start to listen.

        Args:
            dst_ip: the other end's host name or IPv4 address.
            dst_port: the port that the other end has as `src_port`.
            src_ip: the local address; by default every one of this host.
            src_port: the local port; by default one that the system chooses.

        Raises:
            OSError: the local address cannot be used, for instance because the port is taken.
            ConfigError: an environment variable asks for something that does not exist, or nobody can have `dst_port`.
            TypeError: `dst_port` is no number.
        """
        # LossyUDP would tell of it in a thread of its own, with a traceback for each packet, and this side would wait.
        if not 0 < dst_port < 65536:
            raise ConfigError(f"dst_port must be from 1 to 65535, not {dst_port}")
        config = self.config if self.config is not None else StreamerConfig.from_environment(os.environ)
        socket = LossyUDP()
        socket.bind(("" if src_ip == INADDR_ANY else src_ip, src_port))  # INADDR_ANY is the number 0, not an address
        destination = (dst_ip, dst_port)
        # A generator of its own: LossyUDP draws from the shared one, and each draw of ours would change what it loses.
        session = StreamerSession(destination, rng=random.Random(), now=time.monotonic_ns(), config=config)
        self._driver = ThreadedDriver(session, socket, destination)

    def send(self, data_bytes: bytes) -> None:
        """Send all of `data_bytes`, however long.

        Returns when they are in the send buffer, which is usually at once; `close` waits until they have arrived.

        Raises:
            TypeError: they are no bytes.
            LocalProtocolError: after `close`.
            SurewireError: the connection has failed.
        """
        self._driver.send(data_bytes)

    def recv(self) -> bytes:
        """Wait until there are bytes, and return all there are now: at least one.

        b"" means the end: the other end has closed and everything is received. It stays so for further calls.

        Raises:
            SurewireError: the connection has failed, and everything that arrived before is received.
        """
        return self._driver.recv()

    def close(self) -> None:
        """Send what is still in the buffer, wait until all of it has arrived and the other end has closed, too.

        Takes about 2 s (the grace period) at one of the two ends: the last ACK may be lost, and then somebody must
        be there to send it again. All waits have limits (see `StreamerConfig`). May be called repeatedly.

        Raises:
            SurewireError: not everything is known to have arrived.

        Warns:
            RuntimeWarning: everything has arrived, but the other end has not closed.
        """
        self._driver.close()
