"""The sent log against one record for each packet number."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from surewire.core.sent_log import SentLog, SentRun
from surewire.errors import RemoteProtocolError
from tests.unit.core.makers import make_run, numbers

SHARES = st.floats(0, 1)


@dataclass
class Packet:
    """One number: what it carried and what became of it ("flying", "acked", "lost")."""

    offset: int
    nbytes: int
    sent_at: int
    fate: str = "flying"
    may_be_forgotten: bool = False


class SentLogHistory(RuleBasedStateMachine):
    """Every number is settled once, whatever is acknowledged, in whatever order and however often."""

    def __init__(self) -> None:
        super().__init__()
        self.log = SentLog()
        self.packets: list[Packet] = []
        self.now = 0
        self.largest_acked = -1

    def having(self, fate: str) -> list[int]:
        return [number for number, packet in enumerate(self.packets) if packet.fate == fate]

    def near(self, share: float) -> int:
        return int(share * (len(self.packets) + 1))

    # What a connection does.

    @rule(count=st.integers(1, 12), segment=st.integers(1, 50), last=SHARES, pause=st.integers(0, 3))
    def send(self, count: int, segment: int, last: float, pause: int) -> None:
        self.now += pause
        nbytes = (count - 1) * segment + 1 + int(last * (segment - 1))
        first, offset = len(self.packets), 7 * self.now
        self.log.append(make_run(first, count=count, segment=segment, nbytes=nbytes, offset=offset, sent_at=self.now))
        for start in range(0, nbytes, segment):
            self.packets.append(Packet(offset + start, min(segment, nbytes - start), self.now))

    @rule(pause=st.integers(0, 3))
    def send_many_trains(self, pause: int) -> None:
        for _ in range(100):
            self.send(1, 10, 1.0, pause)

    @rule(shares=st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=5))
    def acknowledge_some(self, shares: list[tuple[float, float]]) -> None:
        spans = [tuple(sorted((self.near(a), self.near(b)))) for a, b in shares]
        self.acknowledge([(low, high) for low, high in spans if low < high and high <= len(self.packets)])

    @precondition(lambda self: self.having("flying"))
    @rule(share=SHARES)
    def acknowledge_one(self, share: float) -> None:
        flying = self.having("flying")
        number = flying[int(share * (len(flying) - 1))]
        self.acknowledge([(number, number + 1)])

    def acknowledge(self, ranges: list[tuple[int, int]]) -> None:
        named = {number for start, stop in ranges for number in range(start, stop)}
        acked, spurious = self.log.acknowledge(ranges)
        self.check_runs(acked)
        self.check_runs(spurious)
        assert numbers(acked) == [number for number in self.having("flying") if number in named]
        late = [number for number in self.having("lost") if number in named]
        reported = numbers(spurious)
        assert [
            number for number in late if number in reported or not self.packets[number].may_be_forgotten
        ] == reported
        for number in numbers(acked) + reported:
            self.packets[number].fate = "acked"
            self.largest_acked = max(self.largest_acked, number)

    @rule(start=st.integers(-2, 3), beyond=st.integers(1, 3))
    def acknowledge_what_was_never_sent(self, start: int, beyond: int) -> None:
        legal = [(0, len(self.packets))] if self.packets else []
        with pytest.raises(RemoteProtocolError):
            self.log.acknowledge([*legal, (start, len(self.packets) + beyond)])

    @rule(age=st.integers(0, 6))
    def detect_lost(self, age: int) -> None:
        lost, waiting = self.log.detect_lost(sent_before=self.now - age)
        overtaken = [number for number in self.having("flying") if number < self.largest_acked]
        expected = [number for number in overtaken if self.packets[number].sent_at <= self.now - age]
        self.check_runs(lost)
        assert numbers(lost) == expected
        still = [number for number in overtaken if number not in expected]
        assert (None if waiting is None else waiting.first) == (still[0] if still else None)
        self.set_fate(expected, "lost")

    @precondition(lambda self: self.having("flying"))
    @rule()
    def declare_oldest_lost(self) -> None:
        run = self.log.oldest_in_flight()
        assert run is not None
        self.log.declare_lost(run)
        self.set_fate(numbers([run]), "lost")

    @rule(age=st.integers(0, 6))
    def forget(self, age: int) -> None:
        self.log.forget(lost_before=self.now - age)
        for packet in self.packets:
            is_settled = packet.fate == "acked" or (packet.fate == "lost" and packet.sent_at <= self.now - age)
            if not (is_settled or packet.may_be_forgotten):
                break
            packet.may_be_forgotten = True

    def set_fate(self, changed: list[int], fate: str) -> None:
        for number in changed:
            self.packets[number].fate = fate

    # What must hold.

    def check_runs(self, runs: list[SentRun]) -> None:
        """Sorted, and each carries exactly the bytes its numbers carried."""
        assert [run.first for run in runs] == sorted(run.first for run in runs)
        for run in runs:
            carried = [self.packets[number] for number in range(run.first, run.last + 1)]
            assert run.offset == carried[0].offset
            assert run.nbytes == sum(packet.nbytes for packet in carried)
            assert run.stop == carried[-1].offset + carried[-1].nbytes
            assert all(packet.sent_at == run.sent_at for packet in carried)

    @invariant()
    def books_agree(self) -> None:
        flying = self.having("flying")
        assert self.log.next_number == len(self.packets)
        assert self.log.largest_acked == self.largest_acked
        assert self.log.bytes_in_flight == sum(self.packets[number].nbytes for number in flying)
        assert numbers(self.log.in_flight()) == flying
        self.check_runs(self.log.in_flight())
        oldest = self.log.oldest_in_flight()
        assert (None if oldest is None else oldest.first) == (flying[0] if flying else None)


TestSentLogHistory = SentLogHistory.TestCase
TestSentLogHistory.settings = settings(max_examples=60, stateful_step_count=30)
