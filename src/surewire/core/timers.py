"""Every deadline of a connection in one table, so that a driver arms exactly one clock."""

from __future__ import annotations

from enum import IntEnum, auto


class Timer(IntEnum):
    """The deadlines a connection can have; each member's comment says what happens when it passes."""

    HANDSHAKE = auto()  # the SYN goes out again, or the attempt ends
    LOSS = auto()  # a transmission has waited out the reordering window and is lost (RFC 9002 §6.1.2)
    PTO = auto()  # nothing was acknowledged for a probe timeout: a probe goes out (RFC 9002 §6.2)
    PACING = auto()  # the pacer has earned the next train
    COALESCE = auto()  # a segment that is not full was held back long enough (Nagle's algorithm, RFC 9293 §3.7.4)
    DELAYED_ACK = auto()  # an acknowledgment was held back long enough
    IDLE = auto()  # the peer has been silent for the stated deadline: the connection is lost
    KEEPALIVE = auto()  # a peer of whom nothing is demanded is asked whether it is there (RFC 9293 §3.8.4)
    PATH_MTU = auto()  # a probe of a longer datagram was lost, or is due (RFC 8899)
    PATH_CHALLENGE = auto()  # an address that is not proven is asked again, or given up (RFC 9000 §8.2)
    LINGER = auto()  # TIME_WAIT is over (RFC 9293 §3.6.1)


class TimerTable:
    """Times (ns) at which named timers expire."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines: dict[Timer, int] = {}

    def arm(self, timer: Timer, at: int) -> None:
        """Let `timer` expire at `at`; an earlier setting is replaced."""
        self._deadlines[timer] = at

    def cancel(self, timer: Timer) -> None:
        """Let `timer` not expire; harmless when it is not armed."""
        self._deadlines.pop(timer, None)

    def set(self, timer: Timer, at: int | None) -> None:
        """Arm at `at`, or cancel when it is None."""
        if at is None:
            self._deadlines.pop(timer, None)
        else:
            self._deadlines[timer] = at

    def cancel_all(self) -> None:
        self._deadlines.clear()

    def deadline(self, timer: Timer) -> int | None:
        """When `timer` expires, or None."""
        return self._deadlines.get(timer)

    def next_deadline(self) -> int | None:
        """The earliest deadline, or None when nothing is armed."""
        return min(self._deadlines.values()) if self._deadlines else None

    def pop_expired(self, now: int) -> list[Timer]:
        """Disarm and return every timer due at `now`, earliest first."""
        due = sorted((at, timer) for timer, at in self._deadlines.items() if at <= now)
        for _, timer in due:
            del self._deadlines[timer]
        return [timer for _, timer in due]
