"""A sending half with its timers and a clock that stands until a test moves it."""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.congestion import FixedRate
from surewire.core.outbound import Outbound
from surewire.core.rtt import RttEstimator
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer, TimerTable
from surewire.core.units import NS_PER_MS, NS_PER_S

SEGMENT = 1000
START = NS_PER_S
RTT = 100 * NS_PER_MS


class Sender:
    """An `Outbound` at a fixed rate, its round trip known to be `RTT`.

    A rate of a byte a microsecond lets ten segments leave at once and keeps quanta small.
    """

    def __init__(
        self,
        size: int | None,
        *,
        window: int | None = None,
        cwnd: int = 1 << 30,
        rate: int = 1_000_000,
        has_byte_acks: bool = False,
        may_finish_early: bool = True,
        config: TransportConfig | None = None,
    ) -> None:
        self.now = START
        self.timers = TimerTable()
        self.rtt = RttEstimator(RTT)
        self.rtt.on_sample(RTT, ack_delay=0)
        self.outbound = Outbound(
            size=size,
            segment=SEGMENT,
            config=config or TransportConfig(),
            controller=FixedRate(rate=rate, cwnd=cwnd),
            rtt=self.rtt,
            timers=self.timers,
            now=self.now,
        )
        rules = self.outbound.rules
        rules.max_offset = (size or 0) if window is None else window
        rules.has_byte_acks = has_byte_acks
        rules.may_finish_early = may_finish_early

    def poll(self) -> list[SentRun]:
        """What goes out now, without moving the clock."""
        sent: list[SentRun] = []
        while runs := self.outbound.poll_runs(now=self.now):
            sent += runs
        return sent

    def drain(self) -> list[SentRun]:
        """What goes out before something else than the pacer must happen; the clock moves as the pacer says."""
        sent = self.poll()
        while (at := self.timers.deadline(Timer.PACING)) is not None:
            self.now = max(self.now, at)
            sent += self.poll()
        return sent

    def pass_time(self, length: int = RTT) -> list[SentRun]:
        """What goes out within `length` ns if nothing is heard (none is found lost within a round trip)."""
        stop, sent = self.now + length, self.poll()
        while (at := self.timers.deadline(Timer.PACING)) is not None and at < stop:
            self.now = max(self.now, at)
            sent += self.poll()
        return sent

    def expire(self, timer: Timer) -> list[SentRun]:
        """Move the clock to the deadline of LOSS or PTO, act on it, and return what goes out."""
        at = self.timers.deadline(timer)
        assert at is not None, f"{timer.name} is not armed"
        self.now = max(self.now, at)
        self.timers.cancel(timer)
        if timer is Timer.LOSS:
            self.outbound.on_loss_timer(now=self.now)
        else:
            self.outbound.on_pto(now=self.now)
        return self.poll()

    def ack(self, *ranges: tuple[int, int], position: int = 0, ack_delay: int = 0) -> None:
        """An acknowledgment of packet numbers [first, stop), the highest of them having arrived last."""
        echo = max(stop for _, stop in ranges) - 1 if ranges else None
        self.outbound.on_ack_numbers(list(ranges), position=position, echo=echo, ack_delay=ack_delay, now=self.now)

    def ack_bytes(self, position: int) -> None:
        """An acknowledgment of the bytes below `position`."""
        self.outbound.on_ack_bytes(position, now=self.now)


def spans(runs: list[SentRun]) -> list[tuple[int, int]]:
    """The bytes of runs, in the order sent."""
    return [(run.offset, run.stop) for run in runs]
