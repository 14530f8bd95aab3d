"""Round trips as the controller is told of them: with the time at which the datagram left."""

from __future__ import annotations

import pytest

from surewire.core.congestion import FixedRate
from surewire.core.units import NS_PER_MS as MS
from tests.unit.core.sender import START, Sender


class Listener(FixedRate):
    """Keeps what it is told: round trips, and when each datagram was sent (ns)."""

    def __init__(self) -> None:
        super().__init__(rate=1_000_000, cwnd=1 << 30)
        self.told: list[tuple[int, int]] = []

    def on_rtt(self, rtt: int, *, rttvar: int, sent_at: int) -> None:
        self.told.append((rtt, sent_at))


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def sender(listener: Listener) -> Sender:
    sender = Sender(100_000)
    sender.outbound.controller = listener
    return sender


def test_what_the_session_measured_was_sent_a_round_trip_ago(sender: Sender, listener: Listener) -> None:
    sender.outbound.on_round_trip(30 * MS, now=START)
    assert listener.told == [(30 * MS, START - 30 * MS)]


def test_an_acknowledgment_tells_when_what_it_echoes_was_sent(sender: Sender, listener: Listener) -> None:
    first, *_, last = sender.drain()
    assert first.sent_at < last.sent_at
    sender.now = last.sent_at + 40 * MS
    sender.ack((first.first, first.first + 1))
    sender.ack((last.last, last.last + 1))
    assert listener.told == [(sender.now - run.sent_at, run.sent_at) for run in (first, last)]
