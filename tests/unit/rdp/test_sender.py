"""The sender's rules, one at a time, against a receiver played by hand."""

from __future__ import annotations

import random

import pytest

from surewire.core.config import TransportConfig
from surewire.core.events import Closed, Established
from surewire.core.state import State
from surewire.errors import Aborted, HandshakeTimeout, IdleTimeout, Refused, Reset
from surewire.rdp.config import RdpConfig
from surewire.rdp.sender import RdpSender
from surewire.transfer.files import MemorySource
from surewire.wire import text
from surewire.wire.segment import Extension, Offer, PacketType
from tests.unit.rdp.scripted import MAGIC, MS, PEER, PLAIN, STRANGER, S, SenderScript, error_of, events

# The opening.


def test_the_syn_is_minimal_and_the_offer_lies_behind_it() -> None:
    script = SenderScript(bytes(1_234))
    (raw,) = script.raw
    syn = text.parse(raw)
    assert raw.startswith(text.emit_syn(MAGIC, script.isn, None))
    assert syn.offer is not None
    assert (syn.offer.version, syn.offer.packet_number, syn.offer.size) == (1, 0, 1_234)


def test_without_extensions_the_syn_is_minimal_only() -> None:
    script = SenderScript(config=PLAIN)
    assert script.raw == [text.emit_syn(MAGIC, script.isn, None)]


def test_initial_numbers_and_sessions_are_random() -> None:
    senders = [RdpSender(MemorySource(b""), PEER, rng=random.Random(seed), now=S) for seed in range(200)]
    syns = [text.parse(train.datagrams()[0]) for s in senders if (train := s.poll_transmit(now=S)) is not None]
    numbers = [syn.number for syn in syns]
    assert len(set(numbers)) == 200 and max(numbers) < 1 << 31 and max(numbers) - min(numbers) > 1 << 29
    assert len({syn.offer.session for syn in syns if syn.offer is not None}) == 200


def test_an_unanswered_syn_is_repeated_ever_slower_and_given_up() -> None:
    script = SenderScript()
    times = [script.now]
    while script.sender.state is State.SYN_SENT:
        deadline = script.sender.poll_timeout()
        assert deadline is not None
        for packet in script.wait(deadline):
            if packet.type is PacketType.SYN:
                times.append(deadline)
                assert packet.number == script.isn and packet.offer is not None
                assert packet.offer.packet_number == len(times) - 1
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert 200 * MS <= gaps[0] <= 500 * MS
    assert gaps == sorted(gaps) and gaps[-1] == S
    error = error_of(script.sender)
    assert isinstance(error, HandshakeTimeout) and "30 s" in str(error)
    assert 30 * S <= script.now - S <= 31 * S


def test_a_closed_port_is_named_when_the_opening_fails() -> None:
    script = SenderScript()
    script.sender.handle_refused(now=script.now)
    script.wait(60 * S)
    assert "port is closed" in str(error_of(script.sender))


def test_a_plain_answer_makes_a_plain_transfer() -> None:
    script = SenderScript()
    script.ack(0)
    assert events(script.sender) == [Established(PEER, False)]
    packets = script.packets()
    assert packets and all(packet.extension is None and packet.type is PacketType.DAT for packet in packets)
    assert all(len(packet.payload) <= text.MAX_PLAIN_PAYLOAD for packet in packets)
    assert packets[0].number == script.isn + 1


def test_an_answer_with_a_right_checksum_makes_one_of_ours() -> None:
    script = SenderScript()
    script.ack(0, received=((0, 1),))
    assert events(script.sender) == [Established(PEER, True)]
    packets = script.packets()
    assert packets and all(packet.extension is not None for packet in packets)
    numbers = [packet.extension.packet_number for packet in packets if packet.extension is not None]
    assert numbers == list(range(1, 1 + len(numbers)))


def test_the_extension_is_taken_up_later_when_the_first_answer_looked_plain() -> None:
    """The path may have damaged the name of the checksum's field in the first ACK."""
    script = SenderScript(bytes(50_000))
    script.ack(0, 16 << 20)
    first = script.packets()
    assert first and first[0].extension is None
    script.now += 20 * MS
    script.ack(len(first[0].payload), 16 << 20, received=((0, 2),))
    assert script.sender.is_ours
    later = script.packets()
    assert later and all(packet.extension is not None for packet in later)


def test_an_answer_with_a_wrong_checksum_is_no_answer() -> None:
    script = SenderScript()
    script.ack(0, received=((0, 1),), key=1)
    assert script.sender.state is State.SYN_SENT
    assert script.sender.stats.damaged == 1


@pytest.mark.parametrize("position", [-1, 1, 500, 10**12])
def test_an_answer_to_another_syn_is_no_answer(position: int) -> None:
    script = SenderScript()
    script.ack(position)
    assert script.sender.state is State.SYN_SENT
    assert script.sender.stats.ignored == 1
    assert script.packets() == []


def test_a_reset_in_the_opening_is_a_refusal() -> None:
    script = SenderScript()
    script.feed(text.emit_rst(MAGIC))
    assert isinstance(error_of(script.sender), Refused)
    assert script.sender.packets.count("r", PacketType.RST) == 1
    assert script.packets() == []


# What is ignored.


def established(*, ours: bool, size: int = 20_000) -> SenderScript:
    """A sender that has been answered and has sent its first packets."""
    script = SenderScript(bytes(size))
    script.ack(0, received=((0, 1),) if ours else None)
    script.raw = script.drain()
    events(script.sender)
    return script


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain"])
@pytest.mark.parametrize("beyond", [1, 5_000, 10**15])
def test_an_acknowledgment_of_data_never_sent_is_ignored(ours: bool, beyond: int) -> None:
    script = established(ours=ours)
    script.now += 20 * MS
    sent = sum(size for *_, size, _, _ in script.sender.take_records()[2:])
    script.ack(sent + beyond, received=((0, 1),) if ours else None)
    assert script.sender.acked_bytes == 0
    assert script.sender.stats.ignored == 1
    assert script.closed() is None


@pytest.mark.parametrize("received", [((0, 10_000),), ((9_999, 10_000), (0, 3))])
def test_an_acknowledgment_of_packet_numbers_never_sent_is_ignored(received: tuple[tuple[int, int], ...]) -> None:
    script = established(ours=True)
    script.now += 20 * MS
    script.ack(937, received=received)
    assert script.sender.acked_bytes == 0
    assert script.sender.stats.ignored == 1


def test_an_acknowledgment_of_the_fin_before_there_was_one_is_ignored() -> None:
    script = established(ours=False, size=200_000)
    script.ack(200_001)
    assert script.closed() is None and script.sender.acked_bytes == 0


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain"])
def test_what_only_senders_send_is_ignored(ours: bool) -> None:
    script = established(ours=ours)
    extension = Extension(packet_number=1) if ours else None
    before = script.sender.stats.ignored + script.sender.stats.damaged
    script.feed(text.emit_syn(MAGIC, 5, Offer(1, 2, 3, 4)))
    script.feed(text.emit_fin(MAGIC, 5, extension=extension, key=script.key))
    script.feed(text.emit_plain_dat(MAGIC, 5, b"data"))
    assert script.sender.stats.ignored + script.sender.stats.damaged == before + 3
    assert script.closed() is None


def test_strangers_are_not_listened_to() -> None:
    script = established(ours=False)
    script.feed(text.emit_rst(MAGIC), STRANGER)
    script.feed(text.emit_ack(MAGIC, script.isn + 1 + 959, 1), STRANGER)
    script.feed(b"\xff" * 2_000, (PEER, "another port"))
    assert script.sender.stats.strangers == 3
    assert script.sender.acked_bytes == 0 and script.closed() is None


def test_packets_without_a_checksum_are_dropped_once_the_peer_is_ours() -> None:
    script = established(ours=True)
    script.ack(900)
    assert script.sender.acked_bytes == 0
    assert script.sender.stats.damaged == 1


# Resets.


def test_a_reset_with_a_checksum_ends_the_transfer_with_its_reason() -> None:
    script = established(ours=True)
    script.feed(text.emit_rst(MAGIC, extension=Extension(reason="disk full"), key=script.key))
    error = error_of(script.sender)
    assert isinstance(error, Reset) and "disk full" in str(error)


def test_a_reset_without_a_checksum_needs_two_more() -> None:
    script = established(ours=True)
    for _ in range(2):
        script.now += 300 * MS
        script.feed(text.emit_rst(MAGIC))
        assert script.closed() is None
    script.now += 300 * MS
    script.feed(text.emit_rst(MAGIC))
    error = error_of(script.sender)
    assert isinstance(error, Reset) and "no longer knows" in str(error)
    assert script.sender.packets.count("rR", PacketType.RST) == 3


def test_a_valid_acknowledgment_forgets_resets_without_a_checksum() -> None:
    script = established(ours=True)
    for _ in range(10):
        for _ in range(2):
            script.now += 300 * MS
            script.feed(text.emit_rst(MAGIC))
        script.ack(0, received=((0, 1),))
    assert script.closed() is None
    assert script.sender.state is State.ESTABLISHED


def test_any_number_of_resets_without_a_checksum_in_a_burst_proves_nothing() -> None:
    script = established(ours=True)
    script.now += 300 * MS
    for _ in range(1_000):
        script.feed(text.emit_rst(MAGIC))
    assert script.closed() is None


def test_a_reset_with_another_sessions_checksum_is_damaged() -> None:
    script = established(ours=True)
    for _ in range(5):
        script.feed(text.emit_rst(MAGIC, extension=Extension(reason="evil"), key=script.key ^ 1))
    assert script.sender.stats.damaged == 5 and script.closed() is None


def test_a_plain_reset_ends_a_plain_transfer() -> None:
    script = established(ours=False)
    script.feed(text.emit_rst(MAGIC))
    assert isinstance(error_of(script.sender), Reset)


# Giving up.


@pytest.mark.parametrize("ours, copies", [(True, 3), (False, 1)])
def test_an_interrupted_sender_says_why(ours: bool, copies: int) -> None:
    script = established(ours=ours)
    script.sender.abort("interrupted by the user", now=script.now)
    packets = script.packets()
    assert [packet.type for packet in packets] == [PacketType.RST] * copies
    if ours:
        assert {packet.extension.reason for packet in packets if packet.extension} == {"interrupted by the user"}
    assert isinstance(error_of(script.sender), Aborted)
    script.sender.abort("again", now=script.now)
    assert events(script.sender) == [] and script.packets() == []
    assert script.sender.packets.count("s", PacketType.RST) == 1
    assert script.sender.packets.count("S", PacketType.RST) == copies - 1


def test_a_closed_session_says_and_hears_nothing() -> None:
    script = established(ours=True)
    script.sender.abort("enough", now=script.now)
    script.drain()
    events(script.sender)
    script.ack(937, received=((0, 2),))
    script.feed(text.emit_rst(MAGIC))
    script.feed(b"junk")
    script.sender.handle_timeout(now=script.now + 100 * S)
    script.sender.handle_refused(now=script.now)
    assert script.packets() == [] and events(script.sender) == []
    assert script.sender.poll_timeout() is None
    assert script.sender.state is State.CLOSED


def test_a_port_that_stays_closed_ends_an_open_transfer_and_one_report_does_not() -> None:
    script = established(ours=True)
    script.sender.handle_refused(now=script.now)
    assert script.closed() is None
    for _ in range(4):
        script.sender.handle_refused(now=script.now)
    error = error_of(script.sender)
    assert isinstance(error, Reset) and "port is closed" in str(error)


def test_acknowledgments_in_between_forget_reports_of_a_closed_port() -> None:
    script = established(ours=True)
    for _ in range(20):
        script.sender.handle_refused(now=script.now)
        script.ack(0, received=((0, 1),))
    assert script.closed() is None


# The end.


def finish_data(*, ours: bool, size: int = 2_000) -> SenderScript:
    """A sender all of whose data are acknowledged and whose FIN has been sent."""
    script = SenderScript(bytes(size))
    script.ack(0, received=((0, 1),) if ours else None)
    numbers = len(script.drain()) + 1
    script.now += 20 * MS
    script.ack(size, received=((0, numbers),) if ours else None)
    script.drain()
    events(script.sender)
    assert script.sender.state is State.FIN_WAIT_1
    assert script.sender.acked_bytes == size
    return script


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain"])
def test_the_acknowledgment_of_the_fin_is_success(ours: bool) -> None:
    script = finish_data(ours=ours)
    script.ack(2_001, received=((0, 2),) if ours else None)
    assert events(script.sender) == [Closed(None, None)]
    farewell = script.packets()
    assert [packet.type for packet in farewell] == [PacketType.ACK] * (3 if ours else 0)
    assert {packet.number for packet in farewell} <= {script.isn + 1 + 2_001}
    assert script.sender.ended_at == script.now
    assert script.sender.duration == script.now - S  # the SYN was answered at once


def test_a_plain_peer_that_exits_after_its_last_data_ack_is_no_failure() -> None:
    script = finish_data(ours=False)
    script.sender.handle_refused(now=script.now)
    closed = script.closed()
    assert closed is not None and closed.error is None and closed.note is not None


def test_a_plain_peer_gets_no_fin_before_all_data_are_acknowledged() -> None:
    script = SenderScript(bytes(2_000), config=PLAIN)
    script.ack(0)
    assert {packet.type for packet in script.packets()} == {PacketType.DAT}
    assert {packet.type for packet in script.wait(script.now + 3 * S)} == {PacketType.DAT}
    script.ack(2_000)
    assert [packet.type for packet in script.packets()] == [PacketType.FIN]


def test_an_empty_file_is_a_syn_and_a_fin() -> None:
    script = SenderScript(b"", config=PLAIN)
    script.ack(0)
    (fin,) = script.packets()
    assert (fin.type, fin.number) == (PacketType.FIN, script.isn + 1)
    script.ack(1)
    assert events(script.sender)[-1] == Closed(None, None)


# Windows.


def test_a_peer_without_a_window_is_taken_to_have_the_assignments_10240() -> None:
    script = SenderScript(bytes(100_000), config=PLAIN)
    script.feed(b"Magic: CSC361\nType: ACK\nAcknowledgment: %d\n\n" % (script.isn + 1))
    sent = script.packets() + script.wait(script.now + 100 * MS)
    stop = max(packet.number + len(packet.payload) for packet in sent) - script.isn - 1
    assert 9 * 959 < stop <= 10_240


@pytest.mark.parametrize("window", [1, 700, 736])
def test_a_small_window_is_used_and_not_exceeded(window: int) -> None:
    script = SenderScript(bytes(5 * window), config=PLAIN)
    position = 0
    for _ in range(40):
        script.ack(position, window)
        for packet in script.packets() or script.wait(script.now + 10 * MS):
            if packet.type is PacketType.DAT:
                stop = packet.number + len(packet.payload) - script.isn - 1
                assert stop <= position + window
                position = max(position, stop)
        script.now += 10 * MS
        if position == 5 * window:
            break
    assert position == 5 * window


def test_a_closed_window_is_probed_with_one_byte_until_it_opens() -> None:
    script = SenderScript(bytes(5_000), config=PLAIN)
    script.ack(0, 0)
    probes = script.packets() + script.wait(script.now + 8 * S)
    assert probes and all((packet.number, len(packet.payload)) == (script.isn + 1, 1) for packet in probes)
    assert len(probes) < 100
    script.ack(0, 4_000)
    sent = script.packets() + script.wait(script.now + 300 * MS)
    assert max(packet.number + len(packet.payload) for packet in sent) - script.isn - 1 > 3_000


def test_a_window_never_shrinks_what_was_granted() -> None:
    script = SenderScript(bytes(50_000), config=PLAIN)
    script.ack(0, 5_000)
    script.ack(0, 10)
    sent = script.packets() + script.wait(script.now + 100 * MS)
    assert max(packet.number + len(packet.payload) for packet in sent) - script.isn - 1 > 4_000


# Long transfers.


def test_packets_stay_within_the_limit_when_packet_numbers_grow_digits() -> None:
    """A peer that answers everything and receives nothing: thousands of packets of one small file."""
    patient = RdpConfig(transport=TransportConfig(stall_timeout=10**18))
    script = SenderScript(bytes(3_000), config=patient)
    script.ack(0, received=((0, 1),))
    largest = 0
    for _ in range(20_000):
        deadline = script.sender.poll_timeout()
        assert deadline is not None
        for packet in script.wait(deadline):
            assert packet.extension is not None and packet.extension.packet_number is not None
            largest = max(largest, packet.extension.packet_number)
        if largest > 9_100:
            break
        script.ack(0, received=((0, 1),))
    assert largest > 9_100


def test_the_longest_magic_leaves_room_for_a_payload() -> None:
    script = SenderScript(bytes(5_000), config=RdpConfig(magic=b"M" * 32))
    script.ack(0, received=((0, 1),))
    assert max(len(raw) for raw in script.drain()) >= text.MAX_PACKET - 8


# A receiver that answers, but takes nothing.


def test_a_receiver_that_answers_but_takes_nothing_is_given_up() -> None:
    script = SenderScript(bytes(50_000))
    script.ack(0, received=((0, 1),))
    began = script.now
    while script.sender.state is not State.CLOSED:
        script.wait(script.now + S)
        script.ack(0, received=((0, 1),))
    closed = script.closed()
    assert closed is not None and isinstance(closed.error, IdleTimeout) and "taken nothing" in str(closed.error)
    assert 119 * S <= script.now - began <= 122 * S


def test_a_closed_window_is_no_stall() -> None:
    script = SenderScript(bytes(50_000))
    script.ack(0, received=((0, 1),), window=0)
    for _ in range(300):
        script.wait(script.now + S)
        script.ack(0, received=((0, 1),), window=0)
    for _ in range(20):  # from here on it may be one
        script.ack(0, received=((0, 1),), window=5_000)
        script.wait(script.now + S)
    assert script.sender.state is State.ESTABLISHED
