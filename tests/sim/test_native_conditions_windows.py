"""Windows that close because nobody reads, and streams that come from files and go to files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.native_peer import MS
from surewire.errors import Reset, SourceChanged, TransferError
from surewire.impair import LinkConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.transfer.files import MemorySink, MemorySource
from tests.unit.native.pair import (
    Pair,
    check_all,
    content,
    dropping,
    established,
    is_over,
    linked,
)


def small_window(size: int) -> NativeConfig:
    return NativeConfig(transport=replace(DEFAULT_TRANSPORT, receive_window=size))


@pytest.mark.parametrize("pause", [3, 40, 400])
def test_nobody_reads_for_a_while(pause: int) -> None:
    up = content(300_000)
    pair = Pair(config=small_window(50_000), to_server=up)
    pair.server.reads = False
    pair.run(pause)
    assert pair.server.it.held_bytes == 50_000 and pair.client.it.acknowledged == 50_000
    assert not pair.client.it.is_closed and not pair.server.it.is_closed
    assert pair.client.it.stats().bytes_in_flight < 2_000, "probes of a closed window add up"
    pair.server.reads = True
    check_all(pair, up, b"")


@pytest.mark.parametrize("window", [1, 7, 1_166, 3_000])
def test_tiny_windows(window: int) -> None:
    up = content(60 * window if window < 100 else 60_000)
    check_all(Pair(config=small_window(window), to_server=up), up, b"")
    lossy = linked(LinkConfig(delay=10 * MS, loss=0.1))
    check_all(Pair(lossy, config=small_window(window), to_server=up), up, b"", seconds=600)


def test_the_word_of_an_open_window_is_lost() -> None:
    up = content(100_000)
    is_lossy = [False]
    path = dropping(lambda hop: is_lossy[0] and hop.sender == "server")
    pair = Pair(path, config=small_window(50_000), to_server=up)
    pair.server.reads = False
    pair.run(1)
    is_lossy[0], pair.server.reads = True, True
    pair.run(0.1)
    assert pair.client.it.acknowledged == 50_000
    is_lossy[0] = False
    check_all(pair, up, b"", seconds=10)


def test_both_sides_are_full_and_then_read() -> None:
    up, down = content(200_000), content(200_000, 1)
    pair = Pair(linked(LinkConfig(delay=10 * MS, loss=0.1)), config=small_window(30_000), to_server=up, to_client=down)
    pair.server.reads = pair.client.reads = False
    pair.run(20)
    pair.server.reads = pair.client.reads = True
    check_all(pair, up, down)


# Sinks and sources.


@pytest.mark.parametrize("before", [0, 1, 5_000])
@pytest.mark.parametrize("link", [LinkConfig(delay=10 * MS, loss=0.3), LinkConfig(delay=20 * MS, jitter=15 * MS)])
def test_a_sink_takes_what_lies_between(before: int, link: LinkConfig) -> None:
    head, body, tail = content(before, 2), content(300_000), b"and what follows" * 100
    pair = Pair(linked(link), config=small_window(100_000))
    client = pair.client
    client.finishes = False
    if head:
        client.it.write(head, now=pair.now)
    client.it.send_source(MemorySource(b"?" * 11 + body), 11, len(body), now=pair.now)
    client.it.write(tail, now=pair.now)
    client.finishes = True
    pair.server.reads = False
    assert pair.run(60, until=lambda: bool(pair.server.connection) and pair.server.it.readable >= max(before, 1))
    server, sink = pair.server.it, MemorySink()
    assert server.read(before, now=pair.now) == head
    server.divert(sink, len(body), now=pair.now)
    assert pair.run(60, until=lambda: not server.diverted_left)
    assert sink.data == body
    pair.server.reads = True
    check_all(pair, tail, b"")


class Failing:
    """A source that changes, and a sink that is full, after some bytes."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.size = 10**9

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(length)

    def read_into(self, offset: int, views: object) -> None:
        if offset > self.after:
            raise SourceChanged("/home/user/secret.txt changed while it was sent")

    def write_at(self, offset: int, pieces: object) -> None:
        if offset > self.after:
            raise TransferError("/home/user/disk is full")


def test_a_source_that_changes_ends_both_sides_and_names_no_file_to_the_peer() -> None:
    pair = Pair()
    pair.client.it.send_source(Failing(50_000), 0, 200_000, now=pair.now)
    assert pair.run(10, until=lambda: is_over(pair))
    assert isinstance(pair.client.error, SourceChanged)
    assert isinstance(pair.server.error, Reset) and "home" not in str(pair.server.error)


def test_a_sink_that_is_full_ends_both_sides_and_names_no_file_to_the_peer() -> None:
    pair = Pair(to_server=content(200_000))
    pair.server.reads = False
    pair.run(5, until=lambda: established(pair.client, pair.server))
    pair.server.it.divert(Failing(50_000), 200_000, now=pair.now)
    assert pair.run(10, until=lambda: is_over(pair))
    assert isinstance(pair.server.error, TransferError)
    assert isinstance(pair.client.error, Reset) and "home" not in str(pair.client.error)
