"""Long datagrams, headers and parameters: what the vectors leave open."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.native_vectors_long import crc32c
from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import native_datagram as wire
from surewire.wire import native_parameters, native_text, varint
from surewire.wire.native_datagram import Hello, Refused, Retry, Versions, Welcome
from surewire.wire.native_parameters import Parameters

A, B = b"aaaaaaaa", b"bbbbbbbb"
HELLO = Hello(A, 1, B, 2, b"cookie", b"message")
DATAGRAMS = [
    HELLO,
    Retry(A, 1, B, b"cookie"),
    Welcome(A, 1, B, b"message"),
    Versions(A, B, (1, 7), (0, 255)),
    Refused(A, 1, B, 3, "closing"),
]
PARAMETERS = Parameters((1,), 1472, 1 << 24, 30_000_000_000, None, 5_000_000)


def again(data: bytes | bytearray | memoryview) -> wire.LongDatagram:
    return wire.parse(data, crc32c)


def named(datagram: wire.LongDatagram) -> str:
    return type(datagram).__name__


# Long datagrams.


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=named)
def test_what_routes_is_where_it_is_in_all_datagrams(datagram: wire.LongDatagram) -> None:
    data = wire.emit(datagram, crc32c)
    assert data[1 : 1 + wire.CID_SIZE] == A
    assert wire.is_long(data[0]) and not wire.is_short(data[0])
    header = wire.SHORT.pack(wire.SHORT_FORM | wire.KEY_PHASE, A, 5)
    assert header[1 : 1 + wire.CID_SIZE] == A and len(header) == wire.HEADER_SIZE
    assert wire.is_short(header[0]) and not wire.is_long(header[0])


def test_which_first_bytes_are_short() -> None:
    assert [first for first in range(256) if wire.is_short(first)] == [0x40, 0x41]
    assert [first for first in range(256) if wire.is_long(first)] == list(range(128, 256))


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=named)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_will_do_and_none_is_kept(datagram: wire.LongDatagram, kind: type) -> None:
    memory = bytearray(wire.emit(datagram, crc32c))
    parsed = again(kind(memory))
    memory[:] = bytes(len(memory))
    assert (parsed, type(parsed)) == (datagram, type(datagram))


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=named)
def test_every_damaged_bit_is_found(datagram: wire.LongDatagram) -> None:
    data = wire.emit(datagram, crc32c)
    for place in (*range(40), len(data) - 1):
        damaged = bytearray(data)
        damaged[place % len(data)] ^= 0x10
        with pytest.raises(MalformedSegment):
            again(damaged)


@pytest.mark.parametrize("datagram", DATAGRAMS, ids=named)
def test_nothing_may_be_cut_off_or_added(datagram: wire.LongDatagram) -> None:
    data = wire.emit(datagram, crc32c)[:-4]
    for changed in (data[:-1], data[:20], data + b"\x01"):
        with pytest.raises(MalformedSegment):
            again(changed + crc32c(changed).to_bytes(4, "big"))


def test_a_hello_has_1200_bytes_and_may_have_more() -> None:
    data = wire.emit(HELLO, crc32c)
    assert len(data) == wire.MIN_HELLO == 1200
    longer = data[:-4].ljust(9_000 - 4, b"\0")
    assert again(longer + crc32c(longer).to_bytes(4, "big")) == HELLO
    too_long = longer + b"\0"
    with pytest.raises(MalformedSegment, match="too long"):
        again(too_long + crc32c(too_long).to_bytes(4, "big"))
    longest = HELLO._replace(cookie=bytes(wire.MAX_COOKIE), message=b"m" * wire.MAX_MESSAGE)
    assert len(wire.emit(longest, crc32c)) == 1200
    assert again(wire.emit(longest, crc32c)) == longest


@pytest.mark.parametrize("datagram", DATAGRAMS[1:], ids=named)
def test_answers_are_shorter_than_what_they_answer(datagram: wire.LongDatagram) -> None:
    longest: dict[type, dict[str, Any]] = {
        Retry: {"cookie": bytes(wire.MAX_COOKIE)},
        Welcome: {"message": bytes(wire.MAX_MESSAGE)},
        Versions: {"versions": range(1, 17), "suites": range(16)},
        Refused: {"text": "x" * 300},
    }
    data = wire.emit(datagram._replace(**longest[type(datagram)]), crc32c)
    assert len(data) < wire.MIN_HELLO
    again(data)


@pytest.mark.parametrize(
    "datagram",
    [
        HELLO._replace(dcid=b"short"),
        HELLO._replace(scid=bytes(9)),
        HELLO._replace(version=0),
        HELLO._replace(version=2**32),
        HELLO._replace(suite=256),
        HELLO._replace(cookie=bytes(65)),
        HELLO._replace(message=bytes(1025)),
        Retry(A, 1, B, b""),
        Retry(A, 1, B, bytes(65)),
        Retry(A, 0, B, b"a"),
        Welcome(A, 1, B, bytes(1025)),
        Welcome(A, 0, B, b""),
        Versions(A, B, (), (1,)),
        Versions(A, B, (1,), ()),
        Versions(A, B, (1, 1), (1,)),
        Versions(A, B, (0,), (1,)),
        Versions(A, B, tuple(range(1, 18)), (1,)),
        Versions(A, B, (1,), tuple(range(17))),
        Versions(A, B, (1,), (1, 1)),
        Versions(A, B, (1,), (256,)),
        Refused(A, 1, B, 256, ""),
        Refused(A, 0, B, 1, ""),
    ],
    ids=repr,
)
def test_what_is_not_sent(datagram: wire.LongDatagram) -> None:
    with pytest.raises(LocalProtocolError):
        wire.emit(datagram, crc32c)


@pytest.mark.parametrize("change", ["hello_dcid", "scid", "version", "suite", "versions"])
def test_the_prologue_tells_everything_apart(change: str) -> None:
    plain: dict[str, Any] = {"hello_dcid": A, "scid": B, "version": 1, "suite": 2, "versions": (1, 7)}
    other = {"hello_dcid": B, "scid": A, "version": 7, "suite": 1, "versions": (7, 1)}
    wrong = {"hello_dcid": b"", "scid": b"", "version": 0, "suite": 256, "versions": ()}
    assert wire.prologue(**plain) != wire.prologue(**plain | {change: other[change]})
    with pytest.raises(LocalProtocolError):
        wire.prologue(**plain | {change: wrong[change]})


# Texts.


def test_texts() -> None:
    assert native_text.parse("größer als 0 · ok".encode()) == "größer als 0 · ok"
    assert native_text.parse(b"x" * 255) == "x" * 255
    unwanted = ["\0", "\x07", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x9b", "\x9f", "\u2028", "\u2029"]
    for text in unwanted:
        assert native_text.emit(text) == b"?"
        with pytest.raises(MalformedSegment):
            native_text.parse(text.encode())
    for data in (b"x" * 256, b"\xff", b"\xc3", b"\xed\xa0\x80"):
        with pytest.raises(MalformedSegment):
            native_text.parse(data)


# Parameters.


@pytest.mark.parametrize(
    "change",
    [
        {"versions": ()},
        {"versions": (0,)},
        {"max_datagram": 1199},
        {"max_datagram": 65_536},
        {"window": -1},
        {"window": 2**62},
        {"idle_timeout_ns": 999_999},
        {"idle_timeout_ns": 2**62 + 1_000_000},
        {"connection_id": b""},
        {"connection_id": bytes(9)},
        {"max_ack_delay_ns": -1},
        {"max_ack_delay_ns": (1 << 24) * 1_000},
    ],
    ids=str,
)
def test_parameters_that_are_not_sent(change: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        native_parameters.emit(PARAMETERS._replace(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"versions": tuple(range(1, 17))},
        {"max_datagram": 1200},
        {"max_datagram": 65_535},
        {"window": 0},
        {"window": 2**62 - 1},
        {"idle_timeout_ns": 1_000_000},
        {"idle_timeout_ns": (2**62 - 1) // 1_000_000 * 1_000_000},
        {"connection_id": A},
        {"max_ack_delay_ns": 0},
        {"max_ack_delay_ns": ((1 << 24) - 1) * 1_000},
    ],
    ids=str,
)
def test_parameters_at_their_limits(change: dict[str, Any]) -> None:
    parameters = PARAMETERS._replace(**change)
    assert native_parameters.parse(native_parameters.emit(parameters)) == parameters


def test_parts_of_a_unit_are_not_sent() -> None:
    parameters = PARAMETERS._replace(idle_timeout_ns=1_999_999, max_ack_delay_ns=1_999)
    expected = PARAMETERS._replace(idle_timeout_ns=1_000_000, max_ack_delay_ns=1_000)
    assert native_parameters.parse(native_parameters.emit(parameters)) == expected


def test_64_parameters_are_enough() -> None:
    payload = native_parameters.emit(PARAMETERS)
    for kind in range(100, 100 + native_parameters.MAX_PARAMETERS - 5):
        payload += varint.emit(kind) + b"\0"
    assert native_parameters.parse(payload) == PARAMETERS
    with pytest.raises(MalformedSegment):
        native_parameters.parse(payload + varint.emit(1_000) + b"\0")


def test_parameters_fit_a_message_with_room_for_more() -> None:
    longest = Parameters(tuple(range(1, 17)), 65_535, 2**62 - 1, 2**61, A, 10**9)
    assert len(native_parameters.emit(longest)) < wire.MAX_MESSAGE // 4
