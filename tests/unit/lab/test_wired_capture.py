"""Captures are read back as they were written, and are what the format's text says."""

from __future__ import annotations

import io
import struct

import pytest

from surewire.errors import SurewireError
from surewire.lab.wired.capture import INTERFACES, Captured, CaptureWriter, read_capture

EPOCH = 1_700_000_000_000_000_000
PACKETS = [
    Captured("up", "offered", EPOCH + 1_000, b"\x45abc"),
    Captured("up", "delivered", EPOCH + 20_000_000, b"\x45abc"),
    Captured("down", "offered", EPOCH + 20_001_000, b""),
    Captured("down", "delivered", EPOCH + 5_000_000_000_000, bytes(1500)),
]


def written(packets: list[Captured]) -> bytes:
    file = io.BytesIO()
    writer = CaptureWriter(file, epoch=EPOCH)
    for packet in packets:
        writer.write(packet.direction, packet.event, packet.packet, packet.at - EPOCH)
    return file.getvalue()


def test_what_was_written_is_read() -> None:
    assert list(read_capture(io.BytesIO(written(PACKETS)))) == PACKETS


def test_the_blocks_are_those_of_pcapng() -> None:
    data = written(PACKETS[:1])
    kinds, names = [], []
    while data:
        kind, length = struct.unpack_from("<II", data)
        # Each block states its length at both ends and fills whole words.
        assert struct.unpack_from("<I", data, length - 4) == (length,) and length % 4 == 0
        kinds.append(kind)
        if kind == 1:
            assert struct.unpack_from("<HHI", data, 8) == (228, 0, 0)
            code, size = struct.unpack_from("<HH", data, 16)
            assert code == 2
            names.append(data[20 : 20 + size].decode())
        data = data[length:]

    assert kinds == [0x0A0D0D0A, 1, 1, 1, 1, 6]
    assert tuple(names) == INTERFACES


def test_a_capture_cut_off_loses_its_last_packet_only() -> None:
    assert list(read_capture(io.BytesIO(written(PACKETS)[:-1]))) == PACKETS[:-1]


@pytest.mark.parametrize("data", [b"GIF89a" + bytes(20), b"\x0a\x0d\x0d\x0a" + bytes(20), b"\x06" + bytes(11)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(SurewireError, match="not a capture"):
        list(read_capture(io.BytesIO(data)))
