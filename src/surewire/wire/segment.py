"""RDP packets as records that hold only legal values.

`Segment` is what any RDP packet says, whatever its spelling. `Extension` is what two surewire peers add
(docs/format-rdp.md). The codec is `surewire.wire.text`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview


class PacketType(StrEnum):
    """The five types of the assignment; the value is what stands on the wire and in the log."""

    DAT = "DAT"
    ACK = "ACK"
    SYN = "SYN"
    FIN = "FIN"
    RST = "RST"


class Offer(NamedTuple):
    """What a surewire sender puts after the empty line of its SYN."""

    version: int
    session: int  # 64 random bits; keys the checksums of the rest of the transfer
    packet_number: int
    size: int  # bytes the sender means to send


class Extension(NamedTuple):
    """Header fields only a surewire peer sends; None or empty where a packet does not carry the field.

    Attributes:
        packet_number: of a DAT or FIN.
        received: packet numbers an ACK acknowledges, [start, stop), highest first.
        echo: packet number that arrived last before an ACK.
        ack_delay: ns between that arrival and the ACK.
        digest: SHA-256 of the whole stream, in a FIN.
        reason: why a RST was sent, printable ASCII.
    """

    packet_number: int | None = None
    received: tuple[tuple[int, int], ...] = ()
    echo: int | None = None
    ack_delay: int = 0
    digest: bytes | None = None
    reason: str | None = None


class Segment(NamedTuple):
    """One decoded RDP packet.

    Attributes:
        type: the packet type.
        magic: the protocol's name, spelled as received.
        number: sequence number (SYN, DAT, FIN) or acknowledgment number (ACK), >= 0; 0 for RST.
        length: payload length (DAT) or None where the field is missing or means nothing.
        window: of an ACK, or None where the peer left it out.
        payload: the data of a DAT.
        extension: present when the packet carries a checksum and the checksum is right.
        offer: of a SYN, present when intact.
        trailer: bytes after header and payload that are no valid offer.
        has_check: the packet carries a checksum field, right or wrong.
        acknowledgment_field: how this peer spells that field, if it does.
    """

    type: PacketType
    magic: bytes
    number: int
    length: int | None = None
    window: int | None = None
    payload: Buffer = b""
    extension: Extension | None = None
    offer: Offer | None = None
    trailer: bytes = b""
    has_check: bool = False
    acknowledgment_field: bytes | None = None
