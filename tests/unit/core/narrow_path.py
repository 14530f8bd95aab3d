"""A path that takes datagrams up to a size and loses some, with the acknowledgments of other traffic on it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import partial

from surewire.core.path_mtu import PathMtu
from surewire.core.units import NS_PER_MS

RTT = 50 * NS_PER_MS
PTO = 2 * RTT


class NarrowPath:
    """Does for a `PathMtu` what a connection and the network would do, in virtual time.

    `largest` is what passes, `interface` what the local interface takes; both may be changed at any time. Each
    probe, and each acknowledgment, is lost with probability `loss`; no other acknowledgment tells of a probe again.
    With `is_busy` small datagrams are acknowledged four times a round trip, unless `is_silent`; without, only when
    a probe timeout has passed.
    """

    def __init__(
        self,
        mtu: PathMtu,
        *,
        largest: int,
        interface: int = 1 << 16,
        loss: float = 0.0,
        rng: random.Random | None = None,
        is_busy: bool = True,
    ) -> None:
        self.mtu = mtu
        self.largest = largest
        self.interface = interface
        self.loss = loss
        self.rng = rng or random.Random(1)
        self.is_busy = is_busy
        self.is_silent = False
        self.now = 0
        self.sent: list[tuple[int, int]] = []  # time, size
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._last_heard = 0
        if is_busy:
            self._at(0, self._small_acknowledged)

    @property
    def sizes(self) -> list[int]:
        return [size for _, size in self.sent]

    def run(self, duration: int) -> None:
        """Let `duration` ns pass."""
        end = self.now + duration
        while True:
            self._send()
            deadline = self.mtu.next_deadline()
            ahead = [at for at in (deadline, self._events[0][0] if self._events else None) if at is not None]
            if not ahead or min(ahead) > end:
                self.now = end
                return
            assert min(ahead) >= self.now, "a deadline in the past"
            self.now = max(self.now, min(ahead))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()

    def _send(self) -> None:
        while (size := self.mtu.poll_probe(now=self.now)) is not None:
            number = len(self.sent)
            self.sent.append((self.now, size))
            self.mtu.on_probe_sent(number, size, pto=PTO, now=self.now)
            if size > self.interface:
                self.mtu.on_too_long(size, now=self.now)
            elif size <= self.largest and self._survives() and self._survives():
                self._at(RTT, partial(self._probe_acknowledged, number))
            elif not self.is_busy:
                self._wait_for_ping(self.now, 1)

    def _wait_for_ping(self, since: int, count: int) -> None:
        def expire() -> None:
            if self._last_heard > since:
                return
            self.mtu.on_pto(count, now=self.now)
            if not self.is_silent and self._survives() and self._survives():
                self._at(RTT, self.progress)
            self._wait_for_ping(since, count + 1)

        self._at(PTO << (count - 1), expire)

    def _probe_acknowledged(self, number: int) -> None:
        if not self.is_silent:
            self._last_heard = self.now
            if self.mtu.probe_number is not None and self.mtu.probe_number <= number:
                self.mtu.on_acked(number, number + 1, now=self.now)
            self.mtu.on_progress(now=self.now, size=self.sent[number][1])

    def _small_acknowledged(self) -> None:
        if not self.is_silent:
            self.progress()
        self._at(RTT // 4, self._small_acknowledged)

    def progress(self) -> None:
        self._last_heard = self.now
        self.mtu.on_progress(now=self.now, size=100)

    def _survives(self) -> bool:
        return not self.is_silent and self.rng.random() >= self.loss

    def _at(self, delay: int, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (self.now + delay, self._order, action))
