"""The pytest plugin in sessions of its own: fixtures, seeds, reports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import surewire

SRC = Path(surewire.__file__).resolve().parent.parent
PATIENCE_S = 40

HEAD = """
import socket
import pytest

@pytest.fixture
def server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        yield sock

def arrived(server, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for i in range(100):
            client.sendto(b"%d" % i, address)
        numbers = []
        server.settimeout(0.05)
        while "end" not in numbers:
            client.sendto(b"end", address)
            try:
                while True:  # to the last copy of the end, so that nothing is left for the next time
                    numbers.append(server.recv(100).decode())
            except TimeoutError:
                pass
        return [number for number in numbers if number != "end"]
"""


def session(folder: Path, tests: str, *options: str) -> tuple[int, str]:
    """Run pytest on these tests with the plugin loaded by name; exit status and output."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_it.py").write_text(HEAD + tests, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "surewire.lab.pytest_plugin", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        [*command, str(folder / "test_it.py")],
        env={**os.environ, "PYTHONPATH": str(SRC), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


SHOWS = """
@pytest.mark.parametrize("who", "ab")
def test_shows(server, lossy_link, who):
    with lossy_link(to=server, up_loss=50) as one:
        print("ARRIVED", who, one.seed, *arrived(server, one.address))
    two = lossy_link(to=server)
    print("SECOND", who, two.seed)
    assert False
"""


def shown(output: str, word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", output, re.MULTILINE)


def test_a_failing_test_prints_its_seed_and_the_seed_gives_the_same_link_again(tmp_path: Path) -> None:
    status, first = session(tmp_path, SHOWS)
    assert status == 1
    (seed,) = re.findall(r"^surewire seed: (\d+)$", first, re.MULTILINE)
    assert first.count(f"the same links again: --surewire-seed {seed}\n") == 2
    link_seeds = [line.split()[1] for word in ("ARRIVED", "SECOND") for line in shown(first, word)]
    assert len(set(link_seeds)) == 4
    for each in link_seeds:
        assert re.search(
            rf"^link 127\.0\.0\.1:\d+ seed {each}: up \d+ offered \d+ delivered, down", first, re.MULTILINE
        )
    _, again = session(tmp_path, SHOWS, "--surewire-seed", seed, "-k", "[b]")
    assert shown(again, "ARRIVED") == shown(first, "ARRIVED")[1:]
    assert 10 < len(shown(again, "ARRIVED")[0].split()) < 92
    _, other = session(tmp_path, SHOWS, "--surewire-seed", str(int(seed) + 1))
    assert shown(other, "ARRIVED")[0].split()[1:] != shown(first, "ARRIVED")[0].split()[1:]


PASSES = """
pytestmark = pytest.mark.lossy(delay=1, up_loss=100)

@pytest.mark.lossy(up_loss=0, up_duplicate=100)
def test_nearer_markers_and_arguments_override(server, lossy_link):
    assert arrived(server, lossy_link(to=server).address)[:2] == ["0", "0"]
    link = lossy_link(to=server, up_duplicate=0, seed=5)
    assert arrived(server, link.address)[:2] == ["0", "1"]
    assert link.seed == 5

@pytest.mark.lossy(up_loss=10, down_loss=10)
def test_pair(surewire_pair):
    client, server = surewire_pair
    client.send(b"to the server")
    assert server.recv() == b"to the server"
    server.send(b"to the client")
    client.close()
    assert server.recv() == b""
    assert client.recv() == b"to the client"

def test_after_that_no_thread_is_left():
    import threading
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
"""


def test_fixtures_close_what_they_opened_and_markers_give_options(tmp_path: Path) -> None:
    status, output = session(tmp_path, PASSES, "-W", "error", "--strict-markers")
    assert status == 0, output
    assert "3 passed" in output


FAILS = """
@pytest.mark.lossy(loss=100)
def test_pair_that_never_meets(surewire_pair):
    client, _ = surewire_pair
    client.send(b"never")
    assert False, "on purpose"

class Tap:
    told = False

    def on_sent(self, *_):
        self.told = True
        raise OSError("in the thread")

def test_thread(server, lossy_link):
    tap = Tap()
    link = lossy_link(to=server, tap=tap)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", link.address)
    while not tap.told:
        pass
    assert link.stats.up.offered == 0
"""


def test_failures_end_at_once_and_an_error_in_a_thread_fails_the_test(tmp_path: Path) -> None:
    status, output = session(tmp_path, FAILS)
    assert status == 1
    assert "on purpose" in output
    assert "OSError: in the thread" in output
    assert output.count("the same links again") >= 2


@pytest.mark.parametrize(
    ("ini", "options", "seed", "status"),
    [
        ("surewire_seed = 17", (), "17", 0),
        ("surewire_seed = 17", ("--surewire-seed", "4"), "4", 0),
        ("surewire_seed = x", (), "", 4),
    ],
)
def test_the_seed_may_stand_in_the_ini_file(
    tmp_path: Path, ini: str, options: tuple[str, ...], seed: str, status: int
) -> None:
    own = tmp_path / "own.ini"
    own.write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    got, output = session(tmp_path, "def test_nothing(): pass\n", "-c", str(own), *options)
    assert got == status
    assert (f"surewire seed: {seed}\n" in output) == (not status)
    assert ("surewire_seed must be a whole number, not 'x'" in output) == bool(status)


def test_workers_have_the_seed_of_their_controller(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    options = ("-p", "xdist", "-n", "2", "--surewire-seed", "9")
    _, alone = session(tmp_path, SHOWS, "--surewire-seed", "9")
    _, spread = session(tmp_path, SHOWS, *options)
    assert sorted(shown(spread, "SECOND")) == sorted(shown(alone, "SECOND"))
    assert len(shown(spread, "SECOND")) == 2


def test_the_example_in_the_documentation_works(tmp_path: Path) -> None:
    text = (SRC.parent / "docs" / "router.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("A test of an echo server:\n\n")
    example, _, _ = rest.partition("\n`lossy_link` is")
    status, output = session(tmp_path, textwrap.dedent(example), "-W", "error", "--strict-markers")
    assert status == 0, output
    assert "2 passed" in output


def test_loading_the_plugin_loads_nothing_else_of_surewire() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pytest; before = set(sys.modules); "
        "import surewire.lab.pytest_plugin; print(*(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-c", program, str(SRC)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    ours = {name for name in done.stdout.split() if name.startswith("surewire")}
    assert ours == {"surewire", "surewire.errors", "surewire.lab", "surewire.lab.pytest_plugin"}
    assert "socket" not in done.stdout.split()
