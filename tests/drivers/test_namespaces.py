"""Network namespaces: what runs in them, and that nothing is left of them, however their holder ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import surewire
from surewire.drivers.conntrack import forget_connections
from surewire.drivers.namespaces import NamespaceError, Namespaces, require_namespaces, stop
from tests.drivers.wired_rooms import network_namespaces, processes_with, require_lab, until

SRC = Path(surewire.__file__).resolve().parent.parent

# Each holds out against everything but SIGKILL.
STUBBORN = "trap '' TERM INT HUP; while :; do sleep 1; done"
DAEMON = f'setsid sh -c "{STUBBORN}" $0 >/dev/null 2>&1 & exit 0'

HOLDER = f"""
import os, sys, time
from surewire.drivers.namespaces import Namespaces

marker, ending = sys.argv[1:]
with Namespaces(["one", "two"]) as namespaces:
    namespaces.run("one", ["ip", "link", "add", "near", "type", "veth", "peer", "name", "far"])
    namespaces.run("one", ["nft", "add", "table", "ip", "surewire"])
    namespaces.start("one", ["sh", "-c", {STUBBORN!r}, marker])
    namespaces.start("two", ["sh", "-c", {DAEMON!r}, marker]).wait()
    print(namespaces.identity("one"), namespaces.identity("two"), flush=True)
    sys.stdin.readline()
    if ending == "exception":
        raise ValueError("as planned")
"""


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    require_lab()
    with Namespaces(["one", "two"]) as made:
        yield made


def test_a_namespace_has_a_loopback_and_nothing_else(namespaces: Namespaces) -> None:
    interfaces = namespaces.run("one", ["ip", "-o", "link"]).splitlines()

    assert len(interfaces) == 1
    assert "lo: <LOOPBACK,UP" in interfaces[0]


def test_namespaces_differ_from_each_other_and_from_ours(namespaces: Namespaces) -> None:
    ours = os.stat("/proc/self/ns/net").st_ino
    inside = {name: namespaces.run(name, ["readlink", "/proc/self/ns/net"]).strip() for name in ("one", "two")}

    assert inside == {name: f"net:[{namespaces.identity(name)}]" for name in ("one", "two")}
    assert len({ours, namespaces.identity("one"), namespaces.identity("two")}) == 3


def test_commands_see_only_their_own_processes(namespaces: Namespaces) -> None:
    first = namespaces.run("one", ["cat", "/proc/1/cmdline"])

    assert "namespace_init.py" in first


def test_commands_run_in_our_folder_with_our_files(namespaces: Namespaces, tmp_path: Path) -> None:
    namespaces.run("one", ["sh", "-c", f"pwd > {tmp_path}/where"])

    assert (tmp_path / "where").read_text().strip() == os.getcwd()


def test_input_and_output_of_a_command(namespaces: Namespaces) -> None:
    assert namespaces.run("two", ["cat"], "some words") == "some words"


def test_a_command_that_fails_says_why_in_one_line(namespaces: Namespaces) -> None:
    with pytest.raises(NamespaceError, match="^ip link set nowhere up: Cannot find device .nowhere.$"):
        namespaces.run("one", ["ip", "link", "set", "nowhere", "up"])


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -signal.SIGKILL)])
def test_a_command_ends_as_it_would_outside(namespaces: Namespaces, script: str, code: int) -> None:
    assert namespaces.start("one", ["sh", "-c", script]).wait(10) == code


def test_a_command_may_end_in_order_when_stopped(namespaces: Namespaces) -> None:
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"
    process = namespaces.start("one", ["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    stop(process, signal.SIGTERM)

    assert process.wait(10) == 5
    process.stdout.close()


def test_a_command_that_ignores_sigterm_is_seen_running_and_can_be_killed(namespaces: Namespaces) -> None:
    marker = f"marker-{uuid.uuid4()}"
    process = namespaces.start(
        "one", ["sh", "-c", f"trap '' TERM; echo ready; {STUBBORN}", marker], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    stop(process, signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    stop(process, signal.SIGKILL)

    assert process.wait(10) == -signal.SIGKILL
    assert until(lambda: not processes_with(marker))
    process.stdout.close()


def test_nothing_starts_after_close() -> None:
    require_lab()
    namespaces = Namespaces(["one"])
    namespaces.close()
    namespaces.close()

    with pytest.raises(NamespaceError, match="closed"):
        namespaces.start("one", ["true"])


def test_close_ends_daemons_and_those_that_ignore_signals() -> None:
    require_lab()
    marker = f"marker-{uuid.uuid4()}"
    with Namespaces(["one"]) as namespaces:
        namespaces.start("one", ["sh", "-c", STUBBORN, marker])
        namespaces.start("one", ["sh", "-c", DAEMON, marker]).wait(10)
        assert until(lambda: len(processes_with(marker)) >= 3)
        identity = namespaces.identity("one")

    # Not "soon": close has waited for them.
    assert processes_with(marker) == []
    assert until(lambda: identity not in network_namespaces())


@pytest.mark.parametrize(
    ("ending", "number"),
    [
        ("normal", None),
        ("exception", None),
        ("interrupt", signal.SIGINT),
        ("terminated", signal.SIGTERM),
        ("killed", signal.SIGKILL),
    ],
)
def test_nothing_is_left_however_the_holder_ends(ending: str, number: signal.Signals | None) -> None:
    require_lab()
    marker = f"marker-{uuid.uuid4()}"
    interfaces, tables = outside()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, marker, ending],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        made = {int(word) for word in holder.stdout.readline().split()}
        # Both commands and the two shells that became daemons: else the test below would find nothing to miss.
        assert len(made) == 2 and made <= network_namespaces()
        assert until(lambda: len(processes_with(marker)) >= 4)
        if number is not None:
            holder.send_signal(number)
        holder.communicate(b"go on\n" if number is None else None, timeout=20)
    finally:
        holder.kill()
        holder.communicate()

    assert until(lambda: not processes_with(marker))
    assert until(lambda: not made & network_namespaces())
    assert outside() == (interfaces, tables)


def test_forgetting_connections_needs_nothing_but_the_right(namespaces: Namespaces) -> None:
    # A rule that tracks is what loads connection tracking in the namespace.
    namespaces.run("one", ["nft", "add table ip t; add chain ip t c { type filter hook input priority 0 ; }"])
    namespaces.run("one", ["nft", "add rule ip t c ct state new accept"])
    sender = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))"
    namespaces.run("one", [sys.executable, "-I", "-c", sender])
    assert "dport=9" in namespaces.run("one", ["cat", "/proc/net/nf_conntrack"])

    imports = f"import sys; sys.path.insert(0, {str(SRC)!r}); from surewire.drivers import conntrack"
    forget = f"{imports}; conntrack.{forget_connections.__name__}()"
    namespaces.run("one", [sys.executable, "-I", "-c", forget])

    assert "dport=9" not in namespaces.run("one", ["cat", "/proc/net/nf_conntrack"])


def test_a_missing_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NamespaceError, match="command not found: no-such-command"):
        require_namespaces(("no-such-command",))


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "plan9")
    with pytest.raises(NamespaceError, match="need Linux, this is plan9"):
        require_namespaces()


def outside() -> tuple[str, str]:
    """Interfaces and firewall tables of the host."""
    commands = (["ip", "-o", "link"], ["nft", "list", "tables"])
    found = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    # Counters and times of the host's interfaces do not stand in these.
    return found[0], found[1]


def test_an_older_nsenter_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_lab()
    older = tmp_path / "nsenter"
    older.write_text(f'#!/bin/sh\ncase "$*" in *--wdns*) exit 1;; esac\nexec {shutil.which("nsenter")} "$@"\n')
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    with Namespaces(["one"]) as namespaces:
        assert namespaces.run("one", ["pwd"]) == f"{tmp_path}\n"
