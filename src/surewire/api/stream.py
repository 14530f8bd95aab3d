"""One connection as the application sees it: a stream of bytes each way, with the verbs of a socket.

All protocol decisions are the connection's, all waiting is the driver's (`driving.py`); here it is said what each verb
waits for. Every method may be called from any thread; one that waits in another thread ends when the stream is closed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import warnings
from types import TracebackType
from typing import Literal, cast

from surewire.api.driving import EndpointDriver
from surewire.api.open_files import HasDescriptor, KeptError, OpenSink, OpenSource, descriptor_of
from surewire.api.options import checked_rate
from surewire.api.outcomes import (
    as_bytes,
    delivered,
    has_ended,
    peer_end_wait,
    raise_if_lost,
    raise_if_over,
    stored,
)
from surewire.core.trains import Buffer
from surewire.drivers.udp_options import HostPort, UdpStats
from surewire.errors import ConfigError, DestinationError, LocalProtocolError, Unconfirmed
from surewire.native.connection import Connection
from surewire.native.statistics import ConnectionStats
from surewire.transfer.files import ScatterSource, Sink
from surewire.wire.native_frames import GAVE_UP

_WORTHWHILE = 256 << 10  # bytes of room that sendall waits for: writing byte by byte as acknowledgments come is slow


class Stream:
    """A reliable stream of bytes to and from one peer. As a context manager it closes, or aborts on an exception."""

    def __init__(self, driver: EndpointDriver, connection: Connection, *, server_key: bytes | None = None) -> None:
        """Take an established connection of the driver's endpoint; `connect` and `Listener.accept` make streams."""
        self._driver = driver
        self._connection = connection
        self.server_key = server_key
        """The public key that the server has shown; None on the server's side, and where it needs none."""
        self._timeout: float | None = None
        self._sending = threading.Lock()  # keeps the bytes of one sendall together
        self._is_closing = False

    @property
    def peer(self) -> HostPort:
        """Host and port of the peer. They may change when it moves, or the NAT it is behind forgets."""
        return cast(HostPort, self._connection.peer)

    @property
    def address(self) -> HostPort:
        """Local host and port."""
        return self._driver.socket.local_address(self.peer)

    @property
    def fingerprint(self) -> str | None:
        """`server_key` in the form that people read out."""
        from surewire.crypto.fingerprints import fingerprint  # only whoever asks has to wait for it

        return None if self.server_key is None else fingerprint(self.server_key)

    def stats(self) -> ConnectionStats:
        """How the connection stands at this moment."""
        with self._driver.lock, self._driver:
            return self._connection.stats()

    def socket_stats(self) -> UdpStats:
        """What went through the socket, which the streams of one listener share: datagrams that this host's kernel
        dropped, whether it cuts and joins trains, and how often it refused to."""
        with self._driver.lock, self._driver:
            return dataclasses.replace(self._driver.socket.stats)

    @property
    def max_rate(self) -> int | None:
        """Bytes of the stream a second that this side sends at most, repeats included; None: no limit.

        Setting it takes effect at once. ConfigError: it is no whole number above 0, nor None.
        """
        return self.stats().max_rate

    @max_rate.setter
    def max_rate(self, rate: int | None) -> None:
        limit = checked_rate(rate)
        with self._driver.lock, self._driver:
            self._connection.limit_rate(limit, now=self._driver.now())
            self._driver.push(self._connection)

    def settimeout(self, seconds: float | None) -> None:
        """Let every later call that waits raise TimeoutError after so long; None: wait without limit."""
        if seconds is not None and seconds < 0:
            raise ConfigError("a timeout is not negative")
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        """What `settimeout` has set."""
        return self._timeout

    # Sending.

    def sendall(self, data: Buffer) -> None:
        """Hand over all of `data`; wait while the send buffer is full. Returning says nothing about arrival.

        Data that are `bytes` are not copied if there is room; others may be changed as soon as this returns.

        Raises:
            TimeoutError: the timeout has passed; some of the data may have been taken.
            LocalProtocolError: after `shutdown`, `close` or `abort`.
            ConnectionLost: the connection is over.
        """
        whole = data if isinstance(data, bytes) else as_bytes(data, "sendall")
        connection, driver = self._connection, self._driver
        with self._sending:
            taken = self._write(whole, "sendall")
            if taken == len(whole):
                return

            worthwhile = min(_WORTHWHILE, connection.config.send_buffer // 2)

            def write_rest() -> bool | None:
                nonlocal taken
                self._raise_unless_open("sendall")
                if connection.room >= min(worthwhile, len(whole) - taken):
                    taken += connection.write(whole[taken : taken + connection.room], now=driver.now())
                    driver.push(connection)
                return True if taken == len(whole) else None

            driver.wait(write_rest, connection, timeout=self._timeout)

    def send(self, data: Buffer) -> int:
        """Hand over as much of `data` as there is room for, at least a byte; wait for that. Return how much.

        Raises like `sendall`.
        """
        whole = data if isinstance(data, bytes) else as_bytes(data, "send")
        with self._sending:
            taken = self._write(whole, "send")
            if taken or not len(whole):
                return taken

            def write_some() -> int | None:
                self._raise_unless_open("send")
                if taken := self._connection.write(whole, now=self._driver.now()):
                    self._driver.push(self._connection)
                return taken or None

            return self._driver.wait(write_some, self._connection, timeout=self._timeout)

    def sendfile(self, file: int | HasDescriptor, offset: int = 0, count: int | None = None) -> int:
        """Send bytes of an open regular file, read as they are sent, and wait until the peer has acknowledged them.

        Args:
            file: a file object or a descriptor; its position is not used and not moved. Its content has to
                stay as it is until this returns, or the connection has ended.
            offset, count: which bytes; `count` None: up to the end of the file.

        Returns:
            How many were sent.

        Raises:
            ConfigError: it is no regular file, not open for reading, not that long, or its length is not known.
            SourceChanged: the file became shorter meanwhile; the connection is over.
            TimeoutError: the timeout has passed. The rest will still be read from the file and sent.
            Otherwise like `sendall`.
        """
        source = OpenSource(descriptor_of(file), offset, count)
        if not source.size:
            return 0
        connection = self._connection
        with self._sending, self._driver.lock, self._driver:
            self._raise_unless_open("sendfile")
            connection.send_source(source, 0, source.size, now=self._driver.now())
            stop = connection.written
            self._driver.push(connection)

        def is_acknowledged() -> bool | None:
            if connection.acknowledged >= stop:
                return True
            self._raise_unless_open("sendfile")
            return None

        self._driver.wait(is_acknowledged, connection, timeout=self._timeout)
        return source.size

    def send_source(self, source: ScatterSource, offset: int, count: int) -> None:
        """Let bytes of a source follow what was sent; they are read when they are sent. Never waits.

        The source has to stay until they are acknowledged or the connection is over. Raises like `sendall`.
        """
        with self._sending, self._driver.lock, self._driver:
            self._raise_unless_open("send_source")
            self._connection.send_source(source, offset, count, now=self._driver.now())
            self._driver.push(self._connection)

    def shutdown(self, how: int = socket.SHUT_WR) -> None:
        """Say that no more will be sent (SHUT_WR); with SHUT_RDWR also that nothing more will be read. Never waits.

        Raises:
            ConfigError: another `how`.
            ConnectionLost: the connection is over.
        """
        if how not in (socket.SHUT_WR, socket.SHUT_RDWR):
            raise ConfigError("shutdown takes socket.SHUT_WR or socket.SHUT_RDWR")
        with self._driver.lock, self._driver:
            raise_if_lost(self._connection)
            if how == socket.SHUT_WR:
                self._connection.finish(now=self._driver.now())
            else:
                self._connection.close(now=self._driver.now())
            self._driver.push(self._connection)
            self._driver.tell(self._connection)

    # Receiving.

    def recv(self, limit: int) -> bytes:
        """At most `limit` (> 0) bytes, at least one; waits for them. b"" after the end, and then always.

        Raises:
            TimeoutError: the timeout has passed.
            LocalProtocolError: after `close` or `abort`.
            ConnectionLost: the connection is over, and what had arrived is handed out.
        """
        if limit < 1:
            raise ConfigError("recv takes a positive number of bytes")

        def read() -> bytes | None:
            if data := self._connection.read(limit, now=self._driver.now()):
                self._driver.after_reading(self._connection, len(data))
                return data
            return b"" if self._has_ended("recv") else None

        return self._driver.wait(read, self._connection, timeout=self._timeout)

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` with what is there, at least a byte; return how many, 0 after the end. Raises like `recv`."""
        view = as_bytes(buffer, "recv_into")
        if not len(view):
            raise ConfigError("recv_into takes a buffer that holds at least a byte")

        def read() -> int | None:
            if count := self._connection.read_into(view, now=self._driver.now()):
                self._driver.after_reading(self._connection, count)
            return count or (0 if self._has_ended("recv_into") else None)

        return self._driver.wait(read, self._connection, timeout=self._timeout)

    def recv_exactly(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            EOFError: the stream ended before; what there was of it is lost.
            Otherwise like `recv`; after TimeoutError, what had arrived is lost.
        """
        data = bytearray(count)
        view = memoryview(data)
        while view:
            got = self.recv_into(view)
            if not got:
                raise EOFError(f"the stream ended after {count - len(view)} of {count} bytes")
            view = view[got:]
        return bytes(data)

    def recvfile(self, file: int | HasDescriptor, count: int, offset: int = 0) -> int:
        """Store the next `count` bytes in an open regular file, each where it belongs, as soon as it comes.

        Args:
            file: a file object or a descriptor, open for writing; its position is not used and not moved.
            offset: where the first byte goes.

        Returns:
            How many bytes there were: fewer than `count` if the stream ended.

        Raises:
            ConfigError: it is no regular file, or not open for writing anywhere in it (as with mode "a").
            DestinationError: the bytes cannot be stored (disk full); the connection is reset.
            TimeoutError: the timeout has passed; what is missing will still be stored when it comes.
            Otherwise like `recv`. Behind a hole there may be bytes stored already.
        """
        sink = OpenSink(descriptor_of(file), offset, count)
        connection = self._connection
        with self._driver.lock, self._driver:
            self._raise_unless_readable("recvfile")
            if count:
                try:
                    connection.divert(sink, count, now=self._driver.now())
                except DestinationError as error:  # of what had arrived already
                    connection.abort(GAVE_UP, str(error), now=self._driver.now())
                    raise
                finally:
                    self._driver.push(connection)

        def find_stored() -> int | None:
            self._raise_unless_readable("recvfile")
            return stored(connection, count)

        return self._driver.wait(find_stored, connection, timeout=self._timeout)

    def receive_into(self, sink: Sink, count: int) -> int:
        """Let `sink` have the next `count` bytes, from its offset 0, each as soon as it comes and in any order.

        Returns:
            How many bytes there were: fewer than `count` if the stream ended.

        Raises:
            DestinationError: the sink could not store them. What it has not got is dropped when it comes, and the
                connection can still be used.
            Otherwise like `recvfile`.
        """
        kept = KeptError(sink)
        connection = self._connection
        with self._driver.lock, self._driver:
            self._raise_unless_readable("receive_into")
            if not count:
                return 0
            connection.divert(kept, count, now=self._driver.now())
            self._driver.push(connection)

        def is_stored() -> int | None:
            if kept.error is not None:
                raise kept.error
            left = connection.diverted_left
            return count - left if not left or self._has_ended("receive_into") else None

        return self._driver.wait(is_stored, connection, timeout=self._timeout)

    # The end.

    def close(self, timeout: float | None = None) -> Literal["confirmed"]:
        """Send what is left and the end, throw away what still comes, and wait for the peer to have it all.

        A peer that has everything is given a second to end its own direction, so that its close is confirmed, too; it
        is answered in the background after that.

        Args:
            timeout: seconds; None: until the connection itself gives up, which it does when the peer is silent for
                its idle timeout.

        Returns:
            "confirmed": the peer has acknowledged every byte and the end. Again, if called again.

        Raises:
            Unconfirmed: it has not, in time; the connection is reset.
            ConnectionLost: it never will.
        """
        connection = self._connection
        with self._driver.lock, self._driver:
            if not self._is_closing:
                self._is_closing = True
                if not connection.is_closed:
                    connection.close(now=self._driver.now())
                    self._driver.push(connection)
                self._driver.tell(connection)

        try:
            self._driver.wait(lambda: delivered(connection), connection, timeout=timeout)
        except TimeoutError:
            with self._driver.lock, self._driver:
                if not connection.is_closed:
                    connection.abort(0, "the peer did not confirm the end in time", now=self._driver.now())
                    self._driver.push(connection)
            raise Unconfirmed(f"the peer did not confirm the end within {timeout:g} s") from None
        # The peer has everything; if it takes its time to end, that is not our concern.
        wait = peer_end_wait(connection)
        with contextlib.suppress(TimeoutError):
            self._driver.wait(lambda: connection.is_confirmed or connection.is_closed or None, connection, timeout=wait)
        return "confirmed"

    def abort(self, code: int = 0, text: str = "ended by the application") -> None:
        """Reset the connection: the peer's calls raise `Reset` with this code (>= 0) and text (<= 255 bytes of UTF-8).

        Does nothing when the connection is over, or belongs to the process that this one was forked from.
        """
        connection = self._connection
        if self._driver.is_foreign:
            return
        with self._driver.lock, self._driver:
            if not connection.is_closed:
                connection.abort(code, text, now=self._driver.now())
                self._driver.push(connection)
            self._is_closing = True  # not before: a code or text that is refused leaves the stream as it was
            self._driver.tell(connection)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.abort(GAVE_UP, f"ended by {type(error).__name__}")
        elif not self._is_closing:
            self.close()

    def __del__(self) -> None:
        if getattr(self, "_is_closing", True) or self._connection.is_closed or self._driver.is_foreign:
            return
        warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        self._driver.abandon(self._connection)

    def __repr__(self) -> str:
        return f"<surewire.Stream to {self._connection.peer}, {self._connection.state.name}>"

    # Under the driver's lock, but for `_write`.

    def _write(self, data: bytes | memoryview, verb: str) -> int:
        """Write what there is room for."""
        with self._driver.lock, self._driver:
            self._raise_unless_open(verb)
            taken = self._connection.write(data, now=self._driver.now())
            self._driver.push(self._connection)
            return taken

    def _raise_unless_open(self, verb: str) -> None:
        self._driver.raise_if_failed()
        raise_if_lost(self._connection)
        if self._is_closing:
            raise LocalProtocolError(f"{verb} on a closed stream")
        raise_if_over(self._connection, verb)

    def _has_ended(self, verb: str) -> bool:
        self._raise_unless_readable(verb)
        return has_ended(self._connection, verb)

    def _raise_unless_readable(self, verb: str) -> None:
        if self._is_closing:
            raise_if_lost(self._connection)
            raise LocalProtocolError(f"{verb} on a closed stream")
