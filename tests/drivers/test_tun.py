"""TUN devices: packets that the kernel sends are read, packets written arrive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import surewire
from surewire.drivers.namespaces import Namespaces
from surewire.drivers.tun import open_tun
from tests.drivers.wired_rooms import require_lab

SRC = Path(surewire.__file__).resolve().parent.parent

# The device answers what is sent to 10.9.9.2 by swapping the addresses, and says what it read.
MIRROR = """
import json, os, select, socket, subprocess, sys
sys.path.insert(0, sys.argv[1])
from surewire.drivers.tun import open_tun

descriptor = open_tun("mirror")
for command in (
    "sysctl -qw net.ipv6.conf.mirror.disable_ipv6=1",
    "ip addr add 10.9.9.1/24 dev mirror",
    "ip link set mirror mtu 1500 up",
):
    subprocess.run(command.split(), check=command.startswith("ip"), stderr=subprocess.DEVNULL)
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.bind(("10.9.9.1", 7777))
sock.connect(("10.9.9.2", 7777))
sock.settimeout(10)
sizes = []
for payload in (b"hello", bytes(1472), bytes(3000)):
    sock.send(payload)
    packets = []
    while select.select([descriptor], [], [], 0.2)[0]:
        packet = os.read(descriptor, 65535)
        packets.append(len(packet))
        os.write(descriptor, packet[:12] + packet[16:20] + packet[12:16] + packet[20:])
    sizes.append(packets)
    assert sock.recv(65535) == payload
print(json.dumps(sizes))
"""


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    require_lab()
    with Namespaces(["one"]) as made:
        yield made


def test_packets_out_and_in(namespaces: Namespaces) -> None:
    sizes = json.loads(namespaces.run("one", [sys.executable, "-I", "-c", MIRROR, str(SRC)]))

    # The last datagram comes in three fragments of at most the MTU.
    assert sizes == [[33], [1500], [1500, 1500, 68]]


def test_the_device_goes_with_its_descriptor(namespaces: Namespaces) -> None:
    script = "; ".join(
        [
            f"import os, subprocess, sys; sys.path.insert(0, {str(SRC)!r})",
            "from surewire.drivers.tun import open_tun",
            "d = open_tun('gone'); subprocess.run(['ip', '-o', 'link', 'show', 'gone'], check=True)",
            "os.close(d)",
            "sys.exit(subprocess.run(['ip', 'link', 'show', 'gone'], stderr=subprocess.DEVNULL).returncode)",
        ]
    )
    process = namespaces.start("one", [sys.executable, "-I", "-c", script], stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=20)

    assert b"gone" in out
    assert process.returncode != 0


@pytest.mark.parametrize("name", ["", "a-name-of-sixteen"])
def test_a_name_that_the_kernel_would_cut_is_refused(name: str) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(OSError, match="1 to 15 characters"):
        open_tun(name)
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before
