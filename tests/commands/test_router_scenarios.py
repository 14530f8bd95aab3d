"""`surewire router` with scenarios and NAT rebinding, and what it says when it cannot do what was asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from surewire.apps import router
from surewire.drivers.udp_options import ON_LINUX
from surewire.lab.scenario_files import load_scenario, scenario_names
from tests.commands.router_process import COMMAND, ENVIRONMENT, PATIENCE_S, finish, refused, running, udp_socket

GOOD = ("--listen", "127.0.0.1:0", "--to", "127.0.0.1:9")


def notes(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("surewire router: note: ")]


def test_a_scenario_file_holds_but_for_the_options_given_besides(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('description = "mine"\n[path]\nloss = 100\n[up]\nduplicate = 100\n', encoding="utf-8")
    options = ("--scenario", str(mine), "--up-loss", "0", "--json")
    with udp_socket() as server, udp_socket() as client, running(*options, to=server) as (process, address):
        client.sendto(b"x", address)
        _, source = server.recvfrom(10)
        assert server.recv(10) == b"x"
        server.sendto(b"lost", source)
        client.sendto(b"y", address)
        assert server.recv(10) == b"y"
        out, _ = finish(process)
    summary = json.loads(out)
    assert summary["scenario"] == str(mine)
    assert (summary["up"]["duplicated"], summary["down"]["lost"]) == (2, 1)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_runs_and_what_it_cannot_play_is_said(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert router.main([*GOOD, "--scenario", name, "--duration", "0", "--json"]) == router.EXIT_OK
    printed = capsys.readouterr()
    assert json.loads(printed.out)["scenario"] == name
    scenario = load_scenario(name)
    assert len(notes(printed.err)) == bool(scenario.cross_traffic)
    if scenario.cross_traffic:
        assert f"scenario {name} has cross traffic, which the router cannot play" in printed.err


def test_an_address_that_cannot_change_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = ("--listen", "127.0.0.1:0", "--to", "192.0.2.1:9", "--duration", "0")
    assert router.main([*elsewhere, "--scenario", "rebind-addr"]) == router.EXIT_OK
    (note,) = notes(capsys.readouterr().err)
    assert "only the port changes" in note
    code, line = refused(*elsewhere, "--rebind", "1", "--rebind-address")
    assert code == router.EXIT_USAGE
    assert "127.x.x.x" in line


@pytest.mark.parametrize("options", [("--rebind", "0.02"), ("--rebind", "0.02", "--rebind-address")])
def test_rebinding_changes_what_the_server_sees(options: tuple[str, ...]) -> None:
    moves = "--rebind-address" in options
    if moves and not ON_LINUX:
        pytest.skip("elsewhere only 127.0.0.1 is there")
    seen: set[tuple[str, int]] = set()
    with udp_socket() as server, udp_socket() as client, running(*options, "--json", to=server) as (process, address):
        while len(seen) < 3:
            client.sendto(b"x", address)
            seen.add(server.recvfrom(10)[1])
        out, _ = finish(process)
    assert json.loads(out)["relay"]["rebindings"] >= 2
    assert (len({host for host, _ in seen}) == 3) == moves


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "no-such"), "there is no scenario 'no-such'"),
        (("--scenario", "no/such.toml"), "no/such.toml"),
        (("--rebind-address",), "--rebind-address needs --rebind"),
        (("--rebind", "0"), "rebinding.every"),
        (("--change", "1:rate=1M"), "rate"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_code_2(arguments: tuple[str, ...], said: str) -> None:
    code, line = refused(*GOOD, *arguments)
    assert code == router.EXIT_USAGE
    assert line.startswith("surewire router: error: ")
    assert said in line


# Not keeping up


@pytest.mark.skipif(not ON_LINUX, reason="only Linux tells when a datagram arrived")
@pytest.mark.parametrize("strict", [False, True])
def test_a_router_that_was_stopped_says_that_it_did_not_keep_up(strict: bool) -> None:
    """It sends at once what it reads, and still knows that the datagrams waited to be read."""
    options = ("--json", *(("--strict",) if strict else ()))
    with udp_socket() as server, udp_socket() as client, running(*options, to=server) as (process, address):
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        client.sendto(b"x", address)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.recv(10)
        process.send_signal(signal.SIGCONT)
        server.settimeout(PATIENCE_S)
        assert server.recv(10) == b"x"
        out, err = finish(process, status=router.EXIT_BEHIND if strict else router.EXIT_OK)
    summary = json.loads(out)
    assert summary["kept_up"] is False
    assert summary["relay"]["late"] == 1
    assert err.startswith("surewire router: warning: it did not keep up, so the path was worse than asked for: 1 ")
    assert err.count("surewire router: warning: ") == 1


@pytest.mark.skipif(not ON_LINUX, reason="only Linux tells when a datagram arrived")
def test_the_live_line_says_it_while_it_runs() -> None:
    reader, terminal = os.openpty()
    try:
        with udp_socket() as server, udp_socket() as client:
            command = [*COMMAND, "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{server.getsockname()[1]}"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=terminal, env=ENVIRONMENT) as process:
                shown = b""
                while not shown.endswith(b"\n"):
                    shown += os.read(reader, 1000)
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                client.sendto(b"x", ("127.0.0.1", int(shown.strip().rpartition(b":")[2])))
                server.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    server.recv(10)
                process.send_signal(signal.SIGCONT)
                while b"NOT KEEPING UP | up 1>1" not in shown:
                    shown += os.read(reader, 1000)
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_S)
    finally:
        os.close(terminal)
        os.close(reader)
