"""All that a bad network can do to two sides, up to a bound: every order, loss and copy of the first packets.

The network decides the fate of a number of datagrams. While some are on their way it may deliver any of them, lose
one, deliver one and keep a copy, or let the next timer ring first. Then it turns good: datagrams arrive in order,
each `HOP` after it was sent, and from then on the sides have to end by themselves, rightly, within a deadline. The
same is asked of every state on the way.

Budgets bound the search: `packets` fates are decided, of which `faults` are losses and copies; `waits` timers
ring while a datagram is on its way; `swaps` datagrams overtake an earlier one. While nothing is on its way time
passes freely.

A state met before with budgets as large is not explored again: what a state can lead to depends on nothing but the
state and the budgets. So it is enough to look at the good network's way out of the states where the budget ends: the
way out of any other one is among the ways explored.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.lab.proof.explore_room import ORIGIN, Misbehaved, Room
from surewire.lab.proof.explore_snapshots import Snapshots

DELIVER, DUPLICATE, DROP, WAIT = "d", "c", "x", "t"

_MAX_GOOD_STEPS = 5000  # of one way out: a good network needs a few dozen
_STATES_A_LOOK = 64  # at the clock, which is slow to read on some systems
_MAX_FREE_STEPS = 500  # timers in a row while nothing is on its way


def _always(room: Room) -> bool:
    return True


def _size(datagram: bytes) -> str:
    return f"{len(datagram)} bytes"


@dataclass(frozen=True, kw_only=True)
class World:
    """What is explored.

    Attributes:
        name, description: for people.
        open: makes the room, with both sides in their seats.
        check: looks at a room after any step and says what is wrong, or None; claims that are false, above all.
        judge: looks at a room in which both sides have closed and says what is wrong, or None.
        outcome: how such a room ended, in a few words, to be counted.
        deadline: ns in which both sides must have closed once the network is good.
        begins: True from when on the network is bad; before, it is good.
        describe: a datagram in a few words.
    """

    name: str
    description: str
    open: Callable[[], Room]
    check: Callable[[Room], str | None]
    judge: Callable[[Room], str | None]
    outcome: Callable[[Room], str]
    deadline: int
    begins: Callable[[Room], bool] = _always
    describe: Callable[[bytes], str] = _size


class Budget(NamedTuple):
    """What the network may still do; each >= 0.

    Attributes:
        packets: fates it decides: arrivals, losses and copies.
        faults: losses and copies among them.
        waits: timers that ring while something is on its way.
        swaps: arrivals before a datagram that was sent earlier the same way; 0 is a network that keeps the order.
    """

    packets: int
    faults: int
    waits: int
    swaps: int

    def covers(self, other: Budget) -> bool:
        """True when everything that `other` allows is allowed here."""
        return all(mine >= needed for mine, needed in zip(self, other, strict=True))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What was found wrong, and the choices that lead there (`replay`)."""

    problem: str
    choices: tuple[str, ...]


@dataclass(kw_only=True)
class Report:
    """What an exploration saw.

    Attributes:
        states: different states met, those of the good network's ways out not counted.
        transitions: steps out of them.
        leaves: states where the budget ended, or both sides had closed.
        outcomes: how the good network's ways out of the leaves ended, by leaf.
        depth: choices of the longest way.
        longest: ns from the network's turning good to the end, at most, over all states.
        is_complete: everything within the bound was seen; False after a violation, or when time was up.
        cpu_s: processor seconds.
    """

    states: int = 0
    transitions: int = 0
    leaves: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    depth: int = 0
    longest: int = 0
    is_complete: bool = False
    cpu_s: float = 0.0
    violation: Violation | None = None


def explore(world: World, budget: Budget, *, max_cpu_s: float | None = None) -> Report:
    """Explore a world within a budget, until something wrong is found, or for `max_cpu_s` processor seconds."""
    return _Explorer(world, max_cpu_s).run(budget)


def replay(world: World, choices: Sequence[str], tell: Callable[[str], None]) -> Violation | None:
    """Follow the choices, then a good network to the end; tell each step in a line.

    Raises:
        ConfigError: a choice is none, or is not possible where it stands.
    """
    room = world.open()
    taken: list[str] = []
    try:
        _prepare(world, room)
        for choice in choices:
            tell(_line(world, room, choice))
            taken.append(choice)
            _take(room, choice)
            _check(world, room)
        tell(f"{_clock(room)} from here on the network is good")
        turned = room.now
        for _ in range(_MAX_GOOD_STEPS):
            if room.is_over:
                break
            tell(_line(world, room, f"{DELIVER}0" if room.on_way else WAIT))
            room.step()
            _check(world, room)
            _check_deadline(world, room.now - turned)
        else:
            raise Misbehaved("a good network does not bring it to an end")
        _check_end(world, room)
        tell(f"{_clock(room)} both sides have closed: {world.outcome(room)}")
    except Misbehaved as error:
        return Violation(problem=str(error), choices=tuple(taken))
    return None


class _OutOfTime(Exception):
    """The processor seconds are used up."""


class _WayOut(NamedTuple):
    """What comes of a state in a good network."""

    elapsed: int  # ns to the end
    outcome: str


class _Explorer:
    def __init__(self, world: World, max_cpu_s: float | None) -> None:
        self._world = world
        self._max_cpu_s = max_cpu_s
        self._began = time.process_time()
        self._report = Report()
        self._snapshots = Snapshots()
        self._seen: dict[bytes, list[Budget]] = {}  # budgets with which a state was explored
        self._ways_out: dict[bytes, _WayOut] = {}
        self._choices: list[str] = []

    def run(self, budget: Budget) -> Report:
        report = self._report
        try:
            room = self._world.open()
            _prepare(self._world, room)
            self._visit(room, budget, free_steps=0)
            report.is_complete = True
        except Misbehaved as error:
            report.violation = _shortened(self._world, Violation(problem=str(error), choices=tuple(self._choices)))
        except _OutOfTime:
            pass
        report.states = len(self._seen)
        report.cpu_s = time.process_time() - self._began
        return report

    def _visit(self, room: Room, budget: Budget, *, free_steps: int) -> _WayOut:
        """Explore from a room, which is used up; return the good network's way from there to the end."""
        report, snapshot, now = self._report, self._snapshots.take(room), room.now
        key = blake2b(snapshot, digest_size=16).digest()
        explored = self._seen.setdefault(key, [])
        if key in self._ways_out and any(before.covers(budget) for before in explored):
            return self._ways_out[key]
        if free_steps > _MAX_FREE_STEPS:
            del self._choices[-free_steps:]
            raise Misbehaved("it goes on for ever: timers ring, and nothing more comes of it")
        explored.append(budget)
        report.depth = max(report.depth, len(self._choices))
        if self._max_cpu_s is not None and len(self._seen) % _STATES_A_LOOK == 0:
            self._look_at_the_clock(self._max_cpu_s)
        if budget.packets == 0 or room.is_over:
            return self._end(room, key)
        way_out: _WayOut | None = None
        for choice, rest in list(_options(room, budget)):
            branch = room if way_out is None else self._snapshots.restore(snapshot, now=now)
            self._choices.append(choice)
            report.transitions += 1
            _take(branch, choice)
            _check(self._world, branch)
            elapsed = branch.now - now  # the branch is used up below
            is_free = choice == WAIT and rest == budget
            left = self._visit(branch, rest, free_steps=free_steps + 1 if is_free else 0)
            if way_out is None:  # the first choice is the good network's
                way_out = _WayOut(elapsed + left.elapsed, left.outcome)
                self._limit(way_out.elapsed)
                self._ways_out[key] = way_out
            self._choices.pop()
        assert way_out is not None
        return way_out

    def _end(self, room: Room, key: bytes) -> _WayOut:
        """The budget is used up: follow the good network."""
        if key not in self._ways_out:
            turned = room.now
            for _ in range(_MAX_GOOD_STEPS):
                if room.is_over:
                    break
                room.step()
                _check(self._world, room)
                _check_deadline(self._world, room.now - turned)
            else:
                raise Misbehaved("a good network does not bring it to an end")
            _check_end(self._world, room)
            self._ways_out[key] = _WayOut(room.now - turned, self._world.outcome(room))
        way_out = self._ways_out[key]
        self._report.leaves += 1
        self._report.outcomes[way_out.outcome] += 1
        self._limit(way_out.elapsed)
        return way_out

    def _look_at_the_clock(self, limit_s: float) -> None:
        if time.process_time() - self._began > limit_s:
            raise _OutOfTime

    def _limit(self, elapsed: int) -> None:
        _check_deadline(self._world, elapsed)
        self._report.longest = max(self._report.longest, elapsed)


def _shortened(world: World, violation: Violation) -> Violation:
    """The same without the waiting at its end, if that is what a good network would have done."""
    choices = list(violation.choices)
    while choices and choices[-1] == WAIT:
        choices.pop()
    again = replay(world, choices, lambda line: None)
    return again if again is not None and again.problem == violation.problem else violation


def _options(room: Room, budget: Budget) -> Iterator[tuple[str, Budget]]:
    """What the network may do, the good network's choice first, and the budget left after it."""
    if not room.on_way:
        yield WAIT, budget
        return
    packets, faults, waits, swaps = budget
    different: dict[tuple[int, bytes], int] = {}
    for index, datagram in enumerate(room.on_way):
        different.setdefault((datagram.destination, datagram.content), index)
    firsts = {room.on_way[index].destination: index for index in reversed(different.values())}.values()
    arriving = [index for index in different.values() if swaps or index in firsts]
    for index in arriving:
        yield f"{DELIVER}{index}", Budget(packets - 1, faults, waits, swaps - (index not in firsts))
    if faults:
        for index in different.values():
            yield f"{DROP}{index}", Budget(packets - 1, faults - 1, waits, swaps)
        for index in arriving:
            yield f"{DUPLICATE}{index}", Budget(packets - 1, faults - 1, waits, swaps - (index not in firsts))
    if waits and room.next_timer() is not None:
        yield WAIT, Budget(packets, faults, waits - 1, swaps)


def _understood(room: Room, choice: str) -> tuple[str, int]:
    """What a choice does, and to which datagram (0 where it is none's business)."""
    kind, index = choice[:1], choice[1:]
    if kind == WAIT and not index:
        return kind, 0
    if kind not in (DELIVER, DROP, DUPLICATE) or not (index.isascii() and index.isdigit()):
        raise ConfigError(f"a choice is {WAIT}, or {DELIVER}, {DROP} or {DUPLICATE} and a number, not '{choice}'")
    if int(index) >= len(room.on_way):
        raise ConfigError(f"'{choice}' is not possible: {len(room.on_way)} datagrams are on their way")
    return kind, int(index)


def _take(room: Room, choice: str) -> None:
    kind, index = _understood(room, choice)
    if kind == WAIT:
        room.wait()
    else:
        {DELIVER: room.deliver, DROP: room.drop, DUPLICATE: room.duplicate}[kind](index)


def _prepare(world: World, room: Room) -> None:
    """Let a good network bring the room to where the bad one begins."""
    _check(world, room)
    for _ in range(_MAX_GOOD_STEPS):
        if world.begins(room):
            return
        room.step()
        _check(world, room)
    raise Misbehaved("the point where the network is to turn bad is never reached")


def _check(world: World, room: Room) -> None:
    problem = world.check(room)
    if problem is not None:
        raise Misbehaved(problem)


def _check_end(world: World, room: Room) -> None:
    problem = world.judge(room)
    if problem is not None:
        raise Misbehaved(problem)


def _check_deadline(world: World, elapsed: int) -> None:
    if elapsed > world.deadline:
        raise Misbehaved(f"the network has been good for {world.deadline / NS_PER_S:g} s, and it is not over")


def _clock(room: Room) -> str:
    return f"{(room.now - ORIGIN) / NS_PER_S:9.3f} s"


def _line(world: World, room: Room, choice: str) -> str:
    """A choice, in words."""
    kind, index = _understood(room, choice)
    start = f"{_clock(room)} {choice:<4} "
    if kind == WAIT:
        return start + "the next timer rings"
    datagram = room.on_way[index]
    verb = {DELIVER: "arrives", DROP: "is lost", DUPLICATE: "arrives, and a copy is still on its way"}[kind]
    return f"{start}{1 - datagram.destination} -> {datagram.destination} {world.describe(datagram.content)} {verb}"
