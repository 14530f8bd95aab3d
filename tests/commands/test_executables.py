"""./rdps and ./rdpr, built into one file each: they need no checkout, no environment, no venv."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.rdp_tools import HOST, PATIENCE_S, Receiver, Tool

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "build_executables.py"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with the two, run by this Python without what its venv adds."""
    folder = tmp_path / "built"
    folder.mkdir()
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    interpreter = base if base.exists() else Path(sys.executable)
    command = [sys.executable, str(SCRIPT), "--output", str(folder), "--interpreter", str(interpreter)]
    subprocess.run(command, check=True, timeout=PATIENCE_S)
    return folder


def test_a_transfer_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    data = os.urandom(100_000)
    (elsewhere / "sent file").write_bytes(data)
    with (
        Receiver("received file", command=[built / "rdpr"], env={}, cwd=elsewhere) as receiver,
        Tool(
            "rdps", HOST, 0, HOST, receiver.port, "sent file", command=[built / "rdps"], env={}, cwd=elsewhere
        ) as sender,
    ):
        sent, received = sender.wait(), receiver.wait()
    assert (sent.code, received.code) == (0, 0), sent.err + received.err
    assert (elsewhere / "received file").read_bytes() == data
    assert sorted(path.name for path in built.iterdir()) == ["rdpr", "rdps"]
