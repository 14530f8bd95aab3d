"""The earliest of many deadlines that change all the time.

A heap with lazy deletion. Most deadlines are put off before they pass (a probe timeout with each acknowledgment), so
a later time only replaces the number kept with the owner; its entry in the heap is looked at when it comes up. Work
is then a comparison for each change, and a heap operation only when a deadline moves forward or passes.

Invariants: an owner with a deadline has an entry at or before it; the heap holds at most twice as many entries as
owners with one, and some.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

_SLACK = 64  # entries out of date that are not worth a look


class Alarmed:
    """Whoever has a deadline. The fields are those of `Deadlines`."""

    __slots__ = ("deadline", "queued", "serial")

    def __init__(self, serial: int) -> None:
        """`serial` orders those whose deadlines are equal; no two owners have the same."""
        self.serial = serial
        self.deadline: int | None = None
        self.queued: int | None = None  # the time of its entry in the heap that counts


Owner = TypeVar("Owner", bound=Alarmed)


class Deadlines(Generic[Owner]):
    """Deadlines by owner, ns."""

    __slots__ = ("_heap", "_owners")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Owner]] = []
        self._owners = 0  # that have an entry which counts

    def __len__(self) -> int:
        """Entries, those out of date included: for tests of its bound."""
        return len(self._heap)

    def set(self, owner: Owner, at: int | None) -> None:
        """Give the owner this deadline instead of the one it had; None for none."""
        owner.deadline = at
        if at is not None and (owner.queued is None or at < owner.queued):
            self._push(owner, at)

    def forget(self, owner: Owner) -> None:
        """The owner is no more."""
        owner.deadline = None
        if owner.queued is not None:
            owner.queued = None
            self._owners -= 1
            self._tidy()

    def earliest(self) -> int | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            at, _, owner = heap[0]
            if at == owner.queued:
                if at == owner.deadline:
                    return at
                self._drop(owner)
                if owner.deadline is not None:
                    self._push(owner, owner.deadline)
            else:
                heappop(heap)
        return None

    def pop_due(self, now: int) -> Owner | None:
        """An owner whose deadline has passed, the earliest first; it has none afterwards."""
        at = self.earliest()
        if at is None or at > now:
            return None
        owner = self._heap[0][2]
        self._drop(owner)
        owner.deadline = None
        return owner

    def _push(self, owner: Owner, at: int) -> None:
        self._owners += owner.queued is None
        owner.queued = at
        heappush(self._heap, (at, owner.serial, owner))
        self._tidy()

    def _drop(self, owner: Owner) -> None:
        """Take the first entry away, which is the one that counts for its owner."""
        heappop(self._heap)
        owner.queued = None
        self._owners -= 1

    def _tidy(self) -> None:
        """Throw entries out of date away once they are the majority: a constant cost for each that was made."""
        if len(self._heap) <= 2 * self._owners + _SLACK:
            return
        owners = {owner.serial: owner for at, _, owner in self._heap if at == owner.queued}
        self._heap = []
        self._owners = 0
        for owner in owners.values():
            owner.queued = owner.deadline
            if owner.deadline is not None:
                self._heap.append((owner.deadline, owner.serial, owner))
                self._owners += 1
        heapify(self._heap)
