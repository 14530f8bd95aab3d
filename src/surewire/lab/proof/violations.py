"""What a checker found: one rule, one line that says how it was broken, and when."""

from __future__ import annotations

from dataclasses import dataclass

from surewire.core.units import NS_PER_S

_KEPT = 20  # of one run: the first ones say what is wrong, a thousand more do not


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept.

    Attributes:
        rule: short name of the promise, the same for every breach of it.
        what: one line for people.
        at: time on the run's clock, ns; None where it is the whole run that is wrong.
    """

    rule: str
    what: str
    at: int | None = None

    def __str__(self) -> str:
        when = "" if self.at is None else f" at {self.at / NS_PER_S:.6f} s"
        return f"{self.rule}{when}: {self.what}"


class CheckFailed(Exception):
    """Raised by a checker where going on would never end; `violation` says why."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation


class Findings:
    """The violations of one run, in the order in which they were found; the first 20 are kept."""

    def __init__(self) -> None:
        self.kept: list[Violation] = []
        self.count = 0

    def add(self, rule: str, what: str, at: int | None = None) -> Violation:
        """Record a violation and return it."""
        violation = Violation(rule, what, at)
        self.count += 1
        if len(self.kept) < _KEPT:
            self.kept.append(violation)
        return violation
