"""Runs on a cluster, through Dask distributed (an extra, imported when a cluster is asked for).

Workers need the same surewire installed; this is checked before the first run and again with each. Every run is a task
of its own with a key of its own, so the scheduler gives a dead worker's runs, and results that died with it, to
others. A result counts when it has arrived here, once, whatever was computed how often: runs are functions of
their specs, so doing one again changes nothing.

What can go wrong ends in `ClusterError` with all results so far handed out: no scheduler, no workers, other code there.
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import re
import time
import uuid
from collections.abc import Generator, Mapping
from typing import Any

from surewire.errors import ConfigError, SurewireError
from surewire.lab.simulated.runs import RunResult, RunSpec
from surewire.lab.sweeps.work import code_fingerprint, crashed, run_one

CONNECT_S = 10.0
"""Seconds in which the scheduler must answer."""

WORKERS_S = 60.0
"""Seconds without any worker, or without word from the scheduler, after which the cluster is taken for lost."""

_POLL_S = 1.0
_IN_FLIGHT = 1000  # tasks the scheduler knows at a time


class ClusterError(SurewireError):
    """The cluster cannot be used, or not any more."""


def require_distributed() -> Any:
    """The package that talks to clusters.

    Raises:
        ConfigError: it is not installed; the text says what to do.
    """
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError(f"a cluster needs Dask distributed, try: pip install distributed ({error})") from error


def check_address(address: str) -> None:
    """Make sure that this can be the address of a scheduler.

    Raises:
        ConfigError: it cannot.
    """
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://\S+:[0-9]{1,5}", address):
        raise ConfigError(f"expected the address of a scheduler such as tcp://HOST:8786, not '{address}'")


def work(spec: RunSpec, code: str) -> RunResult:
    """The task: a run, unless this worker has other code than the client.

    Raises:
        ClusterError: it has.
    """
    if code != code_fingerprint():
        raise ClusterError(f"a worker has other code ({code_fingerprint()}) than this machine ({code})")
    return run_one(spec)


def run_on_cluster(
    address: str, specs: Mapping[int, RunSpec], *, patience: float = WORKERS_S
) -> Generator[tuple[int, RunResult], None, None]:
    """Do all runs.

    Args:
        address: of the scheduler, as in "tcp://127.0.0.1:8786".
        specs: what to run, by a number of the caller's.
        patience: seconds without a worker or scheduler after which it gives up, > 0.

    Yields:
        Number and result, each exactly once, as they arrive.

    Raises:
        ConfigError: Dask distributed is not installed, or the address makes no sense.
        ClusterError: the cluster cannot be used, or was lost.
    """
    check_address(address)
    distributed = require_distributed()
    client = _connect(distributed, address)
    try:
        _check_workers(client, patience)
        yield from _Submitted(client, specs, patience).results()
    finally:
        # Of a scheduler that has gone, closing complains; there is nothing to be done about it here.
        with contextlib.suppress(Exception):
            client.close(timeout=_POLL_S)


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ClusterError(f"no scheduler at {address}: {_line(error)}") from error


def _check_workers(client: Any, patience: float) -> None:
    """Wait for a worker, and see that all have this code."""
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise ClusterError(f"the scheduler has had no worker for {patience:g} s") from error
    ours = code_fingerprint()
    for worker, theirs in _asked(client).items():
        if theirs is None:
            raise ClusterError(f"worker {worker} has no surewire installed, it needs the one of this machine")
        if theirs != ours:
            raise ClusterError(f"worker {worker} has another surewire (code {theirs}) than this machine ({ours})")


def _asked(client: Any) -> dict[str, str | None]:
    """The code of each worker, None where there is none."""

    # Nested, so that it travels by value: a worker without surewire could not look it up by name.
    def code() -> str | None:
        try:
            module = importlib.import_module("surewire.lab.sweeps.work")
        except ImportError:
            return None
        return str(module.code_fingerprint())

    answers: dict[str, str | None] = client.run(code)
    return answers


class _Submitted:
    """The runs that the scheduler knows, a window of them at a time."""

    def __init__(self, client: Any, specs: Mapping[int, RunSpec], patience: float) -> None:
        self._client = client
        self._specs = specs
        self._patience = patience
        self._sweep = uuid.uuid4().hex  # two sweeps on one cluster must not take each other's results
        self._waiting = iter(specs)
        self._open: dict[int, Any] = {}
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()

    def results(self) -> Generator[tuple[int, RunResult], None, None]:
        self._submit()
        seen_at = time.monotonic()
        while self._open:
            try:
                number = self._done.get(timeout=_POLL_S)
            except queue.Empty:
                if self._is_working():
                    seen_at = time.monotonic()
                elif time.monotonic() - seen_at > self._patience:
                    raise ClusterError(f"no scheduler or no worker for {self._patience:g} s") from None
                continue
            result = self._result(number)
            if result is not None:
                seen_at = time.monotonic()
                yield number, result
                self._submit()
                continue
            # It died with the worker that held it, and is worked out again; the others go first.
            self._done.put(number)
            if self._is_working():
                seen_at = time.monotonic()
            elif time.monotonic() - seen_at > self._patience:
                raise ClusterError(f"no scheduler or no worker for {self._patience:g} s")

    def _submit(self) -> None:
        while len(self._open) < _IN_FLIGHT and (number := next(self._waiting, None)) is not None:
            future = self._client.submit(
                work, self._specs[number], code_fingerprint(), key=f"surewire-{self._sweep}-{number}", pure=False
            )
            self._open[number] = future
            future.add_done_callback(lambda _, number=number: self._done.put(number))

    def _result(self, number: int) -> RunResult | None:
        """What a task that was done came to; None if that has been lost since."""
        future = self._open[number]
        if future.status == "cancelled":  # nobody cancels but a client that has lost its scheduler
            raise ClusterError("the scheduler has gone")
        try:
            result: RunResult = future.result(timeout=_POLL_S)
        except ClusterError:
            raise
        except TimeoutError:
            return None
        except Exception as error:  # of any kind: what Dask says about a task it could not get done
            if type(error).__name__ == "KilledWorker":
                del self._open[number]
                return crashed("the worker that had it died, several times")
            raise ClusterError(f"the cluster could not do a run: {type(error).__name__}: {_line(error)}") from error
        del self._open[number]
        return result

    def _is_working(self) -> bool:
        """Whether the scheduler is there and has workers."""
        try:
            return self._client.status == "running" and bool(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, TimeoutError):
            return False


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
