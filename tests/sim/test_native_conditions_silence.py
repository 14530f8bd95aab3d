"""Native connections that end otherwise than well: aborted, fallen silent, or given up; and those that do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.native_peer import MS, S, Security
from surewire.errors import Aborted, IdleTimeout, Reset
from surewire.impair import LinkConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from tests.unit.native.pair import (
    BOTH,
    Pair,
    check_all,
    content,
    dropping,
    is_over,
    linked,
)

CASES = pytest.mark.parametrize("security", BOTH.values(), ids=BOTH.keys())


@CASES
def test_abort_tells_code_and_text(security: Callable[[], Security]) -> None:
    pair = Pair(security=security(), to_server=content(100_000))
    pair.run(5, until=lambda: len(pair.server.received) > 20_000)
    pair.client.it.abort(77, "the disk is full", now=pair.now)
    pair.run(1, until=lambda: is_over(pair))
    assert isinstance(pair.client.error, Aborted)
    error = pair.server.error
    assert isinstance(error, Reset) and error.code == 77 and "the disk is full" in str(error)
    assert pair.server.received == content(100_000)[: len(pair.server.received)]


def test_both_abort_at_once() -> None:
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=1_000_000)), to_server=content(100_000))
    pair.run(0.5)
    for end in pair.ends:
        end.it.abort(1, end.name, now=pair.now)
    pair.run(1)
    assert is_over(pair)
    assert all(isinstance(end.error, Aborted) for end in pair.ends)


def test_silence_ends_both_sides() -> None:
    pair = Pair(to_server=content(50_000))
    pair.client.finishes = pair.server.finishes = False
    pair.run(2)
    begin = pair.now
    pair.path = dropping(lambda hop: True)
    assert pair.run(60, until=lambda: is_over(pair))
    assert all(isinstance(end.error, IdleTimeout) for end in pair.ends)
    assert 25 * S < pair.now - begin < 31 * S


def test_an_idle_connection_stays_for_hours_and_says_little() -> None:
    pair = Pair(linked(LinkConfig(delay=10 * MS, loss=0.1)), to_server=b"x")
    pair.client.finishes = pair.server.finishes = False
    pair.run(2)
    said = len(pair.log)
    pair.run(7_200)
    assert not pair.client.it.is_closed and not pair.server.it.is_closed
    assert len(pair.log) - said < 7_200  # about two pings and answers each ten seconds
    pair.client.finishes = pair.server.finishes = True
    check_all(pair, b"x", b"")


def test_a_peer_with_less_patience_hears_often_enough() -> None:
    short = NativeConfig(transport=replace(DEFAULT_TRANSPORT, idle_timeout=6 * S))
    for config, server_config in ((NativeConfig(), short), (short, NativeConfig())):
        pair = Pair(linked(LinkConfig(delay=10 * MS, loss=0.05)), config=config, server_config=server_config)
        pair.client.finishes = pair.server.finishes = False
        pair.run(100)
        assert not pair.client.it.is_closed and not pair.server.it.is_closed


def test_a_peer_that_answers_and_takes_nothing_is_given_up() -> None:
    """Datagrams with more than 100 bytes vanish: pings pass, data do not."""
    up = content(20_000)
    is_bad = [False]
    pair = Pair(dropping(lambda hop: is_bad[0] and len(hop.data) > 100 and hop.sender == "client"))
    pair.client.finishes = pair.server.finishes = False
    pair.run(1)
    is_bad[0], pair.client.left = True, memoryview(up)
    assert pair.run(400, until=lambda: pair.client.closed is not None)
    assert isinstance(pair.client.error, IdleTimeout) and "takes nothing" in str(pair.client.error)


def test_a_closed_port_is_believed_after_the_third_word_of_it() -> None:
    pair = Pair(dropping(lambda hop: True))
    pair.settle()
    for _ in range(3):
        assert pair.client.closed is None
        pair.client.it.handle_refused(now=pair.now)
        pair.settle()
    assert pair.client.closed is not None and "closed" in str(pair.client.error)
