"""Tables as files: what is written is read back; what is no table of ours is said to be none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from surewire.errors import ConfigError
from surewire.lab.sweeps.table import Row, TableError, check_format, read_table, write_table

COLUMNS: dict[str, type] = {"name": str, "count": int, "share": float, "ok": bool}
ROWS: list[Row] = [
    {"name": 'a, "b"\nü', "count": 1, "share": 0.1 + 0.2, "ok": True},
    {"name": None, "count": None, "share": None, "ok": None},
    {"name": "c", "count": -(2**60), "share": 1e-300, "ok": False},
]
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow, of the extra 'sweep', is not installed"
)
ENDINGS = [".csv", pytest.param(".parquet", marks=needs_pyarrow)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    write_table(path, COLUMNS, ROWS)
    assert read_table(path, COLUMNS) == ROWS
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_may_be_empty_and_is_replaced(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    write_table(path, COLUMNS, ROWS)
    write_table(path, COLUMNS, [])
    assert read_table(path, COLUMNS) == []


@needs_pyarrow
def test_parquet_has_types_of_its_own(tmp_path: Path) -> None:
    from pyarrow import parquet  # type: ignore[import-untyped]

    path = tmp_path / "t.parquet"
    write_table(path, COLUMNS, ROWS)
    assert [str(kind) for kind in parquet.read_schema(path).types] == ["string", "int64", "double", "bool"]


def test_csv_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(path, COLUMNS, ROWS[1:])
    assert path.read_text() == "name,count,share,ok\n,,,\nc,-1152921504606846976,1e-300,false\n"


@pytest.mark.parametrize("name", ["t", "t.txt", "t.csv.gz"])
def test_the_ending_says_how(name: str) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.csv or \.parquet"):
        check_format(Path(name))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("name,count\na,1\n", "no column 'share'"),
        ("name,count,share,ok\na,x,1,true\n", "'x' is no value for the column 'count'"),
        ("name,count,share,ok\na,1,1,yes\n", "'yes' is no value for the column 'ok'"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(TableError, match=why):
        read_table(path, COLUMNS)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'name,count\n"never closed'])
def test_what_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match="no CSV file"):
        read_table(path, COLUMNS)


@needs_pyarrow
def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"no such thing")
    with pytest.raises(TableError, match="no Parquet file"):
        read_table(path, COLUMNS)


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.mkdir()
    with pytest.raises(OSError):
        write_table(path, COLUMNS, ROWS)
    assert list(tmp_path.iterdir()) == [path]
