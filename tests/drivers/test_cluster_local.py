"""Runs in processes of this machine: each exactly once, whatever happens to the processes."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from surewire.core.units import NS_PER_MS
from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.runs import RunSpec
from surewire.lab.sweeps.local import run_here
from surewire.lab.sweeps.work import run_one

LINK = LinkConfig(delay=5 * NS_PER_MS, rate=20_000_000, loss=0.1)
SCENARIO = Scenario(name="lossy", up=LINK, down=LINK)


def specs(count: int) -> dict[int, RunSpec]:
    return {
        number: RunSpec(protocol="rdp", scenario=SCENARIO, size=20_000, seed=number) for number in range(10, 10 + count)
    }


class Deadly(RunSpec):
    """A run that ends the process which gets it, as one that needs too much memory does."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def test_processes_give_what_this_one_gives() -> None:
    runs = specs(12)
    found = list(run_here(runs, jobs=2))
    assert sorted(number for number, _ in found) == list(runs)
    assert dict(found) == {number: run_one(spec) for number, spec in runs.items()}
    assert multiprocessing.active_children() == []


def test_a_run_whose_process_dies_is_a_result_and_the_others_go_on() -> None:
    runs = specs(4)
    runs[11] = Deadly(protocol="rdp", scenario=SCENARIO, size=1, seed=1)
    found = list(run_here(runs, jobs=2))
    assert sorted(number for number, _ in found) == list(runs)
    results = dict(found)
    assert results.pop(11).error == "Crash: the process ended with status 9, 2 times"
    assert all(result.ok for result in results.values())


def test_a_process_that_is_killed_costs_no_run() -> None:
    runs = specs(30)
    found = []
    for turn, done in enumerate(run_here(runs, jobs=2)):
        found.append(done)
        if turn == 3:
            multiprocessing.active_children()[0].kill()
    assert sorted(number for number, _ in found) == list(runs)
    assert all(result.ok for _, result in found)


def test_whoever_stops_listening_leaves_no_process() -> None:
    results = run_here(specs(30), jobs=2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert multiprocessing.active_children() == []
