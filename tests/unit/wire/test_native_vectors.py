"""The codecs against docs/vectors/native-*.json, both ways: what is there decodes, and encodes to the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.native_vectors_long import crc32c
from surewire.errors import MalformedSegment
from surewire.wire import native_datagram, native_frames, native_parameters, native_repairs, varint
from surewire.wire.native_datagram import SHORT, Hello, Refused, Retry, Versions, Welcome, restore_number
from surewire.wire.native_frames import Ack, Data, Done, Frame, PathChallenge, PathResponse, Ping, Reset
from surewire.wire.native_parameters import Parameters
from surewire.wire.native_repairs import Repair, Symbol

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "vectors"


def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"native-{name}.json").read_text(encoding="ascii"))
    return loaded


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


LONG, SHORTS, FRAMES, PARAMETERS = vectors("long"), vectors("short"), vectors("frames"), vectors("parameters")
REPAIRS = vectors("repairs")


def unhex(fields: dict[str, Any]) -> dict[str, Any]:
    kept = {"text": str, "versions": tuple, "suites": tuple}
    return {
        name: kept[name](value) if name in kept else bytes.fromhex(value) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def record(frame: dict[str, Any]) -> Frame:
    fields = unhex({name: value for name, value in frame.items() if name not in ("type", "ranges", "delay_us")})
    match frame["type"]:
        case "ACK":
            ranges = tuple((start, stop) for start, stop in frame["ranges"])
            return Ack(delay_ns=frame["delay_us"] * 1000, ranges=ranges, **fields)
        case "DATA":
            return Data(fields["offset"], memoryview(fields["payload"]), fields["is_last"])
        case "REPAIR":
            symbol = memoryview(fields.pop("symbol"))
            return Repair(symbol=symbol, **fields)
        case "RESET":
            return Reset(**fields)
        case "PATH_CHALLENGE":
            return PathChallenge(**fields)
        case "PATH_RESPONSE":
            return PathResponse(**fields)
    return Ping() if frame["type"] == "PING" else Done()


# The checksum of the script is what all the others rest on.


def test_the_checksum_is_crc_32c() -> None:
    # RFC 3720 B.4, whose bytes stand in the order in which they are sent there: least significant first.
    known = {bytes(32): "aa36918a", b"\xff" * 32: "43aba862", bytes(range(32)): "4e79dd46"}
    for data, crc in known.items():
        assert crc32c(data).to_bytes(4, "little").hex() == crc
    assert crc32c(b"123456789") == 0xE3069283
    for vector in vectors("crc32c")["vectors"]:
        data = bytes.fromhex(vector["data"])
        assert crc32c(data) == int(vector["crc"], 16)
        assert crc32c(data[3:], crc32c(data[:3])) == crc32c(data)


# Integers and numbers.


def test_integers() -> None:
    found = vectors("varints")
    for vector in found["shortest"]:
        data = bytes.fromhex(vector["bytes"])
        assert varint.emit(vector["value"]) == data
        assert varint.size(vector["value"]) == len(data)
    for vector in found["shortest"] + found["longer_than_needed"]:
        data = bytes.fromhex(vector["bytes"])
        assert varint.parse(data, 0) == (vector["value"], len(data))
    for data in map(bytes.fromhex, found["malformed"]):
        with pytest.raises(MalformedSegment):
            varint.parse(data, 0)


def test_packet_numbers() -> None:
    for vector in vectors("numbers")["vectors"]:
        assert restore_number(vector["low32"], vector["expected"]) == vector["number"], vector


# Long datagrams.

LONG_TYPES = {"HELLO": Hello, "RETRY": Retry, "WELCOME": Welcome, "VERSIONS": Versions, "REFUSED": Refused}


@pytest.mark.parametrize("vector", named(LONG["valid"]))
def test_long_datagrams(vector: dict[str, Any]) -> None:
    datagram = bytes.fromhex(vector["datagram"])
    expected = LONG_TYPES[vector["type"]](**unhex(vector["fields"]))
    parsed = native_datagram.parse(datagram, crc32c)
    assert (type(parsed), parsed) == (type(expected), expected)
    assert native_datagram.emit(parsed, crc32c) == datagram
    assert "".join(data for _, data in vector["parts"]) == vector["datagram"]


def test_every_type_has_a_vector() -> None:
    assert {vector["type"] for vector in LONG["valid"]} == {kind.name for kind in native_datagram.LongType}
    shown = {frame["type"] for vector in FRAMES["valid"] for frame in vector["frames"]}
    assert shown | {"PADDING", "DATA_END"} == {kind.name for kind in native_frames.FrameType}


def test_an_unknown_version_is_still_a_hello() -> None:
    vector = LONG["unknown_version"]
    fields = unhex(vector["fields"])
    hello = native_datagram.parse(bytes.fromhex(vector["datagram"]), crc32c)
    assert isinstance(hello, Hello)
    assert hello == Hello(fields["dcid"], fields["version"], fields["scid"], 0, b"", b"")


@pytest.mark.parametrize("vector", named(LONG["malformed"]))
def test_malformed_long_datagrams(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedSegment):
        native_datagram.parse(bytes.fromhex(vector["datagram"]), crc32c)


def test_what_is_malformed_is_not_so_by_its_checksum() -> None:
    for vector in LONG["malformed"]:
        data = bytes.fromhex(vector["datagram"])
        is_right = crc32c(data[:-4]).to_bytes(4, "big") == data[-4:]
        assert is_right is (vector["name"] not in ("a wrong checksum", "nothing")), vector["name"]


def test_the_prologue() -> None:
    vector = LONG["prologue"]
    assert native_datagram.prologue(**unhex(vector["fields"])).hex() == vector["bytes"]


# Short datagrams.


@pytest.mark.parametrize("vector", named(SHORTS["valid"]))
def test_short_datagrams(vector: dict[str, Any]) -> None:
    fields = unhex(vector["fields"])
    low = fields["number"] & 0xFFFFFFFF
    first = native_datagram.SHORT_FORM | fields["phase"]
    header = SHORT.pack(first, fields["dcid"], low)
    assert header.hex() == vector["header"]
    assert native_datagram.is_short(first) and not native_datagram.is_long(first)
    checked = header + fields["body"]
    assert checked + crc32c(checked, fields["number"] >> 32).to_bytes(4, "big") == bytes.fromhex(vector["datagram"])
    assert native_frames.parse(memoryview(fields["body"]))


# Frames.


@pytest.mark.parametrize("vector", named(FRAMES["valid"]))
def test_frames(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["body"])
    expected = [record(frame) for frame in vector["frames"]]
    parsed = native_frames.parse(memoryview(body))
    assert parsed == expected
    assert [type(frame) for frame in parsed] == [type(frame) for frame in expected]
    emitted = b"".join(native_frames.emit(frame) for frame in parsed)
    if "longer than needed" in vector["name"]:
        assert len(emitted) < len(body)
    else:
        assert emitted.strip(b"\0") == body.strip(b"\0")


@pytest.mark.parametrize("vector", named(FRAMES["malformed"]))
def test_malformed_frames(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedSegment):
        native_frames.parse(memoryview(bytes.fromhex(vector["body"])))


# Parameters.


def parameters_of(fields: dict[str, Any]) -> Parameters:
    cid = fields["connection_id"]
    return Parameters(
        tuple(fields["versions"]),
        fields["max_datagram"],
        fields["window"],
        fields["idle_timeout_ms"] * 1_000_000,
        None if cid is None else bytes.fromhex(cid),
        fields["max_ack_delay_us"] * 1_000,
        fields["repair_window"],
    )


@pytest.mark.parametrize("vector", named(PARAMETERS["valid"]))
def test_parameters(vector: dict[str, Any]) -> None:
    payload = bytes.fromhex(vector["payload"])
    parameters = native_parameters.parse(payload)
    assert parameters == parameters_of(vector["fields"])
    assert native_parameters.emit(parameters) == payload


@pytest.mark.parametrize("vector", named(PARAMETERS["also_valid"]))
def test_parameters_written_otherwise(vector: dict[str, Any]) -> None:
    assert native_parameters.parse(bytes.fromhex(vector["payload"])) == parameters_of(vector["fields"])


@pytest.mark.parametrize("vector", named(PARAMETERS["malformed"]))
def test_malformed_parameters(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedSegment):
        native_parameters.parse(bytes.fromhex(vector["payload"]))


# Sums.


@pytest.mark.parametrize("vector", REPAIRS["participants"])
def test_participants(vector: dict[str, Any]) -> None:
    number, count, halvings = vector["number"], vector["count"], vector["halvings"]
    assert native_repairs.participants(number, count, halvings) == int(vector["mask"], 16)


@pytest.mark.parametrize("vector", named(REPAIRS["symbols"]))
def test_symbols(vector: dict[str, Any]) -> None:
    payload, length = bytes.fromhex(vector["payload"]), vector["length"]
    emitted = native_repairs.emit_symbol(vector["offset"], payload, is_last=vector["is_last"], length=length)
    if vector["symbol"] is None:
        assert emitted is None
        return
    symbol = bytes.fromhex(vector["symbol"])
    assert emitted == symbol and len(symbol) == length
    assert native_repairs.parse_symbol(symbol) == Symbol(vector["offset"] % 2**29, vector["is_last"], payload)


@pytest.mark.parametrize("vector", named(REPAIRS["malformed_symbols"]))
def test_malformed_symbols(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedSegment):
        native_repairs.parse_symbol(bytes.fromhex(vector["symbol"]))


def test_restored_offsets() -> None:
    for vector in REPAIRS["offsets"]:
        assert native_repairs.restore_offset(vector["low29"], vector["position"]) == vector["offset"], vector


def test_a_block_is_worked_out() -> None:
    block = REPAIRS["block"]
    lost, carried = set(block["lost"]), dict[int, Data]()
    for sent in block["sent"]:
        found = native_frames.parse(memoryview(bytes.fromhex(sent["body"])))
        carried.update((sent["number"], frame) for frame in found if isinstance(frame, Data))
    assert lost <= set(carried)
    # Each sum without what arrived: who is missing in it, and what they add up to.
    rows: list[tuple[frozenset[int], int]] = []
    for repair in block["repairs"]:
        (frame,) = native_frames.parse(memoryview(bytes.fromhex(repair["body"])))
        assert isinstance(frame, Repair)
        total = int.from_bytes(frame.symbol, "big")
        start, missing = native_repairs.block_start(repair["number"], frame), set[int]()
        mask = native_repairs.participants(repair["number"], frame.numbers, frame.halvings)
        for number in (start + at for at in range(frame.numbers) if mask >> at & 1):
            if number in lost:
                missing.add(number)
            elif number in carried:
                data = carried[number]
                symbol = native_repairs.emit_symbol(
                    data.offset, data.payload, is_last=data.is_last, length=len(frame.symbol)
                )
                total ^= int.from_bytes(symbol or b"", "big")
        rows.append((frozenset(missing), total))
    # All sums of sums: those with one number left are what was lost.
    found_out = {frozenset[int](): 0}
    for missing_here, total in rows:
        found_out |= {others ^ missing_here: value ^ total for others, value in list(found_out.items())}
    assert found_out[frozenset()] == 0
    for expected in block["worked_out"]:
        worked_out = native_repairs.parse_symbol(found_out[frozenset({expected["number"]})].to_bytes(12, "big"))
        assert worked_out is not None
        assert native_repairs.restore_offset(worked_out.offset, block["position"]) == expected["offset"]
        assert (worked_out.is_last, worked_out.payload.hex()) == (expected["is_last"], expected["payload"])
    assert [expected["number"] for expected in block["worked_out"]] == block["lost"]
