"""The judge of conversations: each lie is found, and the truth passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from surewire.errors import IdleTimeout, Reset
from surewire.lab.proof.outcome_checker import (
    SideEnd,
    StreamRecord,
    TransferRecord,
    check_end,
    check_stream,
    check_transfer,
    first_difference,
)
from surewire.lab.proof.violations import Findings

A = SideEnd(name="A", closed=True)
B = SideEnd(name="B", closed=True)
LOST = IdleTimeout("silent")

GOOD = StreamRecord(
    writer=A, reader=B, given=b"hello", is_finished=True, told_delivered=5, read=b"hel", held=b"lo", has_ended=True
)
CUT_OFF = StreamRecord(
    writer=SideEnd(name="A", closed=True, error=LOST),
    reader=SideEnd(name="B", closed=True, error=LOST),
    given=b"hello",
    is_finished=True,
    told_delivered=2,
    read=b"hel",
    reading_error=LOST,
)
SENT = TransferRecord(sender=A, receiver=B, data=b"file", told_delivered=4, stored=b"file", committed=b"file")
FAILED = TransferRecord(
    sender=SideEnd(name="A", closed=True, error=Reset("disk full")),
    receiver=SideEnd(name="B", closed=True, error=LOST),
    data=b"file",
    told_delivered=2,
    stored=b"fi\0e",
    committed=None,
)


@pytest.mark.parametrize("record", [GOOD, CUT_OFF])
def test_true_streams_pass(record: StreamRecord) -> None:
    assert check_stream(record) == []


@pytest.mark.parametrize(
    ("record", "change", "rule"),
    [
        (GOOD, {"read": b"hal"}, "same bytes"),
        (GOOD, {"read": b"helhel"}, "same bytes"),
        (GOOD, {"held": b"l"}, "told delivered"),
        (GOOD, {"held": b"l", "told_delivered": 4}, "true end"),
        (GOOD, {"is_finished": False}, "true end"),
        (GOOD, {"held": b"l", "told_delivered": 4, "has_ended": False}, "true success"),
        (GOOD, {"ended_after": 3}, "true end"),
        (CUT_OFF, {"writer": SideEnd(name="A", closed=True, is_qualified=True)}, "true note"),
        (CUT_OFF, {"reading_error": None}, "silent end"),
        (CUT_OFF, {"reading_error": KeyError("x")}, "typed error"),
        (CUT_OFF, {"told_delivered": 4}, "told delivered"),
    ],
)
def test_false_streams_are_found(record: StreamRecord, change: dict[str, Any], rule: str) -> None:
    found = [violation.rule for violation in check_stream(dataclasses.replace(record, **change))]
    assert rule in found


@pytest.mark.parametrize("record", [SENT, FAILED])
def test_true_transfers_pass(record: TransferRecord) -> None:
    assert check_transfer(record) == []


@pytest.mark.parametrize(
    ("record", "change", "rule"),
    [
        (SENT, {"committed": b"fire"}, "same file"),
        (SENT, {"committed": b"fil"}, "same file"),
        (SENT, {"committed": None}, "true success"),
        (FAILED, {"committed": b""}, "same file"),
        (FAILED, {"told_delivered": 3}, "told delivered"),
        (FAILED, {"told_delivered": 5}, "told delivered"),
        (FAILED, {"receiver": B}, "true success"),
        (FAILED, {"sender": A}, "true success"),
        (SENT, {"sender": SideEnd(name="A", closed=False)}, "final state"),
    ],
)
def test_false_transfers_are_found(record: TransferRecord, change: dict[str, Any], rule: str) -> None:
    found = [violation.rule for violation in check_transfer(dataclasses.replace(record, **change))]
    assert rule in found


def test_a_success_with_a_note_promises_less() -> None:
    noted = SideEnd(name="A", closed=True, is_qualified=True)
    acknowledged = dataclasses.replace(FAILED, sender=noted, told_delivered=4, stored=b"file")
    assert check_transfer(acknowledged) == []
    assert [one.rule for one in check_transfer(dataclasses.replace(FAILED, sender=noted))] == ["true note"]


def test_ends() -> None:
    assert check_end(A) == []
    assert [one.rule for one in check_end(SideEnd(name="A", closed=False))] == ["final state"]
    assert [one.rule for one in check_end(SideEnd(name="A", closed=True, error=OSError()))] == ["typed error"]


def test_the_first_difference() -> None:
    assert first_difference(b"abc", b"abd") == 2
    assert first_difference(b"abc", b"ab") == 2
    assert first_difference(b"", b"") == 0


def test_findings_keep_the_first_ones_and_count_all() -> None:
    findings = Findings()
    for index in range(50):
        findings.add("rule", f"what {index}", at=1_500_000_000)
    assert findings.count == 50 and len(findings.kept) == 20
    assert str(findings.kept[0]) == "rule at 1.500000 s: what 0"
