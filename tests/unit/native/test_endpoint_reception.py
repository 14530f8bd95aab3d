"""How an endpoint lets others in, and what it keeps of those who never get in."""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

from surewire.core.trains import Address
from surewire.crypto.crc32c import crc32c
from surewire.native.admission import AdmissionConfig
from surewire.wire.native_datagram import (
    MIN_HELLO,
    Hello,
    LongDatagram,
    RefusalCode,
    Refused,
    Retry,
    Versions,
    parse,
)
from tests.unit.native.endpoint_fakes import (
    CLIENT,
    PEER,
    FakeConnection,
    S,
    accepted,
    alive,
    changed,
    connect,
    drain,
    emitted,
    fake_endpoint,
    hello,
    say,
    short,
    touch,
)

IS_FAST = isinstance(crc32c, BuiltinFunctionType)
"""Whether the package `crc32c` is there: a flood of checksums in Python would take a minute."""

# Letting in.


class Server:
    """An endpoint that lets others in, and all connections it ever made."""

    def __init__(self, limits: AdmissionConfig | None = None) -> None:
        self.made: list[FakeConnection] = []
        self.endpoint = fake_endpoint(server=True, limits=limits, made=self.made)

    def ask(self, packet: Hello, source: Address = CLIENT, *, now: int = 0) -> LongDatagram | None:
        """The answer to a HELLO; None when it got a connection, or nothing."""
        trains = say(self.endpoint, packet, source, now=now)
        assert len(trains) <= 1
        if not trains or trains[0].buffers == [b"welcome"]:
            return None
        assert trains[0].destination == source
        assert trains[0].nbytes < MIN_HELLO / 3
        return parse(bytes(trains[0].buffers[0]), crc32c)

    def let_in(self, number: int, source: Address = CLIENT, *, now: int = 0) -> FakeConnection:
        """A half-open connection, with a cookie if need be."""
        before = len(self.made)
        answer = self.ask(hello(number), source, now=now)
        if isinstance(answer, Retry):
            answer = self.ask(hello(number, cookie=answer.cookie), source, now=now)
        assert answer is None
        (connection,) = self.made[before:]
        return connection

    def establish(self, connection: FakeConnection, *, now: int = 0) -> None:
        """Its client sends something sealed."""
        connection.is_established = True
        self.endpoint.handle_datagrams(short(connection.connection_id), 100, connection.peer, now=now)


def test_a_hello_makes_a_connection_that_is_shown_when_it_is_established() -> None:
    server = Server()
    endpoint, connection = server.endpoint, server.let_in(1)
    assert (endpoint.half_open, alive(endpoint), accepted(endpoint)) == (1, [], None)
    assert changed(endpoint) == []
    assert connection.peer == CLIENT
    assert connection.opened_with["hello_bytes"] == MIN_HELLO
    assert connection.opened_with["is_validated"] is False
    server.establish(connection)
    assert (endpoint.half_open, alive(endpoint)) == (0, [connection])
    assert accepted(endpoint) is connection
    assert accepted(endpoint) is None
    assert changed(endpoint) == [connection]


def test_a_repeated_hello_goes_to_its_connection() -> None:
    server = Server()
    connection = server.let_in(1)
    assert server.ask(hello(1)) is None
    assert server.ask(hello(1, cookie=b"late")) is None
    assert [packet.dcid for packet in connection.long] == [hello(1).dcid] * 2
    server.let_in(2)
    server.let_in(1, ("192.0.2.9", 1))
    assert len(server.made) == 3, "another attempt, another address: other connections"
    server.establish(connection)
    server.ask(hello(1))
    assert len(connection.long) == 3


def test_a_short_hello_is_ignored() -> None:
    server = Server()
    datagram = emitted(hello(1))[:-5]
    datagram += crc32c(datagram).to_bytes(4, "big")
    assert len(datagram) == MIN_HELLO - 1
    server.endpoint.handle_datagrams(datagram, len(datagram), CLIENT, now=0)
    assert not server.made and drain(server.endpoint) == []
    assert server.endpoint.stats.malformed == 1


def test_a_hello_to_a_client_is_ignored() -> None:
    endpoint = fake_endpoint()
    assert say(endpoint, hello(1)) == []
    assert endpoint.stats.unknown == 1 and not endpoint.is_listening


def test_versions_and_suites_are_answered() -> None:
    server = Server()
    for packet in (hello(1, version=7), hello(1, suite=200)):
        assert server.ask(packet) == Versions(packet.scid, packet.dcid, (1,), (0,))
    assert server.endpoint.stats.versions == 2 and not server.made


def test_a_hello_with_another_key_leaves_nothing_and_is_not_computed_twice() -> None:
    server = Server()
    for _ in range(3):
        assert server.ask(hello(1, message=b"wrong key")) is None
    stats = server.endpoint.stats
    assert (stats.failed, stats.late) == (1, 2)
    assert server.endpoint.half_open == 0 and drain(server.endpoint) == []
    server.let_in(2)


def test_the_cookie_goes_to_and_fro() -> None:
    server = Server(AdmissionConfig(always_validate=True))
    connection = server.let_in(1)
    assert connection.opened_with["is_validated"] is True
    assert server.endpoint.stats.retries == 1
    answer = server.ask(hello(2))
    assert isinstance(answer, Retry)
    assert isinstance(server.ask(hello(2, cookie=answer.cookie), ("192.0.2.9", 1)), Retry), "of another address"


def test_a_full_server_refuses_each_hello_once() -> None:
    server = Server(AdmissionConfig(max_connections=1))
    connection = server.let_in(1)
    for number in (2, 3, 3):
        answer = server.ask(hello(number))
        assert isinstance(answer, Refused)
        assert (answer.code, answer.dcid, answer.scid) == (RefusalCode.FULL, hello(number).scid, hello(number).dcid)
    assert server.endpoint.stats.refused == 3
    server.establish(connection)
    connection.is_closed = True
    server.establish(connection)
    drain(server.endpoint)
    server.let_in(2)


def test_a_half_open_connection_is_dropped_at_its_deadline() -> None:
    server = Server(AdmissionConfig(handshake_timeout=10 * S))
    endpoint = server.endpoint
    first = server.let_in(1, now=0)
    second = server.let_in(2, now=4 * S)
    third = server.let_in(3, now=5 * S)
    server.establish(second, now=6 * S)
    drain(endpoint, now=6 * S)
    assert endpoint.poll_timeout() == 10 * S
    endpoint.handle_timeout(now=10 * S)
    assert (endpoint.half_open, endpoint.stats.expired) == (1, 1)
    assert endpoint.poll_timeout() == 15 * S
    server.establish(first, now=11 * S)
    assert endpoint.stats.late == 1 and not first.received
    assert drain(endpoint, now=11 * S) == [], "nobody is told"
    endpoint.handle_timeout(now=20 * S)
    assert endpoint.half_open == 0 and third.polls > 0
    assert alive(endpoint) == [second]
    assert changed(endpoint) == [second], "the application never knew of the others"
    assert server.let_in(1, now=20 * S) is not first, "its client may try again"


def test_a_half_open_connection_that_was_dropped_sends_nothing_any_more() -> None:
    server = Server()
    datagram = emitted(hello(1))
    server.endpoint.handle_datagrams(datagram, len(datagram), CLIENT, now=0)
    server.made[0].deadline = 5 * S
    server.endpoint.handle_timeout(now=30 * S)
    assert drain(server.endpoint, now=30 * S) == []
    assert server.made[0].polls == 0 and server.endpoint.poll_timeout() is None


def test_a_half_open_connection_that_ends_by_itself_is_never_shown() -> None:
    server = Server()
    connection = server.let_in(1)
    connection.is_closed = True
    server.endpoint.handle_datagrams(short(connection.connection_id), 100, CLIENT, now=0)
    drain(server.endpoint)
    assert server.endpoint.half_open == 0 and accepted(server.endpoint) is None
    assert changed(server.endpoint) == [] and server.endpoint.poll_timeout() is None


def test_the_hello_of_a_connection_that_is_over_opens_nothing() -> None:
    server = Server()
    connection = server.let_in(1)
    server.establish(connection)
    connection.is_closed = True
    server.establish(connection)
    drain(server.endpoint)
    assert server.ask(hello(1)) is None
    assert len(server.made) == 1 and server.endpoint.stats.late == 1


def test_a_connection_that_ended_before_it_was_taken_is_still_handed_out() -> None:
    server = Server(AdmissionConfig(max_waiting=2))
    for number in (1, 2):
        connection = server.let_in(number)
        server.establish(connection)
        connection.is_closed = True
        server.establish(connection)
        drain(server.endpoint)
    assert alive(server.endpoint) == []
    assert isinstance(server.ask(hello(3)), Refused), "those who wait are bounded, over or not"
    assert accepted(server.endpoint) is server.made[0]
    server.let_in(4)


def test_closing_the_door() -> None:
    server = Server()
    endpoint = server.endpoint
    connection = server.let_in(1)
    server.establish(connection)
    server.let_in(2)
    was_listening = endpoint.is_listening
    endpoint.close_listening(now=0)
    assert was_listening and not endpoint.is_listening
    assert endpoint.half_open == 0
    answer = server.ask(hello(3))
    assert isinstance(answer, Refused) and answer.code == RefusalCode.CLOSING
    assert alive(endpoint) == [connection]
    endpoint.close_listening(now=0)
    fake_endpoint().close_listening(now=0)


def test_answers_that_wait_are_bounded_and_take_turns_with_connections() -> None:
    server = Server(AdmissionConfig(always_validate=True))
    endpoint = server.endpoint
    connection = connect(endpoint, PEER)
    connection.queue(*(b"data" for _ in range(10)))
    for number in range(1_000):
        datagram = emitted(hello(number))
        endpoint.handle_datagrams(datagram, len(datagram), CLIENT, now=0)
    touch(endpoint, connection)
    sent = [train.buffers == [b"data"] for train in drain(endpoint)]
    assert sent[:20] == [False, True] * 10
    assert len(sent) - 10 + endpoint.stats.answers_dropped == 1_000
    assert 100 <= len(sent) - 10 <= 256


# A flood.


def test_a_flood_leaves_nothing_behind_and_keeps_nobody_out() -> None:
    server = Server()
    endpoint = server.endpoint
    limits = AdmissionConfig()
    count = 100_000 if IS_FAST else 3_000
    datagram = emitted(hello(1))
    guests = 0
    for number in range(count):
        now = number * 10_000  # 100,000 a second
        source = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 4_000)
        endpoint.handle_datagrams(datagram, len(datagram), source, now=now)
        if number % 64 == 0:
            drain(endpoint, now=now)
        if number % 10_000 == 9_999 or number == count - 1:
            drain(endpoint, now=now)
            server.let_in(1_000_000 + number, ("198.51.100.1", number % 60_000), now=now)
            guests += 1
    assert endpoint.half_open <= limits.max_unproven + guests
    assert len(server.made) == endpoint.half_open == limits.max_unproven + guests
    assert endpoint.stats.retries >= count - limits.max_unproven
    objects = reachable(endpoint)
    assert objects < 400 * limits.max_unproven, objects
    endpoint.handle_timeout(now=100 * S)
    drain(endpoint, now=100 * S)
    assert endpoint.half_open == 0 and alive(endpoint) == []
    assert server.ask(hello(5), now=100 * S) is None, "no cookie is asked for any more"


def reachable(root: object) -> int:
    """Objects that hang on an endpoint, but for code and what is shared with everybody."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        one = pending.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FunctionType | BuiltinFunctionType):
            continue
        seen.add(id(one))
        pending.extend(gc.get_referents(one))
    return len(seen)
