"""What is known of a sweep: results in any order, each once, a table that can be continued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.runs import RunResult, RunSpec
from surewire.lab.sweeps.cluster import ClusterError, check_address, work
from surewire.lab.sweeps.grid import Sweep, parse_axis
from surewire.lab.sweeps.local import run_here
from surewire.lab.sweeps.sweep import RESULT_COLUMNS, Collection
from surewire.lab.sweeps.table import TableError, read_table
from surewire.lab.sweeps.work import code_fingerprint, crashed, run_one

LINK = LinkConfig(delay=5 * NS_PER_MS, rate=20_000_000)
BASE = Scenario(name="base", up=LINK, down=LINK, size=3000)
SWEEP = Sweep(base=BASE, axes=(parse_axis("loss=0,20"), parse_axis("rate=1M,2M")), protocols=("rdp",), seeds=range(2))


def result(number: int) -> RunResult:
    return RunResult(ok=True, seconds=float(number + 1), goodput=1.0, utilisation=None, overhead=1.5, datagrams=number)


def full() -> Collection:
    collection = Collection(SWEEP)
    for number in range(len(SWEEP)):
        collection.add(number, result(number))
    return collection


def test_the_order_of_arrival_does_not_show() -> None:
    other = Collection(SWEEP)
    for number in reversed(range(len(SWEEP))):
        assert other.add(number, result(number))
    assert other.rows() == full().rows()
    assert [row["datagrams"] for row in other.rows()] == list(range(8))


def test_a_result_counts_once() -> None:
    collection = Collection(SWEEP)
    assert collection.add(3, result(3)) and not collection.add(3, result(4))
    assert len(collection) == 1 and collection.rows()[0]["datagrams"] == 3
    assert 3 not in collection.missing and len(collection.missing) == 7
    assert not collection.is_complete and full().is_complete


def test_failures_are_counted() -> None:
    collection = full()
    assert (collection.failed, collection.crashed) == (0, 0)
    other = Collection(SWEEP)
    other.add(0, RunResult(ok=False, error="IdleTimeout: gone"))
    other.add(1, crashed("of\nsome kind"))
    assert (other.failed, other.crashed) == (2, 1)
    assert other.rows()[1]["error"] == "Crash: of some kind"


def test_a_row_says_what_was_run_and_how_it_went() -> None:
    collection = full()
    row = collection.rows()[5]
    assert list(row) == list(collection.columns)
    expected = {"loss": 20.0, "rate": "1M", "scenario": "base", "protocol": "rdp", "size": 3000, "seed": 1}
    assert {name: row[name] for name in expected} == expected
    assert set(RESULT_COLUMNS) <= set(row) and row["run"] == collection.points[5].fingerprint


def test_a_sweep_over_sizes_has_one_column_of_them() -> None:
    collection = Collection(replace(SWEEP, axes=(parse_axis("size=1k,2000"),)))
    assert list(collection.columns).count("size") == 1
    collection.add(0, result(0))
    assert collection.rows()[0]["size"] == "1k"


def test_a_table_can_be_continued(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    half = Collection(SWEEP)
    half.add(1, result(1))
    half.add(6, RunResult(ok=False, error="IdleTimeout: gone", seconds=1.0))
    half.add(7, crashed("by accident"))
    half.write(path)
    again = Collection(SWEEP)
    again.resume(path)
    assert set(again.missing) == {0, 2, 3, 4, 5, 7}  # what crashed is done again
    for number in again.missing:
        again.add(number, result(number))
    assert [row for row in again.rows() if row["ok"] is False] == [half.rows()[1]]
    again.write(path)
    assert read_table(path, again.columns) == again.rows()


def test_the_table_of_another_sweep_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    full().write(path)
    with pytest.raises(ConfigError, match="another sweep"):
        Collection(replace(SWEEP, seeds=range(1, 3))).resume(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="no column"):
        Collection(SWEEP).resume(path)


# What does the runs


def test_one_process_does_every_run_once() -> None:
    specs = dict(enumerate(point.spec for point in SWEEP.points()))
    done = list(run_here(specs, jobs=1))
    assert [number for number, _ in done] == list(specs)
    assert all(result == run_one(specs[number]) for number, result in done)


class Broken(RunSpec):
    """A spec that cannot be run, as a defect would make it."""

    @property
    def limit(self) -> int:
        raise RuntimeError("no\nsuch limit")


def test_a_run_that_raises_is_a_result() -> None:
    done = run_one(Broken(protocol="rdp", scenario=BASE, size=1, seed=1))
    assert not done.ok
    assert done.error is not None and done.error.startswith("Crash: RuntimeError: no such limit (test_sweep_collection")


# What a worker of a cluster does


def test_a_worker_with_other_code_refuses() -> None:
    spec = RunSpec(protocol="rdp", scenario=BASE, size=100, seed=1)
    assert work(spec, code_fingerprint()) == run_one(spec)
    with pytest.raises(ClusterError, match=r"a worker has other code \([0-9a-f]{12}\) than this machine \(another\)"):
        work(spec, "another")


@pytest.mark.parametrize(
    "address", ["", "host", "host:8786", "tcp://host", "tcp://:8786", "tcp://h:123456", "udp://h:1"]
)
def test_what_is_no_scheduler_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="address of a scheduler"):
        check_address(address)


@pytest.mark.parametrize("address", ["tcp://host:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"])
def test_addresses_of_schedulers(address: str) -> None:
    check_address(address)
