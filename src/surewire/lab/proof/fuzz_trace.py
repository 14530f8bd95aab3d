"""The packets of a run as lines for people: a tap that writes down what it is told."""

from __future__ import annotations

from collections.abc import Callable

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.crypto.checked import TRAILER
from surewire.crypto.crc32c import crc32c
from surewire.errors import MalformedSegment
from surewire.wire import native_datagram, native_frames, native_repairs, text

_FLAGS = ("SYN", "NUMBERED", "DATA", "FIN", "ACK", "HOLES", "WIDE", "FULL")


class PacketWriter:
    """Hands a line for each datagram to `write`: sent at the margin, delivered indented."""

    def __init__(self, write: Callable[[str], None], describe: Callable[[bytes], str], *, origin: int) -> None:
        """`describe` says what a datagram is; times are written as seconds since `origin` (ns)."""
        self._write = write
        self._describe = describe
        self._origin = origin

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """Write it down."""
        self._line("", source, destination, datagram, now)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """Write it down."""
        self._line("    arrived ", source, destination, datagram, now)

    def _line(self, indent: str, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        way = f"{_name(source)} > {_name(destination)}"
        self._write(f"{(now - self._origin) / NS_PER_S:11.6f} {indent}{way} {self._describe(datagram)}")


def describe_rdp(datagram: bytes) -> str:
    """An RDP packet's type and fields, whether its checksum is right or not."""
    try:
        text.parse(_without_check(datagram))
    except MalformedSegment:
        return f"{len(datagram)} bytes that are no packet: {datagram[:40]!r}"
    lines = datagram.split(b"\n\n")[0].decode("latin-1").splitlines()
    words = [line.partition(": ")[2] if line.startswith("Type") else line for line in lines[1:]]
    return f"{' '.join(words)} ({len(datagram)} bytes)"


def _without_check(datagram: bytes) -> bytes:
    """The packet as a decoder without the session's key would accept it."""
    return datagram.replace(b"\nCheck: ", b"\nUnchecked: ", 1)[: text.MAX_PACKET]


def describe_streamer(datagram: bytes) -> str:
    """A Streamer packet's flags and the bytes of its header; what is shortened there stays so."""
    if len(datagram) < 6:
        return f"{len(datagram)} bytes that are no packet: {datagram.hex()}"
    flags = [name for bit, name in enumerate(_FLAGS) if datagram[4] & (0x80 >> bit)]
    return f"{'+'.join(flags)} {datagram[5:16].hex(' ')} ({len(datagram)} bytes)"


def describe_native(datagram: bytes) -> str:
    """A native datagram: what it is, for whom, and its frames; of a sealed one only what stands in clear."""
    size = f"({len(datagram)} bytes)"
    if datagram and native_datagram.is_long(datagram[0]):
        try:
            packet = native_datagram.parse(datagram, crc32c)
        except MalformedSegment:
            return f"{datagram[0]:02x} damaged {size}"
        return f"{type(packet).__name__.upper()} {packet.scid.hex()} > {packet.dcid.hex()} {size}"
    if len(datagram) < native_datagram.HEADER_SIZE + TRAILER:
        return f"{len(datagram)} bytes that are no packet: {datagram.hex()}"
    form, cid, number = native_datagram.SHORT.unpack_from(datagram)
    head = f"{number}{'b' if form & native_datagram.KEY_PHASE else 'a'} > {cid.hex()}"
    try:
        body = native_frames.parse(memoryview(datagram)[native_datagram.HEADER_SIZE : -TRAILER])
    except MalformedSegment:
        return f"{head} sealed or damaged {size}"
    return f"{head} {'; '.join(map(_frame, body))} {size}"


def _frame(frame: native_frames.Frame) -> str:
    if isinstance(frame, native_frames.Data):
        return f"DATA{'_END' if frame.is_last else ''} {frame.offset}+{len(frame.payload)}"
    if isinstance(frame, native_frames.Ack):
        ranges = " ".join(f"{start}-{stop - 1}" for start, stop in frame.ranges)
        return f"ACK {frame.position}+{frame.window} of {ranges}, latest {frame.latest}"
    if isinstance(frame, native_repairs.Repair):
        return (
            f"REPAIR {frame.numbers} up to {frame.back} back, halved {frame.halvings} times, {len(frame.symbol)} bytes"
        )
    if isinstance(frame, native_frames.PathChallenge | native_frames.PathResponse):
        return f"{type(frame).__name__} {frame.data.hex()}"
    return str(frame)


def _name(address: Address) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
