"""The scenario matrix as a document: written, read back, compared as numbers."""

from __future__ import annotations

import pytest

from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.runs import RunResult
from surewire.lab.sweeps.matrix import (
    COLUMNS,
    Entry,
    MatrixError,
    differences,
    entries,
    matrix_specs,
    matrix_text,
    read_matrix,
    with_matrix,
)

SCENARIOS = [Scenario(name=name, up=LinkConfig(), down=LinkConfig(), size=size) for name, size in (("a", 10), ("b", 0))]
DOCUMENT = f"# Title\n\nbefore\n\n{matrix_text([])}\n\nafter | x |\n"


def result(seconds: float, *, error: str | None = None, share: float | None = None) -> RunResult:
    return RunResult(
        ok=error is None,
        error=error,
        seconds=seconds,
        goodput=1e6 / seconds,
        utilisation=share,
        overhead=1 + seconds,
        datagrams=int(10 * seconds),
    )


def matrix(seconds: float = 2.0) -> list[Entry]:
    specs = matrix_specs(SCENARIOS)
    results = [result(seconds, share=0.5) for _ in specs]
    results[3:6] = [result(1.0), result(5.0, error="IdleTimeout: gone (sender)"), result(3.0)]
    results[9:12] = [result(9.0, error="Deadline: not over")] * 3
    return entries(specs, results)


def cells(found: list[Entry]) -> dict[tuple[str, str], dict[str, str]]:
    return {entry.key: entry.cells for entry in found}


def test_every_scenario_has_all_protocols_and_three_seeds() -> None:
    specs = matrix_specs(SCENARIOS)
    assert [(spec.scenario.name, spec.protocol, spec.seed) for spec in specs[:10]] == [
        ("a", "rdp", 1),
        ("a", "rdp", 2),
        ("a", "rdp", 3),
        ("a", "streamer", 1),
        ("a", "streamer", 2),
        ("a", "streamer", 3),
        ("a", "native", 1),
        ("a", "native", 2),
        ("a", "native", 3),
        ("b", "rdp", 1),
    ]
    assert [spec.size for spec in specs[::9]] == [10, 1]  # there is nothing to measure in moving nothing


def test_an_entry_is_the_median_of_what_arrived() -> None:
    found = cells(matrix())
    assert list(found) == [(name, protocol) for name in "ab" for protocol in ("rdp", "streamer", "native")]
    assert tuple(found["a", "rdp"].values()) == (
        *("a", "rdp", "10", "3/3", "2.000", "0.500", "50.0%", "3.000", "20", "-"),
    )
    assert tuple(found["a", "streamer"].values()) == (
        *("a", "streamer", "10", "2/3", "2.000", "0.667", "-", "3.000", "30", "IdleTimeout"),
    )
    assert tuple(found["b", "rdp"].values()) == ("b", "rdp", "1", "0/3", *"----", "90", "Deadline")


def test_a_document_keeps_what_stands_around_the_matrix() -> None:
    document = with_matrix(DOCUMENT, matrix())
    assert document.startswith("# Title\n\nbefore\n\n<!-- matrix: begin -->\n\n| scenario | protocol |")
    assert document.endswith("<!-- matrix: end -->\n\nafter | x |\n")
    assert read_matrix(document) == cells(matrix())
    assert with_matrix(document, matrix()) == document


@pytest.mark.parametrize(
    "document",
    ["", "<!-- matrix: begin -->", "<!-- matrix: end --><!-- matrix: begin -->", DOCUMENT + DOCUMENT],
)
def test_a_document_without_marks_has_no_matrix(document: str) -> None:
    with pytest.raises(MatrixError):
        with_matrix(document, [])
    with pytest.raises(MatrixError):
        read_matrix(document)


def test_a_matrix_of_other_columns_is_refused() -> None:
    document = with_matrix(DOCUMENT, matrix())
    with pytest.raises(MatrixError, match="other columns"):
        read_matrix(document.replace(COLUMNS[4], "hours"))
    with pytest.raises(MatrixError, match="9 cells"):
        read_matrix(document.replace("| 3/3 ", "", 1))


def test_no_change_is_no_difference() -> None:
    assert list(differences(cells(matrix()), cells(matrix()))) == []


def test_a_change_is_shown_as_numbers() -> None:
    assert list(differences(cells(matrix(2.0)), cells(matrix(2.5))))[:4] == [
        "a, rdp: seconds 2.000 -> 2.500 (+25.0%)",
        "a, rdp: Mbit/s 0.500 -> 0.400 (-20.0%)",
        "a, rdp: overhead 3.000 -> 3.500 (+16.7%)",
        "a, rdp: datagrams 20 -> 25 (+25.0%)",
    ]


def test_what_is_no_number_is_shown_as_it_is() -> None:
    old, new = cells(matrix()), cells(matrix())
    new["b", "rdp"] = {**new["b", "rdp"], "seconds": "1.000", "error": "-", "delivered": "3/3"}
    new["b", "streamer"] = {**new["b", "streamer"], "of C(1 - p)": "60.0%"}
    assert list(differences(old, new)) == [
        "b, rdp: delivered 0/3 -> 3/3",
        "b, rdp: seconds - -> 1.000",
        "b, rdp: error Deadline -> -",
        "b, streamer: of C(1 - p) 50.0% -> 60.0% (+20.0%)",
    ]


def test_scenarios_come_and_go() -> None:
    found = cells(matrix())
    less = {key: row for key, row in found.items() if key[0] == "a"}
    assert list(differences(found, less)) == [
        f"b, {protocol}: is no more" for protocol in ("rdp", "streamer", "native")
    ]
    assert list(differences(less, found)) == [f"b, {protocol}: is new" for protocol in ("rdp", "streamer", "native")]
