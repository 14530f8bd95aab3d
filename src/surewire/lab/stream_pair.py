"""Two blocking byte streams, connected over real UDP through a lossy link: what a test of an application needs.

Streamer sessions, run by two threads each (`surewire.drivers.threaded`). For tests and experiments: the grace period
that follows a connection is cut short, since here somebody sees that neither end needs it. The server side sends to
where it last heard from, so a link that rebinds the client does not part the two.

Invariant: after `StreamPair.close` or `abandon` no thread of the pair is left and its sockets are closed.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator

from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.drivers.threaded import ThreadedDriver
from surewire.lab.links import LossyLink, Value, link
from surewire.streamer.config import StreamerConfig
from surewire.streamer.session import StreamerSession

_LOCALHOST = "127.0.0.1"
_LOOK_AGAIN_S = 0.01
_MAX_DATAGRAM = 65_535
_STOPPED: tuple[bytes, tuple[str, int]] = (b"", ("", 0))
"""What the driver takes for the sign that its socket was stopped."""


class FollowingSocket:
    """A UDP socket as the threaded driver wants it, which sends to where it last heard from."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over a bound socket."""
        self._socket = sock
        self._heard: tuple[str, int] | None = None
        self._is_stopped = False

    def sendto(self, message: bytes, dst: tuple[str, int], /) -> int:
        return self._socket.sendto(message, self._heard or dst)

    def recvfrom(self) -> tuple[bytes, tuple[str, int]]:
        """The next datagram; after `stoprecv`, at the latest when the timeout is over, the sign of that."""
        try:
            data, source = self._socket.recvfrom(_MAX_DATAGRAM)
        except TimeoutError:
            if self._is_stopped:
                return _STOPPED
            raise
        if self._is_stopped:
            return _STOPPED
        self._heard = source
        return data, source

    def stoprecv(self) -> None:
        self._is_stopped = True

    def settimeout(self, value: float | None, /) -> None:
        self._socket.settimeout(value)

    def close(self) -> None:
        self._socket.close()


class Stream:
    """One end: `send`, `recv`, `close` as the class-room's Streamer has them, but `close` does not wait."""

    def __init__(self, session: StreamerSession, sock: FollowingSocket, destination: tuple[str, int]) -> None:
        """Start it."""
        self._session = session
        self._socket = sock
        self._driver = ThreadedDriver(session, sock, destination)
        self._closer: threading.Thread | None = None
        self._failure: BaseException | None = None

    def send(self, data: Buffer) -> None:
        """Send all of `data`; waits only while the buffer (1 MiB) is full.

        Raises:
            LocalProtocolError: after `close`.
            SurewireError: the connection has failed.
        """
        self._driver.send(data)

    def recv(self) -> bytes:
        """Wait for bytes and return all there are; b"" when the other end has closed and everything was read.

        Raises:
            SurewireError: the connection has failed.
        """
        return self._driver.recv()

    def close(self) -> None:
        """Send what is buffered and the end. Returns at once: `recv` goes on, and `wait_closed` waits."""
        if self._closer is None:
            self._closer = threading.Thread(target=self._close, name="surewire-closer", daemon=True)
            self._closer.start()

    @property
    def has_finished(self) -> bool:
        """Whether everything was sent and received and acknowledged both ways, or the connection has failed."""
        if self._closer is None:
            return False
        return self._session.state in (State.TIME_WAIT, State.CLOSED) or not self._closer.is_alive()

    def wait_closed(self) -> None:
        """Close and wait until everything has arrived and the other end has closed, too; 10 s for that.

        One of the two ends waits 2 s longer (the grace period), which `StreamPair.close` knows how to save.

        Raises:
            SurewireError: not everything is known to have arrived.
        """
        self.close()
        if self._closer is not None:
            self._closer.join()
        self._socket.close()
        if self._failure is not None:
            raise self._failure

    def end_grace_period(self) -> None:
        """End it, for a caller who knows that the other end has finished, too. Raises like `wait_closed`."""
        if self._session.state is State.TIME_WAIT:
            self.abandon()
        else:
            self.wait_closed()

    def abandon(self) -> None:
        """End it at once, whatever is under way; raises nothing."""
        self._socket.stoprecv()
        self.close()
        if self._closer is not None:
            self._closer.join()
        self._socket.close()

    def _close(self) -> None:
        try:
            self._driver.close()
        except BaseException as failure:
            self._failure = failure


class StreamPair:
    """Both ends and the link between them; unpacks into client and server.

    Attributes:
        client: the end whose datagrams go up the link.
        server: the other one.
        link: the network between them.
    """

    def __init__(self, client: Stream, server: Stream, between: LossyLink) -> None:
        """See `open_pair`."""
        self.client = client
        self.server = server
        self.link = between

    def __iter__(self) -> Iterator[Stream]:
        return iter((self.client, self.server))

    def close(self) -> None:
        """Close both ends, wait until all that was sent has arrived, close the link.

        Raises:
            SurewireError: not everything is known to have arrived; that of the client first.
        """
        for stream in self:
            stream.close()
        while not all(stream.has_finished for stream in self):
            time.sleep(_LOOK_AGAIN_S)
        try:
            self.client.end_grace_period()
        finally:
            try:
                self.server.end_grace_period()
            finally:
                self.link.close()

    def abandon(self) -> None:
        """End all of it at once."""
        for stream in self:
            stream.abandon()
        self.link.close()


def open_pair(*, config: StreamerConfig | None = None, **options: Value) -> StreamPair:
    """Two connected streams.

    Args:
        config: settings of both ends; None for the protocol's.
        options: of the link between, as for `link`: loss=10, delay=20, scenario="wifi", seed=7.

    Raises:
        ConfigError: an option makes no sense.
        OSError: the system gives no socket.
    """
    here, there = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    try:
        for sock in (here, there):
            sock.bind((_LOCALHOST, 0))
        between = link(to=there, **options)  # type: ignore[arg-type]  # seed and scenario stand among the options
    except BaseException:
        here.close()
        there.close()
        raise
    ends = []
    for name, sock, destination in (("client", here, between.address), ("server", there, between.reverse(here))):
        rng = random.Random(f"surewire pair {between.seed} {name}")
        session = StreamerSession(destination, rng=rng, now=time.monotonic_ns(), config=config)
        ends.append(Stream(session, FollowingSocket(sock), destination))
    return StreamPair(ends[0], ends[1], between)
