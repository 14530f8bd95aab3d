"""The contract between a session and whatever drives it with a socket and a clock.

After any call: `poll_transmit` until it returns None, then `poll_timeout`, then `poll_event` until it returns None.
"""

from __future__ import annotations

from typing import Protocol

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train


class DrivenSession(Protocol):
    """What every driver needs of a session."""

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def handle_refused(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None: ...

    def poll_timeout(self) -> int | None: ...

    def poll_event(self) -> Event | None: ...
