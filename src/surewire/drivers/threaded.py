"""A blocking byte stream for an application: a duplex session run by two threads over a socket that blocks.

The listener waits in `recvfrom`, the transmitter sends and keeps the deadlines; the application's threads
call `send`, `recv` and `close`. All protocol decisions are the session's, all waiting is done here.

One lock guards the session, and nobody holds it while a system call or a packet may take time: the
transmitter asks for a packet under the lock and sends it outside, one at a time, so each is built when it
can leave. It sleeps on `_work` and the application on `_changed`; both are conditions of that lock.

The threads end with the session, not with `close`, so a connection that failed leaves none behind. They
are daemons, so a program may end without `close`.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Protocol

from surewire.core.state import State
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_S
from surewire.drivers.driven import DrivenSession
from surewire.errors import Aborted, LocalProtocolError, SurewireError

_LISTEN_WAIT = 0.05  # s; how long the listener may take to notice that the session is over
_APPLICATION_WAIT = 0.5  # s; where a wait cannot be interrupted (Windows), Ctrl-C takes this long
_STOPPED = ("", 0)  # the source that recvfrom gives after stoprecv
_ENDED = "the program's main thread ended before close() was done; what the peer had not acknowledged may be lost"


class StreamSession(DrivenSession, Protocol):
    """What the threaded driver needs beyond that: the verbs of a stream, and how it stands."""

    @property
    def state(self) -> State: ...

    @property
    def has_ended(self) -> bool: ...

    @property
    def error(self) -> SurewireError | None: ...

    @property
    def reading_error(self) -> SurewireError | None: ...

    @property
    def note(self) -> str | None: ...

    @property
    def unacknowledged(self) -> int: ...

    def write(self, data: Buffer, *, now: int) -> int: ...

    def read(self) -> bytes: ...

    def flush(self, *, now: int) -> None: ...

    def finish(self, *, now: int) -> None: ...

    def abort(self, reason: str, *, now: int) -> None: ...


class ClassroomSocket(Protocol):
    """What the driver needs of a socket, which is what the assignment lets a Streamer use."""

    def sendto(self, message: bytes, dst: tuple[str, int], /) -> object: ...

    def recvfrom(self) -> tuple[bytes, Address]: ...

    def stoprecv(self) -> object: ...

    def settimeout(self, value: float | None, /) -> object: ...


class ThreadedDriver:
    """Runs one session over one socket; every method may be called from any thread.

    The socket is not closed, neither here nor by `close`: LossyUDP delivers late, from timers of its own, and
    closing it would lose the last acknowledgment and print a traceback. It goes with its last reference. The
    timers are daemons like the thread that starts them, so what they hold when the program ends is lost: the
    session's grace period has to be longer than any delay.
    """

    def __init__(
        self,
        session: StreamSession,
        socket: ClassroomSocket,
        destination: tuple[str, int],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Start the two threads.

        Args:
            session: open, and from now on used by this driver only.
            socket: bound; its timeout is set here.
            destination: where every packet goes. Sources are given to the session as the socket names them.
            clock: what the session takes for `now`, ns.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._session = session
        self._socket = socket
        self._destination = destination
        self._clock = clock
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._senders = threading.Lock()  # keeps the bytes of one send() together
        self._is_idle = False  # the transmitter sleeps and nobody has woken it yet
        self._is_closing = False
        self._has_told_end = False
        self._has_told_outcome = False
        self._failure: Exception | None = None  # what went wrong in one of the threads
        socket.settimeout(_LISTEN_WAIT)
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"surewire-{name}", daemon=True)
            for name, work in (("listener", self._listen), ("transmitter", self._transmit))
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(_call_if_alive, weakref.WeakMethod(self.tell_what_is_lost))

    # The application's verbs.

    def send(self, data: Buffer) -> None:
        """Hand over all of `data`; wait only while the session's buffer is full. Empty data send nothing.

        Raises:
            TypeError: `data` is not bytes-like.
            LocalProtocolError: after `close`.
            SurewireError: the connection has failed.
        """
        rest = data if isinstance(data, bytes) else _as_bytes(data)
        with self._senders, self._lock:
            self._check_sendable()
            if not rest:
                return
            taken = self._session.write(rest, now=self._clock())
            self._wake_transmitter()
            if taken < len(rest):
                self._send_when_there_is_room(memoryview(rest)[taken:])

    def recv(self) -> bytes:
        """The next bytes, at least one; waits for them. b"" only after the end, and then always.

        Raises:
            SurewireError: the connection has failed and what had arrived is handed out.
        """
        is_waiting = False
        with self._lock:
            while True:
                if data := self._session.read():
                    self._wake_transmitter()  # there is room to announce
                    return data
                if self._has_told_end:
                    return b""  # even if what we sent fails later: that is for close() to say
                if self._session.has_ended:
                    self._has_told_end = True
                    return b""
                self._raise_if_failed()
                if (error := self._session.reading_error) is not None:
                    raise error.with_traceback(None)
                if not is_waiting:
                    is_waiting = True
                    self._session.flush(now=self._clock())
                    self._wake_transmitter()
                self._changed.wait(_APPLICATION_WAIT)

    def close(self) -> None:
        """Send what is buffered and the end, wait until the session is over, and end the threads.

        The session limits the wait. Further calls wait for the first and say nothing.

        Raises:
            SurewireError: not everything is known to have arrived.

        Warns:
            RuntimeWarning: everything has arrived, but the connection did not end as it should.
        """
        with self._lock:
            self._is_closing = True
            if not self._is_over:
                self._session.finish(now=self._clock())
                self._wake_transmitter()
                self._changed.notify_all()  # whoever waits in send() must not go on
            while not self._is_over:
                self._changed.wait(_APPLICATION_WAIT)
        for thread in self._threads:
            thread.join()
        with self._lock:
            if self._has_told_outcome:
                return
            self._has_told_outcome = True
        self._raise_if_failed()
        if (note := self._session.note) is not None:
            warnings.warn(note, RuntimeWarning, stacklevel=3)  # the line that called Streamer.close

    def tell_what_is_lost(self) -> None:
        """At the program's end: say so if `close` was forgotten and bytes are on their way."""
        if not self._lock.acquire(timeout=1):
            return  # a thread that was stopped for good holds it, and there is nobody to wait for
        try:
            count = 0 if self._is_closing or self._is_over else self._session.unacknowledged
        finally:
            self._lock.release()
        if count:
            os.write(2, f"surewire: the program ended without close(); {count} bytes may not have arrived\n".encode())

    # Under the lock.

    @property
    def _is_over(self) -> bool:
        return self._failure is not None or self._session.state is State.CLOSED

    def _wake_transmitter(self) -> None:
        """Cheap if it is busy: it asks the session again anyway before it sleeps."""
        if self._is_idle:
            self._is_idle = False
            self._work.notify()

    def _check_sendable(self) -> None:
        if self._is_closing:
            raise LocalProtocolError("send() after close()")
        self._raise_if_failed()

    def _raise_if_failed(self) -> None:
        if self._failure is not None:
            raise Aborted(_reason(self._failure)) from self._failure
        if (error := self._session.error) is not None:
            raise error.with_traceback(None)  # it may be raised many times; tracebacks would add up

    def _send_when_there_is_room(self, rest: memoryview) -> None:
        while rest:
            self._changed.wait(_APPLICATION_WAIT)
            self._check_sendable()
            if taken := self._session.write(rest, now=self._clock()):
                rest = rest[taken:]
                self._wake_transmitter()

    # The threads.

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._fail(error)
        with self._lock:
            self._wake_transmitter()
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        """Keep the error for the application and end the session."""
        with self._lock:
            if self._is_over:
                return  # the first failure counts, and what comes after the end changes nothing
            self._failure = error
            try:
                self._session.abort(_reason(error), now=self._clock())
            except Exception as second:
                # a session that raised may be unable to end as well; `_failure` ends everything without it
                error.add_note(f"and then the session could not be ended: {second!r}")

    def _listen(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom()
            except TimeoutError:
                with self._lock:
                    if self._is_over:
                        return
                continue
            except ConnectionError:
                if self._on_refused():
                    continue
                return
            with self._lock:
                if self._is_over:
                    return
                if source == _STOPPED:
                    raise OSError("the socket was stopped from outside")
                if data:
                    self._session.handle_datagrams(data, len(data), source, now=self._clock())
                    self._wake_transmitter()
                    self._changed.notify_all()

    def _on_refused(self) -> bool:
        """Some systems (Windows) tell the next call that nothing listened where a packet went. False after the end."""
        with self._lock:
            if self._is_over:
                return False
            self._session.handle_refused(now=self._clock())
            self._wake_transmitter()
            self._changed.notify_all()
            return True

    def _transmit(self) -> None:
        try:
            while (train := self._next_train()) is not None:
                for datagram in train.datagrams():
                    self._send_datagram(datagram)
        except _ProgramEnded as error:
            # Not through sys.stderr: at this point a daemon may be stopped for good while it holds the stream's lock.
            os.write(2, f"surewire: {error}\n".encode())
            self._fail(error)
        except Exception as error:
            self._fail(error)  # before the listener can meet the stopped socket and take that for the cause
        finally:
            self._socket.stoprecv()

    def _send_datagram(self, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, self._destination)
        except TimeoutError:
            pass  # no room in the system's buffer: a lost packet, and the session knows what to do about those
        except ConnectionError:
            self._on_refused()
        except RuntimeError as error:
            if threading.main_thread().is_alive():
                raise
            # Python 3.12 and later start no thread after the main thread's end, and LossyUDP needs one for each packet.
            raise _ProgramEnded(_ENDED) from error

    def _next_train(self) -> Train | None:
        """What to send now; waits for it. None when the session is over and has nothing left to say."""
        session = self._session
        with self._lock:
            while self._failure is None or session.state is State.CLOSED:
                now = self._clock()
                deadline = session.poll_timeout()
                if deadline is not None and deadline <= now:
                    session.handle_timeout(now=now)
                    self._changed.notify_all()
                train = session.poll_transmit(now=now)
                if train is not None:
                    return train
                while session.poll_event() is not None:
                    pass  # the getters say the same, at the time the application asks
                if session.state is State.CLOSED:
                    return None
                deadline = session.poll_timeout()
                self._is_idle = True
                self._work.wait(None if deadline is None else max(deadline - now, 0) / NS_PER_S)
                self._is_idle = False
        return None


class _ProgramEnded(Exception):
    """The interpreter shuts down; nothing can be sent any more."""


def _call_if_alive(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (bound := method()) is not None:
        bound()


def _as_bytes(data: Buffer) -> memoryview:
    """A view that counts in bytes, whatever the items of `data` are."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"send() takes bytes, not {type(data).__name__}") from None
    return view.cast("B") if view.nbytes else memoryview(b"")


def _reason(failure: Exception) -> str:
    if isinstance(failure, _ProgramEnded):
        return str(failure)
    return f"the connection was ended by an error: {type(failure).__name__}: {failure}"
