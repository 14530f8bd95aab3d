"""What the laboratory decides without a kernel: NAT rules, sizes, when it has kept up, commands."""

from __future__ import annotations

import dataclasses
import re

import pytest

from surewire.apps.lab_run import split_commands
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, LinkStats
from surewire.lab.wired.emulation import WireReport
from surewire.lab.wired.laboratory import for_packets
from surewire.lab.wired.nat import nat_rules
from surewire.lab.wired.wire import WireStats


def test_the_first_translation_is_a_masquerade() -> None:
    assert "oifname wan ip saddr 192.168.1.0/24 masquerade" in nat_rules()


def test_each_rebinding_has_ports_of_its_own_for_a_while() -> None:
    ranges = [re.findall(r":(\d+)-(\d+)", nat_rules(count))[0] for count in range(1, 17)]
    ports = [set(range(int(low), int(high) + 1)) for low, high in ranges]

    assert len(set.union(*ports)) == sum(map(len, ports)) == 16_000
    # None of those a kernel gives to programs by itself.
    assert max(set.union(*ports)) < 32_768
    assert nat_rules(17) == nat_rules(1)


def test_a_rebinding_may_change_the_address() -> None:
    kept = {re.findall(r"snat to ([\d.]+):", nat_rules(count))[0] for count in range(1, 50)}
    changed = [re.findall(r"snat to ([\d.]+):", nat_rules(count, address=True))[0] for count in range(1, 50)]

    assert kept == {"10.10.1.1"}
    assert len(set(changed)) == 49
    assert not {"10.10.1.1", "10.10.1.100"} & set(changed)


@pytest.mark.parametrize(("overhead", "left"), [(0, 0), (28, 0), (46, 18)])
def test_headers_in_the_packet_are_not_counted_twice(overhead: int, left: int) -> None:
    assert for_packets(LinkConfig(overhead=overhead)).overhead == left


@pytest.mark.parametrize(
    ("wire", "unread", "kept_up"),
    [
        (WireStats(), 0, True),
        (WireStats(late=5, slow_turns=5), 0, True),
        (WireStats(late=6, slow_turns=5), 0, False),
        (WireStats(overflowed=1), 0, False),
        (WireStats(unsent=1), 0, False),
        (WireStats(not_ip=9, not_ip_any_more=9, pending=9), 0, True),
        (WireStats(), 1, False),
    ],
)
def test_when_a_wire_has_kept_up(wire: WireStats, unread: int, kept_up: bool) -> None:
    up = down = dataclasses.asdict(LinkStats(delivered=5_000))
    report = WireReport(emulator="tun", up=up, down=down, wire=dataclasses.asdict(wire), unread=unread)

    assert report.kept_up is kept_up


def test_two_commands() -> None:
    assert split_commands(["a", "-b", ":::", "c", "-d"]) == (["a", "-b"], ["c", "-d"])


@pytest.mark.parametrize("words", ["a b", "a ::: b ::: c", "::: b", "a :::", ":::"])
def test_not_two_commands(words: str) -> None:
    with pytest.raises(ConfigError):
        split_commands(words.split())
