"""Streams that send from a source and receive into a sink, and servers that are trusted when they are first met."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from surewire.api.blocking import connect, listen
from surewire.api.known_servers import KnownServers
from surewire.api.options import FIRST_USE
from surewire.api.stream import Stream
from surewire.core.trains import Buffer
from surewire.errors import DestinationError, UntrustedServer
from surewire.transfer.files import MemorySink, MemorySource

CONTENT = random.Random(8).randbytes(3_000_000)
PATIENCE_S = 20


@contextlib.contextmanager
def streams() -> Iterator[tuple[Stream, Stream]]:
    """Both ends of a connection over loopback; what is still open is aborted."""
    with listen(("127.0.0.1", 0), plain=True) as listener:
        ours = connect(listener.address, plain=True)
        theirs = listener.accept(PATIENCE_S)
        for stream in (ours, theirs):
            stream.settimeout(PATIENCE_S)
        try:
            yield ours, theirs
        finally:
            ours.abort()
            theirs.abort()


class FullSink(MemorySink):
    """Has room for a million bytes."""

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        if offset + sum(map(len, pieces)) > 1_000_000:
            raise DestinationError("full")
        super().write_at(offset, pieces)


def test_what_follows_a_source_comes_behind_it() -> None:
    with streams() as (ours, theirs):
        ours.sendall(b"before")
        ours.send_source(MemorySource(CONTENT), 1, len(CONTENT) - 1)
        ours.sendall(b"behind")
        ours.shutdown()
        assert theirs.recv_exactly(6) == b"before"
        sink = MemorySink()
        assert theirs.receive_into(sink, len(CONTENT) - 1) == len(CONTENT) - 1
        assert sink.data == CONTENT[1:]
        assert theirs.recv_exactly(6) == b"behind"
        assert theirs.recv(1) == b""


def test_a_sink_gets_what_there_is_before_the_end() -> None:
    with streams() as (ours, theirs):
        ours.sendall(CONTENT[:1000])
        ours.shutdown()
        sink = MemorySink()
        assert theirs.receive_into(sink, 2000) == 1000
        assert sink.data == CONTENT[:1000]
        assert theirs.receive_into(MemorySink(), 0) == 0


def test_a_sink_that_is_full_does_not_end_the_connection() -> None:
    with streams() as (ours, theirs):
        ours.send_source(MemorySource(CONTENT), 0, len(CONTENT))
        with pytest.raises(DestinationError, match="full"):
            theirs.receive_into(FullSink(), len(CONTENT))
        theirs.sendall(b"no room")
        assert ours.recv_exactly(7) == b"no room"


def test_a_server_is_trusted_when_it_is_met_and_not_when_its_key_has_changed(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    known = tmp_path / "known"
    with listen(("127.0.0.1", 0), server_key=b"k" * 32) as listener:
        host, port = listener.address
        for _ in range(2):
            stream = connect(listener.address, trust=FIRST_USE, known_servers=known)
            assert stream.fingerprint == listener.fingerprint
            stream.abort()
            assert KnownServers(known).key_of(host, port) == listener.public_key
        KnownServers(known).remember(host, port, b"x" * 32)
        with pytest.raises(UntrustedServer, match="has changed"):
            connect(listener.address, trust=FIRST_USE, known_servers=known)
