"""Records, counters, summaries, trains and settings of a session."""

from __future__ import annotations

import dataclasses

import pytest

from surewire.errors import ConfigError
from surewire.rdp.config import RdpConfig
from surewire.rdp.packing import Outbox
from surewire.rdp.records import PacketLog, receiver_summary, sender_summary
from surewire.wire.segment import PacketType

DAT, ACK = PacketType.DAT, PacketType.ACK
PEER = ("10.10.1.100", 8080)


def test_records_come_once_and_in_order() -> None:
    log = PacketLog()
    log.now = 1
    log.add("s", PacketType.SYN, 5, 0, PEER)
    log.now = 2
    log.add_data("s", 6, [900, 900, 100], PEER)
    log.now = 3
    log.add("S", DAT, 906, 900, PEER)
    assert log.take() == [
        ("s", PacketType.SYN, 5, 0, PEER, 1),
        ("s", DAT, 6, 900, PEER, 2),
        ("s", DAT, 906, 900, PEER, 2),
        ("s", DAT, 1806, 100, PEER, 2),
        ("S", DAT, 906, 900, PEER, 3),
    ]
    assert log.take() == []
    assert (log.count("s", DAT), log.count("sS", DAT), log.count("rR", DAT)) == (3, 4, 0)
    assert log.data_bytes == {"s": 1900, "S": 900, "r": 0, "R": 0}


def test_an_acknowledgment_is_repeated_when_number_and_window_are() -> None:
    log = PacketLog()
    assert [log.ack_event(*ack, is_sent=True) for ack in ((1, 9), (1, 9), (2, 9), (1, 8), (1, 9))] == list("sSssS")
    assert log.ack_event(1, 9, is_sent=False) == "R"
    assert log.ack_event(3, 9, is_sent=False) == "r"


def test_what_is_remembered_of_acknowledgments_is_bounded() -> None:
    log = PacketLog()
    for number in range(10_000):
        assert log.ack_event(number, 0, is_sent=True) == "s"
    assert log.ack_event(9_000, 0, is_sent=True) == "S"
    assert log.ack_event(0, 0, is_sent=True) == "s"  # long forgotten


def test_the_summaries_are_the_assignments_example_line_by_line() -> None:
    log = PacketLog()
    log.add("s", PacketType.SYN, 0, 0, PEER)
    log.add_data("s", 1, [1000] * 1048 + [576], PEER)
    log.add_data("S", 1, [1000] * 116 + [576], PEER)
    log.add("s", PacketType.FIN, 1048577, 0, PEER)
    for number in range(1051):
        log.add("r", ACK, number, 10240, PEER)
    assert sender_summary(log, 93_000_000) == (
        "total data bytes sent: 1165152\n"
        "unique data bytes sent: 1048576\n"
        "total data packets sent: 1166\n"
        "unique data packets sent: 1049\n"
        "SYN packets sent: 1\n"
        "FIN packets sent: 1\n"
        "RST packets sent: 0\n"
        "ACK packets received: 1051\n"
        "RST packets received: 0\n"
        "total time duration (second): 0.093\n"
    )
    names = [line.partition(":")[0] for line in receiver_summary(log, 0).splitlines()]
    assert names == [
        "total data bytes received",
        "unique data bytes received",
        "total data packets received",
        "unique data packets received",
        "SYN packets received",
        "FIN packets received",
        "RST packets received",
        "ACK packets sent",
        "RST packets sent",
        "total time duration (second)",
    ]


def pairs(*sizes: int) -> list[bytes | bytearray | memoryview]:
    """Header and payload buffers of datagrams of these sizes, told apart by their bytes."""
    buffers: list[bytes | bytearray | memoryview] = []
    for index, size in enumerate(sizes):
        buffers += [bytes([index]) * 3, memoryview(bytes([index]) * (size - 3))]
    return buffers


@pytest.mark.parametrize(
    "sizes, trains",
    [
        ([100], [1]),
        ([100] * 4, [4]),
        ([100] * 9, [4, 4, 1]),
        ([100, 100, 50], [3]),
        ([100, 50, 100, 100], [2, 2]),
        ([50, 100, 100], [1, 2]),
        ([100, 50, 50], [2, 1]),
        ([100, 100, 99, 98], [3, 1]),
        ([], []),
    ],
)
def test_a_trains_datagrams_are_equal_but_for_a_shorter_last_one(sizes: list[int], trains: list[int]) -> None:
    outbox = Outbox(4)
    outbox.put_pairs(pairs(*sizes), PEER)
    found = []
    datagrams: list[bytes] = []
    while (train := outbox.poll()) is not None:
        found.append(train.datagram_count)
        assert train.nbytes == sum(len(buffer) for buffer in train.buffers)
        assert train.destination == PEER
        datagrams += train.datagrams()
    assert found == trains
    assert datagrams == [bytes([index]) * size for index, size in enumerate(sizes)]


def test_single_datagrams_keep_their_place() -> None:
    outbox = Outbox(4)
    outbox.put(b"first", PEER)
    outbox.put_pairs(pairs(10), PEER)
    outbox.put(b"last", ("elsewhere", 1))
    order = []
    while (train := outbox.poll()) is not None:
        order.append((train.datagrams()[0][:5], train.destination))
    assert order == [(b"first", PEER), (b"\0" * 5, PEER), (b"last", ("elsewhere", 1))]


@pytest.mark.parametrize(
    "setting",
    [
        {"magic": b""},
        {"magic": b"M" * 33},
        {"magic": b"CSC 361"},
        {"magic": b"CSC\n361"},
        {"magic": "CSC361é".encode()},
        {"plain_payload": 0},
        {"plain_payload": 960},
        {"plain_window": 0},
        {"assumed_window": -1},
        {"silent_close": 0},
        {"reset_copies": 0},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(RdpConfig(), **setting)  # type: ignore[arg-type]
