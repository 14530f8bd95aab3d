"""A sending half of a stream that grows, with its timers and a clock that stands until a test moves it."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.congestion import FixedRate
from surewire.core.outbound import Outbound
from surewire.core.send_rules import Probe
from surewire.core.sent_log import SentRun
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import SEGMENT, Sender

LATE = 50 * MS
ENOUGH = 1 << 40
RATE = 1 << 30  # bytes a second: with 10 ms of it saved up the pacer holds nothing back


class StreamSender(Sender):
    """A sender of a stream of unknown length, as Streamer sets it up: single segments, loss by evidence."""

    def __init__(self, *, probe: Probe = Probe.PING, rides: bool = True, tail_effort: float = 0.0) -> None:
        super().__init__(0)
        self.outbound = Outbound(
            size=None,
            segment=SEGMENT,
            config=TransportConfig(
                overtaking_window=LATE,
                max_train=1,
                max_ack_delay=60 * MS,
                min_pto=250 * MS,
                max_pto=250 * MS,
                tail_effort=tail_effort,
            ),
            controller=FixedRate(rate=RATE, cwnd=1 << 30),
            rtt=self.rtt,
            timers=self.timers,
            now=self.now,
        )
        rules = self.outbound.rules
        rules.max_offset, rules.has_byte_acks, rules.probe = ENOUGH, False, probe
        rules.ping_interval = 40 * MS
        self.now += 10 * MS
        self.board = self.outbound.scoreboard
        self.board.end_rides = rides

    def write(self, size: int) -> list[SentRun]:
        """Let the stream grow by `size` bytes and send what may go."""
        self.board.extend(self.board.size + size)
        return self.poll()

    def finish(self) -> list[SentRun]:
        self.board.finish()
        return self.poll()
