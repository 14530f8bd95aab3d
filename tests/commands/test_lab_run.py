"""`surewire lab run` as a user meets it: commands in, one JSON object out, exit statuses, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from surewire.impair import LinkConfig, Scenario
from surewire.lab.wired.capture import read_capture
from surewire.lab.wired.laboratory import WiredLab
from surewire.lab.wired.running import Patience, run_pair
from tests.commands.lab_tools import ENVIRONMENT, LAB_RUN, client, run_lab, server
from tests.drivers.wired_rooms import network_namespaces, network_namespaces_of, processes_with, require_lab, until


@pytest.fixture
def lab() -> None:
    require_lab()


pytestmark = pytest.mark.usefixtures("lab")


def test_two_programs_across_a_nat() -> None:
    code, report, err = run_lab("--seed", 7, "--", *server(), ":::", *client("first", "last"))

    assert (code, report["ok"], report["failure"]) == (0, True, None)
    assert report["server"]["exit"] == report["client"]["exit"] == 0
    assert (report["scenario"], report["seed"], report["emulator"], report["nat"]) == ("plain", 7, "tun", True)
    assert report["client"]["command"][-3:] == ["10.10.1.100", "first", "last"]
    # The server saw the router, and both words went and were answered: 28 bytes of headers each.
    assert "server: first from 10.10.1.1 " in err
    assert "client: answer ('10.10.1.1', " in err
    assert (report["up"]["offered"], report["up"]["offered_bytes"]) == (2, 28 * 2 + len("firstlast"))
    assert report["down"]["delivered"] == 2
    assert report["wire"]["unread"] == report["wire"]["not_ip"] == 0
    # In the unit its name says, as in the router's JSON: a wait of less than 1,000 ms was told in ns before.
    assert 0 < report["wire"]["worst_lateness_ms"] < 1_000
    assert "worst_lateness" not in report["wire"]


def test_without_nat_the_server_sees_the_client() -> None:
    code, report, err = run_lab("--no-nat", "--", *server(), ":::", *client("last"))

    assert (code, report["nat"]) == (0, False)
    assert "server: last from 192.168.1.100 " in err


def test_a_scenario_with_an_option_over_it_and_a_capture(tmp_path: Path) -> None:
    capture = tmp_path / "wire.pcapng"
    code, report, _ = run_lab(
        *("--scenario", "lab-router", "--loss", 0, "--corrupt", 0, "--seed", 3, "--logs", tmp_path / "logs"),
        *("--capture", capture, "--", *server(), ":::", *client("one", "two", "last")),
    )

    assert (code, report["scenario"], report["up"]["lost"]) == (0, "lab-router", 0)
    assert (tmp_path / "logs" / "client.out").read_text().count("answer") == 3
    assert (tmp_path / "logs" / "client.err").read_text() == ""
    with capture.open("rb") as file:
        packets = list(read_capture(file))
    counts = {(d, e): sum((p.direction, p.event) == (d, e) for p in packets) for d, e in _WAYS}
    for direction in ("up", "down"):
        assert counts[direction, "offered"] == report[direction]["offered"]
        assert counts[direction, "delivered"] <= report[direction]["delivered"]
    assert b"one" in b"".join(p.packet for p in packets)


_WAYS = [(direction, event) for direction in ("up", "down") for event in ("offered", "delivered")]


def test_a_server_that_does_not_end_is_stopped_and_that_is_no_failure() -> None:
    code, report, _ = run_lab("--grace", 0, "--", *server(), ":::", *client("only"))

    assert (code, report["ok"]) == (0, True)
    assert (report["server"]["is_stopped"], report["server"]["exit"]) == (True, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("options", "commands", "message"),
    [
        ((), ["sh", "-c", "exit 3", ":::", "true"], "the server ended before the client began: exit status 3"),
        (("--ready-after", 0), ["true", ":::", "sh", "-c", "exit 4"], "the client ended with exit status 4"),
        (("--ready-after", 0), ["sh", "-c", "sleep 0.3; kill -9 $$", ":::", "true"], "the server ended with signal 9"),
        (("--ready-after", 0, "--timeout", 0.2), ["true", ":::", "sleep", "60"], "the client did not end within 0.2 s"),
        (("--ready-after", 0), ["true", ":::", "no-such-program"], "the client ended with exit status 127"),
    ],
)
def test_a_failure_is_one_line_and_status_1(options: tuple[object, ...], commands: list[str], message: str) -> None:
    code, report, err = run_lab(*options, "--", *commands)

    assert (code, report["ok"], report["failure"]) == (1, False, message)
    assert err.splitlines()[-1] == f"surewire lab run: error: {message}"


def test_a_capture_that_cannot_be_written_is_a_failure_of_the_laboratory() -> None:
    few = run_lab("--capture", "/dev/full", "--", *server(), ":::", *client("last"))
    # More than its buffer holds: the emulator ends in mid-run, and nobody waits for the time-out.
    many = run_lab("--capture", "/dev/full", "--", *server(), ":::", *_flood(3000))

    for code, report, err in (few, many):
        assert (code, report) == (3, {})
        assert (
            err.splitlines()[-1] == "surewire lab run: error: the emulator failed: [Errno 28] No space left on device"
        )


def _flood(count: int) -> list[str]:
    script = (
        "import socket, sys, time\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
        f"for _ in range({count}):\n    s.sendto(bytes(1000), (sys.argv[1], 9000))\ntime.sleep(60)\n"
    )
    return [sys.executable, "-c", script, "{server}"]


def test_a_server_that_ends_well_without_listening_is_not_waited_for_longer_than_another() -> None:
    require_lab()
    with WiredLab(Scenario(name="perfect", up=LinkConfig(), down=LinkConfig())) as lab:
        report = run_pair(lab, ["true"], ["true"], Patience(ready_s=0.3))

    assert report.failure is not None and report.failure.startswith("the server did not listen within 0.3 s")
    assert (report.server.exit, report.client.exit) == (0, None)


def test_damage_reaches_a_program_only_past_the_checksum() -> None:
    """Every packet up is damaged: by default kernels see to it that none arrives, with the option all do."""
    listen = server("{server}")
    send = [sys.executable, "-c", _SEND_FIVE, "{server}"]
    options = ("--seed", 5, "--up-corrupt", 100, "--grace", 1)

    _, plain, plain_err = run_lab(*options, "--", *listen, ":::", *send)
    _, past, past_err = run_lab(*options, "--corrupt-past-checksum", "--", *listen, ":::", *send)

    assert plain["up"]["corrupted"] == 5
    # Its kernel may also say that the client, who has gone, cannot be answered.
    assert past["up"]["corrupted"] >= 5
    assert plain_err.count("from 10.10.1.1") == 0
    assert past_err.count("from 10.10.1.1") == 5
    assert "hello hello hello" not in past_err


_SEND_FIVE = """
import socket, sys
sock = socket.socket(type=socket.SOCK_DGRAM)
for _ in range(5):
    sock.sendto(b"hello hello hello", (sys.argv[1], 9000))
"""


def test_a_rebinding_changes_the_port_the_server_sees(tmp_path: Path) -> None:
    scenario = tmp_path / "rebinding.toml"
    scenario.write_text('description = "often"\n[rebinding]\nfirst = 0.2\nevery = 0.2\naddress = true\n')
    script = (
        "import socket, sys, time\ns = socket.socket(type=socket.SOCK_DGRAM)\nseen = set()\n"
        # An answer on its way while the NAT forgets is lost, so nobody waits for a certain one.
        "s.setblocking(False)\nend = time.monotonic() + 20\n"
        "while len(seen) < 4 and time.monotonic() < end:\n"
        "    s.sendto(b'x', (sys.argv[1], 9000))\n    time.sleep(0.02)\n"
        "    try:\n        while True: seen.add(s.recv(2000))\n    except BlockingIOError: pass\n"
        "s.sendto(b'last', (sys.argv[1], 9000))\n"
    )
    code, report, err = run_lab(
        "--scenario", scenario, "--", *server(), ":::", sys.executable, "-c", script, "{server}"
    )

    peers = {tuple(line.split()[-2:]) for line in err.splitlines() if " from " in line}
    assert code == 0, err
    assert report["rebindings"] >= 3
    assert len({port for _, port in peers}) == len({address for address, _ in peers}) == len(peers) >= 4


def test_cross_traffic_shares_the_wire(tmp_path: Path) -> None:
    scenario = tmp_path / "crossing.toml"
    flows = "".join(f'[[cross-traffic]]\nalgorithm = "{name}"\ndirection = "{way}"\n' for name, way in _FLOWS)
    scenario.write_text(f'description = "busy"\n[path]\nrate = "20M"\n{flows}')
    commands = (*server(), ":::", "sh", "-c", "sleep 1.5")
    code, report, err = run_lab("--scenario", scenario, "--grace", 0, "--", *commands)

    assert code == 0, err
    moved = {(flow["algorithm"], flow["direction"]): flow["received_bytes"] for flow in report["cross_traffic"]}
    assert set(moved) == {("cubic", "up"), ("reno", "down")}
    # At least an initial window each; how fast they go is the machine's business.
    assert min(moved.values()) > 14_000
    assert report["up"]["offered_bytes"] > moved["cubic", "up"]


def test_cross_traffic_that_hardly_began_is_stopped_in_order(tmp_path: Path) -> None:
    scenario = tmp_path / "crossing.toml"
    flow = '[[cross-traffic]]\nalgorithm = "cubic"\ndirection = "down"\n'
    scenario.write_text(f'description = "busy"\n[path]\nrate = "20M"\n{flow}')
    for _ in range(3):
        code, report, err = run_lab("--scenario", scenario, "--ready-after", 0, "--", "true", ":::", "true")
        assert (code, err) == (0, "")
        assert len(report["cross_traffic"]) == 1


_FLOWS = [("cubic", "up"), ("newreno", "down")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "true"], "expected two commands"),
        (["--", "true", ":::"], "a command is missing after"),
        (["--scenario", "no-such", "--", "true", ":::", "true"], "there is no scenario 'no-such'"),
        (["--emulator", "netem", "--mtu", "1000", "--", "true", ":::", "true"], "netem cannot do this link: mtu"),
        (["--emulator", "netem", "--capture", "x", "--", "true", ":::", "true"], "netem cannot do a capture"),
        (["--logs", "/dev/null/x", "--", "true", ":::", "true"], "Not a directory"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(arguments: list[str], message: str) -> None:
    code, report, err = run_lab(*arguments)

    assert (code, report) == (2, {})
    assert err.startswith("surewire lab run: error: ") and message in err
    assert len(err.splitlines()) == 1


def test_a_missing_command_is_one_line_and_status_3(tmp_path: Path) -> None:
    for name in ("ip", "unshare"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    env = {**ENVIRONMENT, "PATH": str(tmp_path)}
    code, report, err = run_lab("--", "true", ":::", "true", env=env)

    assert (code, report, err) == (3, {}, "surewire lab run: error: command not found: nsenter, nft\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_is_ended(number: signal.Signals) -> None:
    marker = f"marker-{uuid.uuid4()}"
    stubborn = "trap '' TERM INT HUP; setsid sh -c 'while :; do sleep 1; done' $0 & while :; do sleep 1; done"
    process = subprocess.Popen(
        [*LAB_RUN, "--ready-after", "0", "--", "sh", "-c", stubborn, marker, ":::", "sh", "-c", stubborn, marker],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    try:
        # The run itself, and at each host nsenter, the shell and its daemon.
        assert until(lambda: len(processes_with(marker)) >= 7)
        made = network_namespaces_of(marker)
        assert len(made) == 2
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert (out, err) == (b"", b"" if number == signal.SIGKILL else b"surewire lab run: interrupted\n")
    assert until(lambda: not processes_with(marker))
    assert until(lambda: not made & network_namespaces())
