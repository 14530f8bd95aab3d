"""The workloads' steps by hand, on a session that is a fake: what they write, read, flush and finish, and when."""

from __future__ import annotations

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.lab.simulated.workloads import (
    Finish,
    Read,
    Script,
    Step,
    Together,
    Write,
    bulk,
    number_exchange,
    ping_pong,
)


class FakeSession:
    """Takes what has room, gives what a test puts in, and notes each call."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.capacity = room
        self.unread = b""
        self.is_at_end = False
        self.written = b""
        self.acknowledged = 0
        self.calls: list[str] = []

    @property
    def room(self) -> int:
        return self.capacity - len(self.written)

    @property
    def is_readable(self) -> bool:
        return bool(self.unread)

    @property
    def has_ended(self) -> bool:
        return self.is_at_end and not self.unread

    @property
    def unacknowledged(self) -> int:
        return len(self.written) - self.acknowledged

    def write(self, data: Buffer, *, now: int) -> int:
        taken = bytes(data[: self.room])
        self.written += taken
        self.calls.append(f"write {len(taken)}")
        return len(taken)

    def read(self) -> bytes:
        data, self.unread = self.unread, b""
        self.calls.append(f"read {len(data)}")
        return data

    def flush(self, *, now: int) -> None:
        self.calls.append("flush")

    def finish(self, *, now: int) -> None:
        self.calls.append("finish")

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None: ...

    def handle_timeout(self, *, now: int) -> None: ...

    def poll_transmit(self, *, now: int) -> Train | None:
        return None

    def poll_timeout(self) -> int | None:
        return None

    def poll_event(self) -> Event | None:
        return None


def turn(step: Step, session: FakeSession, now: int = 0, *, unread: bytes = b"") -> tuple[bool, list[str]]:
    """Give a step a turn: whether it says that it acted, and the calls it made."""
    session.unread += unread
    session.calls = []
    has_acted = step.on_turn(session, now)
    return has_acted, session.calls


def test_each_piece_is_one_write() -> None:
    session, step = FakeSession(), Write([b"0 ", b"", b"1 ", b"10 "])
    assert turn(step, session, 7) == (True, ["write 2", "write 2", "write 3"])
    assert step.done_at == 7


def test_a_write_waits_for_room_and_goes_on_where_it_stopped() -> None:
    session, step = FakeSession(room=5), Write([b"abc", b"defg", b"h"])
    assert turn(step, session) == (True, ["write 3", "write 2"])
    assert turn(step, session) == (False, [])
    session.capacity = 8
    assert turn(step, session, 9) == (True, ["write 2", "write 1"])
    assert (session.written, step.done_at) == (b"abcdefgh", 9)


def test_a_write_of_nothing_is_done_at_once() -> None:
    session, step = FakeSession(), Write([])
    assert turn(step, session, 3) == (False, [])
    assert step.done_at == 3


def test_a_read_flushes_once_a_wait_and_is_done_with_the_last_byte() -> None:
    session, step = FakeSession(), Read(5)
    assert turn(step, session) == (True, ["flush"])
    assert turn(step, session) == (False, [])
    assert turn(step, session, unread=b"abcd") == (True, ["read 4", "flush"])
    assert turn(step, session) == (False, [])
    assert turn(step, session, 8, unread=b"e") == (True, ["read 1"])
    assert (bytes(step.data), step.done_at) == (b"abcde", 8)


def test_a_read_of_what_is_there_does_not_flush() -> None:
    session, step = FakeSession(), Read(2)
    assert turn(step, session, unread=b"abc") == (True, ["read 3"])
    assert (bytes(step.data), step.done_at) == (b"abc", 0)


def test_a_read_to_the_end_waits_for_it() -> None:
    session, step = FakeSession(), Read()
    assert turn(step, session, unread=b"abc") == (True, ["read 3", "flush"])
    session.is_at_end = True
    assert turn(step, session, 4) == (False, [])
    assert (bytes(step.data), step.done_at) == (b"abc", 4)


def test_a_read_ends_with_the_stream_even_if_bytes_are_missing() -> None:
    session, step = FakeSession(), Read(5)
    session.is_at_end = True
    assert turn(step, session, 6, unread=b"abc") == (True, ["read 3"])
    assert (bytes(step.data), step.done_at) == (b"abc", 6)


def test_a_script_does_one_step_after_the_other_without_a_pause() -> None:
    session = FakeSession()
    script = Script(Write([b"abc"]), Read(2), Finish())
    assert turn(script, session) == (True, ["write 3", "flush"])
    assert script.done_at is None
    assert turn(script, session, 5, unread=b"xy") == (True, ["read 2", "finish"])
    assert script.done_at == 5


def test_steps_together_do_not_wait_for_each_other() -> None:
    session = FakeSession(room=2)
    read = Read(2)
    both = Together(Script(Write([b"abc"]), Finish()), read)
    assert turn(both, session) == (True, ["write 2", "flush"])
    assert turn(both, session, 1, unread=b"xy") == (True, ["read 2"])
    assert (read.done_at, both.done_at) == (1, None)
    session.capacity = 3
    assert turn(both, session, 2) == (True, ["write 1", "finish"])
    assert both.done_at == 2


def test_the_tester_writes_small_pieces_at_host_2_and_large_ones_at_host_1() -> None:
    host1, host2 = number_exchange(5_000)
    session = FakeSession()
    assert turn(host2.application, session) == (True, ["write 2"] * 10 + ["write 3"] * 90 + ["write 4"] * 900
                                                + ["write 5"] * 4_000 + ["flush"])  # fmt: skip
    data = session.written
    assert data.split() == [b"%d" % i for i in range(5_000)]
    session = FakeSession()
    assert turn(host1.application, session, unread=data[:-1]) == (True, [f"read {len(data) - 1}", "flush"])
    assert turn(host1.application, session, unread=b" ")[1] == ["read 1", "write 12350", "write 11540", "finish"]
    assert session.written == data == host1.expected == host2.expected
    turn(host2.application, FakeSession(), unread=data)
    assert host2.application.done_at is not None


def test_a_thousand_numbers_are_one_large_piece() -> None:
    host1, _ = number_exchange(1_000)
    assert turn(host1.application, FakeSession(), unread=host1.expected)[1] == ["read 3890", "write 3890", "finish"]


def test_ping_pong_alternates() -> None:
    host1, host2 = ping_pong(2, 3)
    session1, session2 = FakeSession(), FakeSession()
    assert turn(host2.application, session2)[1] == ["flush"]
    assert turn(host1.application, session1)[1] == ["write 3", "flush"]
    assert turn(host2.application, session2, unread=session1.written)[1] == ["read 3", "write 3", "flush"]
    assert turn(host1.application, session1, unread=session2.written)[1] == ["read 3", "write 3", "flush"]
    assert turn(host2.application, session2, unread=session1.written[3:])[1] == ["read 3", "write 3", "finish"]
    assert turn(host1.application, session1, unread=session2.written[3:])[1] == ["read 3", "finish"]
    assert b"".join(read.data for read in host1.reads) == host1.expected == bytes([0, 1, 2] * 2)


def test_bulk_goes_both_ways_at_once_or_one_way() -> None:
    host1, host2 = bulk(b"a" * 10, b"", piece=4)
    session = FakeSession()
    assert turn(host1.application, session)[1] == ["write 4", "write 4", "write 2", "finish", "flush"]
    assert turn(host2.application, FakeSession(), unread=session.written)[1] == ["finish", "read 10", "flush"]
    assert (host1.expected, host2.expected) == (b"", b"a" * 10)
