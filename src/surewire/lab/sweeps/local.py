"""Runs on this machine, one process a core.

Own processes instead of a pool: each has one run at a time, so when one dies it is known which run it had. That run is
tried once more, then it is a row with an error; the others do not notice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Mapping
from multiprocessing.connection import Connection, wait

from surewire.lab.simulated.runs import RunResult, RunSpec
from surewire.lab.sweeps.work import crashed, run_one

_TRIES = 2  # of a run whose process died
_PATIENCE_S = 5.0  # for a process that was told to end


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_here(specs: Mapping[int, RunSpec], *, jobs: int) -> Generator[tuple[int, RunResult], None, None]:
    """Do all runs.

    Args:
        specs: what to run, by a number of the caller's.
        jobs: processes, >= 1; with 1 the runs are done in this process.

    Yields:
        Number and result, each exactly once, as they finish.
    """
    if jobs == 1 or len(specs) <= 1:
        yield from ((number, run_one(spec)) for number, spec in specs.items())
        return
    pool = Pool(specs, jobs=min(jobs, len(specs)))
    try:
        yield from pool.results()
    finally:
        pool.stop()


class Pool:
    """Processes, and who has which run."""

    def __init__(self, specs: Mapping[int, RunSpec], *, jobs: int) -> None:
        """Start the processes; each has a run at once."""
        # Not forked: a copy of this process would hold the others' pipes open, and whatever threads held.
        self._context = multiprocessing.get_context("spawn")
        self._specs = specs
        self._waiting = deque(specs)
        self._tries = dict.fromkeys(specs, 0)
        self._workers: list[Worker] = []
        for _ in range(jobs):
            self._start()

    def results(self) -> Generator[tuple[int, RunResult], None, None]:
        """Number and result of each run, as they finish."""
        while any(worker.number is not None for worker in self._workers):
            ready = wait([worker.pipe for worker in self._workers if worker.number is not None])
            for worker in [worker for worker in self._workers if worker.pipe in ready]:
                number = worker.number
                result = worker.take()
                if number is None:
                    continue
                if result is None:
                    result = self._bury(worker, number)
                else:
                    self._employ(worker)
                if result is not None:
                    yield number, result

    def stop(self) -> None:
        """End all processes, whatever they are doing."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        # The mask is inherited: Ctrl-C reaches the whole group, but only the parent is to act on it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # else its death would not show at our end
        worker = Worker(process, ours)
        self._workers.append(worker)
        self._employ(worker)

    def _employ(self, worker: Worker) -> None:
        worker.number = self._waiting.popleft() if self._waiting else None
        if worker.number is not None:
            self._tries[worker.number] += 1
            worker.give(self._specs[worker.number])

    def _bury(self, worker: Worker, number: int) -> RunResult | None:
        """Replace a process that died; the result of its run if that was the last try."""
        self._workers.remove(worker)
        worker.stop()
        code = worker.process.exitcode
        is_over = self._tries[number] >= _TRIES
        if not is_over:
            self._waiting.appendleft(number)
        if self._waiting:
            self._start()
        return crashed(f"the process ended with status {code}, {_TRIES} times") if is_over else None


class Worker:
    """A process and the run it has."""

    def __init__(self, process: multiprocessing.process.BaseProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe
        self.number: int | None = None  # of the run it has

    def give(self, spec: RunSpec) -> None:
        """Hand it a run; if it has died, that shows when the result is taken."""
        try:
            self.pipe.send(spec)
        except OSError:
            return

    def take(self) -> RunResult | None:
        """The result that is ready; None when the process has died."""
        try:
            result: RunResult = self.pipe.recv()
        except (EOFError, OSError):
            return None
        return result

    def stop(self) -> None:
        """End it."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_PATIENCE_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join(_PATIENCE_S)


def _serve(pipe: Connection) -> None:
    """What a process does: runs, until nobody is there any more."""
    try:
        while True:
            pipe.send(run_one(pipe.recv()))
    except (EOFError, OSError):
        return
