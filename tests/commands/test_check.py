"""`--check` of the router and of the laboratory: datagrams that break the rules of a protocol are told."""

from __future__ import annotations

import json
import sys

from surewire.apps import lab_run, router
from tests.commands.lab_tools import UDP_CLIENT, UDP_SERVER, run_lab
from tests.commands.router_process import echo, finish, running, udp_socket
from tests.drivers.wired_rooms import require_lab


def test_the_router_tells_what_is_no_rdp() -> None:
    options = ("--check", "rdp", "--json")
    with udp_socket() as server, udp_socket() as client, running(*options, to=server) as (process, address):
        echo(server, client, address, 3)
        out, err = finish(process, status=router.EXIT_BROKEN)
    assert len(json.loads(out)["violations"]) >= 3
    assert "a rule of rdp was broken" in err


def test_the_router_finds_nothing_where_nothing_was_sent() -> None:
    with udp_socket() as server, running("--check", "streamer", "--json", to=server) as (process, _):
        out, _ = finish(process)
    assert json.loads(out)["violations"] == []


def test_the_laboratory_tells_what_is_no_rdp() -> None:
    require_lab()
    python = sys.executable
    commands = (python, "-c", UDP_SERVER, "{server}", ":::", python, "-c", UDP_CLIENT, "{server}", "one", "last")
    done = run_lab("--check", "rdp", "--", *commands)
    assert done.code == lab_run.RULE_BROKEN
    assert done.report["ok"] and len(done.report["violations"]) >= 2
