"""`surewire router` as a process: what it prints, how it ends, what it refuses; and its option texts."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from surewire.apps import arguments, router, router_options
from surewire.impair import GilbertElliott, LinkConfig
from tests.commands.router_process import COMMAND, ENVIRONMENT, PATIENCE_S, echo, finish, refused, running, udp_socket

MS = 1_000_000
S = 1_000_000_000

# As a process


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_json_summary_after_a_signal(signum: int) -> None:
    with udp_socket() as server, udp_socket() as client, running("--json", "--seed", "7", to=server) as (proc, address):
        to = f"127.0.0.1:{server.getsockname()[1]}"
        echo(server, client, address, 10)
        out, err = finish(proc, signum)
    summary = json.loads(out)
    assert (err == "") == summary["kept_up"]
    assert summary["scenario"] is None
    assert summary["listen"] == f"127.0.0.1:{address[1]}"
    assert summary["to"] == to
    assert summary["seed"] == 7
    assert summary["duration_s"] > 0
    assert summary["relay"]["clients"] == 1
    for direction in ("up", "down"):
        assert summary[direction]["offered"] == summary[direction]["delivered"] == 10
        assert summary[direction]["lost"] == 0


def test_text_summary_has_both_directions() -> None:
    with udp_socket() as server, udp_socket() as client, running(to=server) as (proc, address):
        echo(server, client, address, 3)
        out, _ = finish(proc)
    lines = out.splitlines()
    assert lines[0].startswith(f"relayed 127.0.0.1:{address[1]} to 127.0.0.1:")
    assert lines[1].split("  ")[0] == "datagrams"
    rows = {line[:20].strip(): line[20:].split() for line in lines[2:16]}
    assert rows["offered"] == rows["delivered"] == ["3", "3"]
    assert any(line.startswith("keeping up: ") for line in lines)


def test_a_server_that_answers_from_another_port_is_told_as_silence() -> None:
    """As TFTP servers do: nothing else would say why the client waits."""
    with udp_socket() as server, udp_socket() as other, udp_socket() as client, running(to=server) as (proc, address):
        client.sendto(b"x", address)
        _, source = server.recvfrom(100)
        other.sendto(b"answer", source)
        out, err = finish(proc)
    assert "delivered                            1                 0" in out.splitlines()
    assert "surewire router: note: nothing came back from the server: " in err
    assert "another port" in err


def test_options_reach_their_direction() -> None:
    options = ("--json", "--seed", "1", "--loss", "100", "--up-loss", "0", "--up-duplicate", "100")
    with udp_socket() as server, udp_socket() as client, running(*options, to=server) as (proc, address):
        client.sendto(b"x", address)
        for _ in range(2):
            datagram, source = server.recvfrom(2048)
            assert datagram == b"x"
        server.sendto(b"lost", source)
        # Sent later, so once this one has come through, the router has read the other.
        client.sendto(b"y", address)
        assert [server.recv(2048), server.recv(2048)] == [b"y"] * 2
        out, _ = finish(proc)
    summary = json.loads(out)
    assert summary["up"]["duplicated"] == 2
    assert summary["down"]["offered"] == summary["down"]["lost"] == 1


def test_duration_ends_it() -> None:
    with udp_socket() as server, running("--duration", "0.1", "--json", to=server) as (proc, _):
        out, _ = proc.communicate(timeout=PATIENCE_S)
        assert proc.returncode == router.EXIT_OK
    assert json.loads(out)["duration_s"] >= 0.1


def terminal_output(*options: str) -> bytes:
    """What a short run writes to stderr if that is a terminal."""
    reader, terminal = os.openpty()
    try:
        arguments = ["--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--duration", "0.1", *options]
        subprocess.run(
            [*COMMAND, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            env=ENVIRONMENT,
            timeout=PATIENCE_S,
            check=True,
        )
        return os.read(reader, 65536)
    finally:
        os.close(terminal)
        os.close(reader)


def test_live_counters_go_to_a_terminal_unless_quiet() -> None:
    assert b"clients 0 | up 0>0" in terminal_output()
    quiet = terminal_output("--quiet")
    assert quiet.startswith(b"listening on ")
    assert quiet.count(b"\n") == 1
    assert b"clients" not in quiet


# Refusals

GOOD = ("--listen", "127.0.0.1:0", "--to", "127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--to", "127.0.0.1:9"), "--listen"),
        (("--listen", "nowhere", "--to", "127.0.0.1:9"), "nowhere"),
        ((*GOOD, "--loss", "101"), "--loss"),
        ((*GOOD, "--down-burst", "10"), "--down-burst"),
        ((*GOOD, "--up-l", "10"), "--up-l"),
        ((*GOOD, "--seed", "x"), "--seed"),
    ],
)
def test_bad_arguments_are_one_line_and_code_2(arguments: tuple[str, ...], named: str) -> None:
    code, line = refused(*arguments)
    assert code == router.EXIT_USAGE
    assert line.startswith("surewire router: error: ")
    assert named in line


def test_a_busy_port_is_one_line_and_code_1() -> None:
    with udp_socket() as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        code, line = refused("--listen", listen, "--to", "127.0.0.1:9")
    assert code == router.EXIT_ADDRESS
    assert line.startswith(f"surewire router: error: cannot listen on {listen}: ")


def test_an_unusable_destination_is_one_line_and_code_1() -> None:
    code, line = refused("--listen", "127.0.0.1:0", "--to", "..:9")
    assert code == router.EXIT_ADDRESS
    assert "--to ..:9" in line


def test_help_names_every_option_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert router.main(["--help"]) == router.EXIT_OK
    text = capsys.readouterr().out
    for name in ("--loss", "--up-rate", "--down-blackout", "--seed", "--json", "Exit codes: 0"):
        assert name in text


def test_the_manual_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    router.main(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+(?: \S+)?)", capsys.readouterr().out, re.MULTILINE))
    manual = (Path(__file__).parents[2] / "docs" / "router.md").read_text(encoding="utf-8").replace("\\|", "|")
    either_way = {option for option in options if not option.startswith(("--up-", "--down-"))}
    assert len(either_way) > 30
    assert [option for option in sorted(either_way) if f"| `{option}` |" not in manual] == []


# Option texts


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    router.add_arguments(parser)
    return parser.parse_args([*GOOD, *options])


def test_without_options_the_path_is_perfect() -> None:
    args = parsed()
    assert router_options.link_config(args, "up") == router_options.link_config(args, "down") == LinkConfig()


def test_every_option_sets_its_field_in_both_directions() -> None:
    text = (
        "--loss 10 --burst 5:4 --duplicate 1% --corrupt 0.5 --reorder 100 --delay 20 --jitter 0.5 "
        "--rate 20M --queue 64k --blackout 5:10 --blackout 20:0.5"
    )
    expected = LinkConfig(
        loss=0.1,
        bursts=GilbertElliott.from_average(0.05, 4),
        duplicate=0.01,
        corrupt=0.005,
        reorder=1,
        delay=20 * MS,
        jitter=MS // 2,
        rate=20_000_000,
        queue=65_536,
        blackouts=((5 * S, 15 * S), (20 * S, 20 * S + S // 2)),
    )
    args = parsed(*text.split())
    assert router_options.link_config(args, "up") == router_options.link_config(args, "down") == expected


def test_a_direction_overrides_the_option_for_both_even_with_zero() -> None:
    text = "--loss 10 --down-loss 0 --rate 1M --up-rate none --blackout 1:1 --down-blackout 2:1 --up-delay 5"
    args = parsed(*text.split())
    up = LinkConfig(loss=0.1, delay=5 * MS, blackouts=((S, 2 * S),))
    down = LinkConfig(rate=1_000_000, blackouts=((2 * S, 3 * S),))
    assert router_options.link_config(args, "up") == up
    assert router_options.link_config(args, "down") == down


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (arguments.parse_endpoint, "10.0.0.1:5000", ("10.0.0.1", 5000)),
        (arguments.parse_endpoint, "[::1]:0", ("::1", 0)),
        (arguments.parse_endpoint, "[fe80::1%eth0]:65535", ("fe80::1%eth0", 65535)),
        (arguments.parse_endpoint, "host.example:1", ("host.example", 1)),
        (router_options.parse_rate, "500k", 500_000),
        (router_options.parse_rate, "1.5g", 1_500_000_000),
        (router_options.parse_rate, "9600", 9600),
        (router_options.parse_size, "0", 0),
        (router_options.parse_size, "1M", 1_048_576),
        (router_options.parse_seconds, "0.25", S // 4),
    ],
)
def test_texts_that_are_understood(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (arguments.parse_endpoint, ["", "host", ":1", "host:", "host:x", "host:65536", "h:-1", "::1:5", "[]:1"]),
        (arguments.parse_destination, ["host:0"]),
        (router_options.parse_percent, ["", "x", "-1", "100.1", "nan", "inf"]),
        (router_options.parse_milliseconds, ["", "-1", "5ms", "inf"]),
        (router_options.parse_rate, ["", "0", "0.2", "-1M", "M", "20X", "infM"]),
        (router_options.parse_size, ["", "-1", "k", "unlimited"]),
        (router_options.parse_burst, ["", "10", "10:", ":5", "10:0.5", "100:5", "90:2", "x:5"]),
        (router_options.parse_blackout, ["", "5", "5:", "5:0", "-1:5", "a:b"]),
    ],
)
def test_texts_that_are_refused(parse: Callable[[str], object], texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_the_summary_is_alone_on_standard_output_whatever_became_of_standard_error(closed: str) -> None:
    arguments = ("--listen", "127.0.0.1:0", "--to", "127.0.0.1:9", "--duration", "0.01", "--json")
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *arguments]
    done = subprocess.run(shell, capture_output=True, text=True, env=ENVIRONMENT, timeout=PATIENCE_S, check=False)

    assert done.returncode == router.EXIT_OK
    assert json.loads(done.stdout)["up"]["offered"] == 0
