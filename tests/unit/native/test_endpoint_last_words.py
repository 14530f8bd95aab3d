"""The last datagram of a connection that is over, said again to a peer that missed it."""

from __future__ import annotations

from surewire.core.trains import Address, Train
from surewire.native.admission import AdmissionConfig
from surewire.native.endpoint import Endpoint
from surewire.native.last_words import MAX_REPEATS
from tests.unit.native.endpoint_fakes import (
    PEER,
    FakeConnection,
    S,
    connect,
    drain,
    fake_endpoint,
    hello,
    say,
    short,
    touch,
)


def over(endpoint: Endpoint, *, word: bytes = b"done") -> FakeConnection:
    """A connection that has said its last word."""
    connection = connect(endpoint)
    connection.queue(word)
    connection.is_closed = True
    touch(endpoint, connection)
    assert [train.buffers for train in drain(endpoint)] == [[word]]
    return connection


def ask_again(endpoint: Endpoint, connection: FakeConnection, *, source: Address = PEER, now: int) -> list[Train]:
    """The peer has missed it."""
    endpoint.handle_datagrams(short(connection.connection_id), 100, source, now=now)
    return drain(endpoint, now=now)


def test_the_last_word_is_said_again_to_a_peer_that_goes_on() -> None:
    endpoint = fake_endpoint()
    connection = over(endpoint)
    said = [ask_again(endpoint, connection, now=now) for now in range(S // 10, 6 * S, S // 10)]
    first, *repeats = [trains[0] for trains in said if trains]
    assert first.datagrams() == [b"done"]
    assert all(train.datagrams() == [b"done"] * 3 and train.destination == PEER for train in repeats)
    when = [number for number, trains in enumerate(said) if trains]
    assert when[:14] == [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 19, 23] and when[-2:] == [47, 55], "the waits grow"
    assert endpoint.stats.late == len(said)


def test_a_peer_that_never_stops_is_not_answered_for_ever() -> None:
    endpoint = fake_endpoint()
    connection = over(endpoint)
    said = [ask_again(endpoint, connection, now=now) for now in range(S, 29 * S, S // 10)]
    assert sum(map(len, said)) <= MAX_REPEATS
    quick = fake_endpoint()
    other = over(quick)
    asked = [ask_again(quick, other, now=now) for now in range(S, 200 * S, 2 * S)]
    assert sum(map(len, asked)) <= MAX_REPEATS


def test_the_last_word_is_not_said_at_once() -> None:
    endpoint = fake_endpoint()
    connection = over(endpoint)
    assert ask_again(endpoint, connection, now=1) == [], "what was on its way asks for nothing"
    assert len(ask_again(endpoint, connection, now=S)) == 1


def test_the_last_word_follows_a_peer_that_has_another_address() -> None:
    endpoint = fake_endpoint()
    elsewhere: Address = ("192.0.2.66", 1)
    (train,) = ask_again(endpoint, over(endpoint), source=elsewhere, now=S)
    assert train.destination == elsewhere


def test_the_last_word_is_never_larger_than_what_asks_for_it() -> None:
    endpoint = fake_endpoint()
    connection = over(endpoint, word=b"w" * 101)
    assert ask_again(endpoint, connection, now=S) == []
    for size, copies in ((101, 1), (110, 1), (220, 2), (1_200, 3)):
        now = (1 + copies + size) * S
        endpoint.handle_datagrams(short(connection.connection_id, size), size, PEER, now=now)
        assert [train.datagram_count for train in drain(endpoint, now=now)] == [copies]


def test_two_sides_that_are_both_gone_fall_silent() -> None:
    endpoints = fake_endpoint(), fake_endpoint()
    first, second = (connect(endpoint) for endpoint in endpoints)
    for endpoint, connection, other in ((endpoints[0], first, second), (endpoints[1], second, first)):
        connection.queue(short(other.connection_id, 40))
        connection.is_closed = True
        touch(endpoint, connection)
        drain(endpoint)
    word, crossings, now = short(first.connection_id, 40), 0, S
    while crossings < 100:
        endpoint = endpoints[crossings % 2]
        endpoint.handle_datagrams(word, len(word), PEER, now=now)
        answer = drain(endpoint, now=now)
        if not answer:
            break
        word = bytes(answer[0].buffers[0])
        crossings += 1
        now += S // 100
    assert 1 <= crossings <= 6


def test_the_last_word_survives_the_memory_it_stood_in() -> None:
    endpoint = fake_endpoint()
    memory = bytearray(b"done")
    connection = connect(endpoint)
    connection.trains.append(Train([memoryview(memory)], 4, 4, PEER))
    connection.is_closed = True
    touch(endpoint, connection)
    drain(endpoint)
    memory[:] = b"else"
    assert ask_again(endpoint, connection, now=S)[0].buffers == [b"done"]


def test_strangers_with_another_key_do_not_push_last_words_out() -> None:
    limits = AdmissionConfig(max_unproven=500, max_unproven_per_s=10**6)
    endpoint = fake_endpoint(server=True, limits=limits)
    connection = over(endpoint)
    for number in range(5_000):
        say(endpoint, hello(number, message=b"wrong key"))
    assert endpoint.stats.failed == 5_000
    assert len(ask_again(endpoint, connection, now=S)) == 1
