"""An endpoint that several threads use, and that whoever waits keeps going.

A turn (`EndpointPump`) and the sleep before the next are one role, and one thread has it at a time. A thread that
waits for something takes the role, so that a request and its answer, or a bulk of data, pass without a switch of
threads. Others who wait sleep on conditions; the driver wakes those whose connection changed, and when its own wait
is over hands the role to one of them. When no caller has had it for a few milliseconds, the background thread takes
it: acknowledgments, repairs and keep-alives go out while the application does something else. A caller that comes
then wakes it and gets the role.

Invariants: one lock guards the endpoint, the socket and everything here, and nobody sleeps with it; what a verb brings
up is sent at once, and a driver that would sleep past the new deadline is woken; whenever the role becomes free,
somebody who waits is told, or else the background thread. The lock is reentrant only because conditions of such
locks get it back whatever signals come.

A signal handler that raises (Ctrl-C) leaves everything whole when it meets a sleep. When it meets the protocol at
work, nobody knows what was half done: then the endpoint has failed, and all its streams say so.

A process made by fork() has a copy of everything here, keys and packet numbers included, but no thread that drives.
The connections stay the parent's: the copy sends nothing, and its verbs raise (`disown`).
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, TypeVar

from surewire.core.state import State
from surewire.core.units import NS_PER_S
from surewire.drivers.endpoint_pump import EndpointPump
from surewire.drivers.sleeper import Sleeper
from surewire.drivers.udp import UdpSocket
from surewire.errors import Aborted, SurewireError
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.wire.native_frames import GAVE_UP

T = TypeVar("T")
Subject = Connection | Endpoint

_CLOSING = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT, State.CLOSED})
_LOCK_WAIT_S = 1.0  # at the program's end
_WORTH_SAYING = 64 << 10  # bytes read after which the peer is told at once, if the connection wants to
_GRACE_S = 0.005  # how long the background thread leaves the role to callers that come and go
_NEVER = 1 << 62

# What a verb may raise without having left anything half done.
_ORDERLY = (SurewireError, TimeoutError, TypeError)


class _Sleep(NamedTuple):
    """A sleep: how long at most, whether it ends as the socket takes more, how long datagrams may gather; ns."""

    limit: int
    writable: bool
    gather: int


class _Role:
    """Who drives."""

    __slots__ = ("free", "is_background", "is_parked", "is_taken", "sleeps_until", "turns")

    def __init__(self, lock: threading.RLock) -> None:
        self.is_taken = False
        self.is_background = False  # by the background thread
        self.sleeps_until = 0  # when the driver wakes by itself; 0: it is awake, or there is none
        self.turns = 0  # times that a caller took it
        self.free = threading.Condition(lock)
        self.is_parked = False  # the background thread sleeps until a caller leaves it


class EndpointDriver:
    """Runs one endpoint over one socket, for any number of threads. As a context manager it guards work under `lock`.

    Verbs look so, and so do the getters of connections, which other threads change:

        with driver.lock, driver:
            connection.write(data, now=driver.now())
            driver.push(connection)
    """

    def __init__(self, endpoint: Endpoint, socket: UdpSocket, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Start the background thread. It ends, and the socket is closed, after `release` and the last connection.

        Raises:
            RuntimeError: no thread can be started.
            OSError: no descriptor is left.
        """
        self.lock = threading.RLock()
        self.endpoint = endpoint
        self.socket = socket
        self.now = clock
        self._pump = EndpointPump(endpoint, socket, clock=clock)
        self._sleeper = Sleeper(socket)
        self._waiters: dict[Subject, list[threading.Condition]] = {}
        self._abandoned: deque[Connection] = deque()  # filled by destructors, which must not wait for the lock
        self._role = _Role(self.lock)
        self._has_news = False  # connections have changed since the driver looked, or somebody else
        self._unsaid = 0  # bytes read since something was sent last
        self._is_kept = True
        self._is_over = False
        self._failure: BaseException | None = None
        self.is_foreign = False  # the connections are those of the process that this one was forked from
        threading.Thread(target=self._run, name="surewire-driver", daemon=True).start()

    def __enter__(self) -> None:
        if self.is_foreign:
            raise Aborted("the connection belongs to the process that this one was forked from")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, _ORDERLY):
            return
        self._fail(error)
        if isinstance(error, Exception):
            self.raise_if_failed()

    # For verbs, which hold the lock.

    def push(self, connection: Connection) -> None:
        """Send what a verb of `connection` brought up, and see to it that somebody keeps its new deadline."""
        self.endpoint.touch(connection)
        self._send()
        sleeps_until = self._role.sleeps_until
        if sleeps_until and (self._has_news or self._pump.is_blocked or self._due() < sleeps_until):
            self._wake_driver()

    def after_reading(self, connection: Connection, count: int) -> None:
        """`count` bytes were read: the room they made is told to the peer, with the next datagram or before a sleep."""
        self.endpoint.touch(connection)
        self._unsaid += count
        if self._unsaid >= _WORTH_SAYING:
            self._send()

    def tell(self, subject: Subject) -> None:
        """Something other than the network changed `subject`: whoever waits for it looks again."""
        self._notify(subject)
        if self._role.sleeps_until:
            self._wake_driver()

    def raise_if_failed(self) -> None:
        """Raise `Aborted` if the endpoint was stopped in the middle of its work, by a defect or an interrupt."""
        if self._failure is not None:
            raise Aborted(f"the endpoint was stopped by {_named(self._failure)}") from self._failure

    def release(self) -> None:
        """End everything here as soon as there is no connection any more."""
        self._is_kept = False
        self._sleeper.wake()

    # For anybody, without the lock.

    def disown(self) -> None:
        """This process is a fork's child, and nothing here is its own: give up the descriptors, say nothing."""
        self.lock = threading.RLock()  # whoever had the other one is not in this process
        self.is_foreign = True
        self.socket.close()
        self._sleeper.close()

    def abandon(self, connection: Connection) -> None:
        """Abort a connection that the application has lost all references to; safe in destructors."""
        self._abandoned.append(connection)
        self._sleeper.wake()

    def wait(self, ready: Callable[[], T | None], subject: Subject, *, timeout: float | None = None) -> T:
        """Return what `ready` returns, as soon as that is not None; drive meanwhile if nobody else does.

        Args:
            ready: called with the lock held, whenever `subject` may have changed. If it calls a verb, it has to
                `touch` the connection or to `push`.
            timeout: seconds, None: no limit.

        Raises:
            TimeoutError: `timeout` has passed.
            Aborted: the endpoint has failed.
            whatever `ready` raises.
        """
        deadline = _NEVER if timeout is None else self.now() + int(max(timeout, 0) * NS_PER_S)
        has_role = False
        try:
            with self.lock:
                while True:
                    with self:
                        if (result := self._look(ready, deadline)) is not None:
                            return result
                        if self._unsaid:
                            self._send()
                    if not self._role.is_taken:
                        self._role.is_taken = has_role = True
                        break
                    self._wait_for_driver(subject, deadline)
                self._role.turns += 1
                with self:
                    sleep = self._prepare_sleep(deadline)
            while True:
                self._sleep(sleep)
                with self.lock, self:
                    self._receive()
                    try:
                        result = self._look(ready, deadline)
                    except _ORDERLY:
                        self._send()
                        raise
                    if result is not None and self._unsaid:
                        return result  # what was read is often answered at once; else the background thread tells of it
                    self._send()
                    if result is not None:
                        return result
                    sleep = self._prepare_sleep(deadline)
        finally:
            if has_role:
                with self.lock:
                    self._leave_role()

    def end(self, seconds: float) -> None:
        """The program ends: reset what was not closed, and answer the peers of the rest, for `seconds` at most."""
        if not self.lock.acquire(timeout=_LOCK_WAIT_S):
            return  # a thread that was stopped for good holds it, and there is nobody to wait for
        try:
            lost = sum(each.written - each.acknowledged for each in self.endpoint.connections if not _is_closing(each))
            with self, contextlib.suppress(SurewireError, OSError):
                self.abort_all("the program ended", only=lambda connection: not _is_closing(connection))
            self.release()
        finally:
            self.lock.release()
        if lost:
            print(f"surewire: the program ended without close(); {lost} bytes may not have arrived", file=sys.stderr)

        def is_empty() -> bool | None:
            return None if self.endpoint.connections else True

        with contextlib.suppress(TimeoutError, SurewireError):
            self.wait(is_empty, self.endpoint, timeout=seconds)
        with self.lock, contextlib.suppress(SurewireError, OSError):
            self.abort_all("the program ended")

    def abort_all(self, text: str, *, only: Callable[[Connection], bool] = lambda _: True) -> None:
        """Reset the connections that `only` chooses, all without it; the lock is held."""
        for connection in self.endpoint.connections:
            if not connection.is_closed and only(connection):
                connection.abort(GAVE_UP, text, now=self.now())
                self.endpoint.touch(connection)
        self._send()

    # Under the lock.

    def _look(self, ready: Callable[[], T | None], deadline: int) -> T | None:
        self._has_news = False
        result = ready()
        if result is None:
            self.raise_if_failed()
            if self.now() >= deadline:
                raise TimeoutError("timed out")
            if self._is_over:
                raise Aborted("the endpoint is closed")
        return result

    def _due(self) -> int:
        due = self._pump.deadline()
        return _NEVER if due is None else due

    def _prepare_sleep(self, deadline: int) -> _Sleep:
        """What the driver's sleep is to be; from now on others have to wake it."""
        due = 0 if self._has_news else min(self._due(), deadline)
        self._role.sleeps_until = max(due, 1)
        return _Sleep(due - self.now(), self._pump.is_blocked, self._pump.patience())

    def _sleep(self, sleep: _Sleep) -> None:
        self._sleeper.sleep(sleep.limit, writable=sleep.writable, gather=sleep.gather)

    def _receive(self) -> None:
        self._role.sleeps_until = 0
        while self._abandoned:
            lost = self._abandoned.popleft()
            if not lost.is_closed:
                lost.abort(GAVE_UP, "the peer's program forgot the connection", now=self.now())
                self.endpoint.touch(lost)
        self._pump.receive()
        self._tell_changed()

    def _send(self) -> None:
        self._unsaid = 0
        self._pump.send()
        self._tell_changed()

    def _tell_changed(self) -> None:
        """Wake those who wait for what has changed; the driver itself looks anyway before it sleeps."""
        changed = self.endpoint.take_changed()
        if not changed:
            return
        self._has_news = True
        if self._waiters:
            for connection in changed:
                self._notify(connection)
            self._notify(self.endpoint)

    def _notify(self, subject: Subject) -> None:
        for waiter in self._waiters.get(subject, ()):
            waiter.notify()

    def _wake_driver(self) -> None:
        self._role.sleeps_until = 0
        self._sleeper.wake()

    def _wait_for_driver(self, subject: Subject, deadline: int) -> None:
        """Sleep until the driver says that `subject` changed or that the role is free."""
        waiter = threading.Condition(self.lock)
        self._waiters.setdefault(subject, []).append(waiter)
        if self._role.is_background:
            self._wake_driver()
        try:
            waiter.wait(None if deadline == _NEVER else max(deadline - self.now(), 0) / NS_PER_S)
        finally:
            waiters = self._waiters[subject]
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[subject]
            if not self._role.is_taken:
                self._offer_role()  # it may have been offered to this thread, which may be content

    def _leave_role(self) -> None:
        self._role.is_taken = self._role.is_background = False
        self._role.sleeps_until = 0
        self._offer_role()

    def _offer_role(self) -> None:
        for waiters in self._waiters.values():
            waiters[0].notify()
            return
        if self._role.is_parked:
            self._role.is_parked = False
            self._role.free.notify()

    def _fail(self, error: BaseException) -> None:
        """Nobody may rely on the endpoint any more: tell the peers, if that still works, and everybody here."""
        if self._failure is not None:
            return
        self._failure = error
        try:
            self.abort_all(f"stopped by {type(error).__name__}")
        except Exception as second:
            error.add_note(f"and then the peers could not be told: {second!r}")
        for subject in self._waiters:
            self._notify(subject)
        self._sleeper.wake()

    # The background thread.

    def _run(self) -> None:
        try:
            while self._wait_for_role():
                self._drive_in_background()
        finally:
            with self.lock:
                self._is_over = True
                self.socket.close()
                self._sleeper.close()
                for subject in self._waiters:
                    self._notify(subject)

    def _wait_for_role(self) -> bool:
        """Take the role when no caller has had it for a while; False when there is nothing left to drive."""
        role = self._role
        with self.lock:
            while True:
                if self._role.is_taken:
                    role.is_parked = True
                    role.free.wait()
                    continue
                if self._failure is not None or not (self._is_kept or self.endpoint.connections):
                    return False
                turns = role.turns
                role.free.wait(_GRACE_S)
                if not self._role.is_taken and not self._waiters and role.turns == turns:
                    role.is_taken = role.is_background = True
                    return True

    def _drive_in_background(self) -> None:
        try:
            while True:
                with self.lock, self:
                    self._send()  # first, as a connection may be over with what it sends
                    if self._waiters or self._failure is not None:
                        return
                    if not (self._is_kept or self.endpoint.connections):
                        return
                    self._has_news = False  # it waits for nothing
                    sleep = self._prepare_sleep(_NEVER)
                self._sleep(sleep)
                with self.lock, self:
                    self._receive()
        except Aborted:
            pass  # the endpoint has failed: every verb of every stream tells it from now on
        finally:
            with self.lock:
                self._leave_role()


def _is_closing(connection: Connection) -> bool:
    return connection.state in _CLOSING


def _named(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
