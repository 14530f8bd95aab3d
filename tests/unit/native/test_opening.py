"""The handshake of a connection: what is repeated, what is believed, and what is passed over."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.native_peer import CLIENT_ID, MS, SERVER, SERVER_ID, S, Security
from surewire.core.events import Established
from surewire.core.state import State
from surewire.crypto.checked import CheckedClient
from surewire.crypto.crc32c import crc32c
from surewire.crypto.sealed import KeyClient, KeyServer, PskClient, PskServer, public_key
from surewire.errors import HandshakeFailed, HandshakeTimeout, LocalProtocolError, Refused, UntrustedServer
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.native.connection import Connection
from surewire.native.opening import ClientOpening, ServerOpening, round_trip
from surewire.wire import native_datagram as wire
from surewire.wire import native_parameters
from surewire.wire.native_parameters import Parameters
from tests.unit.native.pair import BOTH, Pair, dropping, established

CASES = pytest.mark.parametrize("security", BOTH.values(), ids=BOTH.keys())


def client(security: Security | None = None, **others: object) -> Connection:
    config = NativeConfig(**others)  # type: ignore[arg-type]
    return Connection.open(
        SERVER,
        security=(security or BOTH["checked"]())[0],
        connection_id=CLIENT_ID,
        config=config,
        rng=random.Random(1),
        now=S,
    )


def said(connection: Connection, now: int = S) -> list[bytes]:
    datagrams: list[bytes] = []
    while (train := connection.poll_transmit(now=now)) is not None:
        datagrams += train.datagrams()
    return datagrams


def hello_of(connection: Connection) -> wire.Hello:
    hello = wire.parse(said(connection)[0], crc32c)
    assert isinstance(hello, wire.Hello)
    return hello


def answer(hello: wire.Hello, security: Security | None = None) -> ServerOpening:
    server = (security or BOTH["checked"]())[1]
    return ServerOpening(hello, server, SERVER_ID, config=NativeConfig(), rng=random.Random(2))


def welcome_of(opening: ServerOpening) -> wire.Welcome:
    welcome = wire.parse(opening.welcome(now=S), crc32c)
    assert isinstance(welcome, wire.Welcome)
    return welcome


def hear(connection: Connection, packet: wire.LongDatagram, now: int = S + MS) -> None:
    connection.handle_long(packet, SERVER, 200, now=now)


def test_a_hello_is_repeated_unchanged_ever_more_slowly_until_the_deadline() -> None:
    connection, now, times = client(), S, []
    first = said(connection)[0]
    while (deadline := connection.poll_timeout()) is not None:
        now = deadline
        connection.handle_timeout(now=now)
        for again in said(connection, now):
            assert again == first
            times.append((now - S) / S)
    assert times[:13] == [0.05, 0.1, 0.15, 0.25, 0.35, 0.45, 0.65, 0.85, 1.05, 1.45, 1.85, 2.25, 2.75]
    assert 29 < times[-1] < 30 and len(times) < 70
    assert now == 31 * S and isinstance(connection.error, HandshakeTimeout)


@CASES
def test_a_pair_agrees(security: Callable[[], Security]) -> None:
    pair = Pair(security=security())
    pair.client.finishes = pair.server.finishes = False
    pair.run(0.1)
    assert established(*pair.ends)
    assert sum(isinstance(event, Established) for end in pair.ends for event in end.events) == 2
    assert pair.client.it.stats().rtt_ns == pytest.approx(20 * MS, abs=3 * MS)
    assert pair.server.it.stats().rtt_ns == pytest.approx(20 * MS, abs=3 * MS)


@pytest.mark.parametrize(
    ("sent", "now", "rtt"),
    [
        ([0], 20, 20),
        ([0, 50], 70, 20),  # the second was answered, or the first late
        ([0, 50], 120, 70),
        ([0, 50], 55, 55),  # nothing is answered in 5 ms
        ([0, 50, 100, 200], 221, 21),
        ([0, 0], 0, 0),
    ],
)
def test_of_several_messages_the_last_that_is_likely_was_answered(sent: list[int], now: int, rtt: int) -> None:
    assert round_trip([at * MS for at in sent], 150 * MS, now=now * MS) == max(rtt * MS, 1)


@CASES
@pytest.mark.parametrize(
    "lost",
    [
        {("client", 0)},
        {("server", 0)},
        {("client", 1)},  # the answer to the WELCOME: what comes next was sent much later
        {("client", 0), ("client", 1), ("server", 0)},
    ],
)
def test_after_a_lost_message_both_sides_soon_know_the_round_trip(
    security: Callable[[], Security], lost: set[tuple[str, int]]
) -> None:
    """It is not the time since the first one, and so nobody waits three times as long for what is lost next."""
    pair = Pair(dropping(lambda hop: (hop.sender, hop.number) in lost), security=security())
    pair.client.finishes = pair.server.finishes = False
    pair.run(0.3)
    assert established(*pair.ends)
    for end in pair.ends:
        assert end.it.stats().rtt_ns == pytest.approx(20 * MS, abs=6 * MS)


def test_a_long_path_sees_a_hello_too_many_but_no_doubt_of_its_length() -> None:
    pair = Pair(dropping(lambda hop: False, delay=150 * MS))
    pair.client.finishes = pair.server.finishes = False
    pair.run(2)
    assert sum(hop.is_long for hop in pair.log if hop.sender == "client") == 5  # 0, 0.05, 0.1, 0.15, 0.25 s
    for end in pair.ends:
        assert end.it.stats().rtt_ns == pytest.approx(300 * MS, abs=6 * MS)


def test_what_is_written_before_the_answer_goes_with_it() -> None:
    pair = Pair(to_server=b"early")
    pair.run(1)
    assert pair.server.received == b"early"
    assert pair.server.closed_at is not None and pair.server.closed_at < S + 100 * MS


def test_neither_side_says_a_word_of_the_stream_before_it_may() -> None:
    connection = client()
    connection.write(b"secret", now=S)
    connection.finish(now=S)
    with pytest.raises(LocalProtocolError):
        connection.write(b"more", now=S)
    (hello,) = said(connection)
    assert b"secret" not in hello and len(hello) == 1_200
    server = Connection.accept(
        wire.parse(hello, crc32c),  # type: ignore[arg-type]
        source=("192.0.2.1", 1),
        hello_bytes=1_200,
        security=BOTH["checked"]()[1],
        connection_id=SERVER_ID,
        is_validated=True,
        config=NativeConfig(),
        rng=random.Random(1),
        now=S,
    )
    server.write(b"secret", now=S)
    (welcome,) = said(server)
    assert b"secret" not in welcome and server.state is State.SYN_RECEIVED


@CASES
def test_a_forged_welcome_is_passed_over(security: Callable[[], Security]) -> None:
    both = security()
    connection = client(both)
    genuine = welcome_of(answer(hello_of(connection), both))
    rng = random.Random(1)
    hear(connection, genuine._replace(message=b""))
    if security is BOTH["sealed"]:
        for _ in range(50):
            hear(connection, genuine._replace(message=rng.randbytes(len(genuine.message))))
            spoilt = bytearray(genuine.message)
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
            hear(connection, genuine._replace(message=bytes(spoilt)))
        assert not connection.is_established
        hear(connection, genuine)
        assert connection.is_established
    assert connection.state is not State.SYN_SENT or connection.error is None


def test_a_server_id_that_somebody_changed_means_nothing() -> None:
    """A changed copy of the WELCOME that overtakes it could else end the attempt, or lead to somebody else's id."""
    both = BOTH["sealed"]()
    connection = client(both)
    hear(connection, welcome_of(answer(hello_of(connection), both))._replace(scid=b"somebody"))
    assert connection.is_established
    (ping,) = said(connection)
    assert ping[1:9] == SERVER_ID


def test_a_server_that_names_no_id_ends_the_attempt() -> None:
    client_side = ClientOpening(CheckedClient(), CLIENT_ID, config=NativeConfig(), rng=random.Random(1))
    parameters = Parameters((1,), 1_500, 1_000, 30 * S, None, 5 * MS)
    with pytest.raises(HandshakeFailed, match="id"):
        client_side.on_welcome(wire.Welcome(CLIENT_ID, 1, SERVER_ID, native_parameters.emit(parameters)))


def test_a_hidden_version_ends_the_attempt() -> None:
    """The server's sealed list does not name the version in use: it was not the server that chose it."""
    client_side = ClientOpening(CheckedClient(), CLIENT_ID, config=NativeConfig(), rng=random.Random(1))
    parameters = Parameters((7,), 1_500, 1_000, 30 * S, SERVER_ID, 5 * MS)
    with pytest.raises(HandshakeFailed, match="version"):
        client_side.on_welcome(wire.Welcome(CLIENT_ID, 1, SERVER_ID, native_parameters.emit(parameters)))


def test_another_shared_key() -> None:
    both = PskClient(bytes(32)), PskServer(bytes(31) + b"x")
    with pytest.raises(HandshakeFailed):
        answer(hello_of(client(both)), both)


def test_a_server_that_nobody_vouches_for() -> None:
    seen = []

    def verify(key: bytes) -> None:
        seen.append(key)
        raise UntrustedServer("no")

    both = KeyClient(verify), KeyServer(bytes(range(32)))
    connection = client(both)
    hear(connection, welcome_of(answer(hello_of(connection), both)))
    assert isinstance(connection.error, UntrustedServer) and seen == [public_key(bytes(range(32)))]
    assert said(connection) == []


def test_a_retry_brings_the_hello_again_at_once_but_only_the_first() -> None:
    connection = client()
    hello = hello_of(connection)
    hear(connection, wire.Retry(CLIENT_ID, 1, b"nobody's", b"cookie 0"))
    assert said(connection) == []
    hear(connection, wire.Retry(CLIENT_ID, 1, hello.dcid, b"cookie 1"))
    assert hello_of(connection) == hello._replace(cookie=b"cookie 1")
    hear(connection, wire.Retry(CLIENT_ID, 1, hello.dcid, b"cookie 2"))
    assert said(connection) == []
    deadline = connection.poll_timeout()
    assert deadline is not None
    connection.handle_timeout(now=deadline)
    assert hello_of(connection).cookie == b"cookie 2"  # the newest: cookies do not live long


def test_refusals_and_other_versions() -> None:
    for packet, kind in (
        (wire.Refused(CLIENT_ID, 1, b"", 1, "full"), Refused),
        (wire.Versions(CLIENT_ID, b"", (2, 3), (0,)), HandshakeFailed),
        (wire.Versions(CLIENT_ID, b"", (1,), (1, 2)), HandshakeFailed),
    ):
        connection = client()
        hello = hello_of(connection)
        hear(connection, packet._replace(scid=b"nobody's"))
        assert connection.state is State.SYN_SENT
        hear(connection, packet._replace(scid=hello.dcid))
        assert type(connection.error) is kind
        assert connection.poll_timeout() is None and said(connection) == []
    connection = client()
    hear(connection, wire.Versions(CLIENT_ID, hello_of(connection).dcid, (2, 1), (1, 0)))  # makes no sense
    assert connection.state is State.SYN_SENT


def test_a_server_repeats_its_welcome_within_its_allowance() -> None:
    pair = Pair(dropping(lambda hop: hop.sender == "server"))
    pair.run(29)
    server_said = [hop for hop in pair.log if hop.sender == "server"]
    hellos = [hop for hop in pair.log if hop.sender == "client"]
    assert 2 * len(hellos) < len(server_said) <= 3 * len(hellos) - 3, "once the first, three times from the third on"
    assert len({hop.data for hop in server_said}) == 1
    assert sum(len(hop.data) for hop in server_said) <= 1_200 * len(hellos), "never longer than what asks for it"


def test_repeated_hellos_take_no_memory() -> None:
    pair = Pair(dropping(lambda hop: hop.sender == "server"))
    pair.run(1)
    (hello, *_) = [hop.data for hop in pair.log if hop.sender == "client"]
    packet = wire.parse(hello, crc32c)
    before = 0
    tracemalloc.start()
    try:
        for number in range(6_000):
            pair.server.it.handle_long(packet, pair.client.address, len(hello), now=pair.now + number)
            assert len(said(pair.server.it)) == 3
            if number == 1_000:
                before = tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] < before + 20_000
    finally:
        tracemalloc.stop()


def test_a_server_that_hears_nothing_sealed_gives_up_and_says_nothing() -> None:
    pair = Pair(dropping(lambda hop: hop.sender == "client" and not hop.is_long))
    pair.run(40)
    assert isinstance(pair.server.error, HandshakeTimeout)
    assert all(hop.is_long for hop in pair.log if hop.sender == "server")


def test_aborted_before_it_was_open() -> None:
    for is_said in (True, False):
        connection = client()
        if is_said:
            said(connection)
        connection.abort(1, "never mind", now=S)
        assert connection.is_closed and said(connection) == [] and connection.poll_timeout() is None


def test_a_server_that_takes_little() -> None:
    small = NativeConfig(transport=replace(DEFAULT_TRANSPORT, receive_window=10), fixed_datagram=1_200)
    pair = Pair(server_config=small, to_server=bytes(100))
    pair.run(20)
    assert pair.server.received == bytes(100) and pair.server.error is None
    assert max(len(hop.data) for hop in pair.log) == 1_200
