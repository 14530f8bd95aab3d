"""The two ends of a flow, each alone: what a sink acknowledges when, and what a sender does with it."""

from __future__ import annotations

import pytest

from surewire.core.congestion import NewReno
from surewire.sim.flow_segments import MSS, Ack, Data, emit_ack, emit_data, parse_ack, parse_data
from surewire.sim.flow_sender import FlowSender
from surewire.sim.flow_sink import FlowSink

MS = 1_000_000
S = 1000 * MS
FLOW, PEER = 3, ("peer", 1)


class Sink:
    """A sink that is given segments by number; transmissions count up."""

    def __init__(self) -> None:
        self.sink = FlowSink(flow=FLOW)
        self.transmissions = 0

    def take(self, sequence: int, *, now: int, flow: int = FLOW) -> Ack | None:
        data = b"".join(emit_data(Data(flow, sequence, self.transmissions, now - 10 * MS)))
        self.transmissions += 1
        self.sink.handle_datagrams(data, len(data), PEER, now=now)
        return self.poll(now=now)

    def poll(self, *, now: int) -> Ack | None:
        train = self.sink.poll_transmit(now=now)
        if train is None:
            return None
        assert train.destination == PEER
        return parse_ack(train.datagrams()[0])


def test_every_second_segment_is_acknowledged() -> None:
    sink = Sink()
    assert sink.take(0, now=S) is None
    assert sink.take(1, now=S + MS) == Ack(FLOW, 2, 1, S - 10 * MS, ())  # the echo is of the earlier one
    assert sink.take(2, now=S + 2 * MS) is None
    assert sink.sink.delivered == 3 * MSS


def test_a_lone_segment_waits_40_ms() -> None:
    sink = Sink()
    assert sink.take(0, now=S) is None
    assert sink.sink.poll_timeout() == S + 40 * MS
    assert sink.poll(now=S + 40 * MS - 1) is None
    assert sink.poll(now=S + 40 * MS) == Ack(FLOW, 1, 0, S - 10 * MS, ())
    assert sink.sink.poll_timeout() is None


def test_what_is_out_of_order_is_acknowledged_at_once_with_its_range_first() -> None:
    sink = Sink()
    sink.take(0, now=S)
    sink.take(1, now=S)
    for sequence, ranges in [
        (3, ((3, 4),)),
        (6, ((6, 7), (3, 4))),
        (4, ((3, 5), (6, 7))),
        (9, ((9, 10), (6, 7), (3, 5))),
        (12, ((12, 13), (9, 10), (6, 7))),
        (5, ((3, 7), (12, 13), (9, 10))),
    ]:
        ack = sink.take(sequence, now=S)
        assert ack is not None and (ack.position, ack.ranges) == (2, ranges)
    ack = sink.take(2, now=S)  # fills the hole
    assert ack is not None and (ack.position, ack.ranges) == (7, ((12, 13), (9, 10)))
    assert sink.sink.delivered == 7 * MSS


def test_what_comes_twice_is_acknowledged_at_once_and_counts_once() -> None:
    sink = Sink()
    sink.take(0, now=S)
    assert sink.take(0, now=S) == Ack(FLOW, 1, 1, S - 10 * MS, ())
    assert sink.sink.delivered == MSS


def test_a_sink_leaves_other_flows_and_damage_alone() -> None:
    sink = Sink()
    assert sink.take(0, now=S, flow=FLOW + 1) is None
    sink.sink.handle_datagrams(bytes(1472), 1472, PEER, now=S)
    assert sink.sink.delivered == 0 and sink.sink.poll_timeout() is None


class Sender:
    """A sender whose segments are noted."""

    def __init__(self, *, start: int = S, stop: int | None = None) -> None:
        self.sender = FlowSender(NewReno(segment=MSS), flow=FLOW, peer=PEER, start=start, stop=stop)

    def poll(self, *, now: int) -> list[int]:
        """Numbers of the segments that leave now."""
        sequences = []
        while (train := self.sender.poll_transmit(now=now)) is not None:
            assert train.destination == PEER and train.nbytes == len(b"".join(train.buffers))
            for datagram in train.datagrams():
                data = parse_data(datagram)
                assert data is not None and data.sent_at == now
                sequences.append(data.sequence)
        return sequences

    def acknowledge(
        self,
        position: int,
        *ranges: tuple[int, int],
        transmission: int,
        echo: int = S,
        now: int,
        flow: int = FLOW,
    ) -> list[int]:
        datagram = emit_ack(Ack(flow, position, transmission, echo, ranges))
        self.sender.handle_datagrams(datagram, len(datagram), PEER, now=now)
        return self.poll(now=now)


def test_a_flow_starts_at_its_time_with_ten_segments() -> None:
    flow = Sender()
    assert flow.sender.poll_timeout() == S
    assert flow.poll(now=S - 1) == []
    assert flow.poll(now=S) == list(range(10))


def test_acknowledgments_open_the_window() -> None:
    flow = Sender()
    flow.poll(now=S)
    assert flow.acknowledge(2, transmission=1, now=S + 50 * MS) == [10, 11, 12, 13]
    assert flow.sender.stats.mean_rtt == 50 * MS
    assert flow.sender.stats.mean_cwnd == 10 * MSS


def test_a_segment_is_lost_when_one_sent_three_later_has_arrived() -> None:
    flow = Sender()
    flow.poll(now=S)
    assert flow.acknowledge(0, (1, 2), transmission=1, now=S + 50 * MS)[-1] == 11
    assert 0 not in flow.acknowledge(0, (1, 3), transmission=2, now=S + 50 * MS)
    assert flow.sender.stats.reductions == 0
    flow.acknowledge(0, (1, 4), transmission=3, now=S + 50 * MS)
    assert flow.sender.stats.reductions == 1
    assert flow.acknowledge(0, (1, 14), transmission=13, now=S + 90 * MS)[0] == 0  # before anything new
    assert flow.sender.stats.retransmitted == 1


def test_a_lost_retransmission_is_found() -> None:
    flow = Sender()
    flow.poll(now=S)
    flow.acknowledge(0, (1, 4), transmission=3, now=S + 50 * MS)
    sent = flow.acknowledge(0, (1, 10), transmission=9, now=S + 51 * MS)
    assert sent[0] == 0 and len(sent) >= 4
    retransmission = flow.sender.stats.sent - len(sent)
    assert flow.acknowledge(0, (1, sent[2] + 1), transmission=retransmission + 2, now=S + 100 * MS)[:1] != [0]
    again = flow.acknowledge(0, (1, sent[3] + 1), transmission=retransmission + 3, now=S + 100 * MS)
    again += flow.acknowledge(0, (1, sent[-1] + 1), transmission=flow.sender.stats.sent - 1, now=S + 101 * MS)
    assert again[:1] == [0] and flow.sender.stats.retransmitted == 2


def test_silence_doubles_the_timeout_and_repeats_what_is_missing() -> None:
    """The first timeout is 1 s (RFC 6298 §2.1); the window becomes two segments."""
    flow = Sender()
    flow.poll(now=S)
    now = S
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        deadline = flow.sender.poll_timeout()
        assert deadline is not None and deadline - now == pytest.approx(wait * S, rel=1e-6)
        now = deadline
        flow.sender.handle_timeout(now=now - 1)
        assert flow.poll(now=now - 1) == []
        flow.sender.handle_timeout(now=now)
        assert flow.poll(now=now) == [0, 1]
    assert flow.sender.stats.timeouts == 8 and flow.sender.stats.reductions == 1


def test_news_after_a_timeout_ends_the_back_off() -> None:
    flow = Sender()
    flow.poll(now=S)
    flow.sender.handle_timeout(now=2 * S)
    flow.poll(now=2 * S)
    assert flow.acknowledge(2, transmission=11, echo=2 * S - 50 * MS, now=2 * S) == [2, 3, 4, 5]
    assert flow.sender.poll_timeout() == 2 * S + 200 * MS  # 50 + 4 * 25 ms would be less than the least


def test_a_late_arrival_is_not_sent_again() -> None:
    flow = Sender()
    flow.poll(now=S)
    flow.sender.handle_timeout(now=2 * S)
    assert flow.poll(now=2 * S) == [0, 1]
    assert flow.acknowledge(8, transmission=7, now=2 * S + MS)[0] == 8


def test_nothing_leaves_after_the_stop() -> None:
    flow = Sender(stop=2 * S)
    flow.poll(now=S)
    assert flow.acknowledge(2, transmission=1, now=2 * S - 1) == [10, 11, 12, 13]
    assert flow.acknowledge(4, transmission=3, now=2 * S) == []
    assert flow.sender.poll_timeout() is None


@pytest.mark.parametrize(
    ("position", "transmission", "echo", "flow"),
    [(11, 9, S, FLOW), (2, 10, S, FLOW), (2, 1, S + 51 * MS, FLOW), (2, 1, S, FLOW + 1)],
    ids=["never sent", "not yet sent", "from the future", "another flow"],
)
def test_acknowledgments_that_cannot_be_are_left_alone(position: int, transmission: int, echo: int, flow: int) -> None:
    sender = Sender()
    sender.poll(now=S)
    now = S + 50 * MS
    assert sender.acknowledge(position, transmission=transmission, echo=echo, now=now, flow=flow) == []
    assert sender.sender.stats.round_trips == 0


def test_ranges_that_cannot_be_are_left_alone() -> None:
    sender = Sender()
    sender.poll(now=S)
    assert sender.acknowledge(0, (5, 11), (9, 3), transmission=0, now=S + MS) == []
