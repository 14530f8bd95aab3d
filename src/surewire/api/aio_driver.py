"""An endpoint on an asyncio event loop: a turn when the socket is readable, at a deadline, or after a verb.

It uses `add_reader`, `add_writer` and `call_later` of the loop, not datagram protocols: those cost an allocation and a
call for each datagram, and a read here brings many. Everything happens on the loop's thread, so there is no lock.

What is written is sent when the loop comes round, so that several small writes make one datagram; `flush` sends now.

Invariants: after each turn the loop holds a timer that rings no later than the endpoint's deadline; a driver that was
released closes its socket when the last connection is over.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import time
import weakref
from collections.abc import Callable

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.endpoint_pump import EndpointPump
from surewire.drivers.udp import UdpSocket
from surewire.errors import Aborted, SurewireError
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.wire.native_frames import GAVE_UP

_STARVED_NS = NS_PER_MS
_NEVER = 1 << 62


class LoopDriver:
    """Runs one endpoint over one socket on the running event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        socket: UdpSocket,
        *,
        on_accept: Callable[[Connection], None] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Register with the loop.

        Args:
            on_accept: called with each connection that was let in.
        """
        self.endpoint = endpoint
        self.socket = socket
        self.now = clock
        self.loop = asyncio.get_running_loop()
        self.is_over = False
        self._pump = EndpointPump(endpoint, socket, clock=clock)
        self._on_accept = on_accept
        # Weak, and so are the timers, so that a driver ends when a closed loop lets go of it, not when garbage is next
        # collected.
        self._watchers: dict[Connection, weakref.WeakMethod[Callable[[], None]]] = {}
        self._kept: dict[Connection, object] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = _NEVER
        self._soon: asyncio.Handle | None = None
        self._sent_before: int | None = None  # calls that had sent something when we began to wait for room
        self._is_kept = True
        self._failure: Exception | None = None
        self.loop.add_reader(socket.fileno(), self._on_readable)
        _drivers.add(self)

    def watch(self, connection: Connection, on_change: Callable[[], None]) -> None:
        """Have a method called whenever the network or a deadline may have changed the connection, until its end.

        The method's object is not kept alive.
        """
        self._watchers[connection] = weakref.WeakMethod(on_change)

    def keep(self, connection: Connection, needed: object) -> None:
        """Keep an object alive until the connection is over, or `let_go` is called."""
        self._kept[connection] = needed

    def let_go(self, connection: Connection) -> None:
        """Nothing has to be kept alive for this connection any more."""
        self._kept.pop(connection, None)

    def abandon(self, connection: Connection) -> None:
        """Reset a connection that the application has lost all references to; safe in destructors."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, which ends the connection as well
            self.loop.call_soon_threadsafe(self._abort, connection, "the peer's program forgot the connection")

    def push(self, connection: Connection) -> None:
        """A verb was called: send what it brought up when the loop comes round."""
        self.endpoint.touch(connection)
        if self._soon is None and not self.is_over:
            self._soon = self.loop.call_soon(_call_if_alive, weakref.WeakMethod(self.flush))

    def flush(self) -> None:
        """Send now what verbs brought up, if anything."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
            self._turn(receive=False)

    def raise_if_failed(self) -> None:
        """Raise `Aborted` if the socket or the endpoint is unusable."""
        if self._failure is not None:
            raise Aborted(f"the endpoint was stopped by {type(self._failure).__name__}: {self._failure}")

    def release(self) -> None:
        """Close the socket as soon as there is no connection any more."""
        self._is_kept = False
        self._end_if_idle()

    def abort_all(self, text: str) -> None:
        """Reset all connections."""
        for connection in self.endpoint.connections:
            self._abort(connection, text)

    def _abort(self, connection: Connection, text: str) -> None:
        if not connection.is_closed:
            connection.abort(GAVE_UP, text, now=self.now())
            self.push(connection)

    # The loop's calls.

    def _on_readable(self) -> None:
        self._turn(receive=True)

    def _on_timer(self) -> None:
        self._timer, self._rings_at = None, _NEVER
        self._turn(receive=True)

    def _on_writable(self) -> None:
        self._turn(receive=False)

    def _turn(self, *, receive: bool) -> None:
        if self.is_over:
            return
        try:
            if receive:
                self._pump.receive()
            self._pump.send()
            self._tell()
        except Exception as error:
            self._fail(error)
            return
        self._watch_for_room()
        self._arm()
        if not self._is_kept:
            self._end_if_idle()

    def _tell(self) -> None:
        for connection in self.endpoint.take_changed():
            watcher = self._watchers.get(connection)
            if watcher is not None:
                _call_if_alive(watcher)
            if connection.is_closed:
                self._watchers.pop(connection, None)
                self.let_go(connection)
        if self._on_accept is not None:
            while (accepted := self.endpoint.poll_accept()) is not None:
                self._on_accept(accepted)

    def _watch_for_room(self) -> None:
        if self._pump.is_blocked:
            sent = self.socket.stats.send_calls
            if self._sent_before == sent:
                # It said that it was writable and took nothing: the device below is full (ENOBUFS). Not again so soon.
                self.loop.remove_writer(self.socket.fileno())
                self._sent_before = None
                self._ring(self.now() + _STARVED_NS)
                return
            if self._sent_before is None:
                self.loop.add_writer(self.socket.fileno(), self._on_writable)
            self._sent_before = sent
        elif self._sent_before is not None:
            self.loop.remove_writer(self.socket.fileno())
            self._sent_before = None

    def _arm(self) -> None:
        due = self._pump.deadline()
        if due is not None:
            self._ring(due)

    def _ring(self, at: int) -> None:
        """Have a turn at this time, or before: a timer that rings too early costs less than a new one each turn."""
        if at >= self._rings_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        delay = max(at - self.now(), 0) / NS_PER_S
        self._timer = self.loop.call_later(delay, _call_if_alive, weakref.WeakMethod(self._on_timer))

    # The end.

    def _end_if_idle(self) -> None:
        if not self._is_kept and not self.endpoint.connections:
            self._end()

    def _end(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._soon is not None:
            self._soon.cancel()
        if not self.loop.is_closed():
            self.loop.remove_reader(self.socket.fileno())
            self.loop.remove_writer(self.socket.fileno())
        self.socket.close()
        for watcher in list(self._watchers.values()):
            _call_if_alive(watcher)
        self._watchers.clear()
        self._kept.clear()

    def _fail(self, error: Exception) -> None:
        """Nobody may rely on the endpoint any more: tell the peers, if that still works, and everybody here."""
        self._failure = error
        try:
            self.abort_all(f"stopped by {type(error).__name__}")
            self._pump.send()
        except Exception as second:
            error.add_note(f"and then the peers could not be told: {second!r}")
        self._end()
        if not isinstance(error, SurewireError | OSError):
            self.loop.call_exception_handler({"message": "surewire stopped an endpoint", "exception": error})

    def disown(self) -> None:
        """This process is a fork's child, and the connections are its parent's: say nothing on them."""
        self._failure = Aborted("the connections belong to the process that this one was forked from")
        # The loop is not told: what it watches with is shared with the parent's.
        self.is_over = True
        self.socket.close()

    def __del__(self) -> None:
        """The loop is closed, since nothing else lets go of a driver."""
        if not getattr(self, "is_over", True):
            self.end_without_loop()

    def end_without_loop(self) -> None:
        """The loop will not run any more: tell the peers of what was left open."""
        self.is_over = True
        with contextlib.suppress(SurewireError, OSError):
            for connection in self.endpoint.connections:
                self._abort(connection, "the program ended")
                self.endpoint.touch(connection)
            self._pump.send()
        self.socket.close()


def _call_if_alive(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (bound := method()) is not None:
        bound()


def _end_well() -> None:
    """The program ends, and something (a traceback, after sys.exit in a task) has kept drivers from being deleted."""
    for driver in list(_drivers):
        # A loop that still runs does so in another thread, and nobody else may touch what is its own.
        if not (driver.is_over or driver.loop.is_running()):
            driver.end_without_loop()


def _disown() -> None:
    for driver in list(_drivers):
        driver.disown()
    _drivers.clear()


_drivers: weakref.WeakSet[LoopDriver] = weakref.WeakSet()
atexit.register(_end_well)
os.register_at_fork(after_in_child=_disown)
