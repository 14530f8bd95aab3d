"""The receiver's rules, one at a time, against a sender played by hand."""

from __future__ import annotations

import hashlib

import pytest

from surewire.core.config import TransportConfig
from surewire.core.events import Closed, Established, ReceivedAll
from surewire.core.state import State
from surewire.errors import Aborted, IdleTimeout, Reset
from surewire.rdp.config import RdpConfig
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType
from tests.unit.rdp.scripted import KEY, MAGIC, MS, PEER, PLAIN, SESSION, STRANGER, ReceiverScript, S, error_of, events

OTHER_PORT = (PEER[0], 9_999)  # type: ignore[index]
BOTH = pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain"])


def opened(*, ours: bool, config: RdpConfig | None = None) -> ReceiverScript:
    """A receiver with a sender."""
    script = ReceiverScript(config=config)
    script.open(ours=ours, size=10_000)
    events(script.receiver)
    return script


# The opening.


def test_a_plain_syn_is_answered_by_the_minimal_ack() -> None:
    script = ReceiverScript(isn=0)
    script.feed(b"Magic: UVicCSc361\nType: SYN\nSequence: 0\n\n")
    assert script.drain() == [(b"Magic: UVicCSc361\nType: ACK\nAcknowledgment: 1\nWindow: 65536\n\n", PEER)]
    assert events(script.receiver) == [Established(PEER, False)]
    assert script.receiver.started_at == script.now


def test_an_offer_is_taken_up_by_a_checked_ack_of_the_syns_packet_number() -> None:
    script = ReceiverScript()
    (answer,) = script.open(ours=True, size=77)
    assert answer.number == script.isn + 1
    assert answer.extension is not None and answer.extension.received == ((0, 1),)
    assert script.receiver.is_ours and script.receiver.expected_size == 77
    assert events(script.receiver) == [Established(PEER, True)]


def test_an_offer_is_left_alone_without_extensions() -> None:
    script = ReceiverScript(config=PLAIN)
    (answer,) = script.open(ours=True)
    assert answer.extension is None and not script.receiver.is_ours


def test_the_senders_spelling_of_acknowledgment_is_echoed() -> None:
    script = ReceiverScript(isn=4)
    script.feed(b"Magic: CSC361\nType: SYN\nSequence: 4\nAcknowledgement: 0\n\n")
    assert b"\nAcknowledgement: 5\n" in script.drain()[0][0]


def test_a_syn_with_a_damaged_offer_is_believed_when_it_comes_again_unchanged() -> None:
    damaged = text.emit_syn(MAGIC, 1_000, Offer(1, SESSION, 0, 5)).replace(b"Size: 5", b"Size: 6")
    script = ReceiverScript()
    script.feed(damaged)
    assert script.drain() == [] and script.receiver.state is State.LISTEN
    assert script.receiver.stats.damaged == 1
    script.feed(damaged.replace(b"Size: 6", b"Size: 7"))
    assert script.drain() == []
    script.feed(damaged.replace(b"Size: 6", b"Size: 7"))
    assert script.answers() and not script.receiver.is_ours


@BOTH
def test_a_repeated_syn_is_answered_again(ours: bool) -> None:
    script = opened(ours=ours)
    (answer,) = script.open(ours=ours)
    assert script.position([answer]) == 0
    assert script.receiver.packets.count("r", PacketType.SYN) == 1
    assert script.receiver.packets.count("R", PacketType.SYN) == 1
    assert events(script.receiver) == []


@BOTH
def test_a_late_repeated_syn_is_answered_with_the_current_position(ours: bool) -> None:
    script = opened(ours=ours)
    script.dat(0, bytes(500))
    assert script.position(script.open(ours=ours)) == 500


def test_a_sender_that_starts_anew_before_it_sent_data_is_followed() -> None:
    script = opened(ours=False)
    script.isn = 77_000
    assert script.position(script.open(ours=False)) == 0
    assert events(script.receiver) == [Established(PEER, False)]


@BOTH
def test_a_second_senders_syn_is_refused_in_its_own_spelling(ours: bool) -> None:
    script = opened(ours=ours)
    assert script.position(script.dat(0, bytes(10)) or script.wait(script.now + 10 * MS)) == 10
    script.feed(text.emit_syn(b"CSc361", 5, None), STRANGER)
    assert script.drain() == [(b"Magic: CSc361\nType: RST\n\n", STRANGER)]
    assert script.receiver.stats.strangers == 1 and script.receiver.peer == PEER
    assert script.position(script.dat(10, bytes(10)) or script.wait(script.now + 10 * MS)) == 20


@BOTH
def test_an_opening_that_nothing_followed_gives_way_to_another_after_a_second(ours: bool) -> None:
    """Else a stray packet would take the receiver away from the sender it waits for."""
    script = opened(ours=ours)
    script.now += S - 1
    script.feed(text.emit_syn(b"CSc361", 5, None), STRANGER)
    assert script.drain() == [] and script.receiver.peer == PEER
    script.now += 1
    script.feed(text.emit_syn(b"CSc361", 5, None), STRANGER)
    assert [answer for answer, _ in script.drain()] == [
        b"Magic: CSc361\nType: ACK\nAcknowledgment: 6\nWindow: 65536\n\n"
    ]
    assert script.receiver.peer == STRANGER


def test_a_plain_opening_from_our_senders_address_does_not_take_the_checksums_away() -> None:
    script = opened(ours=True)
    script.feed(text.emit_syn(MAGIC, 5, None))
    assert script.receiver.is_ours
    assert script.position(script.dat(0, bytes(10)) or script.wait(script.now + 10 * MS)) == 10


def test_data_or_a_fin_before_any_syn_are_refused_and_the_rest_is_not_answered() -> None:
    script = ReceiverScript()
    script.feed(text.emit_plain_dat(MAGIC, 5, b"data"), STRANGER)
    script.feed(text.emit_fin(MAGIC, 5), STRANGER)
    assert script.drain() == [(text.emit_rst(MAGIC), STRANGER)] * 2
    script.feed(text.emit_rst(MAGIC), STRANGER)
    script.feed(text.emit_ack(MAGIC, 5, 5), STRANGER)
    script.feed(b"", STRANGER)
    script.feed(b"\x00" * 3_000, STRANGER)
    assert script.drain() == [] and script.receiver.state is State.LISTEN
    assert script.receiver.poll_timeout() is None


# Data.


@BOTH
def test_data_are_written_before_they_are_acknowledged_in_any_order(ours: bool) -> None:
    script = opened(ours=ours)
    script.dat(500, b"b" * 500)
    assert script.receiver.contiguous == 0 and script.receiver.received == 500
    answers = script.dat(0, b"a" * 500)
    assert script.position(answers or script.wait(script.now + 10 * MS)) == 1_000
    assert bytes(script.sink.data) == b"a" * 500 + b"b" * 500


@BOTH
def test_overlapping_data_count_once(ours: bool) -> None:
    script = opened(ours=ours)
    script.dat(0, b"a" * 600)
    script.dat(300, b"b" * 600)
    script.dat(100, b"c" * 300)
    assert script.receiver.received == 900
    assert bytes(script.sink.data) == b"a" * 600 + b"b" * 300  # bytes once written stay as they are
    assert script.receiver.packets.count("r", PacketType.DAT) == 2
    assert script.receiver.packets.count("R", PacketType.DAT) == 1


@BOTH
@pytest.mark.parametrize("offset", [-500, -1, 10**6, 10**12, 64 << 20])
def test_data_outside_the_window_are_not_taken(ours: bool, offset: int) -> None:
    config = RdpConfig(transport=TransportConfig(receive_window=60_000), plain_window=60_000)
    script = ReceiverScript(config=config, isn=100_000)
    script.open(ours=ours)
    answers = script.dat(offset, bytes(400))
    assert script.receiver.received == 0 and script.receiver.stats.ignored == 1
    assert script.position(answers) == 0  # told where the window is
    if ours:
        extension = answers[-1].extension
        assert extension is not None and extension.received == ((0, 1),)
    assert not script.sink.data


@BOTH
def test_the_edges_of_the_window(ours: bool) -> None:
    config = RdpConfig(transport=TransportConfig(receive_window=2_000), plain_window=2_000)
    script = opened(ours=ours, config=config)
    script.dat(1_501, bytes(500))
    assert script.receiver.received == 0
    script.dat(1_500, bytes(500))
    assert script.receiver.received == 500


def test_a_huge_payload_field_is_no_packet() -> None:
    script = opened(ours=False)
    script.feed(b"Magic: CSC361\nType: DAT\nSequence: 1001\nPayload: 999999999999999999\n\nabc")
    assert script.receiver.stats.damaged == 1 and script.receiver.received == 0


def test_holes_are_limited_and_what_would_make_more_is_not_acknowledged() -> None:
    script = opened(ours=True, config=RdpConfig(transport=TransportConfig(max_gaps=4)))
    for offset in range(100, 500, 100):
        script.dat(offset, b"x")
    assert script.receiver.received == 4
    answers = script.dat(700, b"x")
    assert script.receiver.received == 4 and script.receiver.stats.ignored == 1
    extension = answers[-1].extension
    assert extension is not None and all(stop <= script.packet_number - 1 for _, stop in extension.received)
    script.dat(101, b"y")  # touches what is there: no new hole
    assert script.receiver.received == 5
    script.dat(0, bytes(100))
    assert script.receiver.contiguous == 102


def test_data_of_another_session_or_without_a_checksum_are_dropped() -> None:
    script = opened(ours=True)
    other = b"".join(text.emit_dats(MAGIC, script.isn + 1, b"evil", segment=9, packet_number=1, key=KEY ^ 1))
    script.feed(other)
    script.feed(text.emit_plain_dat(MAGIC, script.isn + 1, b"evil"))
    script.feed(text.emit_fin(MAGIC, script.isn + 1))
    script.feed(text.emit_rst(MAGIC))
    assert script.receiver.stats.damaged == 4
    assert script.receiver.received == 0 and events(script.receiver) == []


def test_a_train_is_taken_apart_by_its_stride() -> None:
    script = opened(ours=True)
    data = bytes(range(250)) * 10
    buffers = text.emit_dats(MAGIC, script.isn + 1, data, segment=500, packet_number=5, key=KEY)
    packets = [b"".join(buffers[i : i + 2]) for i in range(0, len(buffers), 2)]
    assert len({len(packet) for packet in packets}) == 1
    script.receiver.handle_datagrams(b"".join(packets), len(packets[0]), PEER, now=script.now)
    assert script.receiver.contiguous == len(data) and bytes(script.sink.data) == data
    assert script.position(script.answers()) == len(data)
    assert script.receiver.packets.count("r", PacketType.DAT) == 5


# The end.


@BOTH
def test_the_fin_is_acknowledged_when_the_application_has_confirmed(ours: bool) -> None:
    script = opened(ours=ours)
    data = bytes(300)
    script.dat(0, data)
    digest = hashlib.sha256(data).digest()
    assert script.position(script.fin(300, digest=digest)) == 300
    assert events(script.receiver) == [ReceivedAll(300, digest if ours else None)]
    script.now += 10 * S
    assert script.position(script.fin(300, digest=digest)) == 300
    assert events(script.receiver) == []
    script.receiver.confirm(now=script.now)
    assert script.position(script.answers()) == 301
    assert script.receiver.ended_at == script.now


@BOTH
def test_a_fin_before_the_last_data_waits_for_them(ours: bool) -> None:
    script = opened(ours=ours)
    script.dat(200, bytes(100))
    assert script.position(script.fin(300)) == 0
    assert events(script.receiver) == []
    script.dat(0, bytes(200))
    assert [type(event) for event in events(script.receiver)] == [ReceivedAll]


@BOTH
@pytest.mark.parametrize("size", [-5, 100, 298])
def test_a_fin_before_the_end_of_what_was_received_is_ignored(ours: bool, size: int) -> None:
    script = opened(ours=ours)
    script.dat(0, bytes(300))
    script.fin(size)
    assert script.receiver.stats.ignored == 1
    assert events(script.receiver) == []
    script.fin(300)
    assert len(events(script.receiver)) == 1


def test_a_second_fin_at_another_place_is_ignored_and_data_behind_the_end_too() -> None:
    script = opened(ours=True)
    script.fin(300)
    script.fin(400)
    script.dat(200, bytes(200))
    assert script.receiver.stats.ignored == 2 and script.receiver.received == 0
    script.dat(0, bytes(300))
    assert [type(event) for event in events(script.receiver)] == [ReceivedAll]


@pytest.mark.parametrize("offset", [-1, 1])
def test_a_foreign_peers_fin_may_be_off_by_one(offset: int) -> None:
    script = opened(ours=False)
    script.dat(0, bytes(300))
    for _ in range(4):  # one too high may mean a lost last byte: believed only when no byte comes for long
        script.fin(300 + offset)
    assert events(script.receiver) == [ReceivedAll(300, None)]
    script.receiver.confirm(now=script.now)
    assert script.position(script.answers()) == 300 + offset + 1


@BOTH
def test_a_repeated_fin_is_answered_while_the_receiver_lingers(ours: bool) -> None:
    script = opened(ours=ours)
    script.fin(0)
    script.receiver.confirm(now=script.now)
    script.answers()
    config = script.receiver.config
    linger = config.transport.linger if ours else config.plain_linger
    for _ in range(3):
        script.wait(script.now + linger - 1)
        assert script.position(script.fin(0)) == 1
        assert Closed(None, None) not in events(script.receiver)
    script.wait(script.now + linger)
    assert events(script.receiver) == [Closed(None, None)]
    assert script.fin(0) == []


def test_a_farewell_ends_the_lingering_and_nothing_else_does() -> None:
    script = opened(ours=True)
    script.dat(0, bytes(300))
    end = script.isn + 1 + 301

    def acknowledge(number: int, key: int = KEY, extension: Extension | None = Extension()) -> bool:  # noqa: B008
        script.feed(text.emit_ack(MAGIC, number, 0, extension=extension, key=key))
        script.wait(script.now + MS)
        return Closed(None, None) in events(script.receiver)

    assert not acknowledge(end)  # before the FIN
    script.fin(300)
    assert not acknowledge(end)  # before the application has confirmed
    script.receiver.confirm(now=script.now)
    script.answers()
    assert not acknowledge(end - 1)
    assert not acknowledge(end, key=KEY ^ 1)
    assert not acknowledge(end, extension=None)
    assert acknowledge(end)


def test_confirming_at_the_wrong_time_does_nothing() -> None:
    script = opened(ours=True)
    script.receiver.confirm(now=script.now)
    assert script.position(script.dat(0, bytes(10)) + script.wait(script.now + 10 * MS)) == 10
    script.receiver.abort("enough", now=script.now)
    script.answers()
    script.receiver.confirm(now=script.now)
    assert script.answers() == [] and script.receiver.state is State.CLOSED


@BOTH
def test_a_reset_after_the_confirmation_changes_nothing(ours: bool) -> None:
    script = opened(ours=ours)
    script.fin(0)
    script.receiver.confirm(now=script.now)
    events(script.receiver)
    extension = Extension(reason="impatient") if ours else None
    script.feed(text.emit_rst(MAGIC, extension=extension, key=KEY))
    assert events(script.receiver) == [] and script.receiver.state is State.TIME_WAIT


@BOTH
def test_a_reset_ends_the_transfer(ours: bool) -> None:
    script = opened(ours=ours)
    script.feed(text.emit_rst(MAGIC, extension=Extension(reason="changed") if ours else None, key=KEY))
    error = error_of(script.receiver)
    assert isinstance(error, Reset) and ("changed" in str(error)) == ours
    assert script.answers() == []


def test_a_strangers_reset_is_ignored() -> None:
    for ours in (True, False):
        script = opened(ours=ours)
        for _ in range(5):
            script.feed(text.emit_rst(MAGIC), STRANGER)
        assert events(script.receiver) == []


@BOTH
def test_silence_ends_the_transfer_at_the_deadline(ours: bool) -> None:
    script = opened(ours=ours)
    script.now += 5 * S
    script.dat(0, bytes(10))
    heard, idle = script.now, script.receiver.config.transport.idle_timeout
    script.wait(heard + idle - 1)
    assert events(script.receiver) == []
    answers = script.wait(heard + idle)
    assert isinstance(error_of(script.receiver), IdleTimeout)
    assert {answer.type for answer in answers} == {PacketType.RST}


# Addresses.


def test_with_the_extension_a_new_address_is_followed_and_late_packets_move_nothing_back() -> None:
    script = opened(ours=True)
    late = b"".join(text.emit_dats(MAGIC, script.isn + 1, b"late", segment=9, packet_number=1, key=KEY))
    script.packet_number = 2
    script.dat(4, bytes(10), STRANGER)
    assert script.receiver.peer == STRANGER and script.receiver.stats.migrations == 1
    script.feed(late, PEER)
    assert script.receiver.peer == STRANGER and script.receiver.contiguous == 14
    assert {source for _, source in script.drain()} <= {STRANGER}
    script.fin(14, source=OTHER_PORT)
    assert script.receiver.peer == OTHER_PORT and script.receiver.stats.migrations == 2


def test_in_plain_mode_new_bytes_within_the_window_are_followed_to_another_port() -> None:
    script = opened(ours=False)
    script.dat(0, bytes(100), OTHER_PORT)
    assert script.receiver.peer == OTHER_PORT and script.receiver.contiguous == 100


@pytest.mark.parametrize(
    "offset, source",
    [(100, STRANGER), (0, OTHER_PORT), (50, OTHER_PORT), (10**6, OTHER_PORT), (-90, OTHER_PORT)],
    ids=["other host", "old bytes", "old bytes again", "beyond the window", "before the stream"],
)
def test_in_plain_mode_other_packets_move_nothing(offset: int, source: tuple[str, int]) -> None:
    script = opened(ours=False)
    script.dat(0, bytes(100))
    script.dat(offset, bytes(50), source)
    assert script.receiver.peer == PEER and script.receiver.contiguous == 100
    assert script.receiver.stats.strangers == 1 and script.receiver.stats.migrations == 0
    assert script.drain() == []


# Giving up.


@BOTH
def test_an_interrupted_receiver_says_why(ours: bool) -> None:
    script = opened(ours=ours)
    script.receiver.abort("interrupted by the user", now=script.now)
    answers = script.answers()
    assert [answer.type for answer in answers] == [PacketType.RST] * (3 if ours else 1)
    if ours:
        assert answers[0].extension is not None and answers[0].extension.reason == "interrupted by the user"
    assert isinstance(error_of(script.receiver), Aborted)
    script.receiver.abort("again", now=script.now)
    assert script.answers() == [] and events(script.receiver) == []


def test_a_receiver_that_nobody_called_ends_in_silence() -> None:
    script = ReceiverScript()
    script.receiver.abort("interrupted", now=script.now)
    assert script.drain() == []
    assert isinstance(error_of(script.receiver), Aborted)


@BOTH
def test_a_closed_receiver_survives_whatever_comes(ours: bool) -> None:
    script = opened(ours=ours)
    script.dat(0, bytes(100))
    script.receiver.abort("enough", now=script.now)
    script.answers()
    events(script.receiver)
    script.dat(100, bytes(100))
    script.fin(200)
    script.open(ours=ours)
    script.feed(text.emit_rst(MAGIC), STRANGER)
    script.feed(b"junk", STRANGER)
    script.wait(script.now + 100 * S)
    assert events(script.receiver) == []
    assert script.receiver.contiguous == 100 and script.receiver.state is State.CLOSED


def test_a_lost_last_byte_is_not_taken_for_a_fin_that_is_off_by_one() -> None:
    script = opened(ours=False)
    script.dat(0, bytes(300))
    script.fin(301)
    assert events(script.receiver) == []
    script.dat(300, b"x")
    assert events(script.receiver) == [ReceivedAll(301, None)]


def test_a_damaged_fin_of_a_plain_peer_does_not_rule_out_the_right_one() -> None:
    script = opened(ours=False)
    script.dat(0, bytes(300))
    script.fin(7300)
    script.fin(300)
    assert events(script.receiver) == [ReceivedAll(300, None)]
