"""What a process that does runs for a sweep needs: a run that cannot fail, and proof that the code is the same.

A run that crashes is a defect worth knowing, not a reason to lose the others: it becomes a result whose error begins
with `CRASH`.
"""

from __future__ import annotations

import functools
import hashlib
import traceback
from pathlib import Path

from surewire.lab.simulated.runs import RunResult, RunSpec, simulate

CRASH = "Crash"
"""What the error of a run that raised, or whose process died, begins with."""


def run_one(spec: RunSpec) -> RunResult:
    """Run it; whatever it raises is in the result."""
    try:
        return simulate(spec)
    except Exception as error:  # of any kind: the sweep goes on, and the row names it
        where = traceback.extract_tb(error.__traceback__)[-1]
        return crashed(f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")


def crashed(why: str) -> RunResult:
    """The result of a run that did not come to an end."""
    return RunResult(ok=False, error=" ".join(f"{CRASH}: {why}".split()))


@functools.cache
def code_fingerprint() -> str:
    """A hash of this package's source, 12 hexadecimal digits: where it is the same, a run gives the same result."""
    folder = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
