"""`WiredLab` from Python: what it builds, and what it says when a part of it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from surewire.drivers.namespaces import NamespaceError, Namespaces
from surewire.impair import LinkConfig, Rebinding, Scenario
from surewire.lab.wired import topology
from surewire.lab.wired.laboratory import LabOptions, WiredLab
from surewire.lab.wired.nat import nat_rules
from tests.drivers.wired_rooms import require_lab, until

PERFECT = Scenario(name="perfect", up=LinkConfig(), down=LinkConfig())


@pytest.fixture
def lab() -> Iterator[WiredLab]:
    require_lab()
    with WiredLab(PERFECT) as made:
        yield made


def test_addresses_and_routes(lab: WiredLab) -> None:
    assert lab.run("client", ["hostname", "-I"]).split() == ["192.168.1.100"]
    assert lab.run("router", ["hostname", "-I"]).split() == ["192.168.1.1", "10.10.1.1"]
    assert lab.run("server", ["hostname", "-I"]).split() == ["10.10.1.100"]
    assert "via 192.168.1.1" in lab.run("client", ["ip", "route", "get", "{server}"])
    # Behind a NAT there is no way to the client but answers.
    with pytest.raises(NamespaceError, match="unreachable"):
        lab.run("server", ["ip", "route", "get", "{client}"])


def test_an_idle_laboratory_has_no_traffic(lab: WiredLab) -> None:
    report = lab.finish()

    assert report.wire.up["offered"] == report.wire.down["offered"] == report.wire.wire["not_ip"] == 0
    assert report.kept_up


def test_the_host_keeps_its_settings() -> None:
    require_lab()
    settings = [Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")]
    before = [file.read_text() for file in settings if file.exists()]
    with WiredLab(PERFECT) as lab:
        inside = lab.run("router", ["cat", str(settings[0])])
        during = [file.read_text() for file in settings if file.exists()]

    assert inside == "1\n"
    assert during == before == [file.read_text() for file in settings if file.exists()]
    assert not Path("/run/netns").exists() or not {"client", "router", "server"} & set(os.listdir("/run/netns"))


def test_an_emulator_that_dies_is_told(lab: WiredLab) -> None:
    # In the laboratory's process namespace nobody else has that name.
    lab.run("wire", ["sh", "-c", "kill -9 $(pgrep -f wired.emulator | head -1)"])

    assert until(lambda: "wan" not in lab.run("router", ["ip", "-o", "link"]))
    with pytest.raises(NamespaceError, match="the emulator ended"):
        lab.finish()


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        (PERFECT, LabOptions()),
        (Scenario(name="r", up=LinkConfig(), down=LinkConfig(), rebinding=Rebinding(first=0)), LabOptions(nat=False)),
    ],
)
def test_only_a_nat_that_may_can_be_rebound(scenario: Scenario, options: LabOptions) -> None:
    require_lab()
    with WiredLab(scenario, options) as lab, pytest.raises(NamespaceError, match="only a lab with a NAT"):
        lab.rebind()


_STREAM = """
import socket, sys
with socket.create_server(("", 9000)) as listener:
    print("ready", flush=True)
    sock, _ = listener.accept()
    while sock.recv(1 << 20):
        pass
    sock.sendall(bytes(1_000_000))
"""
_FETCH = """
import socket, sys
sock = socket.create_connection((sys.argv[1], 9000))
sock.sendall(bytes(1_000_000))
sock.shutdown(socket.SHUT_WR)
while sock.recv(1 << 20):
    pass
"""


@pytest.fixture
def bridged() -> Iterator[Namespaces]:
    """The laboratory as netem's wire has it, without netem."""
    require_lab()
    with Namespaces(topology.HOSTS) as namespaces:
        topology.build_hosts(namespaces, nat=True)
        topology.attach_veths(namespaces)
        topology.raise_wire(namespaces, nat=True)
        yield namespaces


def test_netem_meets_only_packets_of_the_mtu(bridged: Namespaces) -> None:
    server = bridged.start("server", [sys.executable, "-c", _STREAM], stdout=subprocess.PIPE)
    assert server.stdout is not None and server.stdout.readline() == b"ready\n"
    bridged.run("client", [sys.executable, "-c", _FETCH, topology.ADDRESSES["server"]])

    for port in (topology.TO_SERVER, topology.TO_ROUTER):
        sent = json.loads(bridged.run("wire", ["ip", "-json", "-stats", "link", "show", "dev", port]))[0]["stats64"][
            "tx"
        ]
        # Ethernet headers are counted, too.
        assert sent["bytes"] > 1_000_000 and sent["bytes"] / sent["packets"] <= topology.MTU + 14


def test_on_a_wire_with_arp_a_nat_may_take_another_address(bridged: Namespaces) -> None:
    bridged.run("router", ["nft", "-f", "-"], nat_rules(1, address=True))

    assert " 0% packet loss" in bridged.run("client", ["ping", "-c", "1", "-W", "5", topology.ADDRESSES["server"]])


def test_netem_where_there_is_none_is_one_line(lab: WiredLab) -> None:
    try:
        lab.run("wire", ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"])
    except NamespaceError:
        with pytest.raises(NamespaceError, match="this kernel has no netem"):
            WiredLab(PERFECT, LabOptions(emulator="netem"))
    else:
        with WiredLab(PERFECT, LabOptions(emulator="netem")) as other:
            assert other.finish().wire.emulator == "netem"
