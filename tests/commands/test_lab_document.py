"""The five-minute guide in docs/lab.md: its programs and commands, run as they stand there, do what it says.

Its ports are replaced by free ones, and the interpreter by this one. Figures that depend on how fast the machine
answers are compared by kind (none, some), the others exactly. The client's mistake also shows when the machine takes
0.1 s to answer, so what must be right on a slow one is run with the client mended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import surewire
from tests.drivers.wired_rooms import require_lab

SRC = Path(surewire.__file__).resolve().parent.parent
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "lab.md"
GUIDE = DOCUMENT.read_text(encoding="utf-8").partition("## The laboratory with wires")[0]
PORTS = ("9000", "9001", "9002")
PATIENCE_S = 40
PROGRAMS = {
    "python": [sys.executable],
    "pytest": [sys.executable, "-m", "pytest", "-p", "surewire.lab.pytest_plugin", "-p", "no:cacheprovider"],
}
PLUGINS = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
ROUTERS = {
    # Behind a router with these options: whether the client gets wrong answers, whether anything is lost.
    "--loss 10 --delay 10 --seed 7": (False, True),
    "--duplicate 5 --seed 7": (True, False),
    "--scenario dsl-bufferbloat --up-loss 3 --seed 7": (False, True),
    "--scenario ./office.toml --seed 7": (False, True),
}


def commands(program: str) -> list[str]:
    """The guide's command lines that begin with these words."""
    return re.findall(rf"^    ({re.escape(program)}(?: .*)?)$", GUIDE, re.MULTILINE)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


class Room:
    """A folder with the guide's files and three free ports for its three."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        server, client, script, tests, self.mended = blocks("python")
        (office,) = blocks("toml")
        files = {"server.py": server, "client.py": client, "try_link.py": script, "test_client.py": tests}
        for name, text in {**files, "office.toml": office, "pytest.ini": "[pytest]\n"}.items():
            assert f"`{name}`" in GUIDE or name == "pytest.ini"
            (folder / name).write_text(self.here(text), encoding="utf-8")

    def here(self, text: str) -> str:
        return re.sub("|".join(PORTS), lambda found: self.ports[found[0]], text)

    def start(self, command: str) -> subprocess.Popen[str]:
        words = shlex.split(self.here(command))
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*PROGRAMS.get(words[0], [sys.executable, "-m", "surewire.apps.cli"]), *words[1:]],
            env={**os.environ, **PLUGINS, "PYTHONPATH": str(SRC)},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str, str]:
        with self.start(command) as process:
            try:
                out, err = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        return process.returncode, out, err

    def mend(self) -> None:
        """Put the guide's second `ask` into the client."""
        client = self.folder / "client.py"
        before, _, rest = client.read_text(encoding="utf-8").partition("def ask(")
        _, _, after = rest.partition("\n\n\n")
        client.write_text(f"{before}{self.mended}\n\n{after}", encoding="utf-8")

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        (command,) = commands("python server.py")
        with self.start(command) as process:
            try:
                self._await_answer()
                yield
            finally:
                process.kill()

    def _await_answer(self) -> None:
        """Until the server answers; it says nothing when it is ready."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.05)
            for _ in range(int(PATIENCE_S / 0.05)):
                sock.sendto(b"ready?", ("127.0.0.1", int(self.ports["9001"])))
                with contextlib.suppress(TimeoutError):
                    assert sock.recv(100) == b"READY?"
                    return
        pytest.fail("the server does not answer")


def free_ports(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("127.0.0.1", 0))
            found.append(str(sock.getsockname()[1]))
    return found


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def said(text: str) -> tuple[int, int]:
    """Of the client's line: how many answers were wrong, how often it asked again."""
    found = re.search(r"100 answers, (\d+) of them wrong; (\d+) questions sent again", text)
    assert found is not None, text
    return int(found[1]), int(found[2])


def router_options(command: str) -> str:
    return command.partition("--to 127.0.0.1:9001 ")[2]


def test_every_router_of_the_guide_is_run_here() -> None:
    assert [router_options(command) for command in commands("surewire router")] == list(ROUTERS)


@pytest.mark.parametrize("options", ROUTERS)
def test_a_router_of_the_guide(room: Room, options: str) -> None:
    (command,) = [line for line in commands("surewire router") if router_options(line) == options]
    (asking,) = commands("python client.py")
    with room.serving(), room.start(command) as router:
        try:
            assert router.stderr is not None
            assert router.stderr.readline() == room.here("listening on 127.0.0.1:9000\n")
            status, out, err = room.run(asking)
            router.send_signal(signal.SIGINT)
            summary, _ = router.communicate(timeout=PATIENCE_S)
        finally:
            router.kill()

    is_wrong, is_lossy = ROUTERS[options]
    wrong, again = said(out)
    (lost,) = re.findall(r"^lost +(\d+) +(\d+)$", summary, re.MULTILINE)
    losses = sum(map(int, lost))
    assert (losses > 0, again >= losses) == (is_lossy, True)
    assert (wrong > 0) == is_wrong or again > losses
    assert (status, err, router.returncode) == (int(wrong > 0), "", 0)
    labels = {row(line) for line in summary.splitlines()}
    assert {row(line) for line in blocks("text")[0].splitlines()} <= labels


def row(line: str) -> str:
    """What a line of the router's summary is about: what stands before its first number or finding."""
    return re.split(r" *(?:\d|yes|NO)", line, maxsplit=1)[0]


def test_the_client_says_what_the_guide_shows() -> None:
    assert [said(line) for line in commands("100 answers,")] == [(0, 22), (90, 0)]


def test_the_link_in_a_script(room: Room) -> None:
    room.mend()
    with room.serving():
        status, out, err = room.run("python try_link.py")

    assert (status, err) == (0, "")
    first, second, counts = out.splitlines()
    assert re.fullmatch(r"\(0, [1-9]\d*\)", first)
    assert re.fullmatch(r"\(0, \d+\)", second)
    assert re.fullmatch(r"2\d\d sent, [1-9]\d* lost; kept up: (True|False)", counts)


def test_pytest_finds_the_mistake_and_then_that_it_is_mended(room: Room) -> None:
    (command,) = commands("pytest")
    status, out, _ = room.run(command)
    shown = blocks("text")[1]

    assert status == 1
    assert re.search("^FAILED test_client.py::test_every_answer_is_that_of_its_question", out, re.MULTILINE)
    for line in (
        "surewire seed: 7",
        ">       assert wrong == 0",
        "the same links again: --surewire-seed 7",
    ):
        assert line in shown.splitlines()
        assert line in out.splitlines()
    # The seed of the link follows from that of the session and the test's name.
    (seed,) = re.findall(r" (seed \d+): up ", shown)
    assert f" {seed}: up " in out

    room.mend()
    status, out, _ = room.run(command)
    assert (status, "2 passed in " in out) == (0, True), out


def test_two_hosts_and_a_nat(room: Room) -> None:
    require_lab()
    room.mend()
    (command,) = commands("surewire lab run")
    status, out, err = room.run(
        re.sub("(--|:::) python ", lambda found: f"{found[1]} {shlex.quote(sys.executable)} ", command)
    )

    report = json.loads(out)
    assert (status, report["ok"], report["scenario"], report["rebindings"] > 0) == (0, True, "rebind-port", True)
    assert said(err)[0] == 0
    assert report["up"]["offered"] >= 100
    for key in re.findall(r'"(\w+)":', blocks("text")[2]):
        assert key in report or key in report["up"]


def test_the_names_in_the_guide_exist(room: Room) -> None:
    status, out, _ = room.run("surewire scenarios")
    known = {line.split()[0] for line in out.splitlines()}
    (paragraph,) = re.findall(r"^Which to begin with: (.*?)\.\n", GUIDE, re.DOTALL | re.MULTILINE)
    named = re.findall(r"`([\w-]+)`", paragraph)
    assert status == 0
    assert len(named) > 5
    assert set(named) <= known
    assert f"lists {len(known)} networks" in GUIDE


def test_every_place_the_document_points_to_exists() -> None:
    for name, anchor in re.findall(r"\]\(([\w.-]*)(?:#([\w-]+))?\)", DOCUMENT.read_text(encoding="utf-8")):
        target = DOCUMENT.parent / name if name else DOCUMENT
        assert target.is_file(), name
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{name}#{anchor}"
