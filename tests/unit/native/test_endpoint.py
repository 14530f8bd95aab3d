"""What an endpoint asks of its connections and when, and what it shows to the application."""

from __future__ import annotations

from surewire.core.trains import Train
from tests.unit.native.endpoint_fakes import (
    PEER,
    FakeConnection,
    S,
    changed,
    connect,
    drain,
    fake_endpoint,
    short,
    touch,
)

# Turns.


def test_connections_send_one_train_each_in_turn() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.queue(*(b"%d.%d" % (number, turn) for turn in range(number + 2)))
        touch(endpoint, connection)
    sent = [bytes(train.buffers[0]) for train in drain(endpoint)]
    assert sent == [b"0.0", b"1.0", b"2.0", b"0.1", b"1.1", b"2.1", b"1.2", b"2.2", b"2.3"]


def test_it_is_known_when_something_was_asked_last() -> None:
    """By whom does not matter; what asks for nothing, as an acknowledgment, leaves it as it was."""
    endpoint = fake_endpoint()
    first, second = connect(endpoint), connect(endpoint)
    first.queue(b"a question")
    first.asked_at = 5 * S
    touch(endpoint, first)
    drain(endpoint, now=5 * S)
    assert endpoint.asked_at == 5 * S
    second.queue(b"an acknowledgment")
    touch(endpoint, second)
    drain(endpoint, now=6 * S)
    assert endpoint.asked_at == 5 * S


def test_nobody_is_asked_without_a_reason() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(1_000)]
    for number, connection in enumerate(connections):
        connection.deadline = 10 * S + number
        touch(endpoint, connection)
    drain(endpoint)
    assert endpoint.poll_timeout() == 10 * S
    polls = [connection.polls for connection in connections]
    reads = [connection.deadline_reads for connection in connections]
    for turn in range(100):
        endpoint.handle_datagrams(short(connections[7].connection_id), 100, PEER, now=turn)
        drain(endpoint, now=turn)
        assert endpoint.poll_timeout() == 10 * S
        assert changed(endpoint) == [connections[7]]
    asked = [i for i, one in enumerate(connections) if one.polls != polls[i] or one.deadline_reads != reads[i]]
    assert asked == [7]
    assert connections[7].polls - polls[7] == connections[7].deadline_reads - reads[7] == 100


def test_a_driver_that_stops_sending_goes_on_where_it_was() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.queue(b"%d" % number, b"%d" % number)
        connection.deadline = 50 + number
        touch(endpoint, connection)
    train = endpoint.poll_transmit(now=0)
    assert train is not None and train.buffers == [b"0"]
    assert endpoint.poll_timeout() == 50, "deadlines hold while the socket is full"
    assert [train.buffers[0] for train in drain(endpoint)] == [b"1", b"2", b"0", b"1", b"2"]


def test_a_deadline_that_sending_brings_is_known_before_all_is_sent() -> None:
    class Arming(FakeConnection):
        def poll_transmit(self, *, now: int) -> Train | None:
            self.deadline = 9 if self.trains else None
            return super().poll_transmit(now=now)

    endpoint = fake_endpoint(kind=Arming)
    connection = connect(endpoint)
    assert endpoint.poll_timeout() is None
    connection.queue(b"one", b"two")
    touch(endpoint, connection)
    assert endpoint.poll_timeout() is None
    assert endpoint.poll_transmit(now=0) is not None
    assert endpoint.poll_timeout() == 9
    drain(endpoint)
    assert endpoint.poll_timeout() is None


# Deadlines.


def test_a_deadline_that_a_poll_in_vain_brings_is_known() -> None:
    """The pacer says when there will be something. That was not read, and the transfer stood still for seconds."""

    class Paced(FakeConnection):
        def poll_transmit(self, *, now: int) -> Train | None:
            train = super().poll_transmit(now=now)
            if train is None:
                self.deadline = now + 3
            return train

    endpoint = fake_endpoint(kind=Paced)
    connection = connect(endpoint)
    touch(endpoint, connection)
    assert endpoint.poll_timeout() == connection.deadline  # settled, before there is anything to send
    assert endpoint.poll_transmit(now=5) is None
    assert endpoint.poll_timeout() == 8


def test_each_connection_hears_of_its_own_deadline() -> None:
    endpoint = fake_endpoint()
    connections = [connect(endpoint) for _ in range(5)]
    for number, connection in enumerate(connections):
        connection.deadline = 10 + number
        connection.next_deadline = 100 + number
        touch(endpoint, connection)
    drain(endpoint)
    endpoint.handle_timeout(now=12)
    assert [connection.timeouts for connection in connections] == [[12], [12], [12], [], []]
    drain(endpoint, now=12)
    assert endpoint.poll_timeout() == 13
    assert changed(endpoint) == connections[:3]
    endpoint.handle_timeout(now=200)
    assert [connection.timeouts for connection in connections] == [[12, 200]] * 3 + [[200]] * 2


def test_a_deadline_that_was_put_off_does_not_ring() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    connection.deadline = 10
    touch(endpoint, connection)
    assert endpoint.poll_timeout() == 10
    connection.deadline = 20
    touch(endpoint, connection)
    endpoint.handle_timeout(now=15)
    assert connection.timeouts == []
    assert endpoint.poll_timeout() == 20
    connection.deadline = None
    touch(endpoint, connection)
    assert endpoint.poll_timeout() is None


def test_a_connection_that_rings_again_at_once_does_not_hold_the_others_up() -> None:
    endpoint = fake_endpoint()
    connection, other = connect(endpoint), connect(endpoint)
    connection.deadline = connection.next_deadline = 5
    other.deadline = 6
    for one in (connection, other):
        touch(endpoint, one)
    endpoint.handle_timeout(now=7)
    assert (connection.timeouts, other.timeouts) == ([7], [7])


# Changes.


def test_changes_are_told_once() -> None:
    endpoint = fake_endpoint()
    connection = connect(endpoint)
    for _ in range(3):
        endpoint.handle_datagrams(short(connection.connection_id), 100, PEER, now=0)
    assert changed(endpoint) == [connection]
    assert changed(endpoint) == []
    touch(endpoint, connection)
    assert changed(endpoint) == [], "who called the verb knows"
    connection.is_closed = True
    touch(endpoint, connection)
    drain(endpoint)
    assert changed(endpoint) == [connection]


def test_an_endpoint_has_no_events_of_its_own() -> None:
    endpoint = fake_endpoint()
    connect(endpoint)
    assert endpoint.poll_event() is None
