"""A bottleneck in steps of a millisecond, for controllers alone: no packets, no connection, and exact arithmetic."""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

from surewire.core.congestion import CongestionController, PhaseOutcome
from surewire.core.units import NS_PER_MS, NS_PER_S
from tests.unit.core.makers import make_sample

SEGMENT = 1000


class _Sent(NamedTuple):
    """Bytes that left in one step, and what was delivered by then."""

    at: int
    nbytes: int
    lost: int
    phase: int
    delivered: int


class FluidPath:
    """Lets a controller send over a link of `rate` bytes a second, `rtt` ns there and back, and a queue.

    All may be changed at any time. `loss` is the share that never reaches the queue's end; `queue` is in bytes;
    `policed` is a rate (bytes a second) above which what arrives in a millisecond is dropped; `others` is what else
    comes through the bottleneck, bytes a second, and never yields; `app_rate` is what there is to send. Losses are
    even, or with an `rng` independent of each other.
    """

    def __init__(
        self,
        controller: CongestionController,
        *,
        rate: int,
        rtt: int,
        queue: int,
        loss: float = 0.0,
        rng: random.Random | None = None,
    ) -> None:
        self.controller = controller
        self.rate = rate
        self.rtt = rtt
        self.queue = queue
        self.loss = loss
        self._rng = rng
        self.policed: int | None = None
        self.others = 0
        self.app_rate: int | None = None
        self.peer_window: int | None = None  # bytes that may be in flight
        self.now = NS_PER_S
        self.delivered = 0
        self.dropped = 0
        self.waiting = 0.0  # bytes in the queue
        self._under_way: deque[tuple[int, _Sent]] = deque()  # when it is known what became of them
        self._settled = 0
        self._in_flight = 0
        self._next_round = 0
        self._owed = 0.0  # bytes that the path has yet to lose
        self._credit = 0.0  # of the pacer
        self._tokens = 0.0

    def run(self, duration: int) -> float:
        """Let `duration` ns pass; bytes a second that arrived meanwhile."""
        before = self.delivered
        for _ in range(duration // NS_PER_MS):
            self.now += NS_PER_MS
            self._settle()
            self._send()
        return (self.delivered - before) * NS_PER_S / duration

    def hold(self, duration: int) -> None:
        """Let `duration` ns pass in which nothing comes back: what is on the way then comes all at once, late."""
        held = self.now + duration
        self._under_way = deque((max(at, held), sent) for at, sent in self._under_way)
        self.run(duration)

    def _send(self) -> None:
        self.waiting = max(self.waiting + (self.others - self.rate) / 1000, 0.0)
        controller = self.controller
        rate = controller.pacing_rate if self.app_rate is None else min(controller.pacing_rate, self.app_rate)
        self._credit = min(self._credit + rate / 1000, max(rate / 500, 2.0 * SEGMENT))
        window = controller.cwnd if self.peer_window is None else min(controller.cwnd, self.peer_window)
        nbytes = int(min(self._credit, window - self._in_flight)) // SEGMENT * SEGMENT
        if nbytes <= 0:
            return
        self._credit -= nbytes
        self._in_flight += nbytes
        passed = self._pass(nbytes)
        self.waiting += passed
        lost = nbytes - passed + self._lose(passed)
        at = self.now + self.rtt + int(self.waiting * NS_PER_S / self.rate)
        if self._under_way:
            at = max(at, self._under_way[-1][0])
        self._under_way.append((at, _Sent(self.now, nbytes, lost, controller.phase, self.delivered)))

    def _lose(self, nbytes: int) -> int:
        """How much of what passed the queue is lost behind it."""
        if self._rng is not None:
            return sum(SEGMENT for _ in range(nbytes // SEGMENT) if self._rng.random() < self.loss)
        self._owed += nbytes * self.loss
        gone = min(int(self._owed) // SEGMENT * SEGMENT, nbytes)
        self._owed -= gone
        return gone

    def _pass(self, nbytes: int) -> int:
        """How much the policer and the queue let through."""
        passed = nbytes
        if self.policed is not None:
            self._tokens = min(self._tokens + self.policed / 1000, self.policed / 100)
            passed = min(passed, int(self._tokens) // SEGMENT * SEGMENT)
            self._tokens -= passed
        passed = min(passed, max(int(self.queue - self.waiting), 0) // SEGMENT * SEGMENT)
        self.dropped += nbytes - passed
        return passed

    def _settle(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now:
            _, sent = self._under_way.popleft()
            self._in_flight -= sent.nbytes
            self._settled += sent.nbytes
            if sent.lost:
                self.controller.on_lost([PhaseOutcome(sent.phase, 0, sent.lost)], now=self.now)
            if sent.nbytes > sent.lost:
                self._acknowledge(sent, sent.nbytes - sent.lost)

    def _acknowledge(self, sent: _Sent, acked: int) -> None:
        self.delivered += acked
        took = self.now - sent.at
        round_start = sent.delivered >= self._next_round
        if round_start:
            self._next_round = self.delivered
        self.controller.on_rtt(took, rttvar=NS_PER_MS // 4, sent_at=sent.at)
        self.controller.on_ack(
            make_sample(
                now=self.now,
                rate=(self.delivered - sent.delivered) * NS_PER_S // took,
                is_app_limited=self.app_rate is not None,
                round_start=round_start,
                sent=self._settled,
                bytes_in_flight=self._in_flight,
                outcomes=[PhaseOutcome(sent.phase, acked, 0)],
            )
        )
