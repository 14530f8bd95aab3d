"""How two native connections end: in every order, whatever is lost of the ending."""

from __future__ import annotations

from itertools import combinations

import pytest

from fuzz.native_peer import MS, S
from surewire.core.state import State
from surewire.impair import LinkConfig
from tests.unit.native.pair import (
    BOTH,
    Hop,
    Pair,
    Path,
    check_all,
    content,
    dropping,
    linked,
    steady,
)

ENDINGS = ["client first", "server first", "both at once"]


def ending(how: str, path: Path, **others: object) -> Pair:
    """A short exchange that ends in one of three ways."""
    up, down = b"from the client", b"from the server"
    pair = Pair(path, to_server=up, to_client=down, **others)  # type: ignore[arg-type]
    pair.server.waits_for_end = how == "client first"
    pair.client.waits_for_end = how == "server first"
    return pair


def datagrams_of(how: str) -> int:
    pair = ending(how, steady())
    check_all(pair, b"from the client", b"from the server")
    return len(pair.log)


def lose(positions: tuple[int, ...], numbers: dict[tuple[str, int], int]) -> Path:
    """Loses the datagrams that were sent as number so and so of both sides together."""
    return dropping(lambda hop: numbers.setdefault((hop.sender, hop.number), len(numbers)) in positions)


def held_back(late: int) -> Path:
    """One datagram takes 0.7 s."""
    numbers: dict[tuple[str, int], int] = {}

    def path(hop: Hop) -> list[tuple[int, bytes]]:
        at = numbers.setdefault((hop.sender, hop.number), len(numbers))
        return [(700 * MS if at == late else 10 * MS, hop.data)]

    return path


@pytest.mark.parametrize("how", ENDINGS)
def test_a_quiet_end(how: str) -> None:
    pair = ending(how, steady())
    check_all(pair, b"from the client", b"from the server", seconds=5)
    assert pair.now < 1_400 * MS  # nobody had to wait for TIME-WAIT to run out


@pytest.mark.parametrize("how", ENDINGS)
def test_any_two_datagrams_are_lost(how: str) -> None:
    """Every single one and every pair, the handshake's among them; both sides still know that all went well."""
    count = datagrams_of(how) + 4  # repeats of what was lost as well
    for positions in [*((at,) for at in range(count)), *combinations(range(count), 2)]:
        pair = ending(how, lose(positions, {}))
        check_all(pair, b"from the client", b"from the server", seconds=25)


def test_any_two_datagrams_are_lost_in_sealed_mode() -> None:
    for positions in combinations(range(datagrams_of("client first") + 2), 2):
        pair = ending("client first", lose(positions, {}), security=BOTH["sealed"]())
        check_all(pair, b"from the client", b"from the server", seconds=25)


@pytest.mark.parametrize("how", ENDINGS)
def test_any_datagram_comes_late(how: str) -> None:
    for late in range(datagrams_of(how) + 2):
        check_all(ending(how, held_back(late)), b"from the client", b"from the server", seconds=25)


def test_half_closed_both_ways() -> None:
    """One direction ends long before the other, which goes on."""
    up, down = b"short", content(400_000)
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=4_000_000)), to_server=up, to_client=down)
    pair.server.finishes = False
    pair.run(10, until=lambda: pair.server.it.has_ended if pair.server.connection else False)
    assert pair.server.it.state is State.CLOSE_WAIT and not pair.client.it.is_closed
    pair.server.finishes = True
    check_all(pair, up, down)
    pair = Pair(linked(LinkConfig(delay=10 * MS, rate=4_000_000)), to_server=down, to_client=up)
    check_all(pair, down, up)


def test_nothing_is_said_at_all() -> None:
    check_all(Pair(), b"", b"", seconds=5)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_client_that_only_listens_is_let_in_although_its_first_words_are_lost(lost: int) -> None:
    """The server says nothing before it has heard something sealed."""
    pair = Pair(dropping(lambda hop: hop.sender == "client" and 1 <= hop.number <= lost), to_client=b"news")
    pair.client.finishes = False
    assert pair.run(5, until=lambda: pair.client.received == b"news")
    assert pair.server.it.is_established


@pytest.mark.parametrize("verb", ["abort", "close"])
def test_the_peer_of_a_confirmed_end_cannot_spoil_it(verb: str) -> None:
    """Abort in TIME-WAIT, or a RESET that arrives there, changes nothing: both sides have all."""
    pair = ending("client first", steady())
    assert pair.run(5, until=lambda: pair.client.it.state is State.TIME_WAIT)
    if verb == "abort":
        pair.client.it.abort(1, "impatient", now=pair.now)
    else:
        pair.client.it.close(now=pair.now)
    check_all(pair, b"from the client", b"from the server")


def silent(sender: str, start: int, stop: int) -> Path:
    """Nothing of what this side sends in this time gets through; "" means both sides."""
    return dropping(lambda hop: start <= hop.now < stop and hop.sender.startswith(sender))


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("sender", ["", "client", "server"])
@pytest.mark.parametrize("seconds", [3, 10, 20])
def test_an_outage_at_any_moment_of_the_ending(how: str, sender: str, seconds: int) -> None:
    """Nothing gets through for so long: the one that is still there when it is over is answered."""
    for begin in range(5, 110, 7):
        path = silent(sender, S + begin * MS, S + begin * MS + seconds * S)
        check_all(ending(how, path), b"from the client", b"from the server", seconds=60)
