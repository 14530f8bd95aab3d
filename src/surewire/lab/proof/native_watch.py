"""Watches native connections one by one, and the endpoint that they belong to, as `session_checker` does a session.

A connection is driven by its endpoint and not by the network, so it is watched from inside: `watched_connections`
makes a class of connections whose calls pass a `Watch` each. The endpoint around them has no state of its own;
`watched_endpoint` holds it to what every session is held to: time, timers that give way, an end of what it sends, no
exception, and its limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surewire.core.events import Event
from surewire.core.state import SEALED, State
from surewire.core.trains import Address, Train
from surewire.core.units import NS_PER_S
from surewire.lab.proof.session_checker import Level, Limits, Watch, Watched
from surewire.lab.proof.violations import Findings
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint
from surewire.native.opening import ClientOpening
from surewire.wire.native_datagram import LongDatagram
from surewire.wire.slots import Slots

_FAR = 366 * 24 * 3600 * NS_PER_S


def connection_limits(connection: Connection, config: NativeConfig) -> Limits:
    """Every state waits for the peer, or asks now and then whether it is there: so there is always a timer."""
    transport = config.transport
    longest = max(transport.idle_timeout, transport.handshake_timeout, config.wait_at_end[1])

    def levels() -> list[Level]:
        return [("bytes received and held", connection.held_bytes, transport.receive_window)]

    return Limits(transitions=SEALED, max_wait=lambda: longest, may_rest=lambda: False, levels=levels)


def watched_connections(
    findings: Findings, *, clock: Callable[[], int], kind: type[Connection] = Connection
) -> type[Connection]:
    """A class of connections that are watched, each by itself.

    Args:
        findings: where to put what is found.
        clock: the time (ns), for applications that call verbs between the endpoint's calls.
        kind: what the connections are in the first place.
    """

    class WatchedConnection(kind):  # type: ignore[misc, valid-type]
        """Passes every call of the endpoint's on to what it is, and has checked what came of it."""

        def __init__(self, peer: Address, opening: Any, *, config: NativeConfig, **others: Any) -> None:
            super().__init__(peer, opening, config=config, **others)
            name = "client's connection" if isinstance(opening, ClientOpening) else "server's connection"
            self._checked_by = Watch(
                name, _Unwatched(self, kind), connection_limits(self, config), findings, clock=clock
            )

        def handle_datagrams(self, slots: Slots, first: int, stop: int, source: Address, *, now: int) -> None:
            act = super().handle_datagrams
            self._checked_by.take("handle_datagrams", lambda: act(slots, first, stop, source, now=now), now=now)

        def handle_long(self, packet: LongDatagram, source: Address, nbytes: int, *, now: int) -> None:
            act = super().handle_long
            self._checked_by.take("handle_long", lambda: act(packet, source, nbytes, now=now), now=now)

        def handle_timeout(self, *, now: int) -> None:
            self._checked_by.handle_timeout(now=now)

        def poll_transmit(self, *, now: int) -> Train | None:
            return self._checked_by.poll_transmit(now=now)

        def poll_timeout(self) -> int | None:
            return self._checked_by.poll_timeout()

        def poll_event(self) -> Event | None:
            return self._checked_by.poll_event()

    return WatchedConnection


class _Unwatched:
    """A connection's own calls, past the watch. What came is taken by `Watch.take`, in a connection's own way."""

    def __init__(self, connection: Connection, kind: type[Connection]) -> None:
        self._connection = connection
        self._kind = kind

    @property
    def state(self) -> State:
        return self._connection.state

    def handle_timeout(self, *, now: int) -> None:
        self._kind.handle_timeout(self._connection, now=now)

    def poll_transmit(self, *, now: int) -> Train | None:
        return self._kind.poll_transmit(self._connection, now=now)

    def poll_timeout(self) -> int | None:
        return self._kind.poll_timeout(self._connection)

    def poll_event(self) -> Event | None:
        return self._kind.poll_event(self._connection)


def watched_endpoint(
    name: str, endpoint: Endpoint, limits: AdmissionConfig, findings: Findings, *, clock: Callable[[], int]
) -> Watched:
    """A watch over an endpoint, to be driven in its place."""

    def levels() -> list[Level]:
        return [("half-open connections", endpoint.half_open, limits.max_half_open)]

    rules = Limits(transitions=SEALED, max_wait=lambda: _FAR, may_rest=lambda: True, levels=levels)
    return Watched(name, _Stateless(endpoint), rules, findings, clock=clock)


class _Stateless:
    """An endpoint as a session that is always open."""

    state = State.ESTABLISHED

    def __init__(self, endpoint: Endpoint) -> None:
        self.handle_datagrams = endpoint.handle_datagrams
        self.handle_timeout = endpoint.handle_timeout
        self.poll_transmit = endpoint.poll_transmit
        self.poll_timeout = endpoint.poll_timeout
        self.poll_event = endpoint.poll_event
