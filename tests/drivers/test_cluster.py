"""A sweep on a real Dask cluster: a scheduler and two workers, each a process of its own, on the loopback.

One cluster goes through everything in turn, since starting it takes longer than the runs: a client with other code, a
worker killed in mid-sweep, the scheduler killed. What is checked is what matters: nothing is lost, nothing counts
twice, the table is the one this machine makes, and who cannot go on says why and keeps what is done.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import surewire
from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig, Scenario
from surewire.lab.sweeps.grid import Sweep, parse_axis
from surewire.lab.sweeps.sweep import Collection
from surewire.lab.sweeps.work import run_one

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="Dask distributed, the extra 'cluster', is not installed"
)

PATIENCE_S = 40
LINK = LinkConfig(delay=5 * NS_PER_MS, rate=20_000_000)
SWEEP = Sweep(
    base=Scenario(name="base", up=LINK, down=LINK, size=60_000),
    axes=(parse_axis("loss=0,10"), parse_axis("rtt=10,40")),
    protocols=("rdp", "streamer"),
    seeds=range(12),
)

# Takes the address and a table's name; says when a tenth is done, waits to be told to go on, says how it ended.
CLIENT = """
import json, sys
from pathlib import Path
from surewire.errors import SurewireError
from surewire.lab.sweeps.cluster import run_on_cluster
from surewire.lab.sweeps.sweep import Collection
from tests.drivers.test_cluster import SWEEP

collection, repeated, error = Collection(SWEEP), 0, None
try:
    for number, result in run_on_cluster(sys.argv[1], collection.missing, patience=20):
        repeated += not collection.add(number, result)
        if len(collection) == len(SWEEP) // 10:
            print("some", flush=True)
            sys.stdin.readline()
except SurewireError as lost:
    error = f"{type(lost).__name__}: {lost}"
collection.write(Path(sys.argv[2]))
print(json.dumps([len(collection), repeated, error]), flush=True)
"""


@contextmanager
def process(source: Path, *arguments: str, **options: int) -> Iterator[subprocess.Popen[str]]:
    """A Python process with the package in `source`; it ends with the block."""
    root = Path(__file__).resolve().parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{source}{os.pathsep}{root}",
        "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "error",
    }
    with subprocess.Popen([sys.executable, *arguments], env=environment, text=True, **options) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            started.kill()


def dask(tool: str, scheduler_file: Path, *arguments: str) -> tuple[str, ...]:
    """The arguments that start a scheduler or a worker on the loopback."""
    common = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(scheduler_file))
    return "-m", f"distributed.cli.dask_{tool}", *common, *arguments


def address_in(scheduler_file: Path) -> str:
    """The scheduler's address, once it is up."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if scheduler_file.exists() and (content := scheduler_file.read_text()):
            return str(json.loads(content)["address"])
        time.sleep(0.05)
    raise TimeoutError("the scheduler did not come up")


@contextmanager
def sweeping(source: Path, address: str, table: Path) -> Iterator[subprocess.Popen[str]]:
    """A client in the middle of its sweep."""
    with process(source, "-c", CLIENT, address, str(table), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        yield client


def ending(client: subprocess.Popen[str]) -> tuple[int, int, str | None]:
    """Runs with a result, results that came twice, error."""
    out, _ = client.communicate("go on\n", timeout=PATIENCE_S)
    done, repeated, error = json.loads(out.splitlines()[-1])
    return done, repeated, error


def reached_some(client: subprocess.Popen[str]) -> bool:
    assert client.stdout is not None
    return client.stdout.readline() == "some\n"


@pytest.mark.timeout(120)  # seconds; eight processes start, which takes 10 s of two cores that do nothing else
def test_a_cluster_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    # Of copies, so that nobody's editing makes the code of two processes differ.
    source, other = tmp_path / "source", tmp_path / "other"
    for copy in (source, other):
        shutil.copytree(Path(surewire.__file__).parent, copy / "surewire", ignore=shutil.ignore_patterns("__pycache__"))
    (other / "surewire" / "units_of_old.py").write_text("# not in the other copy\n")
    file = tmp_path / "scheduler.json"
    worker = dask("worker", file, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path / "dask"))
    with (
        process(source, *dask("scheduler", file, "--port", "0"), stderr=subprocess.DEVNULL) as scheduler,
        process(source, *worker, stderr=subprocess.DEVNULL) as first,
        process(source, *worker, stderr=subprocess.DEVNULL),
    ):
        address = address_in(file)

        with sweeping(other, address, tmp_path / "mismatch.csv") as client:
            done, _, error = ending(client)
        assert done == 0 and error is not None and error.startswith("ClusterError: worker tcp://127.0.0.1:"), error
        assert " has another surewire (code " in error

        with sweeping(source, address, tmp_path / "killed.csv") as client:
            assert reached_some(client)
            first.send_signal(signal.SIGKILL)
            assert ending(client) == (len(SWEEP), 0, None)
        local = Collection(SWEEP)
        for number, spec in local.missing.items():
            local.add(number, run_one(spec))
        local.write(tmp_path / "local.csv")
        assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "local.csv").read_bytes()

        with sweeping(source, address, tmp_path / "part.csv") as client:
            assert reached_some(client)
            scheduler.send_signal(signal.SIGKILL)
            scheduler.wait(PATIENCE_S)
            done, repeated, error = ending(client)
        assert error is not None and error.startswith("ClusterError: "), error
        assert len(SWEEP) // 10 <= done < len(SWEEP) and repeated == 0
    part = Collection(SWEEP)
    part.resume(tmp_path / "part.csv")
    assert len(part) == done
    assert [row for row in local.rows() if row in part.rows()] == part.rows()
