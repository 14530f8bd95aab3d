"""The observer of native conversations: real datagrams pass, and each rule is broken once."""

from __future__ import annotations

import pytest

from surewire.core.trains import Address
from surewire.crypto.crc32c import crc32c
from surewire.lab.proof.native_wire_checker import NativeWireChecker
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire import native_parameters
from surewire.wire.native_parameters import Parameters
from surewire.wire.native_repairs import emit_repair, emit_symbol, participants

CLIENT, OTHER, SERVER = ("10.0.0.1", 1), ("10.0.0.9", 9), ("10.0.0.2", 2)
ATTEMPT, CLIENT_ID, SERVER_ID = b"attempt!", b"client's", b"server's"
COOKIE = b"cookie"
WINDOW, REPAIR_WINDOW = 1_000, 450
S = 1_000_000_000
MS = 1_000_000

PING, DONE = frames.emit_ping(), frames.emit_done()
CHALLENGE, RESPONSE = frames.emit_path_challenge(b"12345678"), frames.emit_path_response(b"12345678")
RESET = frames.emit_reset(1, "enough")


def parameters(connection_id: bytes | None) -> bytes:
    return native_parameters.emit(
        Parameters(
            versions=(1,),
            max_datagram=1_300,
            window=WINDOW,
            idle_timeout_ns=S,
            connection_id=connection_id,
            max_ack_delay_ns=5 * MS,
            repair_window=0 if connection_id is None else REPAIR_WINDOW,  # the server's only
        )
    )


def hello(cookie: bytes = b"", *, suite: int = 0, attempt: bytes = ATTEMPT) -> bytes:
    message = parameters(None) if not suite else b"sealed"
    return wire.emit(wire.Hello(attempt, 1, CLIENT_ID, suite, cookie, message), crc32c)


def welcome(*, message: bytes | None = None) -> bytes:
    content = parameters(SERVER_ID) if message is None else message
    return wire.emit(wire.Welcome(CLIENT_ID, 1, SERVER_ID, content), crc32c)


def retry() -> bytes:
    return wire.emit(wire.Retry(CLIENT_ID, 1, ATTEMPT, COOKIE), crc32c)


def short(cid: bytes, number: int, *body: bytes, phase: int = 0, spoils: bool = False) -> bytes:
    data = wire.SHORT.pack(wire.SHORT_FORM | phase, cid, number) + b"".join(body)
    return data + (crc32c(data, 0) ^ spoils).to_bytes(4, "big")


def up(number: int, *body: bytes, phase: int = 0, spoils: bool = False) -> bytes:
    return short(SERVER_ID, number, *body, phase=phase, spoils=spoils)


def down(number: int, *body: bytes, phase: int = 0) -> bytes:
    return short(CLIENT_ID, number, *body, phase=phase)


def data(start: int, stop: int, *, is_last: bool = False, shift: int = 0) -> bytes:
    content = bytes((at + shift) % 251 for at in range(start, stop))
    return frames.emit_data(start, content, is_last=is_last)


def ack(
    position: int, *ranges: tuple[int, int], window: int = WINDOW, latest: int | None = None, delay: int = 0
) -> bytes:
    return frames.emit_ack(position, window, ranges[0][1] - 1 if latest is None else latest, delay, ranges)


def repair(
    number: int, first: int, pieces: list[tuple[int, int] | None], *, halvings: int = 0, length: int = 104
) -> bytes:
    """The REPAIR, in the datagram `number`, of pieces of the stream [start, stop) sent from the number `first` on."""
    total, mask = 0, participants(number, len(pieces), halvings)
    for at, piece in enumerate(pieces):
        if piece is not None and mask >> at & 1:
            content = data(*piece)[frames.DATA_HEAD_SIZE :]
            symbol = emit_symbol(piece[0], content, is_last=False, length=length)
            total ^= int.from_bytes(symbol or b"", "big")
    return emit_repair(number - first - len(pieces) + 1, len(pieces), halvings, total.to_bytes(length, "big"))


class Tapped:
    """Hands datagrams to a checker, the time a millisecond later each time."""

    def __init__(self, *, opens: bool = True) -> None:
        self.checker = NativeWireChecker(SERVER)
        self.now = S
        if opens:
            self.up(hello())
            self.down(welcome())
            self.up(up(0, PING))

    def up(self, datagram: bytes, *, arrives: bool = True, source: Address = CLIENT) -> None:
        self._carry(datagram, source, SERVER, arrives=arrives)

    def down(self, datagram: bytes, *, arrives: bool = True, destination: Address = CLIENT) -> None:
        self._carry(datagram, SERVER, destination, arrives=arrives)

    def _carry(self, datagram: bytes, source: Address, destination: Address, *, arrives: bool) -> None:
        self.now += MS
        self.checker.on_sent(source, destination, datagram, self.now)
        if arrives:
            self.checker.on_delivered(source, destination, datagram, self.now)

    @property
    def rules(self) -> list[str]:
        return [violation.rule for violation in self.checker.findings.kept]


def test_a_conversation_with_losses_passes() -> None:
    tapped = Tapped(opens=False)
    tapped.up(hello(), arrives=False)
    tapped.up(hello())
    tapped.down(retry())
    tapped.up(hello(COOKIE))
    tapped.down(welcome(), arrives=False)
    tapped.up(hello(COOKIE))
    tapped.down(welcome())
    tapped.up(up(0, PING))
    tapped.up(up(1, data(0, 500)), arrives=False)
    tapped.up(up(2, data(500, 1_000)))
    tapped.down(down(0, ack(0, (2, 3), (0, 1))))
    tapped.up(up(3, data(0, 500)))
    tapped.down(down(1, ack(1_000, (2, 4), (0, 1), delay=MS // 2)))
    tapped.up(up(5, data(1_000, 1_200, is_last=True)))  # a number may be left out
    tapped.down(down(2, ack(1_201, (5, 6), (2, 4), window=799), data(0, 0, is_last=True)))
    tapped.up(up(6, ack(1, (0, 3)), DONE))
    tapped.down(down(3, DONE))
    tapped.down(down(3, DONE))  # its last word, once more
    assert tapped.rules == [] and tapped.checker.forged == 0


def test_a_change_of_the_address_passes_once_it_is_proved() -> None:
    tapped = Tapped()
    tapped.up(up(1, PING), source=OTHER)
    tapped.down(down(0, CHALLENGE), destination=OTHER)
    tapped.up(up(2, RESPONSE), source=OTHER)
    tapped.down(down(1, ack(0, (0, 3))), destination=OTHER)
    assert tapped.rules == []


def test_what_is_sealed_is_left_alone_behind_the_opening() -> None:
    tapped = Tapped(opens=False)
    tapped.up(hello(suite=2))
    tapped.down(welcome(message=b"sealed"))
    tapped.up(up(0, b"\xff\xfe"))
    tapped.down(down(7, b"\xff" * 1_400))
    assert tapped.rules == []


def test_other_traffic_and_strangers_do_not_count() -> None:
    tapped = Tapped()
    tapped.checker.on_sent(CLIENT, OTHER, b"anything", S)
    tapped.checker.on_delivered(CLIENT, OTHER, b"anything", S)
    tapped.checker.on_delivered(OTHER, SERVER, up(1, data(0, 9, is_last=True)), S)
    assert tapped.rules == [] and tapped.checker.forged == 1
    tapped.down(down(0, ack(0, (0, 1))))
    assert tapped.rules == []
    tapped.down(down(1, ack(10, (0, 2))))  # so it never arrived
    assert set(tapped.rules) == {"acknowledged"}


@pytest.mark.parametrize(
    ("datagrams", "rule"),
    [
        ([up(1, PING, spoils=True)], "readable"),
        ([up(1, b"\x55")], "readable"),
        ([b"\x42" + up(1, PING)[1:]], "readable"),
        ([b"\x80"], "readable"),
        ([short(b"whoisit?", 1, PING)], "opening"),
        ([up(1, data(0, 900), data(900, 1_300))], "datagram size"),
        ([up(0, PING)], "packet numbers"),
        ([up(5, PING), up(4, PING)], "packet numbers"),
        ([up(1, data(0, 100)), up(2, data(0, 100, shift=1))], "same bytes"),
        ([up(1, data(1, 100))], "same bytes"),
        ([up(1, data(0, 500)), up(2, data(500, 1_001))], "window"),
        ([up(1, data(0, 9, is_last=True)), up(2, data(0, 10, is_last=True))], "end of the stream"),
        ([up(1, data(0, 9, is_last=True)), up(2, data(9, 10))], "end of the stream"),
        ([up(1, ack(0, (0, 1)))], "acknowledged"),
        ([up(1, RESPONSE)], "paths"),
        ([up(1, DONE)], "done"),
        ([up(1, RESET), up(2, PING)], "silence after RESET"),
        ([up(1, PING, phase=1), up(2, PING)], "key phase"),
        ([wire.emit(wire.Retry(CLIENT_ID, 1, ATTEMPT, COOKIE), crc32c)], "direction"),
        ([hello(b"forged")], "opening"),
        ([hello(suite=2)], "opening"),
    ],
)
def test_what_a_client_must_not_send(datagrams: list[bytes], rule: str) -> None:
    tapped = Tapped()
    for datagram in datagrams:
        tapped.up(datagram)
    assert rule in tapped.rules


def test_one_byte_beyond_the_window_is_a_probe() -> None:
    tapped = Tapped()
    tapped.up(up(1, data(0, 500)))
    tapped.up(up(2, data(500, WINDOW)))
    tapped.up(up(3, data(WINDOW, WINDOW + 1)))
    assert tapped.rules == []


@pytest.mark.parametrize(
    ("datagrams", "rule"),
    [
        ([down(0, ack(0, (0, 2)))], "acknowledged"),
        ([down(0, ack(1, (0, 1)))], "acknowledged"),
        ([down(0, ack(0, (0, 1), delay=5 * S))], "delay"),
        ([down(0, ack(0, (0, 1))), down(1, ack(0, (0, 1)))], "needless ACK"),
        ([down(0, ack(0, (0, 1))), down(1, ack(0, (0, 1), window=WINDOW - 1))], "no retreat"),
        ([hello()], "direction"),
        ([welcome(message=b"another")], "opening"),
        ([down(0, CHALLENGE), down(1, CHALLENGE)], "addresses"),
    ],
)
def test_what_a_server_must_not_send(datagrams: list[bytes], rule: str) -> None:
    tapped = Tapped()
    for datagram in datagrams:
        tapped.down(datagram)
    assert rule in tapped.rules


def test_a_position_goes_up_only() -> None:
    tapped = Tapped()
    tapped.up(up(1, data(0, 100)))
    tapped.down(down(0, ack(100, (0, 2))))
    tapped.down(down(1, ack(99, (0, 2), window=WINDOW + 1)))
    assert tapped.rules[0] == "no retreat"


def test_nothing_before_its_time() -> None:
    tapped = Tapped(opens=False)
    tapped.down(retry())
    tapped.up(hello())
    tapped.down(welcome(), arrives=False)
    tapped.down(down(0, PING), arrives=False)
    tapped.up(up(0, PING), arrives=False)
    assert tapped.rules == ["opening", "rule of three", "opening", "addresses", "opening"]


def test_a_welcome_for_nobody() -> None:
    tapped = Tapped(opens=False)
    tapped.up(hello(), arrives=False)
    tapped.down(welcome())
    assert "opening" in tapped.rules


def test_three_times_as_much_and_no_more() -> None:
    tapped = Tapped(opens=False)
    tapped.up(hello())
    count = 3 * len(hello()) // len(welcome())
    for _ in range(count):
        tapped.down(welcome(), arrives=False)
    assert tapped.rules == []
    tapped.down(welcome(), arrives=False)
    assert tapped.rules == ["rule of three"]


def test_the_stream_goes_to_proved_addresses_only() -> None:
    tapped = Tapped()
    tapped.up(up(1, PING), source=OTHER)
    tapped.down(down(0, ack(0, (0, 2))), destination=OTHER)
    assert tapped.rules == ["addresses"]


def test_a_done_for_a_stream_that_is_not_whole() -> None:
    tapped = Tapped()
    tapped.up(up(1, data(0, 5, is_last=True)), arrives=False)
    tapped.down(down(0, data(0, 0, is_last=True)))
    tapped.up(up(2, ack(1, (0, 1)), DONE))
    assert tapped.rules == ["done"]  # its own end was not acknowledged
    tapped.down(down(1, DONE))
    assert tapped.rules == ["done", "done"]  # nor has the other side its stream


def test_a_phase_changes_again_after_an_acknowledgment() -> None:
    tapped = Tapped()
    tapped.up(up(1, PING, phase=1))
    tapped.down(down(0, ack(0, (0, 2))))
    tapped.up(up(2, PING))
    assert tapped.rules == []


# Sums.

PIECES: list[tuple[int, int] | None] = [(0, 100), (100, 200), (200, 300)]


def with_pieces(*arrived: bool) -> Tapped:
    """Three pieces of 100 bytes as the numbers 1 to 3."""
    tapped = Tapped()
    for number, piece, arrives in zip((1, 2, 3), PIECES, arrived, strict=True):
        assert piece is not None
        tapped.up(up(number, data(*piece)), arrives=arrives)
    return tapped


def test_what_can_be_worked_out_may_be_acknowledged_by_position() -> None:
    tapped = with_pieces(True, False, True)
    tapped.up(up(4, repair(4, 0, [None, *PIECES])))
    tapped.down(down(0, ack(300, (3, 5), (0, 2))))
    assert tapped.rules == []
    tapped.down(down(1, ack(301, (3, 5), (0, 2))))
    assert tapped.rules == ["acknowledged"]


def test_what_was_worked_out_is_no_number_that_arrived() -> None:
    tapped = with_pieces(True, False, True)
    tapped.up(up(4, repair(4, 1, PIECES)))
    tapped.down(down(0, ack(300, (0, 5))))
    assert tapped.rules == ["acknowledged"]


@pytest.mark.parametrize("arrived", [(False, False, True), (True, False, False)])
def test_one_sum_shows_one_datagram(arrived: tuple[bool, bool, bool]) -> None:
    tapped = with_pieces(*arrived)
    tapped.up(up(4, repair(4, 1, PIECES)))
    tapped.down(down(0, ack(100 * arrived[0], (4, 5), (0, 1))))
    assert tapped.rules == []
    tapped.down(down(1, ack(200, (4, 5), (0, 1))))
    assert tapped.rules == ["acknowledged"]


def test_two_sums_show_two_and_one_that_is_lost_shows_nothing() -> None:
    tapped = with_pieces(False, False, True)
    tapped.up(up(4, repair(4, 1, PIECES)))
    tapped.up(up(5, repair(5, 1, PIECES[:1])), arrives=False)
    tapped.down(down(0, ack(0, (3, 5), (0, 1))))
    assert tapped.rules == []
    tapped.up(up(6, repair(6, 2, PIECES[1:])))
    tapped.down(down(1, ack(300, (6, 7), (3, 5), (0, 1))))
    assert tapped.rules == []


def test_a_late_datagram_makes_a_sum_of_use() -> None:
    tapped = with_pieces(True, False, False)
    tapped.up(up(4, repair(4, 1, PIECES)))
    tapped.checker.on_delivered(CLIENT, SERVER, up(3, data(200, 300)), tapped.now)
    tapped.down(down(0, ack(300, (3, 5), (0, 2))))
    assert tapped.rules == []


def test_a_sum_of_other_length_helps_with_what_the_first_has_shown() -> None:
    tapped = Tapped()
    tapped.up(up(1, data(0, 100)), arrives=False)
    tapped.up(up(2, data(100, 150)), arrives=False)
    pieces: list[tuple[int, int] | None] = [(0, 100), (100, 150)]
    tapped.up(up(3, repair(3, 1, pieces)))
    tapped.up(up(4, repair(4, 1, pieces, length=54)))  # the longer one counts as zeros there, so it may be either
    tapped.down(down(0, ack(0, (3, 5), (0, 1))))
    assert tapped.rules == []
    tapped.up(up(5, repair(5, 2, pieces[1:], length=54)))
    tapped.down(down(1, ack(150, (3, 6), (0, 1))))
    assert tapped.rules == []


def test_the_end_may_be_worked_out() -> None:
    tapped = Tapped()
    tapped.up(up(1, data(0, 5, is_last=True)), arrives=False)
    symbol = emit_symbol(0, bytes(range(5)), is_last=True, length=20)
    assert symbol is not None
    tapped.up(up(2, emit_repair(1, 1, 0, symbol)))
    tapped.down(down(0, ack(6, (2, 3), (0, 1)), data(0, 0, is_last=True)))
    tapped.up(up(3, ack(1, (0, 1)), DONE))
    tapped.down(down(1, DONE), arrives=False)
    assert tapped.rules == []


@pytest.mark.parametrize(
    "wrong",
    [
        repair(4, 1, [(0, 100), (100, 200), (200, 299)]),  # not what was sent
        repair(4, 1, PIECES)[:-1],
        emit_repair(4, 2, 0, bytes(104)),  # from -1 on
        emit_repair(5, 1, 0, bytes(104)),
    ],
)
def test_sums_that_a_client_must_not_send(wrong: bytes) -> None:
    tapped = with_pieces(True, True, True)
    tapped.up(up(4, wrong))
    assert tapped.rules == ["repair"]


def test_a_sum_over_more_than_the_peer_keeps() -> None:
    """Its numbers times the length of the longest piece, whatever is in them."""
    tapped = with_pieces(True, True, True)
    tapped.up(up(4, data(300, 450)))
    tapped.up(up(5, repair(5, 1, PIECES, length=154)))
    assert tapped.rules == []
    tapped.up(up(6, repair(6, 1, [*PIECES, (300, 450)], length=154)))
    assert tapped.rules == ["repair"]


def test_a_sum_that_was_not_asked_for() -> None:
    tapped = Tapped()
    tapped.down(down(0, data(0, 100)))
    tapped.down(down(1, repair(1, 0, [(0, 100)])))
    assert tapped.rules == ["repair", "repair"]
