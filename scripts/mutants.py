"""Break the code on purpose, one way at a time, and see whether the tests notice.

The ways are in `mutants.toml`, written by hand: each is a mistake that a maintainer could make, with what a user
would get. Each is applied to a copy of the project, where the tests run stage by stage until one fails.
A way that no test notices has survived: the tests miss it, or it changes nothing that can be seen.

    python scripts/mutants.py                       all of them, two at a time
    python scripts/mutants.py --only sent_log       those whose file or text has this in it
    python scripts/mutants.py --report FILE.md      write the table, too

Exit status: 0 at least 90% were noticed, 1 fewer were, 2 the tests fail without any change, or bad arguments.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_suffix(".toml")
PACKAGE = Path("src") / "surewire"

STAGES = (
    ("tests/unit/core", "tests/property"),
    ("tests/unit", "tests/regressions"),
    ("tests/sim",),
)
"""Folders of tests, quickest first; a mutant that one stage notices needs no further one."""

DEMANDED = 0.9
# It checks that every mutant applies to the source as it is, so it would "notice" each.
_NOT_A_JUDGE = "tests/unit/scripts"
_STAGE_LIMIT = 900  # seconds; a stage that takes longer hangs, and that is noticed, too
_TEST_LIMIT = 30  # seconds a test
# What a copy does not need: builds, caches, history.
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "rdp?")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to break a file of the package: the text `find`, which stands there once, becomes `replace`."""

    file: str
    find: str
    replace: str
    breaks: str

    def apply(self, source: str) -> str:
        """The broken source.

        Raises:
            ValueError: `find` does not stand in it exactly once.
        """
        count = source.count(self.find)
        if count != 1:
            raise ValueError(f"{self.file} has {count} times, not once: {self.find!r}")
        return source.replace(self.find, self.replace)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a mutant: `noticed_by` names the first test that failed, or None if none did."""

    mutant: Mutant
    noticed_by: str | None
    seconds: float


def load_mutants() -> list[Mutant]:
    """The list, in the order of the file."""
    with LIST.open("rb") as file:
        return [Mutant(**entry) for entry in tomllib.load(file)["mutant"]]


def run_stages(copy: Path) -> str | None:
    """Run the tests in a copy of the project; the first that failed, or None when all passed."""
    for folders in STAGES:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
        command += ["-o", f"timeout={_TEST_LIMIT}", f"--ignore={_NOT_A_JUDGE}", *folders]
        try:
            run = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=_STAGE_LIMIT)
        except subprocess.TimeoutExpired:
            return f"time limit of {' '.join(folders)}"
        if run.returncode:
            return first_failure(run.stdout) or f"exit status {run.returncode} of {' '.join(folders)}"
    return None


def first_failure(output: str) -> str | None:
    """The test that pytest's short summary names first."""
    match = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return match[1] if match else None


class Workshop:
    """Copies of the project, one for each mutant that is tried at the same time."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            copy = folder / f"copy{job}"
            shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
            self._free.put(copy)

    def check_unchanged(self) -> str | None:
        """What fails without any change, or None."""
        copy = self._free.get()
        failure = run_stages(copy)
        self._free.put(copy)
        return failure

    def judge(self, mutant: Mutant) -> Verdict:
        """Apply a mutant, run the tests, and take it back."""
        copy = self._free.get()
        file = copy / PACKAGE / mutant.file
        source = file.read_text(encoding="utf-8")
        started = time.monotonic()
        try:
            file.write_text(mutant.apply(source), encoding="utf-8")
            noticed_by = run_stages(copy)
        finally:
            file.write_text(source, encoding="utf-8")
            self._free.put(copy)
        return Verdict(mutant=mutant, noticed_by=noticed_by, seconds=time.monotonic() - started)


def report_text(verdicts: list[Verdict]) -> str:
    """A Markdown table: what was broken, and which test noticed first."""
    noticed = sum(verdict.noticed_by is not None for verdict in verdicts)
    lines = [
        f"{noticed} of {len(verdicts)} were noticed ({noticed / len(verdicts):.0%}).",
        "",
        "| file | what it breaks | noticed first by |",
        "|---|---|---|",
    ]
    for verdict in verdicts:
        by = "**nobody**" if verdict.noticed_by is None else f"`{verdict.noticed_by.removeprefix('tests/')}`"
        lines.append(f"| {verdict.mutant.file} | {verdict.mutant.breaks} | {by.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def try_all(mutants: list[Mutant], jobs: int) -> list[Verdict] | None:
    """Judge every mutant and say so line by line; None when the tests fail without any change."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        workshop = Workshop(Path(folder), jobs)
        failure = workshop.check_unchanged()
        if failure is not None:
            print(f"without any change this fails: {failure}", file=sys.stderr)
            return None
        verdicts = []
        with ThreadPoolExecutor(jobs) as pool:
            for number, verdict in enumerate(pool.map(workshop.judge, mutants), 1):
                verdicts.append(verdict)
                by = verdict.noticed_by or "SURVIVED"
                print(
                    f"{number:3}/{len(mutants)} {verdict.seconds:5.0f} s  {verdict.mutant.file}: "
                    f"{verdict.mutant.breaks}: {by}",
                    flush=True,
                )
        return verdicts


def chosen(mutants: Iterable[Mutant], part: str) -> list[Mutant]:
    """Those that have `part` in their file, their change or what they break."""
    return [m for m in mutants if part in " ".join((m.file, m.find, m.replace, m.breaks))]


def main() -> int:
    """Run the tool; return its exit status."""
    parser = argparse.ArgumentParser(description="Break the code on purpose and see whether the tests notice.")
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants that have this in them")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at the same time, default 2")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table there")
    args = parser.parse_args()
    mutants = chosen(load_mutants(), args.only)
    if not mutants or args.jobs < 1:
        parser.error("nothing to do")
    verdicts = try_all(mutants, args.jobs)
    if verdicts is None:
        return 2
    text = report_text(verdicts)
    if args.report is not None:
        args.report.write_text(text, encoding="utf-8")
    survivors = [verdict.mutant for verdict in verdicts if verdict.noticed_by is None]
    print(text.partition("\n")[0])
    for mutant in survivors:
        print(f"survived: {mutant.file}: {mutant.breaks}")
    return 0 if len(verdicts) - len(survivors) >= DEMANDED * len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
