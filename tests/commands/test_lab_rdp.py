"""RDP through the laboratory of its text: a real NAT, damage, and the translated address in the receiver's log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.commands.lab_tools import run_lab
from tests.commands.rdp_tools import MODULES, parse_lines
from tests.drivers.wired_rooms import require_lab


@pytest.mark.parametrize("options", [(), ("--corrupt-past-checksum",)])
def test_a_file_through_the_nat_router(tmp_path: Path, options: tuple[str, ...]) -> None:
    require_lab()
    source, target = tmp_path / "sent.dat", tmp_path / "received.dat"
    source.write_bytes(os.urandom(300_000))
    receive = [*MODULES["rdpr"], "{server}", "8080", str(target), "--log", str(tmp_path / "r.log")]
    send = [*MODULES["rdps"], "{client}", "8080", "{server}", "8080", str(source), "--log", str(tmp_path / "s.log")]

    path = ("--scenario", "lab-router", "--seed", 11, "--check", "rdp", *options)
    code, report, err = run_lab(*path, "--", *receive, ":::", *send)

    assert (code, report["violations"]) == (0, []), err
    assert target.read_bytes() == source.read_bytes()
    received = parse_lines((tmp_path / "r.log").read_text())
    sent = parse_lines((tmp_path / "s.log").read_text())
    # Packet 1 and packet 2 of the text's figure 2: the source address differs, as the NAT has it.
    assert {line.source for line in sent if line.event in "sS"} == {"192.168.1.100:8080"}
    outer = {line.source for line in received if line.event in "rR"}
    assert {address.rpartition(":")[0] for address in outer} == {"10.10.1.1"}
    assert {line.destination for line in received if line.event in "sS"} == outer
    for direction in ("up", "down"):
        assert report[direction]["offered"] > 0
    assert min(report["up"][name] for name in ("lost", "duplicated", "corrupted", "reordered")) > 0
    assert sys.executable in report["server"]["command"]
