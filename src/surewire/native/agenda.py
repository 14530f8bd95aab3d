"""Which connections have something to do, and when the next one will.

Three lists, each of which a connection enters at most once, and the deadlines:

- *ready*: may have something to send; asked in turn, one train each, until it has nothing;
- *unsettled*: may have another deadline than the one that is kept; looked at when the deadline is asked for;
- *changed*: the application may find something new.

So the work of a turn depends on the connections that something happened to, not on how many there are.
"""

from __future__ import annotations

from collections import deque

from surewire.native.connection import Connection
from surewire.native.deadlines import Deadlines
from surewire.native.members import Member


class Agenda:
    """What is to be done for whom."""

    __slots__ = ("_changed", "_deadlines", "_unsettled", "ready")

    def __init__(self) -> None:
        self.ready: deque[Member] = deque()
        self._unsettled: list[Member] = []
        self._changed: list[Member] = []
        self._deadlines: Deadlines[Member] = Deadlines()

    def stir(self, member: Member) -> None:
        """Something happened to it, or the application did something with it."""
        if not member.is_ready:
            member.is_ready = True
            self.ready.append(member)
        if not member.is_unsettled:
            member.is_unsettled = True
            self._unsettled.append(member)

    def show(self, member: Member) -> None:
        """Let the application have a look at it."""
        if not member.is_changed:
            member.is_changed = True
            self._changed.append(member)

    def unsettle(self, member: Member) -> None:
        """Its deadline may have changed."""
        if not member.is_unsettled:
            member.is_unsettled = True
            self._unsettled.append(member)

    def forget(self, member: Member) -> None:
        """It is over; those who were to see it still will."""
        self._deadlines.forget(member)

    def take_changed(self) -> list[Connection]:
        """Those to be shown, each once."""
        members, self._changed = self._changed, []
        for member in members:
            member.is_changed = False
        return [member.connection for member in members]

    def earliest(self) -> int | None:
        """The earliest deadline of all."""
        self._settle()
        return self._deadlines.earliest()

    def pop_due(self, now: int) -> Member | None:
        """One whose deadline has passed; its next one is read when it is stirred."""
        self._settle()
        return self._deadlines.pop_due(now)

    def _settle(self) -> None:
        for member in self._unsettled:
            member.is_unsettled = False
            if not member.is_gone:
                self._deadlines.set(member, member.connection.poll_timeout())
        self._unsettled.clear()
