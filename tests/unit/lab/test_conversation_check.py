"""The check for real links: who talks to whom is learned, captures are read, and a broken rule is found."""

from __future__ import annotations

import struct

import pytest

from surewire.core.trains import Address
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.proof.conversation_check import ConversationCheck
from surewire.lab.simulated.players import Player
from surewire.lab.simulated.rdp_simulation import RECEIVER, SENDER, RdpSimulation
from surewire.lab.simulated.stream_simulation import StreamSimulation
from surewire.lab.simulated.streamer_simulation import streamer_session
from surewire.lab.simulated.workloads import number_exchange
from surewire.lab.wired.capture import Captured

PATH = LinkConfig(delay=20_000_000, rate=20_000_000, loss=0.1, duplicate=0.05, corrupt=0.05, reorder=0.05)


class Recorder:
    """A tap that passes on what it is told, and keeps it as a capture of the wire would."""

    def __init__(self, check: ConversationCheck) -> None:
        self.packets: list[Captured] = []
        self._check = check

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        self._check.on_sent(source, destination, datagram, now)
        self.packets.append(Captured("up", "offered", now, ip_packet(source, destination, datagram)))

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        self._check.on_delivered(source, destination, datagram, now)
        self.packets.append(Captured("up", "delivered", now, ip_packet(source, destination, datagram)))


def ip_packet(source: Address, destination: Address, payload: bytes, *, protocol: int = 17) -> bytes:
    assert isinstance(source, tuple) and isinstance(destination, tuple)
    hosts = b"".join(bytes(map(int, host.split("."))) for host, _ in (source, destination))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, protocol, 0) + hosts
    return head + struct.pack(">HHHH", source[1], destination[1], 8 + len(payload), 0) + payload


def rdp_run() -> tuple[ConversationCheck, Recorder]:
    check = ConversationCheck("rdp")
    recorder = Recorder(check)
    simulation = RdpSimulation(bytes(200_000), PATH, seed=1, tap=recorder)
    assert simulation.run().is_success
    return check, recorder


def test_a_transfer_keeps_the_rules_and_so_does_its_capture() -> None:
    check, recorder = rdp_run()
    assert check.findings.kept == [] and check.datagrams > 200
    again = ConversationCheck("rdp")
    again.take_capture(recorder.packets)
    assert again.findings.kept == [] and again.datagrams == check.datagrams


def test_so_does_a_stream() -> None:
    check = ConversationCheck("streamer")
    players = [Player(workload=workload, make_session=streamer_session()) for workload in number_exchange(5_000)]
    simulation = StreamSimulation(Scenario(name="bad", up=PATH, down=PATH), *players, seed=1, tap=check)
    assert simulation.run(60 * 10**9).is_success
    assert check.findings.kept == [] and check.datagrams > 10


def test_a_broken_rule_is_found() -> None:
    check, recorder = rdp_run()
    sent = [packet for packet in recorder.packets if packet.event == "offered"]
    forged = ip_packet(RECEIVER, SENDER, b"CSC361\nType: ACK\nAcknowledgment: 4000000000\nWindow: 1\n\n")
    again = ConversationCheck("rdp")
    again.take_capture([*recorder.packets[: len(sent) // 2], Captured("down", "offered", 10**10, forged)])
    assert again.findings.count > 0


def test_the_wrong_protocol_is_found_at_once() -> None:
    _, recorder = rdp_run()
    check = ConversationCheck("streamer")
    check.take_capture(recorder.packets)
    assert check.findings.kept[0].rule == "readable"


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        ip_packet(SENDER, RECEIVER, b"", protocol=6),
        b"\x60" + bytes(60),
        ip_packet(SENDER, RECEIVER, b"")[:27],
    ],
)
def test_what_is_no_udp_over_ipv4_is_passed_over(packet: bytes) -> None:
    check = ConversationCheck("rdp")
    check.take_capture([Captured("up", "offered", 0, packet)])
    assert (check.datagrams, check.findings.count) == (0, 0)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(ConfigError, match="rdp, streamer or native"):
        ConversationCheck("tcp")
