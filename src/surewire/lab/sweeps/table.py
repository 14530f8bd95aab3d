"""Tables of rows with named columns as files: CSV with nothing but Python, Parquet by pyarrow (an extra).

A cell is a text, a number, a truth value or nothing. Parquet keeps types; CSV has the texts `true` and `false`, an
empty cell for nothing, and numbers as Python writes them, which it reads back to the very same. A file is replaced
as a whole or not at all.
"""

from __future__ import annotations

import csv
import importlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from surewire.errors import ConfigError, SurewireError

Cell = str | int | float | bool | None
Row = dict[str, Cell]

FORMATS = (".csv", ".parquet")
"""Endings of file names that say how a table is written."""


class TableError(SurewireError):
    """A file is no table of ours."""


def check_format(path: Path) -> None:
    """Make sure that a table of this name can be written.

    Raises:
        ConfigError: it ends in none of `FORMATS`, or pyarrow is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"a table's name ends in {' or '.join(FORMATS)}: '{path}'")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_table(path: Path, columns: Mapping[str, type], rows: Sequence[Row]) -> None:
    """Write rows to `path`, in place of what was there.

    Args:
        path: ends in one of `FORMATS`.
        columns: names in order, with the type of the cells that are not None.
        rows: each has all columns.

    Raises:
        ConfigError: see `check_format`.
        OSError: the file cannot be written.
    """
    check_format(path)
    content = _csv(columns, rows) if path.suffix.lower() == ".csv" else _parquet(columns, rows)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_table(path: Path, columns: Mapping[str, type]) -> list[Row]:
    """Read what `write_table` wrote with these columns; others in the file are left out.

    Raises:
        ConfigError: see `check_format`.
        TableError: a column is missing, or a cell is not of its type.
        OSError: the file cannot be read.
    """
    check_format(path)
    if path.suffix.lower() == ".csv":
        try:
            with path.open(newline="", encoding="utf-8") as file:
                found: list[dict[str, Any]] = list(csv.DictReader(file, strict=True))
        except (csv.Error, UnicodeDecodeError) as error:
            raise TableError(f"{path} is no CSV file: {error}") from error
        return [_typed(path, columns, row, _FROM_TEXT) for row in found]
    try:
        found = _pyarrow("pyarrow.parquet").read_table(path).to_pylist()
    except ValueError as error:  # pyarrow's own errors are kinds of it
        raise TableError(f"{path} is no Parquet file: {error}") from error
    return [_typed(path, columns, row, {}) for row in found]


def _pyarrow(module: str = "pyarrow") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"a Parquet table needs pyarrow, try: pip install pyarrow, or a .csv ({error})") from error


def _csv(columns: Mapping[str, type], rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _parquet(columns: Mapping[str, type], rows: Sequence[Row]) -> bytes:
    pyarrow = _pyarrow()
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    content = io.BytesIO()
    _pyarrow("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), content)
    return content.getvalue()


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text]


_FROM_TEXT: Mapping[type, Callable[[str], Cell]] = {bool: _truth, int: int, float: float, str: str}


def _typed(
    path: Path, columns: Mapping[str, type], row: Mapping[str, Any], readers: Mapping[type, Callable[[str], Cell]]
) -> Row:
    typed: Row = {}
    for name, kind in columns.items():
        if name not in row:
            raise TableError(f"{path} has no column '{name}'")
        cell = row[name]
        try:
            typed[name] = None if cell in (None, "") else readers[kind](cell) if readers else cell
        except (ValueError, KeyError) as error:
            raise TableError(f"{path}: '{cell}' is no value for the column '{name}'") from error
    return typed
