"""What each side of a native connection states of itself, as the payload of its handshake message.

    parameters  { type varint  length varint  value }

    1  versions        4 bytes each   all that the sender knows, 1..16 of them
    2  max datagram    varint         largest datagram it takes, 1,200..65,535 bytes
    3  window          varint         bytes of the stream it takes at first
    4  idle timeout    varint         ms, at least 1: it gives up when it has heard nothing for so long
    5  connection id   8 bytes        server only: its id of the connection
    6  max ack delay   varint         us, at most 16,777,215: how long it may hold back an acknowledgment
    7  repair window   varint         bytes of the stream it keeps to work out lost datagrams; 0 when it is missing

Each at most once, in any order; all but 5 and 7 must be there. Unknown types are skipped, which is how later
versions add some. Who may state 5, and what it has to equal, is the session's business. `parse` raises
`MalformedSegment` and nothing else, whatever the bytes.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, NoReturn

from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.wire import varint
from surewire.wire.native_datagram import CID_SIZE, emit_versions, parse_versions
from surewire.wire.segment import Buffer
from surewire.wire.varint import MAX_VARINT

MIN_MAX_DATAGRAM = 1200  # bytes: what a HELLO has, so each side takes it in any case
MAX_MAX_DATAGRAM = 65_535  # bytes: what the length field of UDP can say
MAX_ACK_DELAY_US = (1 << 24) - 1  # 16.8 s, as in RFC 9000 §18.2: longer would be no acknowledgment any more
MAX_PARAMETERS = 64  # in one payload, unknown ones counted

_NS_PER_US = 1_000
_NS_PER_MS = 1_000_000
_MAX_IDLE_TIMEOUT_MS = MAX_VARINT // _NS_PER_MS


class ParameterType(IntEnum):
    """The numbers of the parameters; others are skipped."""

    VERSIONS = 1
    MAX_DATAGRAM = 2
    WINDOW = 3
    IDLE_TIMEOUT = 4
    CONNECTION_ID = 5
    MAX_ACK_DELAY = 6
    REPAIR_WINDOW = 7


_OPTIONAL = (ParameterType.CONNECTION_ID, ParameterType.REPAIR_WINDOW)

# What the values of those that are numbers must lie in.
_BOUNDS = {
    ParameterType.MAX_DATAGRAM: (MIN_MAX_DATAGRAM, MAX_MAX_DATAGRAM),
    ParameterType.WINDOW: (0, MAX_VARINT),
    ParameterType.IDLE_TIMEOUT: (1, _MAX_IDLE_TIMEOUT_MS),
    ParameterType.MAX_ACK_DELAY: (0, MAX_ACK_DELAY_US),
    ParameterType.REPAIR_WINDOW: (0, MAX_VARINT),
}


class Parameters(NamedTuple):
    """What one side states.

    Attributes:
        versions: all that it knows, 1..16, in its order of preference.
        max_datagram: bytes of the largest datagram it takes, 1,200..65,535.
        window: bytes of the stream it takes at first, 0..2**62-1.
        idle_timeout_ns: after this much silence it gives up; whole milliseconds are sent, at least one.
        connection_id: 8 bytes of a server, None of a client.
        max_ack_delay_ns: how long it may hold back an acknowledgment; whole microseconds are sent, up to 2**24-1.
        repair_window: bytes of the stream it keeps, of the datagrams that came last, to work out lost ones, 0..2**62-1;
            with 0, which is not sent, it wants no REPAIR.
    """

    versions: tuple[int, ...]
    max_datagram: int
    window: int
    idle_timeout_ns: int
    connection_id: bytes | None
    max_ack_delay_ns: int
    repair_window: int = 0


def emit(parameters: Parameters) -> bytes:
    """Encode them in the order of their types.

    Raises:
        LocalProtocolError: a value is out of range.
    """
    values = {
        ParameterType.VERSIONS: emit_versions(parameters.versions),
        ParameterType.MAX_DATAGRAM: _number(ParameterType.MAX_DATAGRAM, parameters.max_datagram),
        ParameterType.WINDOW: _number(ParameterType.WINDOW, parameters.window),
        ParameterType.IDLE_TIMEOUT: _number(ParameterType.IDLE_TIMEOUT, parameters.idle_timeout_ns // _NS_PER_MS),
    }
    if parameters.connection_id is not None:
        if len(parameters.connection_id) != CID_SIZE:
            raise LocalProtocolError(f"a connection id has {CID_SIZE} bytes")
        values[ParameterType.CONNECTION_ID] = parameters.connection_id
    delay_us = parameters.max_ack_delay_ns // _NS_PER_US
    values[ParameterType.MAX_ACK_DELAY] = _number(ParameterType.MAX_ACK_DELAY, delay_us)
    if parameters.repair_window:
        values[ParameterType.REPAIR_WINDOW] = _number(ParameterType.REPAIR_WINDOW, parameters.repair_window)
    return b"".join(varint.emit(kind) + varint.emit(len(value)) + value for kind, value in values.items())


def _number(kind: ParameterType, value: int) -> bytes:
    low, high = _BOUNDS[kind]
    if not low <= value <= high:
        raise LocalProtocolError(f"{kind.name.lower()} of {value} is not in {low}..{high}")
    return varint.emit(value)


def parse(payload: Buffer) -> Parameters:
    """Decode them; nothing of `payload` is kept.

    Raises:
        MalformedSegment: cut off, one that is missing, there twice or out of range, or more than 64 of them.
    """
    values = _split(bytes(payload))
    missing = [kind.name for kind in ParameterType if kind not in values and kind not in _OPTIONAL]
    if missing:
        _malformed(f"without {missing[0]}")
    numbers = {kind: _parse_number(kind, values[kind]) for kind in _BOUNDS if kind in values}
    connection_id = values.get(ParameterType.CONNECTION_ID)
    if connection_id is not None and len(connection_id) != CID_SIZE:
        _malformed(f"a connection id that has not {CID_SIZE} bytes")
    return Parameters(
        parse_versions(values[ParameterType.VERSIONS]),
        numbers[ParameterType.MAX_DATAGRAM],
        numbers[ParameterType.WINDOW],
        numbers[ParameterType.IDLE_TIMEOUT] * _NS_PER_MS,
        connection_id,
        numbers[ParameterType.MAX_ACK_DELAY] * _NS_PER_US,
        numbers.get(ParameterType.REPAIR_WINDOW, 0),
    )


def _split(payload: bytes) -> dict[int, bytes]:
    """The values by their types."""
    values: dict[int, bytes] = {}
    at = 0
    while at < len(payload):
        (kind, length), start = varint.parse_several(payload, at, 2)
        at = start + length
        if at > len(payload) or kind in values or len(values) >= MAX_PARAMETERS:
            _malformed("one that is cut off or there twice, or too many")
        values[kind] = payload[start:at]
    return values


def _parse_number(kind: ParameterType, value: bytes) -> int:
    low, high = _BOUNDS[kind]
    number, end = varint.parse(value, 0)
    if end != len(value) or not low <= number <= high:
        _malformed(f"{kind.name} is not a number in {low}..{high}")
    return number


def _malformed(why: str) -> NoReturn:
    raise MalformedSegment(f"malformed parameters: {why}")
