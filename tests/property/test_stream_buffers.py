"""The buffers of a stream against whole byte strings that forget nothing."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from surewire.core.stream_buffers import ReceiveBuffer, SendBuffer


class SendHistory(RuleBasedStateMachine):
    """Writes and acknowledgments; the model is all that was ever taken."""

    @initialize(limit=st.integers(1, 40))
    def open(self, limit: int) -> None:
        self.limit = limit
        self.buffer = SendBuffer(limit)
        self.taken = b""
        self.start = 0

    @rule(data=st.binary(max_size=50), as_view=st.booleans())
    def write(self, data: bytes, as_view: bool) -> None:
        room = self.limit - (len(self.taken) - self.start)
        assert self.buffer.write(memoryview(data) if as_view else data) == min(room, len(data))
        self.taken += data[:room]

    @rule(offset=st.integers(0, 200))
    def acknowledge(self, offset: int) -> None:
        offset = min(offset, len(self.taken))
        self.buffer.discard_below(offset)
        self.start = max(self.start, offset)

    @rule(low=st.integers(0, 50), high=st.integers(0, 50))
    def get(self, low: int, high: int) -> None:
        low, high = sorted((min(self.start + low, len(self.taken)), min(self.start + high, len(self.taken))))
        assert self.buffer.get(low, high) == self.taken[low:high]

    @invariant()
    def books_agree(self) -> None:
        if hasattr(self, "buffer"):
            assert self.buffer.written == len(self.taken)
            assert self.buffer.room == self.limit - (len(self.taken) - self.start)


class ReceiveHistory(RuleBasedStateMachine):
    """Parts of one stream in any order and overlap, read as far as they reach; the model is a set of offsets."""

    @initialize(stream=st.binary(min_size=1, max_size=60))
    def open(self, stream: bytes) -> None:
        self.stream = stream
        self.buffer = ReceiveBuffer()
        self.arrived: set[int] = set()
        self.got = b""

    @rule(start=st.integers(0, 60), length=st.integers(0, 20))
    def store(self, start: int, length: int) -> None:
        piece = self.stream[start : start + length]
        self.buffer.store(start, piece)
        self.arrived |= set(range(start, start + len(piece)))

    @rule(fewer=st.integers(0, 5))
    def read(self, fewer: int) -> None:
        stop = next(offset for offset in range(len(self.stream) + 1) if offset not in self.arrived)
        stop = max(stop - fewer, len(self.got))
        self.got += self.buffer.read(stop)
        assert self.got == self.stream[:stop]
        assert self.buffer.read_offset == stop


TestSendHistory = SendHistory.TestCase
TestSendHistory.settings = settings(max_examples=40, stateful_step_count=20)
TestReceiveHistory = ReceiveHistory.TestCase
TestReceiveHistory.settings = settings(max_examples=40, stateful_step_count=20)
