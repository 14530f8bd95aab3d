"""The observer of an RDP transfer: real packets pass, and each rule is broken once."""

from __future__ import annotations

import hashlib

import pytest

from surewire.lab.proof.observed import Arrivals, SeenBytes
from surewire.lab.proof.rdp_wire_checker import RdpWireChecker
from surewire.wire import text
from surewire.wire.segment import Extension, Offer

SENDER, RECEIVER, STRANGER = ("10.0.0.1", 1), ("10.0.0.2", 2), ("10.0.0.3", 3)
SESSION = 0x0123456789ABCDEF
KEY = text.session_key(SESSION)
M = b"CSC361"
DATA = bytes(range(200))


def syn(packet: int = 0, isn: int = 99, session: int = SESSION) -> bytes:
    return text.emit_syn(M, isn, Offer(1, session, packet, len(DATA)))


def dat(start: int, stop: int, packet: int, data: bytes = DATA) -> bytes:
    return b"".join(
        text.emit_dats(M, 100 + start, data[start:stop], segment=stop - start, packet_number=packet, key=KEY)
    )


def fin(packet: int, size: int = len(DATA), data: bytes = DATA) -> bytes:
    extension = Extension(packet_number=packet, digest=hashlib.sha256(data).digest())
    return text.emit_fin(M, 100 + size, extension=extension, key=KEY)


def ack(position: int, window: int = 500, received: tuple[tuple[int, int], ...] = (), echo: int | None = None) -> bytes:
    return text.emit_ack(M, 100 + position, window, extension=Extension(received=received, echo=echo), key=KEY)


class Wire:
    """Hands packets to a checker."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.checker = RdpWireChecker(RECEIVER)
        if is_open:
            self.up(syn())
            self.down(ack(0, received=((0, 1),), echo=0))

    def up(self, packet: bytes, *, arrives: bool = True) -> None:
        self.checker.on_sent(SENDER, RECEIVER, packet, 1)
        if arrives:
            self.checker.on_delivered(SENDER, RECEIVER, packet, 2)

    def down(self, packet: bytes, *, arrives: bool = True) -> None:
        self.checker.on_sent(RECEIVER, SENDER, packet, 1)
        if arrives:
            self.checker.on_delivered(RECEIVER, SENDER, packet, 2)

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.checker.findings.kept]


def test_a_transfer_with_losses_passes() -> None:
    wire = Wire()
    wire.up(dat(0, 100, 1), arrives=False)
    wire.up(dat(100, 200, 2))
    wire.up(fin(3))
    wire.down(ack(0, received=((2, 4), (0, 1)), echo=3))
    wire.up(dat(0, 100, 4))
    wire.down(ack(201, received=((2, 5), (0, 1)), echo=4))
    wire.up(ack(201, 0))
    wire.down(text.emit_rst(M))
    assert wire.rules == []


def plain(kind: str) -> bytes:
    return {
        "dat": text.emit_plain_dat(M, 100, DATA),
        "fin": text.emit_fin(M, 300),
        "ack": text.emit_ack(M, 300, 500),
        "rst": text.emit_rst(M),
    }[kind]


def test_a_plain_transfer_passes() -> None:
    wire = Wire(is_open=False)
    wire.up(text.emit_syn(M, 99, None))
    wire.down(text.emit_ack(M, 100, 500))
    wire.up(plain("dat"))
    wire.down(plain("ack"))
    wire.up(plain("fin"))
    wire.down(text.emit_ack(M, 301, 500))
    assert wire.rules == []
    wire.up(plain("rst"))
    wire.up(plain("dat"))
    assert wire.rules == ["silence after RST"]


def test_a_plain_fin_before_all_is_acknowledged() -> None:
    wire = Wire(is_open=False)
    wire.up(text.emit_syn(M, 99, None))
    wire.down(text.emit_ack(M, 100, 500))
    wire.up(plain("dat"))
    wire.up(plain("fin"))
    assert wire.rules == ["end of the stream"]


@pytest.mark.parametrize(
    ("packets", "rule"),
    [
        ([b"x" * 1025], "packet size"),
        ([b"no packet"], "readable"),
        ([syn(1, isn=5)], "opening"),
        ([syn(1, session=6)], "opening"),
        ([dat(0, 10, 1), dat(10, 20, 1)], "packet numbers"),
        ([dat(0, 10, 5), dat(10, 20, 4)], "packet numbers"),
        ([dat(0, 10, 1), dat(5, 15, 2, bytes(200))], "same bytes"),
        ([dat(10, 20, 1)], "same bytes"),
        ([dat(0, 100, 1), fin(2)], "end of the stream"),
        ([dat(0, 200, 1), fin(2, data=b"other")], "digest"),
        ([dat(0, 100, 1), fin(2, 100, DATA[:100]), dat(100, 200, 3)], "end of the stream"),
        ([dat(0, 200, 1), fin(2), ack(201, 0)], "farewell"),
        ([text.emit_rst(M, extension=Extension(reason="x"), key=KEY), dat(0, 10, 1)], "silence after RST"),
    ],
)
def test_what_a_sender_must_not_do(packets: list[bytes], rule: str) -> None:
    wire = Wire()
    for packet in packets:
        assert wire.rules == []
        wire.up(packet)
    assert rule in wire.rules


def test_the_window_and_its_probe() -> None:
    wire = Wire(is_open=False)
    wire.up(syn())
    wire.down(ack(0, 50))
    wire.down(ack(0, 150), arrives=False)
    wire.up(dat(0, 50, 1))
    wire.up(dat(50, 51, 2))
    assert wire.rules == []
    wire.up(dat(51, 52, 3))
    wire.up(dat(0, 52, 4))
    assert wire.rules == ["window", "window"]


def test_an_opening_is_waited_for() -> None:
    wire = Wire(is_open=False)
    wire.up(syn(), arrives=False)
    wire.up(dat(0, 10, 1), arrives=False)
    wire.down(ack(0))
    assert wire.rules == ["opening", "opening"]


def test_a_damaged_acknowledgment_counts_for_nothing() -> None:
    wire = Wire()
    wire.up(dat(0, 200, 1))
    wire.checker.on_delivered(RECEIVER, SENDER, ack(200).replace(b"Window: 500", b"Window: 900"), 2)
    wire.checker.on_delivered(RECEIVER, SENDER, plain("ack"), 2)
    assert wire.checker.forged == 2
    wire.up(fin(2))
    wire.up(ack(201, 0))
    assert wire.rules == ["farewell"]


@pytest.mark.parametrize(
    ("packets", "rule"),
    [
        ([dat(0, 1, 9)], "direction"),
        ([ack(101)], "acknowledged"),
        ([ack(201)], "acknowledged"),
        ([ack(0, received=((0, 3),))], "acknowledged"),
        ([ack(0, received=((3, 4), (0, 1)))], "acknowledged"),
        ([ack(0, echo=2)], "acknowledged"),
        ([ack(100), ack(50)], "no retreat"),
        ([ack(100), ack(100, 499)], "no retreat"),
        ([text.emit_rst(M, extension=Extension(reason="x"), key=KEY), ack(0)], "silence after RST"),
        ([text.emit_rst(M), ack(0)], "silence after RST"),
    ],
)
def test_what_a_receiver_must_not_do(packets: list[bytes], rule: str) -> None:
    wire = Wire()
    wire.up(dat(0, 100, 1))
    wire.up(dat(100, 200, 2), arrives=False)
    for packet in packets:
        assert wire.rules == []
        wire.down(packet)
    assert rule in wire.rules


def test_strangers_are_refused_by_the_minimal_rst_and_the_transfer_goes_on() -> None:
    wire = Wire()
    wire.checker.on_sent(RECEIVER, STRANGER, text.emit_rst(M), 1)
    wire.down(ack(0))
    assert wire.rules == []


def test_observed_bytes() -> None:
    seen = SeenBytes()
    assert seen.check(0, b"abc") is None
    assert seen.check(1, b"bcd") is None
    assert bytes(seen.data) == b"abcd"
    assert seen.check(4, b"") is None
    assert "differ" in str(seen.check(3, b"xe"))
    assert "left out" in str(seen.check(5, b"f"))


def test_arrivals() -> None:
    arrived = Arrivals()
    assert (arrived.contiguous, arrived.stop) == (0, 0)
    arrived.add(2, 4)
    assert (arrived.contiguous, arrived.stop) == (0, 4)
    arrived.add(0, 2)
    assert arrived.contiguous == 4
    arrived.add(6, 7)
    arrived.add(3, 5)
    assert (arrived.contiguous, arrived.stop) == (5, 7)
    assert arrived.has_all(0, 5) and not arrived.has_all(4, 6) and not arrived.has_all(6, 8)
