"""Workers for campaigns of the fuzzer that do not survive some seeds; processes of their own import this."""

from __future__ import annotations

import os
from collections.abc import Sequence

from surewire.lab.proof.fuzz import SeedResult
from surewire.lab.proof.fuzz_world import CaseResult

DEADLY = 30


def die_at_a_seed(seeds: Sequence[int], protocol: str | None) -> list[SeedResult]:
    """End the process where the deadly seed is among them."""
    if DEADLY in seeds:
        os._exit(3)
    result = CaseResult(outcome="success", violations=(), datagrams=1, ended_at=1)
    return [SeedResult(seed=seed, protocol="rdp", is_benign=True, result=result) for seed in seeds]
