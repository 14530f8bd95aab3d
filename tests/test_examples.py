"""Every script in examples/ runs and shows what it promises, and so does the program in the README."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import surewire

ROOT = Path(__file__).resolve().parent.parent
# What a line of the output begins with.
PROMISED = {
    "simulate_transfer.py": ("unique data bytes sent: 2000000", "total/unique: 1.", "identical: True"),
    "lossy_link.py": ("    0 ms  ", "640 offered, ", "delay "),
    "packet_ladder.py": ("     ms  sender", "   0.00  s SYN ", "identical: True"),
    "streamer_ladder.py": ("   sent  arrives  host 1", "      0       10   ", "9 packets, "),
    "streamer_chat.py": ("good bye       -> GOOD BYE", "both have closed: "),
}
# Servers, each with the client that it is for.
PAIRS = [("echo_server.py", "echo_client.py"), ("aio_echo_server.py", "aio_echo_client.py")]


def test_every_example_is_run_here() -> None:
    names = {file.name for file in (ROOT / "examples").glob("*.py")}
    assert names == {*PROMISED, *(name for pair in PAIRS for name in pair)}


def output(*arguments: str, **environment: str) -> str:
    """What Python prints when it runs so; it must end well and complain about nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", PROMISED)
def test_it_runs(name: str) -> None:
    lines = output(str(ROOT / "examples" / name), "3").splitlines()
    for start in PROMISED[name]:
        assert any(line.startswith(start) for line in lines), start


@pytest.mark.parametrize(("server", "client"), PAIRS)
def test_a_server_answers_its_client(server: str, client: str, tmp_path: Path) -> None:
    settings = {"XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(ROOT / "examples" / server), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **settings},
    ) as serving:
        assert serving.stdout is not None and serving.stderr is not None
        try:
            (port, fingerprint) = re.findall("port (.*), fingerprint (.*)", serving.stdout.readline())[0]
            lines = output(str(ROOT / "examples" / client), fingerprint, port, **settings).splitlines()
        finally:
            serving.send_signal(signal.SIGINT)
            complaints = serving.stderr.read()
        assert lines[:3] == ["hello", "are you there?", "good bye"]
        assert lines[3].startswith("confirmed; ")
        assert (serving.wait(), complaints) == (0, "")


def readme_programs() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def test_the_simulation_in_the_readme_runs() -> None:
    (program,) = [each for each in readme_programs() if "RdpSimulation" in each]
    assert output("-c", program).startswith("True ")


def test_the_connection_in_the_readme_comes_about(tmp_path: Path) -> None:
    (program,) = [each for each in readme_programs() if "surewire.connect" in each]
    key = tmp_path / "key.hex"
    key.touch(0o600)
    key.write_text("a7" * 32)
    with surewire.listen(("127.0.0.1", 0), psk=key) as listener, ThreadPoolExecutor(1) as threads:
        program = program.replace('("203.0.113.5", 4747)', str(listener.address)).replace("key.hex", str(key))
        running = threads.submit(output, "-c", program + "print(answer)")
        with listener.accept(30) as stream:
            stream.settimeout(30)
            said = b"".join(iter(lambda: stream.recv(100), b""))
            stream.sendall(said.upper())
        assert running.result() == "b'HELLO'\n"


def test_every_program_in_the_readme_is_run_here() -> None:
    assert len(readme_programs()) == 2
