"""Two connections whose path loses: what was lost at the end is worked out from sums of what was sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surewire.core.units import NS_PER_MS as MS
from surewire.impair import LinkConfig
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.wire import native_frames as frames
from surewire.wire.native_repairs import Repair
from tests.unit.native.pair import BOTH, Hop, Pair, content, dropping, linked

SIZE = 300_000
LOSSY = LinkConfig(rate=20_000_000, delay=10 * MS, loss=0.2)
WITHOUT = NativeConfig(repair_window=0)


def run(pair: Pair) -> tuple[Connection, Connection]:
    """To the end, which is good; client and server."""
    assert pair.run(60, until=lambda: all(end.closed is not None for end in pair.ends))
    assert pair.client.error is None and pair.server.error is None
    return pair.client.it, pair.server.it


@pytest.mark.parametrize("kind", BOTH)
def test_both_directions_at_once(kind: str) -> None:
    """Acknowledgments and data lie between each other in the numbers of a block."""
    up, down = content(SIZE), content(SIZE + 77, 1)
    pair = Pair(linked(LOSSY), security=BOTH[kind](), to_server=up, to_client=down)
    sides = run(pair)
    assert pair.server.received == up and pair.client.received == down
    for side in sides:
        assert side.stats().sums > 0 and side.stats().recovered_bytes > 2_000
        assert side.stats().malformed == side.stats().refused == 0


@pytest.mark.parametrize("client", [True, False])
def test_nobody_gets_sums_who_has_not_asked_for_them(client: bool) -> None:
    up, down = content(SIZE), content(SIZE, 1)
    configs = (WITHOUT, NativeConfig()) if client else (NativeConfig(), WITHOUT)
    pair = Pair(linked(LOSSY), config=configs[0], server_config=configs[1], to_server=up, to_client=down)
    without, other = run(pair) if client else run(pair)[::-1]
    assert pair.server.received == up and pair.client.received == down
    assert without.stats().sums > 0 and without.stats().recovered_bytes == 0
    assert other.stats().sums == 0 and other.stats().recovered_bytes > 0


def test_a_path_that_loses_nothing_gets_none() -> None:
    pair = Pair(linked(replace(LOSSY, loss=0.0)), to_server=content(SIZE))
    client, server = run(pair)
    assert client.stats().sums == 0 and server.stats().recovered_bytes == 0


def body(hop: Hop) -> list[frames.Frame]:
    """What a datagram in checked mode says."""
    return [] if hop.is_long else frames.parse(memoryview(hop.data)[13:-4])


def is_sum(hop: Hop) -> bool:
    return any(isinstance(frame, Repair) for frame in body(hop))


def test_a_sum_is_as_long_as_a_full_datagram() -> None:
    pair = Pair(linked(LOSSY), to_server=content(SIZE))
    run(pair)
    lengths = {len(hop.data) for hop in pair.log if is_sum(hop)}
    assert lengths and lengths <= {len(hop.data) for hop in pair.log if not is_sum(hop) and not hop.is_long}


@pytest.mark.parametrize("share", [1, 2, 3])
def test_sums_may_be_lost_or_the_only_ones_that_arrive(share: int) -> None:
    """All of them, every second, or every third one; and every fifth of the other datagrams."""
    sums = 0

    def is_lost(hop: Hop) -> bool:
        nonlocal sums
        if is_sum(hop):
            sums += 1
            return sums % share == 0
        return hop.number % 5 == 3

    data = content(SIZE)
    pair = Pair(dropping(is_lost), to_server=data)
    client, server = run(pair)
    assert pair.server.received == data and client.stats().sums == sums > 0
    assert (server.stats().recovered_bytes == 0) == (share == 1)


def test_what_was_worked_out_is_told_at_once_and_its_numbers_are_not() -> None:
    """The datagrams did not arrive, and the sender has to know that they are lost."""
    data = content(SIZE)
    pair = Pair(
        dropping(lambda hop: hop.sender == "client" and not is_sum(hop) and hop.number % 5 == 3), to_server=data
    )
    client, server = run(pair)
    assert pair.server.received == data and server.stats().recovered_bytes > 0
    assert client.stats().lost_bytes >= server.stats().recovered_bytes
    assert client.stats().spurious == 0
