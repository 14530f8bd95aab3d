"""Which connection gets which datagram, and what happens to those for nobody."""

from __future__ import annotations

import random
from typing import cast

import pytest

from surewire.core.trains import Address
from surewire.crypto.checked import CheckedClient
from surewire.errors import LocalProtocolError
from surewire.native.config import NativeConfig
from surewire.wire.native_datagram import Refused, Retry, Versions, Welcome
from tests.unit.native.endpoint_fakes import (
    PEER,
    FakeConnection,
    alive,
    connect,
    drain,
    emitted,
    fake_endpoint,
    short,
    touch,
)


def test_a_train_for_one_connection_is_one_call() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(3)]
    train = b"".join(short(connections[1].connection_id, 1_200, mark=mark) for mark in range(44))
    endpoint.handle_datagrams(train, 1_200, PEER, now=0)
    assert connections[1].calls == [(0, 44)]
    assert b"".join(connections[1].received) == train
    assert connections[1].sources == [PEER]
    assert not connections[0].calls and not connections[2].calls


def test_a_shorter_last_datagram_comes_by_itself() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    parts = [short(connection.connection_id, 300, mark=mark) for mark in range(7)]
    parts.append(short(connection.connection_id, 40, mark=7))
    endpoint.handle_datagrams(b"".join(parts), 300, PEER, now=0)
    assert connection.calls == [(0, 7), (0, 1)]
    assert connection.received == parts


def test_runs_go_to_their_connections_in_order() -> None:
    endpoint = fake_endpoint()
    rng = random.Random(4)
    connections = [connect(endpoint) for _ in range(5)]
    for _ in range(200):
        stride = rng.randrange(30, 200)
        chosen = [rng.choice(connections) for _ in range(rng.randrange(1, 20)) for _ in range(rng.randrange(1, 4))]
        parts = [(one, short(one.connection_id, stride, mark=mark)) for mark, one in enumerate(chosen)]
        last, datagram = parts[-1]
        parts[-1] = last, datagram[: rng.randrange(17, stride + 1)]
        endpoint.handle_datagrams(b"".join(part for _, part in parts), stride, PEER, now=0)
        for connection in connections:
            assert connection.received == [part for one, part in parts if one is connection]
            connection.received.clear()
    assert endpoint.stats.unknown == endpoint.stats.malformed == 0


def test_a_change_of_the_key_phase_within_a_train_changes_nothing() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    parts = [short(connection.connection_id, 100, mark=mark, phase=mark // 3) for mark in range(6)]
    endpoint.handle_datagrams(b"".join(parts), 100, PEER, now=0)
    assert connection.received == parts


def test_strangers_between_are_dropped_and_counted() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    mine = [short(connection.connection_id, 100, mark=mark) for mark in range(3)]
    strange = short(b"nobody's", 100)
    endpoint.handle_datagrams(mine[0] + strange + strange + mine[1] + strange + mine[2], 100, PEER, now=0)
    assert connection.received == mine
    assert endpoint.stats.unknown == 3


def test_memory_that_is_used_again_is_cut_for_each_trailer() -> None:
    endpoint = fake_endpoint()
    sealed, checked = connect(endpoint), connect(endpoint)
    sealed.trailer = 16
    memory = bytearray(65_536)
    endpoint.lend(memoryview(memory))
    for turn in range(6):
        for connection in (sealed, checked):
            train = b"".join(short(connection.connection_id, 200, mark=100 * turn + mark) for mark in range(turn + 1))
            memory[: len(train)] = train
            endpoint.handle_datagrams(memoryview(memory)[: len(train)], 200, PEER, now=0)
            assert b"".join(connection.received) == train
            connection.received.clear()
    assert set(memory[13:196]) == {0}, "the last ones were opened in place"


@pytest.mark.parametrize("size", [1, 8])
def test_datagrams_without_an_id_are_malformed(size: int) -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    endpoint.handle_datagrams(bytes([0x40]) * size * 5, size, PEER, now=0)
    assert endpoint.stats.malformed == 5
    endpoint.handle_datagrams(short(connection.connection_id) * 2 + bytes([0x40]) * size, 100, PEER, now=0)
    assert endpoint.stats.malformed == 6
    assert connection.calls == [(0, 2)]


def test_datagrams_too_short_for_their_connection_never_reach_it() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    connection.trailer = 16
    for size in (9, 13, 28):
        endpoint.handle_datagrams(short(connection.connection_id, size)[:size] * 3, size, PEER, now=0)
    assert endpoint.stats.malformed == 9 and not connection.calls
    endpoint.handle_datagrams(short(connection.connection_id, 29), 29, PEER, now=0)
    assert len(connection.received) == 1
    whole = short(connection.connection_id, 100)
    endpoint.handle_datagrams(whole + whole[:28], 100, PEER, now=0)
    assert connection.received[1:] == [whole]
    assert endpoint.stats.malformed == 10


def test_nothing_at_all() -> None:
    endpoint = fake_endpoint()
    endpoint.handle_datagrams(b"", 100, PEER, now=0)
    assert endpoint.stats.malformed == 0
    with pytest.raises(LocalProtocolError, match="datagrams of 0 bytes"):
        endpoint.handle_datagrams(b"x", 0, PEER, now=0)


def test_long_datagrams_go_by_their_destination() -> None:
    endpoint = fake_endpoint()
    first, second = connect(endpoint), connect(endpoint)
    answers = (
        Retry(first.connection_id, 1, b"attempt1", b"cookie"),
        Welcome(second.connection_id, 1, b"serverid", b"message"),
        Refused(first.connection_id, 1, b"attempt1", 1, "full"),
        Versions(second.connection_id, b"attempt2", (1,), (0,)),
    )
    for answer in answers:
        datagram = emitted(answer)
        endpoint.handle_datagrams(datagram, len(datagram), PEER, now=7)
    assert endpoint.asked_at == 7, "a handshake goes on, and somebody waits for it"
    assert first.long == [answers[0], answers[2]]
    assert second.long == [answers[1], answers[3]]
    stray = emitted(Retry(b"nobody's", 1, b"attempt1", b"cookie"))
    endpoint.handle_datagrams(stray, len(stray), PEER, now=0)
    assert endpoint.stats.unknown == 1


def test_long_and_short_datagrams_in_one_train() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    retry = emitted(Retry(connection.connection_id, 1, b"attempt1", b"cookie"))
    data = short(connection.connection_id, len(retry))
    endpoint.handle_datagrams(retry + data + data + retry, len(retry), PEER, now=0)
    assert len(connection.long) == 2 and connection.calls == [(1, 3)]


def test_a_damaged_long_datagram_is_malformed() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    datagram = bytearray(emitted(Retry(connection.connection_id, 1, b"attempt1", b"cookie")))
    datagram[30] ^= 1
    endpoint.handle_datagrams(datagram, len(datagram), PEER, now=0)
    assert endpoint.stats.malformed == 1 and not connection.long


def test_ids_begin_with_the_prefix_and_no_two_are_equal() -> None:
    endpoint = fake_endpoint(config=NativeConfig(connection_id_prefix=b"\x07\x08"))
    ids = [connect(endpoint).connection_id for _ in range(500)]
    assert len(set(ids)) == 500 and all(cid[:2] == b"\x07\x08" for cid in ids)


class Scripted(random.Random):
    """Draws these numbers, as bytes."""

    numbers = iter([1, 2, 1, 2, 3])

    def randbytes(self, n: int) -> bytes:
        return next(self.numbers).to_bytes(n, "big")


def test_the_id_of_a_connection_that_is_over_is_not_used_again_at_once() -> None:
    endpoint = fake_endpoint(rng=Scripted())
    first, second = connect(endpoint), connect(endpoint)
    first.is_closed = True
    touch(endpoint, first)
    drain(endpoint)
    assert alive(endpoint) == [second]
    third = connect(endpoint)
    assert [one.connection_id[-1] for one in (first, second, third)] == [1, 2, 3]


def close(connection: FakeConnection) -> None:
    """It says a last word and is over."""
    connection.queue(b"done")
    connection.is_closed = True


def test_a_closed_connection_leaves_after_its_last_word() -> None:
    endpoint = fake_endpoint()
    connection, other = connect(endpoint), connect(endpoint)
    connection.deadline = 5
    endpoint.handle_datagrams(short(connection.connection_id), 100, PEER, now=0)
    assert endpoint.poll_timeout() == 5
    close(connection)
    endpoint.handle_datagrams(short(connection.connection_id), 100, PEER, now=0)
    assert len(alive(endpoint)) == 2
    assert [train.buffers for train in drain(endpoint)] == [[b"done"]]
    assert alive(endpoint) == [other]
    assert endpoint.poll_timeout() is None
    received = len(connection.received)
    endpoint.handle_datagrams(short(connection.connection_id) * 2, 100, PEER, now=0)
    assert endpoint.stats.late == 2 and endpoint.stats.unknown == 0
    assert len(connection.received) == received and drain(endpoint) == []
    touch(endpoint, connection)
    assert drain(endpoint) == [] and endpoint.poll_timeout() is None


def test_a_refused_peer_is_told_to_its_connections() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(2)]
    endpoint.handle_refused(now=0)
    assert [one.refusals for one in connections] == [1, 1]
    elsewhere: Address = ("203.0.113.2", 4433)
    other = connect(endpoint, elsewhere)
    endpoint.handle_refused(now=0)
    assert [one.refusals for one in (*connections, other)] == [1, 1, 0], "it is not known who refuses"
    endpoint.handle_refused(now=0, source=elsewhere)
    assert [one.refusals for one in (*connections, other)] == [1, 1, 1]
    endpoint.handle_too_long(1_400, destination=PEER, now=0)
    assert [one.too_long for one in (*connections, other)] == [[1_400], [1_400], []]


def test_a_server_does_not_believe_a_refusal_without_an_address() -> None:
    endpoint = fake_endpoint(server=True)
    connection = connect(endpoint)
    endpoint.handle_refused(now=0)
    assert connection.refusals == 0


def test_a_connection_gets_what_the_endpoint_was_made_with() -> None:
    config = NativeConfig(keepalive=7)
    endpoint = fake_endpoint(config=config)
    security = CheckedClient()
    connection = cast(FakeConnection, endpoint.connect(PEER, security=security, now=3))
    assert connection.opened_with["config"] is config
    assert connection.opened_with["security"] is security
    assert connection.opened_with["now"] == 3
