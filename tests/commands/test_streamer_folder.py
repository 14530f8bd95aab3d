"""The drop-in folder: the tester with a Streamer that plays a script, and with ours over a bad network.

The first shows that the tester fails when it has to; the second, that our Streamer passes it, also with a socket that
offers nothing but what the assignment allows.
"""

from __future__ import annotations

import ast
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "streamer"
PATIENCE_S = 50
COUNTERS = ["PACKETS_SENT", "UDP_BYTES_SENT", "ETH_BYTES_SENT", "PACKETS_RECV", "UDP_BYTES_RECV", "ETH_BYTES_RECV"]

# recv() returns the pieces of the script, then b""; what it was called with is printed.
SCRIPTED_STREAMER = """
import ast, os, random
import lossy_socket

class Streamer:
    def __init__(self, **addresses):
        print("MADE", addresses)
        print("SIM", lossy_socket.sim)
        print("DRAW", random.random())
        self.pieces = ast.literal_eval(os.environ["SCRIPT"])

    def send(self, data_bytes):
        print("SENT", data_bytes)

    def recv(self):
        return self.pieces.pop(0) if self.pieces else b""

    def close(self):
        print("CLOSED")
"""

# Behind our LossyUDP, without anything of it that the assignment does not mention.
STRICT_SOCKET = """

class LossyUDP:
    __full = LossyUDP
    __slots__ = ("__socket",)

    def __init__(self):
        self.__socket = self.__full()

    def sendto(self, message, dst):
        self.__socket.sendto(message, dst)

    def recvfrom(self, bufsize=2048):
        return self.__socket.recvfrom(bufsize)

    def stoprecv(self):
        self.__socket.stoprecv()

    def bind(self, address):
        self.__socket.bind(address)

    def settimeout(self, value):
        self.__socket.settimeout(value)
"""


class Outcome(NamedTuple):
    """How an instance of the tester ended."""

    code: int
    out: str
    err: str

    def after(self, word: str) -> list[str]:
        """What follows the word in the lines that start with it."""
        return [line.removeprefix(word + " ") for line in self.out.splitlines() if line.startswith(word + " ")]

    def sent(self) -> list[bytes]:
        return [ast.literal_eval(line) for line in self.after("SENT")]

    def counters(self) -> dict[str, int]:
        """The last six lines, whose names are as they have to be."""
        pairs = [line.split("=") for line in self.out.splitlines()[-6:]]
        assert [name for name, _ in pairs] == COUNTERS, self
        return {name: int(value) for name, value in pairs}


def environment(**variables: object) -> dict[str, str]:
    """This process's environment without settings of Streamer, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    return kept | {"PYTHONPATH": str(ROOT / "src")} | {name: str(value) for name, value in variables.items()}


@contextlib.contextmanager
def started(folder: Path, *arguments: object, **variables: object) -> Iterator[subprocess.Popen[bytes]]:
    """The tester, running; killed at the end of the block if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-u", "test.py", *map(str, arguments)],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # so that reading a line takes nothing that communicate() would then miss
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def outcome(process: subprocess.Popen[bytes]) -> Outcome:
    out, err = process.communicate(timeout=PATIENCE_S)
    return Outcome(process.returncode, out.decode(), err.decode())


def run(folder: Path, *arguments: object, **variables: object) -> Outcome:
    with started(folder, *arguments, **variables) as process:
        return outcome(process)


def copied(folder: Path) -> Path:
    for name in ("lossy_socket.py", "streamer.py", "test.py"):
        shutil.copy(FOLDER / name, folder / name)
    return folder


def numbers(count: int) -> bytes:
    return b"".join(b"%d " % number for number in range(count))


def pieces(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def play(folder: Path, instance: int, script: list[bytes], **variables: object) -> Outcome:
    """Run one instance with the Streamer that plays the script."""
    (copied(folder) / "streamer.py").write_text(SCRIPTED_STREAMER, encoding="utf-8")
    return run(folder, 8000, 8001, instance, **{"SCRIPT": repr(script), "STREAMER_NUMS": 20, **variables})


# The tester


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("instance", [1, 2])
def test_a_stream_may_come_in_pieces_of_any_size(tmp_path: Path, instance: int, size: int) -> None:
    ended = play(tmp_path, instance, pieces(numbers(20), size))
    assert (ended.code, ended.err) == (0, "")
    assert f"STAGE {instance} TEST PASSED!" in ended.out.splitlines()
    assert ended.after("received") == [str(number) for number in range(20)]
    assert "CLOSED" in ended.out.splitlines()
    assert ended.counters()["PACKETS_SENT"] == 0


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ([b"0 1 3 "], "received '3' where 2 should have come"),
        ([b"0 1 1 2 "], "received '1' where 2 should have come"),
        ([b"0 1", b"2 "], "received '12' where 1 should have come"),
        ([b"0 01 "], "received '01' where 1 should have come"),
        ([b"0  1 "], "received '' where 1 should have come"),
        ([b"0 \x00\xff "], r"received '\x00\\xff' where 1 should have come"),
        ([b"0 1 ", b""], "the stream ended where 2 should have come"),
        ([numbers(20)[:-1]], "the stream ended where 19 should have come"),
        ([numbers(21)], "received '20' behind the last number"),
        ([numbers(20) + b"2"], "received '2' behind the last number"),
    ],
)
@pytest.mark.parametrize("instance", [1, 2])
def test_a_wrong_stream_ends_the_tester(tmp_path: Path, instance: int, script: list[bytes], complaint: str) -> None:
    ended = play(tmp_path, instance, script)
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == f"TEST FAILED: {complaint}"
    assert "PASSED" not in ended.out


def test_an_exception_of_streamer_ends_the_tester(tmp_path: Path) -> None:
    ended = play(tmp_path, 1, [], SCRIPT="[")
    assert ended.code == 1
    assert "SyntaxError" in ended.err


def test_instance_1_talks_from_the_first_port_to_the_second_and_2_the_other_way_round(tmp_path: Path) -> None:
    made = [ast.literal_eval(play(tmp_path, instance, [numbers(20)]).after("MADE")[0]) for instance in (1, 2)]
    assert made[0] == {"dst_ip": "localhost", "dst_port": 8001, "src_ip": "localhost", "src_port": 8000}
    assert made[1] == {"dst_ip": "localhost", "dst_port": 8000, "src_ip": "localhost", "src_port": 8001}


def test_instance_2_sends_each_number_by_itself(tmp_path: Path) -> None:
    assert play(tmp_path, 2, [numbers(20)]).sent() == [b"%d " % number for number in range(20)]


def test_instance_1_sends_1000_numbers_at_once(tmp_path: Path) -> None:
    assert play(tmp_path, 1, [numbers(1000)], STREAMER_NUMS=1000).sent() == [numbers(1000)]


def test_instance_1_sends_more_numbers_in_big_chunks(tmp_path: Path) -> None:
    *full, last = play(tmp_path, 1, [numbers(10_000)], STREAMER_NUMS=10_000).sent()
    assert b"".join([*full, last]) == numbers(10_000)
    assert len(full) == 3
    assert all(12_345 < len(chunk) <= 12_345 + 5 for chunk in full)
    assert 0 < len(last) < 12_345


def test_without_settings_there_are_1000_numbers_and_no_impairment(tmp_path: Path) -> None:
    (copied(tmp_path) / "streamer.py").write_text(SCRIPTED_STREAMER, encoding="utf-8")
    ended = run(tmp_path, 8000, 8001, 2, SCRIPT=[numbers(1000)])
    assert ended.code == 0
    assert len(ended.sent()) == 1000
    assert ended.after("SIM")[0].startswith(
        "SimulationParams(loss_rate=0.0, corruption_rate=0.0, max_delivery_delay=0.0,"
    )


def test_the_environment_sets_rates_and_seed(tmp_path: Path) -> None:
    rates = {"STREAMER_LOSS": 0.1, "STREAMER_CORRUPTION": 0.2, "STREAMER_DELAY": 0.3}
    ended = play(tmp_path, 1, [numbers(20)], **rates, STREAMER_SEED=5)
    assert ended.after("SIM")[0].startswith(
        "SimulationParams(loss_rate=0.1, corruption_rate=0.2, max_delivery_delay=0.3,"
    )
    assert ended.after("DRAW") == [str(random.Random(5).random())]
    one = play(tmp_path, 1, [numbers(20)], STREAMER_CORRUPTION=0.2)
    assert one.after("SIM")[0].startswith(
        "SimulationParams(loss_rate=0.0, corruption_rate=0.2, max_delivery_delay=0.0,"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (8000, 8001),
        (8000, 8001, 3),
        (8000, 8001, 1, 1),
        ("a", 8001, 1),
        (0, 8001, 1),
        (8000, 65536, 2),
        (8000, 8000, 2),
    ],
)
def test_a_wrong_call_is_answered_with_the_usage(arguments: tuple[object, ...]) -> None:
    ended = run(FOLDER, *arguments)
    assert ended.code == 2
    assert ended.err == "usage: python3 test.py <port1> <port2> <1 or 2>\n"


@pytest.mark.parametrize(
    ("name", "value"), [("NUMS", "-1"), ("NUMS", "1e3"), ("LOSS", "1.5"), ("DELAY", "long"), ("SEED", "x")]
)
def test_a_wrong_setting_is_told(name: str, value: str) -> None:
    ended = run(FOLDER, 8000, 8001, 1, **{f"STREAMER_{name}": value})
    assert ended.code == 2
    assert ended.err.startswith("test.py: in the environment: ")
    assert "Traceback" not in ended.err


def test_a_taken_port_is_told_in_a_line() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ended = run(FOLDER, port, port % 65535 + 1, 1)
    assert ended.code == 1
    assert ended.err.startswith(f"test.py: cannot use port {port}: ")
    assert ended.err.count("\n") == 1


# Our Streamer


def free_ports() -> tuple[int, int]:
    """Two ports that nobody had a moment ago."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def meet(folder: Path, first: int, **variables: object) -> dict[int, Outcome]:
    """Run both instances; the one named is ready before the other one is started."""
    second = 3 - first
    ports = free_ports()
    with started(folder, *ports, first, **variables, STREAMER_SEED=first) as early:
        assert early.stdout is not None
        assert early.stdout.readline().decode() == f"instance {first} is at port {ports[first - 1]}\n"
        with (
            started(folder, *ports, second, **variables, STREAMER_SEED=second) as late,
            # both are read at a time: an instance that has to wait for its reader keeps the other one waiting
            ThreadPoolExecutor() as readers,
        ):
            return dict(zip((first, second), readers.map(outcome, (early, late)), strict=True))


def check_success(ended: dict[int, Outcome]) -> None:
    for instance, result in ended.items():
        assert (result.code, result.err) == (0, ""), ended
        assert f"STAGE {instance} TEST PASSED!" in result.out.splitlines()
        counters = result.counters()
        for way in ("SENT", "RECV"):
            assert counters[f"ETH_BYTES_{way}"] == counters[f"UDP_BYTES_{way}"] + 46 * counters[f"PACKETS_{way}"]
        assert counters["PACKETS_SENT"] > 0
    assert ended[1].counters()["PACKETS_RECV"] <= ended[2].counters()["PACKETS_SENT"]
    assert ended[2].counters()["PACKETS_RECV"] <= ended[1].counters()["PACKETS_SENT"]


@pytest.mark.parametrize("first", [1, 2])
def test_streamer_passes_without_impairment(first: int) -> None:
    check_success(meet(FOLDER, first, STREAMER_NUMS=1000))


def test_streamer_passes_over_a_bad_network() -> None:
    rates = {"STREAMER_LOSS": 0.2, "STREAMER_CORRUPTION": 0.2, "STREAMER_DELAY": 0.1}
    check_success(meet(FOLDER, 1, STREAMER_NUMS=2000, **rates))


def test_streamer_needs_no_more_of_the_socket_than_is_allowed(tmp_path: Path) -> None:
    with (copied(tmp_path) / "lossy_socket.py").open("a", encoding="utf-8") as file:
        file.write(STRICT_SOCKET)
    rates = {"STREAMER_LOSS": 0.1, "STREAMER_CORRUPTION": 0.1, "STREAMER_DELAY": 0.05}
    check_success(meet(tmp_path, 2, STREAMER_NUMS=200, **rates))


def test_streamer_imports_no_more_than_is_allowed() -> None:
    tree = ast.parse((FOLDER / "streamer.py").read_text(encoding="utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
    assert names["lossy_socket"] == {"LossyUDP"}
    assert names["socket"] == {"INADDR_ANY"}
    assert not plain & {"socket", "lossy_socket"}


def test_the_signatures_are_the_assignments() -> None:
    tree = ast.parse((FOLDER / "streamer.py").read_text(encoding="utf-8"))
    (streamer,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Streamer"]
    arguments = {node.name: node.args for node in streamer.body if isinstance(node, ast.FunctionDef)}
    found = {name: [arg.arg for arg in arguments[name].args] for name in ("__init__", "send", "recv", "close")}
    assert found == {
        "__init__": ["self", "dst_ip", "dst_port", "src_ip", "src_port"],
        "send": ["self", "data_bytes"],
        "recv": ["self"],
        "close": ["self"],
    }
    assert [ast.unparse(default) for default in arguments["__init__"].defaults] == ["INADDR_ANY", "0"]
