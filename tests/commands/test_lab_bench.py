"""The comparison over real links runs, on little data; what it measures is nobody's test. How it is told, is."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.lab_tools import ENVIRONMENT
from tests.drivers.wired_rooms import require_lab

BENCH = Path(__file__).parents[2] / "bench" / "lab.py"


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run it in a laboratory of its own, or skip."""
    require_lab()
    command = [sys.executable, str(BENCH), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=55, env=ENVIRONMENT)


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip where one of them is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def cells(table: str, name: str) -> list[list[str]]:
    """The lines of the tables that begin with a name, cell by cell."""
    lines = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines]


@pytest.mark.parametrize(
    "peer",
    [
        "TCP cubic",
        "TCP bbr",
        "RDP",
        "surewire checked",
        "surewire commands",
        pytest.param("surewire", marks=needs("cryptography")),
        pytest.param("aioquic", marks=needs("cryptography", "aioquic")),
        pytest.param("qh3", marks=needs("cryptography", "qh3")),
        pytest.param("quinn BBR", marks=needs("quic_portal")),
        pytest.param("picoquic BBR1", marks=needs("cryptography", "aiopquic")),
    ],
)
def test_a_peer_gets_a_file_across(peer: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = bench("peers", "--peers", peer, "--only", "0%", "--scale", 0.002, "--runs", 1, "--json", report)

    assert done.returncode == 0, done.stderr
    (seconds,), (overhead,) = cells(done.stdout, peer)
    assert float(seconds.removesuffix(" (wire late)")) > 0.05, "a round trip"
    (outcome,) = json.loads(report.read_text())
    assert (outcome["peer"], outcome["link"], outcome["size"]) == (peer, "0%", 100_000)
    assert (outcome["failure"], outcome["arrived"]) == (None, 100_000)
    assert outcome["sent"] == outcome["wire"]["up"]["offered_bytes"] > 100_000
    assert outcome["sent"] / 100_000 == pytest.approx(float(overhead), abs=0.01)
    assert f"0%, {peer}, run 0: " in done.stderr


def test_who_is_stopped_is_not_tried_again_there_and_what_had_arrived_is_told() -> None:
    done = bench("peers", "--peers", "TCP cubic", "--only", "30%", "--scale", 0.2, "--runs", 2, "--limit", 1)

    assert done.returncode == 0, done.stderr
    (seconds,), (overhead,) = cells(done.stdout, "TCP cubic")
    assert (seconds.partition(" ")[2].partition(" (")[0], overhead) == ("MB", "")
    assert done.stderr.count("the client did not end within 1 s") == 1


@needs("cryptography")
def test_the_rows_run(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = bench("rows", "jitter", "mixed", "--scale", 0.2, "--runs", 2, "--json", report)  # more than a second

    assert done.returncode == 0, done.stderr
    (jitter,) = cells(done.stdout, "10%, round trip 25 to 75 ms")
    assert float(jitter[0].split()[0]) > 10_000_000 * 8 / 100e6, "seconds, whether the wire kept up or not"
    by_load = [row for late in ("", " (1 wire late)", " (2 wire late)") for row in cells(done.stdout, f"2{late}")]
    ((least, *_),) = by_load
    assert least == "0.114 s"
    outcomes = json.loads(report.read_text())
    assert [(one["link"], one["seed"]) for one in outcomes] == [
        *(("10%, jitter", 0), ("10%, jitter", 1)),
        *(("mixed", 0), ("mixed", 1)),
    ]
    samples = outcomes[0]["samples"]
    assert samples[-1][1] == outcomes[0]["size"] == 10_000_000
    assert samples == sorted(samples)


@needs("cryptography")
def test_two_flows_share_a_link() -> None:
    done = bench("rows", "cubic", "--scale", 0.02)

    assert done.returncode == 0, done.stderr
    for name in ("0.5 BDP = 312.5 kB", "1 BDP = 625 kB", "4 BDP = 2500 kB"):
        (row,) = cells(done.stdout, name)
        assert float(row[0]) > 0, row
        assert float(row[1]) > 0, row


def test_an_unknown_row_is_refused() -> None:
    done = bench("rows", "jam")

    assert done.returncode == 2
    assert "no such row: jam; there are loss, jitter, cubic, mixed" in done.stderr


# What is told, of outcomes made by hand.


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(BENCH.parent))
    names = ("lab_links", "lab_peers", "lab_rows", "lab_table", "lab_transfer")
    return {name: importlib.import_module(name) for name in names}


def outcome(modules: dict[str, Any], peer: str, seconds: float | None, **more: Any) -> Any:
    figures = {
        "peer": peer,
        "link": "10%",
        "size": 50_000_000,
        "seed": 0,
        "seconds": seconds,
        "arrived": 50_000_000 if seconds is not None else 3_900_000,
        "sent": 60_000_000,
        "kept_up": True,
        "failure": None if seconds is not None else "stopped",
        "said": {"sender": {"began": 100.0, "stats": {"spurious": 3, "datagrams_sent": 300}}, "receiver": {}},
        "wire": {"up": {"offered": 40_000, "queue_dropped": 0}},
        "other_cpu_s": 0.0,
    }
    return modules["lab_transfer"].Outcome(**(figures | more))


def test_the_bounds_are_those_of_the_demand(modules: dict[str, Any]) -> None:
    columns = modules["lab_links"].COLUMNS
    seconds = {name: round(column.bound_s(column.megabytes * 1_000_000), 2) for name, column in columns.items()}
    overheads = {name: round(modules["lab_links"].least_overhead(column.link), 2) for name, column in columns.items()}

    assert seconds == {"0%": 4.17, "1%": 4.21, "10%": 4.63, "30%": 1.19, "bursts": 4.39, "mixed": 0.47}
    assert overheads == {"0%": 1.04, "1%": 1.05, "10%": 1.16, "30%": 1.49, "bursts": 1.10, "mixed": 1.18}


def test_goodput_counts_from_one_second_after_the_beginning(modules: dict[str, Any]) -> None:
    # 1 MB at 0.9 s and 2 MB at 1.1 s: at one second 1.5 MB, so the last 8 MB took 4 s.
    samples = [(100.5, 500_000), (100.9, 1_000_000), (101.1, 2_000_000), (105.0, 9_500_000)]
    goodput = modules["lab_rows"].goodput_after_first_second

    assert goodput(outcome(modules, "surewire", 5.1, samples=samples)) == pytest.approx(16_000_000)
    assert goodput(outcome(modules, "surewire", None, samples=samples)) is None
    assert goodput(outcome(modules, "surewire", 0.9, samples=samples[:2])) is None
    assert modules["lab_rows"].spurious_share(outcome(modules, "surewire", 5.1)) == 0.01


def verdicts(modules: dict[str, Any], *, ours: Any, bbr: Any, rdp: Any, whole: bool = True) -> list[str]:
    peers = [modules["lab_peers"].PEERS[name] for name in ("surewire", "TCP bbr", "RDP")]
    cells = {("surewire", "10%"): [ours], ("TCP bbr", "10%"): [bbr], ("RDP", "10%"): [rdp]}
    found: list[str] = modules["lab_table"].verdicts(peers, [modules["lab_links"].COLUMNS["10%"]], cells, whole=whole)
    return found


def test_each_demand_is_judged(modules: dict[str, Any]) -> None:
    def made(peer: str, seconds: float | None, sent: int = 60_000_000) -> Any:
        return outcome(modules, peer, seconds, sent=sent)

    slow, rdp = made("TCP bbr", 9.0), made("RDP", 4.9)  # RDP is ours, and no rival
    assert verdicts(modules, ours=made("surewire", 5.1), bbr=slow, rdp=rdp) == []
    assert verdicts(modules, ours=made("surewire", 5.0), bbr=made("TCP bbr", None), rdp=rdp) == []
    assert verdicts(modules, ours=made("surewire", 5.0), bbr=made("TCP bbr", 4.9), rdp=rdp) == [
        "10%: faster than surewire: TCP bbr"
    ]
    assert verdicts(modules, ours=made("surewire", 5.2, 60_100_000), bbr=slow, rdp=rdp) == [
        "10%: 5.20 s, demanded 5.10",
        "10%: 1.202 bytes sent a byte, demanded 1.20",
    ]
    assert verdicts(modules, ours=made("surewire", 5.2, 60_100_000), bbr=slow, rdp=rdp, whole=False) == []
    assert verdicts(modules, ours=made("surewire", None), bbr=slow, rdp=rdp) == ["10%: surewire did not end in time"]
