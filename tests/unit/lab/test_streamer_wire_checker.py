"""The observer of a Streamer connection: real packets pass, and each rule is broken once."""

from __future__ import annotations

import pytest

from surewire.lab.proof.streamer_wire_checker import StreamerWireChecker
from surewire.wire import compact
from surewire.wire.compact import Ack, Packet

ONE, TWO = ("10.0.0.1", 1), ("10.0.0.2", 2)
NONCES = (0x1234, 0xABCD)


class Wire:
    """Makes packets of two sides and hands them to a checker."""

    def __init__(self, *, is_open: bool = True, lag: int = 0) -> None:
        self.checker = StreamerWireChecker((ONE, TWO), lag=lag)
        self.now = 0
        if is_open:
            self.send(0, Packet(0, 0, b"hello", nonce=NONCES[0]))
            self.send(1, Packet(0, nonce=NONCES[1], ack=Ack(0)))
            self.send(0, Packet(ack=Ack(0)))

    def send(self, side: int, packet: Packet, *, arrives: bool = True, wide: bool = False) -> None:
        ways = ((ONE, TWO), (TWO, ONE))
        datagram = compact.emit(packet, sender_nonce=NONCES[side], receiver_nonce=NONCES[1 - side], wide=wide)
        self.checker.on_sent(*ways[side], datagram, self.now)
        if arrives:
            self.checker.on_delivered(*ways[side], datagram, self.now)

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.checker.findings.kept]


def test_a_conversation_with_losses_passes() -> None:
    wire = Wire()
    wire.send(0, Packet(1, 5, b" world"), arrives=False)
    wire.send(0, Packet(2, 11, b"!", fin=True))
    wire.send(1, Packet(1, 0, b"hi", ack=Ack(2, b"\x81\x40")))
    wire.send(0, Packet(3, 5, b" world", ack=Ack(1)))
    wire.send(0, Packet(4, 5, b" world!", fin=True))  # cut anew
    wire.send(1, Packet(ack=Ack(4, b"\x81\xd0")))
    wire.send(0, Packet(5))
    assert wire.rules == []


def test_a_long_packet_and_one_that_nobody_can_read() -> None:
    wire = Wire()
    wire.checker.on_sent(ONE, TWO, bytes(1473), 0)
    wire.checker.on_sent(ONE, TWO, bytes(100), 0)
    assert wire.rules == ["packet size", "readable"]


@pytest.mark.parametrize(
    ("packets", "rule"),
    [
        ([Packet(2, 5, b"x")], "packet numbers"),
        ([Packet(1, 5, b"x"), Packet(1, 6, b"y")], "packet numbers"),
        ([Packet(1, 0, b"hallo")], "same bytes"),
        ([Packet(1, 6, b"x")], "same bytes"),
        ([Packet(1, 5, b"", fin=True), Packet(2, 5, b"x")], "end of the stream"),
        ([Packet(1, 5, b"", fin=True), Packet(2, 4, b"", fin=True)], "end of the stream"),
        ([Packet(ack=Ack(1))], "acknowledged"),
        ([Packet(1, ack=Ack(3, b"\x81\x00"))], "acknowledged"),
    ],
)
def test_what_a_side_must_not_do(packets: list[Packet], rule: str) -> None:
    wire = Wire()
    wire.send(1, Packet(1), arrives=False)
    wire.send(1, Packet(2))
    for packet in packets:
        assert wire.rules == []
        wire.send(0, packet)
    assert rule in wire.rules


def test_holes_that_are_none() -> None:
    wire = Wire()
    wire.send(1, Packet(1), arrives=False)
    wire.send(1, Packet(2))
    wire.send(0, Packet(ack=Ack(2, b"\x81\x40")))  # 0 and 2
    assert wire.rules == []
    wire.send(0, Packet(ack=Ack(2, b"\x81\xc0")))  # 1, too
    assert wire.rules == ["acknowledged"]


def test_an_acknowledgment_that_falls() -> None:
    wire = Wire()
    wire.send(1, Packet(1))
    wire.send(0, Packet(ack=Ack(1)))
    wire.send(0, Packet(ack=Ack(0)))
    assert wire.rules == ["no retreat"]


def test_one_byte_for_a_number_far_ahead() -> None:
    wire = Wire()
    for number in range(1, 129):
        wire.send(0, Packet(number))
    assert wire.rules == []
    wire.send(0, Packet(129), wide=True)
    assert wire.rules == []
    wire.send(0, Packet(130))
    assert wire.rules == ["narrow numbers"]


def test_more_than_a_segment_for_a_peer_that_has_not_answered() -> None:
    wire = Wire(is_open=False)
    wire.send(0, Packet(0, 0, bytes(1400), nonce=NONCES[0]))
    wire.send(1, Packet(0, 0, b"", nonce=NONCES[1]))  # sent before it heard anything
    assert wire.rules == []
    wire.send(0, Packet(1, 0, bytes(1460), nonce=NONCES[0]))
    assert wire.rules == []
    wire.send(1, Packet(1, 0, bytes(100)), arrives=False)
    wire.send(0, Packet(2, 1460, bytes(100)))
    assert wire.rules == ["opening"]


@pytest.mark.parametrize(("lag", "rules"), [(0, ["full peer"]), (10, [])])
def test_new_bytes_for_a_full_peer(lag: int, rules: list[str]) -> None:
    wire = Wire(lag=lag)
    wire.send(1, Packet(1, full=True))
    wire.now = 10
    wire.send(0, Packet(1, 0, b"hello"))  # again: what has been sent may be sent again
    assert wire.rules == []
    wire.send(0, Packet(2, 5, b"more"))
    assert wire.rules == rules
    wire.send(1, Packet(2))
    wire.now = 1000
    wire.send(0, Packet(3, 9, b"more"))
    assert wire.rules == rules


def test_what_was_not_sent_counts_for_nothing() -> None:
    wire = Wire()
    wire.checker.on_delivered(TWO, ONE, b"forged", 0)
    stolen = compact.emit(Packet(1), sender_nonce=NONCES[1], receiver_nonce=NONCES[0], wide=False)
    wire.checker.on_delivered(TWO, ONE, stolen, 0)
    assert wire.checker.forged == 2
    wire.send(0, Packet(ack=Ack(1)))
    assert wire.rules == ["acknowledged"]
