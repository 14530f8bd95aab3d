"""What a session tells its driver; `poll_event` hands them out in order."""

from __future__ import annotations

from typing import NamedTuple

from surewire.core.trains import Address
from surewire.errors import SurewireError


class Established(NamedTuple):
    """The peer answered the opening."""

    peer: Address
    is_ours: bool  # it speaks the extension


class ReceivedAll(NamedTuple):
    """Every byte up to the end has arrived and been written; the session waits for `confirm` or `abort`."""

    size: int
    digest: bytes | None  # SHA-256 the sender states, if it does


class Closed(NamedTuple):
    """The session is over; nothing follows. `error` is None after success."""

    error: SurewireError | None
    note: str | None = None  # what a successful user should still know


Event = Established | ReceivedAll | Closed
