"""The fuzzer: cases from seeds, run on all cores, and what came of them.

A seed makes a case (`fuzz_cases`), the case a run in virtual time (`fuzz_rdp`, `fuzz_streamer`, `fuzz_native`), and the
run a `SeedResult`. It fails when a checker finds a violation, when anything raises, when a side has not ended by the
deadline, when a benign case does not succeed, and when a second run of the same case leaves another trace (every
16th seed is run twice).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from surewire.lab.proof.fuzz_case import FuzzCase, NativeCase, RdpCase, protocol_of
from surewire.lab.proof.fuzz_cases import draw_case
from surewire.lab.proof.fuzz_expect import is_benign
from surewire.lab.proof.fuzz_native import NativeRun
from surewire.lab.proof.fuzz_rdp import RdpRun
from surewire.lab.proof.fuzz_streamer import StreamerRun
from surewire.lab.proof.fuzz_world import CaseResult
from surewire.sim import Tap

TWICE_EVERY = 16
"""Of so many seeds one is run twice, and both traces must be the same."""

SAME_TRACE = "same trace"
"""The rule that a second run breaks."""

_CHUNK = 25  # seeds a worker takes at a time: seconds of work


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """What came of a seed; `result` is None when the process that ran it died."""

    seed: int
    protocol: str
    is_benign: bool
    result: CaseResult | None

    @property
    def violations(self) -> tuple[str, ...]:
        """What is wrong, a line each."""
        return ("worker: the process that ran it died",) if self.result is None else self.result.violations


@dataclass
class Summary:
    """Counts over many seeds."""

    cases: Counter[str] = field(default_factory=Counter)  # by protocol
    benign: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # by protocol and outcome
    features: Counter[tuple[str, str]] = field(default_factory=Counter)
    datagrams: int = 0
    virtual_ns: int = 0
    failed: int = 0

    def add(self, one: SeedResult) -> None:
        """Count one more."""
        self.failed += bool(one.violations)
        self.cases[one.protocol] += 1
        self.benign[one.protocol] += one.is_benign
        if one.result is None:
            self.outcomes[one.protocol, "died"] += 1
            return
        self.outcomes[one.protocol, one.result.outcome] += 1
        self.datagrams += one.result.datagrams
        self.virtual_ns += one.result.ended_at
        for name in one.result.features:
            self.features[one.protocol, name] += 1


def rule_of(violations: Sequence[str]) -> str:
    """The rule that the first violation breaks, without time and figures; "" for none."""
    return violations[0].partition(":")[0].partition(" at ")[0] if violations else ""


def run_case(case: FuzzCase, *, traced: bool = False, taps: Sequence[Tap] = ()) -> CaseResult:
    """Run a case once; `taps` are told of every datagram."""
    if isinstance(case, RdpCase):
        return RdpRun(case, traced=traced, taps=taps).run()
    if isinstance(case, NativeCase):
        return NativeRun(case, traced=traced, taps=taps).run()
    return StreamerRun(case, traced=traced, taps=taps).run()


def check_case(case: FuzzCase, *, is_twice: bool, run: Callable[..., CaseResult] = run_case) -> CaseResult:
    """Run a case, and if `is_twice` a second time, which must be the same."""
    first = run(case, traced=is_twice)
    if is_twice and not first.violations and run(case, traced=True) != first:
        why = (f"{SAME_TRACE}: a second run of the same case went another way",)
        return CaseResult(
            outcome=first.outcome, violations=why, datagrams=first.datagrams, ended_at=first.ended_at, trace=first.trace
        )
    return first


def run_seed(seed: int, protocol: str | None = None) -> SeedResult:
    """Draw the case of a seed, run and judge it. Whatever is raised on the way fails the seed."""
    try:
        case = draw_case(seed, protocol)
        result = check_case(case, is_twice=seed % TWICE_EVERY == 0)
        return SeedResult(seed=seed, protocol=protocol_of(case), is_benign=is_benign(case), result=result)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        why = f"exceptions: {type(error).__name__} ({place.filename.rpartition('/')[2]}:{place.lineno}): {error}"
        broken = CaseResult(outcome="not run", violations=(why,), datagrams=0, ended_at=0)
        return SeedResult(seed=seed, protocol=protocol or "any", is_benign=False, result=broken)


def run_chunk(seeds: Sequence[int], protocol: str | None) -> list[SeedResult]:
    """Several seeds, in a worker."""
    return [run_seed(seed, protocol) for seed in seeds]


RunChunk = Callable[[Sequence[int], "str | None"], list[SeedResult]]


def campaign(
    seeds: range, *, protocol: str | None = None, jobs: int | None = None, run: RunChunk = run_chunk
) -> Generator[list[SeedResult], None, None]:
    """Run all seeds; yields the results of some seeds at a time, in any order.

    Args:
        seeds: which.
        protocol: "rdp", "streamer" or "native"; all when None.
        jobs: processes; as many as there are cores when None. 1 runs in this one.
        run: what a worker does with a chunk of seeds.

    A worker that dies fails the seeds it was to run, and those only. Closing the generator ends the workers, after
    what they are at.
    """
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    jobs = min(jobs or os.cpu_count() or 1, max(len(chunks), 1))
    if jobs == 1 and run is run_chunk:
        for chunk in chunks:
            yield run(chunk, protocol)
        return
    waiting = deque(chunks)
    while waiting:
        suspects = yield from _pooled(waiting, protocol, jobs, run)
        for chunk in suspects:
            yield _alone(chunk, protocol, run)


def _pooled(
    waiting: deque[range], protocol: str | None, jobs: int, run: RunChunk
) -> Generator[list[SeedResult], None, list[range]]:
    """Work on the chunks until all are done or a worker dies; returns those that were under way then."""
    pool = _pool(jobs)
    under_way: dict[Future[list[SeedResult]], range] = {}
    try:
        while waiting or under_way:
            with _interrupts_held():
                while waiting and len(under_way) < 2 * jobs:
                    under_way[pool.submit(run, waiting[0], protocol)] = waiting[0]
                    waiting.popleft()
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                results = future.result()
                del under_way[future]
                yield results
        return []
    except BrokenProcessPool:
        return list(under_way.values())
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(chunk: range, protocol: str | None, run: RunChunk) -> list[SeedResult]:
    """Run a chunk in a process of its own: one of several such killed a worker."""
    pool = _pool(1)
    try:
        with _interrupts_held():
            future = pool.submit(run, chunk, protocol)
        return future.result()
    except BrokenProcessPool:
        return [SeedResult(seed=seed, protocol=protocol or "any", is_benign=False, result=None) for seed in chunk]
    finally:
        pool.shutdown()


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Not forked: the caller may have threads. Ctrl-C is the parent's business, who then lets them finish.
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_ignore_interrupts)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """While this lasts, Ctrl-C waits; a process started meanwhile never hears of it."""
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
