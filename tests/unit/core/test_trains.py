"""Trains: how many datagrams, and where they are cut."""

from __future__ import annotations

import pytest

from surewire.core.trains import Train


def train(*buffers: bytes, stride: int) -> Train:
    return Train(buffers, stride, sum(map(len, buffers)), ("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("nbytes", "datagrams"), [(1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (29, [10, 10, 9])]
)
def test_only_the_last_datagram_may_be_shorter(nbytes: int, datagrams: list[int]) -> None:
    cut = train(bytes(nbytes), stride=10)
    assert cut.datagram_count == len(datagrams)
    assert [len(datagram) for datagram in cut.datagrams()] == datagrams


def test_buffers_need_not_match_the_datagrams() -> None:
    cut = train(b"ab", b"", b"cdefg", memoryview(b"hij").tobytes(), stride=4)
    assert cut.datagrams() == [b"abcd", b"efgh", b"ij"]
    assert cut.datagram_count == 3


def test_any_kind_of_buffer_will_do() -> None:
    cut = Train((bytearray(b"ab"), memoryview(b"cd"), b"e"), 2, 5, "anywhere")
    assert cut.datagrams() == [b"ab", b"cd", b"e"]
