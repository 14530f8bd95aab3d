"""Somebody on the path of a sealed connection repeats, changes and invents datagrams."""

from __future__ import annotations

import random

from fuzz.native_peer import CLIENT, SERVER
from surewire.errors import IdleTimeout
from tests.unit.native.pair import (
    BOTH,
    Pair,
    check_all,
    content,
    dropping,
)


def sealed_pair(**others: object) -> Pair:
    pair = Pair(security=BOTH["sealed"](), **others)  # type: ignore[arg-type]
    pair.client.finishes = pair.server.finishes = False
    pair.run(1)
    return pair


def shorts(pair: Pair, sender: str) -> list[bytes]:
    return [hop.data for hop in pair.log if hop.sender == sender and not hop.is_long]


def test_replays_change_nothing_and_keep_nothing_alive() -> None:
    pair = sealed_pair(to_server=content(30_000), to_client=content(30_000, 1))
    old = shorts(pair, "client")
    before = bytes(pair.server.received)
    pair.path = dropping(lambda hop: True)  # and nothing genuine any more
    for _ in range(20):
        for data in old[:5]:
            pair.throw("server", CLIENT, data)
        pair.run(3)
    assert pair.server.received == before
    assert isinstance(pair.server.error, IdleTimeout)


def test_a_replay_of_everything_is_counted_and_no_more() -> None:
    pair = sealed_pair(to_server=content(100_000))
    for data in shorts(pair, "client"):
        pair.throw("server", CLIENT, data, 1)
    pair.run(1)
    assert pair.server.it.stats().duplicates == len(shorts(pair, "client"))
    assert pair.server.received == content(100_000)
    pair.client.finishes = pair.server.finishes = True
    check_all(pair, content(100_000), b"")


def test_forgeries_are_dropped() -> None:
    """A RESET, DONE and data of somebody without the key, changed bits, and wrong phases."""
    up = content(100_000)
    pair = sealed_pair(to_server=up[:50_000])
    genuine = shorts(pair, "client")[-1]
    rng = random.Random(1)
    for _ in range(300):
        forged = bytearray(genuine)
        for _ in range(rng.randrange(1, 4)):
            forged[rng.randrange(9, len(forged))] ^= 1 << rng.randrange(8)
        forged[-1] ^= forged == genuine  # the same bit twice
        pair.throw("server", CLIENT, bytes(forged))
        pair.throw("server", CLIENT, bytes((genuine[0] ^ 1,)) + genuine[1:])
        pair.throw("server", CLIENT, genuine[:9] + rng.randbytes(30))
    pair.throw("server", CLIENT, genuine[:13] + b"\x0a\x01\x00" + bytes(16))  # RESET in clear
    pair.run(1)
    assert pair.server.it.stats().damaged == 901
    pair.client.left, pair.client.finishes, pair.server.finishes = memoryview(up[50_000:]), True, True
    check_all(pair, up, b"")


def test_datagrams_of_the_handshake_mean_nothing_later() -> None:
    pair = sealed_pair(to_server=b"x")
    for hop in [hop for hop in pair.log if hop.is_long]:
        pair.throw("server" if hop.sender == "client" else "client", SERVER, hop.data)
    pair.run(1)
    pair.client.finishes = pair.server.finishes = True
    check_all(pair, b"x", b"")


def test_another_connections_datagrams_are_not_taken() -> None:
    other = Pair(security=BOTH["sealed"](), to_server=content(5_000), seed=2)
    other.run(1)
    pair = sealed_pair(to_server=content(5_000, 7))
    damaged = pair.server.it.stats().damaged
    for data in shorts(other, "client"):
        pair.throw("server", CLIENT, data)
    pair.run(0.1)
    assert pair.server.received == content(5_000, 7)
    assert pair.server.it.stats().damaged > damaged
