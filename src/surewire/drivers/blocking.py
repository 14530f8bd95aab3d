"""The event loop of one session over one UDP socket, on the caller's thread.

Order of work, over and over: send until the session or the socket has enough, hand out events, sleep
until a datagram or a deadline is due, take what came. All protocol decisions are the session's.

Sleeps are bounded, so that a flag set by a signal handler is seen soon without tricks of the system.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from surewire.core.events import Closed, Event
from surewire.core.units import NS_PER_MS
from surewire.drivers.driven import DrivenSession
from surewire.drivers.udp import UdpSocket

_MAX_SLEEP = 100 * NS_PER_MS  # how late a stop request may be noticed
_READS_PER_TURN = 16  # a fast sender must not keep acknowledgments from leaving


class BlockingDriver:
    """Runs a session to its end."""

    def __init__(
        self,
        session: DrivenSession,
        socket: UdpSocket,
        *,
        on_event: Callable[[Event], None],
        on_turn: Callable[[], int | None],
    ) -> None:
        """Take the session and its socket.

        Args:
            on_event: the application; called for each event, may call the session's verbs.
            on_turn: called once a turn, after sending; for logs, progress and stop requests. Returns
                how soon it wants to be called again (ns), or None when it does not care.
        """
        self._session = session
        self._socket = socket
        self._on_event = on_event
        self._on_turn = on_turn

    def run(self) -> Closed:
        """Turn the crank until the session has closed; return its last event.

        Raises:
            OSError: the socket cannot be used at all.
        """
        session, socket = self._session, self._socket
        while True:
            self._send()
            closed = self._hand_out_events()
            again = self._on_turn()
            if closed is not None:
                self._send_last()
                self._on_turn()
                return closed
            self._sleep(again)
            for _ in range(_READS_PER_TURN):
                received = socket.receive()
                if received is None:
                    break
                session.handle_datagrams(received.buffer, received.stride, received.source, now=time.monotonic_ns())
                if socket.is_dry:
                    break
            now = time.monotonic_ns()
            if socket.take_refused():
                session.handle_refused(now=now)
            deadline = session.poll_timeout()
            if deadline is not None and deadline <= now:
                session.handle_timeout(now=now)

    def _send(self) -> None:
        session, socket = self._session, self._socket
        if not socket.flush():
            return
        while (train := session.poll_transmit(now=time.monotonic_ns())) is not None:
            if not socket.send(train):
                return

    def _send_last(self) -> None:
        """Send what closing left (a RST, for one), waiting a little for a socket that is full."""
        deadline = time.monotonic_ns() + _MAX_SLEEP
        self._send()
        while self._socket.pending and (left := deadline - time.monotonic_ns()) > 0:
            while self._socket.receive() is not None:
                pass  # nothing that arrives now means anything, but it would end each sleep
            self._socket.wait(left, writable=True)
            self._send()

    def _hand_out_events(self) -> Closed | None:
        while (event := self._session.poll_event()) is not None:
            self._on_event(event)
            if isinstance(event, Closed):
                return event
        return None

    def _sleep(self, again: int | None) -> None:
        wait = _MAX_SLEEP if again is None else min(again, _MAX_SLEEP)
        deadline = self._session.poll_timeout()
        if deadline is not None:
            wait = min(wait, deadline - time.monotonic_ns())
        self._socket.wait(max(wait, 0), writable=self._socket.pending)
