"""The benchmarks run, on little data; what they measure is nobody's test. Those of real links: test_lab_bench.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def bench(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark of this checkout."""
    return subprocess.run(
        [sys.executable, ROOT / "bench" / script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=50,
    )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("recovery.py --seeds 1 --megabytes 0.1 --jobs 1", "30% loss      1/1"),
        ("selftest.py --seeds 1 --size 20000 --jobs 1", "16 transfers of 20000 bytes, 0 failed"),
        ("transfer.py loopback --runs 1 --megabytes 1", "1 runs, all identical"),
        ("transfer.py router --runs 1 --router-megabytes 0.2", "1 runs, all identical"),
        ("streamer.py S4 --pairs 2 --jobs 2 --numbers 300", "2 runs, 0 failed"),
        ("streamer.py S7 --pairs 1 --numbers 300", "ceiling at 10 ms  118570 B/s, reached"),
        ("streamer.py simulated --runs 2 --jobs 1", "4 runs, 0 failed"),
        ("simulator.py network --repeat 1 --scale 0.05", "network"),
        ("cross_traffic.py --scale 0.001 --seeds 1 --jobs 1", "Jain's index"),
        ("connections.py --connections 20 40", "connections  server B"),
        ("short_transfers.py --seeds 2 --bytes 50000", "complete 2 of 2"),
        ("congestion.py 4 12 --seeds 2 --scale 0.03 --jobs 1", "| 12 | 20 Mbit/s, 1 BDP, CUBIC first | busy | "),
        ("big_windows.py --megabytes 2 --losses 0 --paths 20x20", "20x20 ms"),
    ],
)
def test_a_benchmark_runs(command: str, said: str, tmp_path: Path) -> None:
    script, *arguments = command.split()
    if script == "transfer.py":
        arguments += ["--folder", str(tmp_path)]
    done = bench(script, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


# A one-file Streamer that fulfils its part of one run in a way of its own: both hosts receive what they expect.
STREAMER = """
import os, sys, time
from lossy_socket import LossyUDP

class Streamer:
    def __init__(self, dst_ip, dst_port, src_ip, src_port):
        self.socket = LossyUDP()
        self.data = b"0 1 2 "

    def send(self, data_bytes):
        self.socket.sendto(bytes(50), ("127.0.0.1", 9))

    def recv(self):
        data, self.data = self.data, b""
        return data

    def close(self):
        {close}
"""


@pytest.mark.parametrize(
    ("close", "failure"),
    [
        ("pass", ""),
        ("sys.exit(3)", "host 1 exit status 3"),
        ("print('a warning', file=sys.stderr)", "host 1 wrote to standard error: a warning"),
        ("time.sleep(100)", "host 1 still ran at its limit and was killed"),
        ("os._exit(0)", "host 1 printed no ETH_BYTES_SENT; host 2 did not pass its stage"),
        ("print('received 3')", "host 2 received 4 numbers of 3, or not in order"),
    ],
)
def test_the_bench_of_streamer_tells_failed_runs(close: str, failure: str, tmp_path: Path) -> None:
    single = tmp_path / "any.py"
    single.write_text(STREAMER.replace("{close}", close), encoding="utf-8")
    limit = "1" if "sleep" in close else "30"
    options = f"--pairs 1 --numbers 3 --json --limit {limit} --single"
    done = bench("streamer.py", "S1", *options.split(), str(single))
    (result,) = json.loads(done.stdout)
    (run,) = result["runs"]
    assert done.stderr == ""
    assert done.returncode == (1 if failure else 0)
    assert failure in "; ".join(run["failures"])
    assert bool(failure) == bool(run["failures"])
    # host 2 sends three packets, host 1 one
    assert failure or run["eth_bytes"] == 4 * (50 + 46)
