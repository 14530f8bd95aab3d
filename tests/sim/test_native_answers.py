"""An answer of a byte after many bytes, in streams that nobody ends: how soon it is there though datagrams are lost."""

from __future__ import annotations

from functools import cache

from surewire.core.units import NS_PER_MS as MS
from surewire.impair import LinkConfig
from surewire.native.connection import Connection
from tests.sim.native_world import Exchange, NativeWorld

ONE_WAY = 25 * MS
LINK = LinkConfig(rate=100_000_000, delay=ONE_WAY, queue=625_000, loss=0.3)
QUESTION, ANSWER = bytes(200_000), b"\x06"
SEEDS = range(1, 31)


class Asks(Exchange):
    """Sends, without an end, and notes when the answer is there."""

    def __init__(self) -> None:
        super().__init__()
        self.answered_at = 0
        self._rest = memoryview(QUESTION)

    def is_answered(self) -> bool:
        """True once it is there."""
        return self.answered_at > 0

    def on_turn(self, connection: Connection, now: int) -> bool:
        """Write what there is room for, read what there is."""
        given = connection.write(self._rest, now=now) if self._rest and connection.room else 0
        self._rest = self._rest[given:]
        taken = self.take(connection, now)
        self.answered_at = self.answered_at or (now if taken else 0)
        return bool(given or taken)


class Answers(Exchange):
    """Writes its byte once everything is there, and waits for what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    def on_accept(self, connection: Connection) -> Answers:
        """Take the one connection there is."""
        return self

    def on_turn(self, connection: Connection, now: int) -> bool:
        """Read what there is."""
        taken = self.take(connection, now)
        self.received += taken
        if len(self.received) == len(QUESTION) and not self.at:
            self.at = now
            connection.write(ANSWER, now=now)
        return bool(taken)


@cache
def waits() -> list[int]:
    found = []
    for seed in SEEDS:
        asking, answering = Asks(), Answers()
        world = NativeWorld(LINK, seed=seed, on_accept=answering.on_accept)
        world.connect(asking)
        assert world.run(60, stop=asking.is_answered)
        found.append(asking.answered_at - answering.at)
    return sorted(found)


def test_it_is_said_again_before_anybody_can_miss_it() -> None:
    """One in three is lost; once it cost a round trip and more until that was known."""
    assert waits()[0] >= ONE_WAY
    assert waits()[len(SEEDS) * 9 // 10] <= 2 * ONE_WAY, waits()
    assert waits()[-1] <= 4 * ONE_WAY, waits()
