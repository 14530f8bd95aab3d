"""Two native connections on every kind of bad path: all bytes arrive in order, once, and both ends know that.

Most run in checked mode, which has the same rules and costs less; the core cases in sealed mode as well. Sizes are
small: what a case is about happens within some hundred datagrams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fuzz.native_peer import CLIENT, MS, S, Security
from surewire.impair import GilbertElliott, LinkConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from tests.unit.native.pair import (
    BOTH,
    Hop,
    Pair,
    check_all,
    content,
    linked,
)

CASES = pytest.mark.parametrize("security", BOTH.values(), ids=BOTH.keys())


BAD_PATHS = {
    "10% loss": LinkConfig(delay=10 * MS, loss=0.1),
    "30% loss": LinkConfig(delay=10 * MS, loss=0.3),
    "50% loss": LinkConfig(delay=10 * MS, loss=0.5),
    "bursts": LinkConfig(delay=10 * MS, bursts=GilbertElliott(p=0.02, r=0.2, loss_bad=0.9)),
    "reordering": LinkConfig(delay=20 * MS, jitter=15 * MS, reorder=0.2),
    "copies": LinkConfig(delay=10 * MS, duplicate=0.5, jitter=5 * MS),
    "damage": LinkConfig(delay=10 * MS, corrupt=0.1),
    "narrow": LinkConfig(delay=10 * MS, rate=2_000_000, queue=20_000),
    "a bit of all": LinkConfig(delay=15 * MS, jitter=10 * MS, loss=0.1, duplicate=0.1, corrupt=0.05, reorder=0.1),
}


@CASES
@pytest.mark.parametrize("link", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_both_streams_arrive(link: LinkConfig, security: Callable[[], Security]) -> None:
    up, down = content(150_000), content(60_000, 1)
    check_all(Pair(linked(link), security=security(), to_server=up, to_client=down), up, down)


@pytest.mark.parametrize("seed", range(12))
def test_keys_change_on_the_way(seed: int) -> None:
    up, down = content(120_000), content(40_000, 1)
    config = NativeConfig(update_keys_after=7, max_datagram=1_472)
    link = BAD_PATHS["a bit of all"]
    pair = Pair(
        linked(link, seed=seed), seed=seed, config=config, security=BOTH["sealed"](), to_server=up, to_client=down
    )
    check_all(pair, up, down)
    assert pair.client.it.stats().key_updates > 4 and pair.server.it.stats().key_updates > 1


def test_a_side_that_only_receives_changes_its_key_again_and_again() -> None:
    up = content(3_000_000)
    config = NativeConfig(update_keys_after=10, fixed_datagram=1_200)
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=20_000_000)), config=config, to_server=up)
    check_all(pair, up, b"")
    stats = pair.server.it.stats()
    assert stats.datagrams_sent > 100
    assert stats.key_updates > 1  # the second change needs that something of the first key was acknowledged


# Paths that change.


@CASES
def test_an_outage_of_ten_seconds(security: Callable[[], Security]) -> None:
    up, down = content(400_000), content(100_000, 1)
    black = LinkConfig(delay=10 * MS, rate=8_000_000, blackouts=((200 * MS, 10 * S + 200 * MS),))
    pair = Pair(linked(black), security=security(), to_server=up, to_client=down)
    check_all(pair, up, down)
    assert 11 * S < pair.now < 16 * S


@pytest.mark.parametrize("mtu", [1_400, 1_500, 9_000])
def test_longer_datagrams_vanish(mtu: int) -> None:
    """A path MTU black hole: nothing says so."""
    up, down = content(500_000), content(100_000, 1)
    pair = Pair(linked(LinkConfig(delay=10 * MS, mtu=mtu)), to_server=up, to_client=down)
    check_all(pair, up, down)
    assert 1_200 <= pair.client.it.stats().path_mtu <= mtu - 28


def test_the_path_begins_to_lose_long_datagrams() -> None:
    up = content(3_000_000)
    limit = [65_535]
    pair = Pair(lambda hop: [(10 * MS, hop.data)] if len(hop.data) <= limit[0] else [], to_server=up)
    pair.run(30, until=lambda: len(pair.server.received) > 1_000_000)
    assert pair.client.it.stats().path_mtu >= 1_472
    limit[0] = 1_352
    check_all(pair, up, b"")
    assert pair.client.it.stats().path_mtu <= 1_352


def test_a_reader_that_pauses_does_not_look_like_a_black_hole() -> None:
    config = NativeConfig(transport=replace(DEFAULT_TRANSPORT, receive_window=1 << 20))
    up = content(6_000_000)
    pair = Pair(config=config, to_server=up)
    pair.run(30, until=lambda: pair.client.it.stats().path_mtu >= 1_472)
    pair.server.reads = False
    pair.run(20)
    assert pair.client.it.stats().is_window_limited
    assert pair.client.it.stats().path_mtu >= 1_472
    pair.server.reads = True
    check_all(pair, up, b"")


@CASES
def test_the_client_moves_in_the_middle(security: Callable[[], Security]) -> None:
    up, down = content(600_000), content(600_000, 1)
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=20_000_000)), security=security(), to_server=up, to_client=down)
    pair.run(20, until=lambda: len(pair.server.received) > 100_000)
    pair.client.address = ("198.18.9.9", 1_234)  # another host: all that goes to the old one is gone
    pair.reaches = lambda end, address: end.address == address
    check_all(pair, up, down)
    assert pair.server.it.peer == ("198.18.9.9", 1_234)


def test_the_client_gets_another_port_again_and_again() -> None:
    """As behind a NAT that forgets quickly."""
    up, down = content(2_000_000), content(200_000, 1)
    link = LinkConfig(delay=10 * MS, rate=8_000_000, loss=0.05)
    pair = Pair(linked(link), to_server=up, to_client=down)
    pair.reaches = lambda end, address: end.address == address
    for port in range(50_001, 50_004):
        pair.run(0.6)
        pair.client.address = ("198.18.0.1", port)
    check_all(pair, up, down)
    assert pair.server.it.peer == pair.client.address


def test_a_copy_from_elsewhere_moves_nothing() -> None:
    """An attacker sees the client's datagrams and sends copies from his own address, which arrive first."""
    up = content(300_000)
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=20_000_000)), security=BOTH["sealed"](), to_server=up)
    pair.reaches = lambda end, address: end.address == address
    through = pair.path

    def copied(hop: Hop) -> Iterator[tuple[int, bytes]]:
        if hop.sender == "client" and not hop.is_long:
            pair.throw("server", ("192.0.2.66", 6), hop.data, 5 * MS)
        yield from through(hop)

    pair.path = copied
    check_all(pair, up, b"")
    assert pair.server.it.peer == CLIENT
