"""A server's socket: it lets connections in and hands them out as streams.

Streams share the listener's socket and outlive it: closing the listener only ends the letting in.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from surewire.api.driving import EndpointDriver
from surewire.api.stream import Stream
from surewire.drivers.udp_options import HostPort
from surewire.errors import LocalProtocolError
from surewire.wire.native_frames import GAVE_UP


class Listener:
    """Where clients connect to. Iterating gives the streams of those that come, until it is closed."""

    def __init__(self, driver: EndpointDriver, *, public_key: bytes | None) -> None:
        """Take a driver whose endpoint listens; `surewire.listen` makes listeners."""
        self._driver = driver
        self._is_closed = False
        self.public_key = public_key
        """The key that clients know this server by; None where they share one with it, or there is none."""

    @property
    def address(self) -> HostPort:
        """Local host and port; the port is the true one when 0 was asked for."""
        return self._driver.socket.address

    @property
    def fingerprint(self) -> str | None:
        """`public_key` in the form that people read out."""
        from surewire.crypto.fingerprints import fingerprint  # only whoever asks has to wait for it

        return None if self.public_key is None else fingerprint(self.public_key)

    def accept(self, timeout: float | None = None) -> Stream:
        """The next connection; waits for it, at most `timeout` seconds.

        Raises:
            TimeoutError: none came.
            LocalProtocolError: the listener is closed.
            Aborted: the socket is unusable.
        """

        def take() -> Stream | None:
            if self._is_closed:
                raise LocalProtocolError("accept on a closed listener")
            connection = self._driver.endpoint.poll_accept()
            return None if connection is None else Stream(self._driver, connection)

        return self._driver.wait(take, self._driver.endpoint, timeout=timeout)

    def __iter__(self) -> Iterator[Stream]:
        while not self._is_closed:
            try:
                stream = self.accept()
            except LocalProtocolError:
                return
            yield stream

    def close(self) -> None:
        """Let nobody in any more, and reset connections that were not accepted; streams go on. Never waits."""
        driver = self._driver
        if driver.is_foreign:
            return
        with driver.lock, driver:
            if self._is_closed:
                return
            self._is_closed = True
            driver.endpoint.close_listening(now=driver.now())
            while (connection := driver.endpoint.poll_accept()) is not None:
                if not connection.is_closed:
                    connection.abort(GAVE_UP, "the server closes", now=driver.now())
                driver.push(connection)
            driver.tell(driver.endpoint)
            driver.release()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        host, port = self.address
        return f"<surewire.Listener on {host}:{port}{', closed' if self._is_closed else ''}>"
