"""Names of files that somebody else has chosen."""

from __future__ import annotations

import pytest

from surewire.transfer.names import why_not


@pytest.mark.parametrize(
    "name",
    ["a", "a b.txt", ".hidden", "...", "-rf", "~", "C:", "aux", "x" * 255, "\N{SNOWMAN}" * 85, "ä", "می‌خواهم", "👩‍👧"],
)
def test_a_plain_name_may_be_used(name: str) -> None:
    assert why_not(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".", "a folder"),
        ("..", "a folder"),
        ("/", "separator"),
        ("a/b", "separator"),
        ("../a", "separator"),
        ("/etc/passwd", "separator"),
        ("a\\b", "separator"),
        ("a\0b", "control"),
        ("a\n", "control"),
        ("\x1b[31m", "control"),
        ("a\x7f", "control"),
        ("a\x9b", "control"),
        ("a\u202egpj.exe", "control"),
        ("a\u2028b", "control"),
        ("a\u200bb", "control"),
        ("a\ufeff", "control"),
        ("a\ud800", "Unicode"),
        ("x" * 256, "longer"),
        ("\N{SNOWMAN}" * 86, "longer"),
    ],
)
def test_what_could_lead_elsewhere_or_deceive_may_not(name: str, reason: str) -> None:
    said = why_not(name)
    assert said is not None and reason in said
