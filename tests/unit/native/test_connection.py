"""One connection as its application sees it: verbs, getters, events, and what a driver may rely on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from fuzz.native_peer import MS, Rogue, S, Security
from surewire.core.events import Closed, Established
from surewire.core.state import State
from surewire.errors import Aborted, ConfigError, IdleTimeout, LocalProtocolError, Reset, Unconfirmed
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import native_frames as frames
from tests.unit.native.pair import BOTH, Hop, Pair, check_all, content, dropping, is_over

CASES = pytest.mark.parametrize("security", BOTH.values(), ids=BOTH.keys())


def quiet(security: Security | None = None, **others: object) -> Pair:
    """An open pair whose applications do nothing by themselves."""
    pair = Pair(security=security, **others)  # type: ignore[arg-type]
    for end in pair.ends:
        end.finishes = end.reads = False
    pair.run(0.2)
    assert pair.client.it.is_established and pair.server.it.is_established
    return pair


@CASES
def test_getters_tell_the_story(security: Callable[[], Security]) -> None:
    pair = quiet(security())
    client, server = pair.client.it, pair.server.it
    assert (client.state, client.is_closed, client.is_confirmed) == (State.ESTABLISHED, False, False)
    assert client.room == client.config.send_buffer and client.written == client.acknowledged == 0
    assert client.write(b"x" * 1_000, now=pair.now) == 1_000
    assert (client.written, client.acknowledged, client.room) == (1_000, 0, client.config.send_buffer - 1_000)
    pair.run(0.1)
    assert (client.acknowledged, server.readable, server.held_bytes) == (1_000, 1_000, 1_000)
    assert client.room == client.config.send_buffer
    client.finish(now=pair.now)
    pair.run(0.1)
    assert (client.state, server.state) == (State.FIN_WAIT_2, State.CLOSE_WAIT)
    assert (server.has_ended, client.room) == (False, 0)
    assert server.read(5_000, now=pair.now) == b"x" * 1_000 and server.has_ended
    server.finish(now=pair.now)
    pair.run(1)
    assert client.is_closed and server.is_closed and client.is_confirmed and server.is_confirmed
    for end in pair.ends:
        assert [type(event) for event in end.events] == [Established, Closed]


def test_silence_at_the_end_is_called_by_what_is_known() -> None:
    for is_acknowledged, error in ((True, Unconfirmed), (False, IdleTimeout)):
        pair = quiet()
        client = pair.client.it
        client.write(b"x" * 1_000, now=pair.now)
        pair.run(0.1 if is_acknowledged else 0)
        pair.path = lambda hop: []
        client.finish(now=pair.now)
        pair.run(90)
        assert client.acknowledged == 1_000 * is_acknowledged
        assert type(client.error) is error


def test_what_is_written_after_the_end_is_refused() -> None:
    pair = quiet()
    client = pair.client.it
    client.finish(now=pair.now)
    client.finish(now=pair.now)
    for verb in (
        lambda: client.write(b"x", now=pair.now),
        lambda: client.send_source(MemorySource(b"x"), 0, 1, now=pair.now),
    ):
        with pytest.raises(LocalProtocolError):
            verb()
    client.abort(1, "", now=pair.now)
    with pytest.raises(LocalProtocolError):
        client.write(b"x", now=pair.now)
    client.finish(now=pair.now)
    client.close(now=pair.now)
    assert client.read(5, now=pair.now) == b"" and client.room == 0


def test_the_send_buffer_holds_what_it_may_and_opens_again() -> None:
    up = content(300_000)
    pair = quiet(config=NativeConfig(send_buffer=10_000))
    client, sent = pair.client.it, 0
    assert client.write(up, now=pair.now) == 10_000 and client.write(b"x", now=pair.now) == 0
    sent, pair.server.reads = 10_000, True
    for _ in range(3_000):
        pair.run(0.01)
        sent += client.write(up[sent:], now=pair.now)
        assert 0 <= client.room <= 10_000
        if sent == len(up):
            break
    client.finish(now=pair.now)
    pair.server.finishes = True
    check_all(pair, up, b"")


def test_files_and_memory_in_turn() -> None:
    pair, whole, rng = quiet(config=NativeConfig(send_buffer=50_000)), b"", random.Random(1)
    file = content(100_000)
    pair.server.reads = True
    for _ in range(60):
        if rng.random() < 0.5:
            start = rng.randrange(90_000)
            length = rng.randrange(1, 10_000)
            pair.client.it.send_source(MemorySource(file), start, length, now=pair.now)
            whole += file[start : start + length]
        else:
            data = rng.randbytes(rng.choice([1, 100, 5_000]))
            whole += data[: pair.client.it.write(data, now=pair.now)]
        pair.run(0.02)
    pair.client.finishes = pair.server.finishes = True
    check_all(pair, whole, b"")


def test_a_source_of_no_bytes_is_nothing() -> None:
    pair = quiet()
    pair.client.it.send_source(MemorySource(b""), 0, 0, now=pair.now)
    assert pair.client.it.written == 0


def test_close_throws_away_what_still_comes() -> None:
    down = content(2_000_000)
    small = NativeConfig(transport=replace(DEFAULT_TRANSPORT, receive_window=50_000))
    pair = Pair(config=small, to_client=down)
    pair.client.reads = pair.client.finishes = False
    pair.run(1)
    assert pair.client.it.held_bytes == 50_000
    pair.client.it.close(now=pair.now)
    assert pair.run(30, until=lambda: is_over(pair))
    assert pair.client.it.held_bytes == 0 and pair.client.error is None and pair.server.error is None


def test_close_while_a_sink_waits() -> None:
    pair, sink = quiet(), MemorySink()
    pair.server.it.divert(sink, 100_000, now=pair.now)
    pair.client.it.write(content(50_000), now=pair.now)
    pair.run(0.5)
    pair.server.it.close(now=pair.now)
    pair.client.it.write(content(50_000), now=pair.now)
    pair.client.finishes = pair.server.finishes = True
    pair.run(5, until=lambda: is_over(pair))
    assert sink.data == content(50_000) and pair.server.error is None


def test_what_arrived_can_be_read_after_the_end() -> None:
    for ends_well in (True, False):
        pair = quiet()
        pair.client.it.write(b"last words", now=pair.now)
        if ends_well:
            pair.client.it.finish(now=pair.now)
            pair.server.it.finish(now=pair.now)
        pair.run(1)
        if not ends_well:
            pair.client.it.abort(3, "broken", now=pair.now)
            pair.run(1)
        assert pair.server.it.is_closed and pair.server.it.read(99, now=pair.now) == b"last words"


def test_texts_of_an_abort_are_fit_for_a_terminal() -> None:
    for text in ("\x1b[31mred\n", "é" * 300, "\ud800 alone", ""):
        pair = quiet()
        pair.client.it.abort(2**62 - 1, text, now=pair.now)
        pair.run(1)
        error = pair.server.error
        assert isinstance(error, Reset) and error.code == 2**62 - 1
        assert str(error).isprintable() and len(str(error).encode()) < 300
        assert isinstance(pair.client.error, Aborted)


def test_a_refused_port_matters_only_if_nothing_else_is_heard() -> None:
    pair = quiet()
    for _ in range(10):
        pair.client.it.handle_refused(now=pair.now)
        pair.client.it.handle_refused(now=pair.now)
        pair.client.it.write(b"x", now=pair.now)
        pair.run(0.2)
    assert not pair.client.it.is_closed


def test_reports_of_a_closed_port_that_somebody_forges_end_nothing() -> None:
    """However many come at once or one by one: the peer is asked, and answers."""
    pair = quiet()
    for _ in range(100):
        for _ in range(10):
            pair.client.it.handle_refused(now=pair.now)
        pair.run(0.1)
    assert not pair.client.it.is_closed
    assert pair.client.sent < 100


def test_a_peer_that_is_gone_is_noticed_by_the_port_it_left() -> None:
    pair = quiet()
    pair.run(1)
    began = pair.now

    def path(hop: Hop) -> list[tuple[int, bytes]]:
        pair.client.it.handle_refused(now=pair.now)
        return []

    pair.path = path
    pair.client.it.write(b"x", now=pair.now)
    assert pair.run(10, until=lambda: pair.client.it.is_closed)
    assert isinstance(pair.client.error, Reset) and pair.now - began < 3 * S
    assert pair.client.sent < 30


def test_a_too_long_datagram_is_heard_of() -> None:
    pair = quiet()
    pair.client.it.write(content(200_000), now=pair.now)
    pair.run(1)
    assert pair.client.it.stats().path_mtu == 1_472
    pair.client.it.handle_too_long(1_400, now=pair.now)
    assert pair.client.it.stats().path_mtu < 1_400
    pair.client.it.write(content(200_000), now=pair.now)
    pair.run(1)
    assert pair.client.it.acknowledged == 400_000 and 1_200 < pair.client.it.stats().path_mtu < 1_400


def test_a_driver_that_calls_too_often_or_too_late() -> None:
    pair = quiet()
    for at in (0, 1, 1 * S, 1 * S, 5 * S):
        pair.now += at
        for end in pair.ends:
            end.it.handle_timeout(now=pair.now)
            end.it.handle_timeout(now=pair.now)
            while end.it.poll_transmit(now=pair.now) is not None:
                pass
    pair.client.left, pair.client.finishes, pair.server.finishes, pair.server.reads = memoryview(b"x"), True, True, True
    check_all(pair, b"x", b"")


def test_timers_are_never_left_behind() -> None:
    """After `handle_timeout` and all that follows, no deadline lies in the past, whatever is under way."""
    rng = random.Random(1)
    pair = Pair(dropping(lambda hop: rng.random() < 0.3), to_server=content(100_000), to_client=content(50_000))
    for _ in range(3_000):
        pair.run(60, until=lambda: True)
        deadlines = [end.connection.poll_timeout() for end in pair.ends if end.connection is not None]
        times = [at for at in deadlines if at is not None]
        if not times and is_over(pair):
            break
        pair.run(max(min(times, default=pair.now) - pair.now, MS) / S)
        for end in pair.ends:
            at = end.connection.poll_timeout() if end.connection is not None else None
            assert at is None or at > pair.now
    assert is_over(pair) and pair.client.error is None and pair.server.error is None


def test_a_client_hears_nothing_from_a_stranger() -> None:
    """Its server's datagrams count from wherever they come; what is not sealed does not."""
    peer = Rogue(is_server=True, security=BOTH["sealed"]())
    peer.say(frames.emit_ping(), source=("192.0.2.66", 6))
    assert peer.target.peer == peer.home
    peer.throw(b"\x40clientid" + bytes(50), source=peer.home)
    assert peer.target.stats().damaged == 1


def test_what_is_asked_of_the_peer_is_dated_and_acknowledgments_are_not() -> None:
    pair = quiet()
    pair.server.reads = True
    pair.run(1)
    assert pair.client.it.write(b"a question", now=pair.now)
    asked = pair.now
    pair.run(1)
    assert asked <= pair.client.it.asked_at < asked + 50 * MS
    assert pair.server.it.asked_at == 0, "it has only acknowledged"


def test_configurations_that_cannot_be() -> None:
    for wrong in (
        {"max_datagram": 1_199},
        {"max_datagram": 65_508},
        {"fixed_datagram": 0},
        {"connection_id_prefix": b"12345"},
        {"send_buffer": 0},
        {"keepalive": 0},
        {"wait_at_end": (0, 5)},
        {"wait_at_end": (5, 4)},
        {"update_keys_after": 0},
    ):
        with pytest.raises(ConfigError):
            NativeConfig(**wrong)


def test_statistics_add_up() -> None:
    rng = random.Random(3)
    up = content(300_000)
    pair = Pair(dropping(lambda hop: rng.random() < 0.1 and not hop.is_long), to_server=up)
    check_all(pair, up, b"")
    for end, other in (pair.ends, pair.ends[::-1]):
        mine, theirs = end.it.stats(), other.it.stats()
        sent = [hop for hop in pair.log if hop.sender == end.name]
        assert mine.datagrams_sent <= len(sent) <= mine.datagrams_sent + 6  # last words are repeated by others
        assert theirs.datagrams_received <= mine.datagrams_sent and theirs.damaged == theirs.malformed == 0
        assert theirs.received == mine.written == mine.acknowledged
    assert pair.client.it.stats().lost_bytes > 0 and pair.client.it.stats().retransmitted_bytes > 0
    assert 20 * MS <= pair.client.it.stats().min_rtt_ns < 30 * MS
