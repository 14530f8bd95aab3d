"""A sweep as one picture: what share of C(1 - p) each protocol reaches, by what was varied.

One axis gives lines, the median over the seeds, with a band from the lower to the upper quartile; two give a heat
map of medians; a third makes a panel of each of its values. A failed run counts as 0, and it is said how many there
were. Where the scenario has no C(1 - p) the goodput in Mbit/s is shown instead.

Drawing needs matplotlib, an extra, which is imported when something is drawn. The same results and the same matplotlib
give the same bytes: the user's settings do not count, and no date is written.
"""

from __future__ import annotations

import importlib
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from surewire.errors import ConfigError
from surewire.lab.simulated.runs import RunResult
from surewire.lab.sweeps.grid import Axis, Point

FORMATS = (".svg", ".png")
"""Endings of file names that say what is drawn."""

MAX_AXES = 3

_NO_METADATA = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
_SETTINGS = {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": "surewire"}
_NAMES = {"rdp": "RDP", "streamer": "Streamer", "native": "native"}
_COLORS = ("#1b6ca8", "#c8553d", "#2e8540")
_MARKERS = ("o", "s", "^")
_MBIT = 1e6
_DARK = 0.55  # share of a map's range below which its colours are dark, so that the text on them is white


@dataclass(frozen=True, kw_only=True)
class Cell:
    """All runs of one protocol at one place.

    Attributes:
        median, low, high: of what is drawn, over the seeds; low and high are the quartiles.
        failed: runs that failed.
        runs: of how many.
    """

    median: float
    low: float
    high: float
    failed: int
    runs: int


Cells = Mapping[tuple[str, ...], Cell]
"""By protocol and the axes' values, as written."""


def check_chart(path: Path, axes: Sequence[Axis]) -> None:
    """Make sure that this sweep can be drawn.

    Raises:
        ConfigError: the name ends in none of `FORMATS`, there are no axes or too many, or matplotlib is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"a chart's name ends in {' or '.join(FORMATS)}: '{path}'")
    if not 1 <= len(axes) <= MAX_AXES:
        raise ConfigError(f"a chart shows 1 to {MAX_AXES} axes, not {len(axes)}")
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigError(f"a chart needs matplotlib, try: pip install matplotlib ({error})") from error


def draw(path: Path, *, title: str, axes: Sequence[Axis], results: Sequence[tuple[Point, RunResult]]) -> None:
    """Draw the results to `path`, in place of what was there.

    Args:
        path: ends in one of `FORMATS`.
        title: what all runs have in common; may have several lines.
        axes: what was varied, 1 to 3.
        results: at least one.

    Raises:
        ConfigError: see `check_chart`.
        OSError: the file cannot be written.
    """
    check_chart(path, axes)
    matplotlib = importlib.import_module("matplotlib")
    ending = path.suffix.lower()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        picture = io.BytesIO()
        figure = _lines(title, axes[0], results) if len(axes) == 1 else _maps(title, axes, results)
        figure.savefig(picture, format=ending.removeprefix("."), dpi=130, metadata=_NO_METADATA[ending])
    path.write_bytes(picture.getvalue())


def is_share(results: Sequence[tuple[Point, RunResult]]) -> bool:
    """Whether all runs have a C(1 - p) to be compared to; one that crashed says nothing about that."""
    return all(result.utilisation is not None for _, result in results if result.datagrams)


def cells(results: Sequence[tuple[Point, RunResult]]) -> Cells:
    """The runs put together by protocol and place."""
    by_share = is_share(results)
    values: dict[tuple[str, ...], list[float]] = defaultdict(list)
    failed: dict[tuple[str, ...], int] = defaultdict(int)
    for point, result in results:
        place = (point.spec.protocol, *point.labels)
        values[place].append((result.utilisation or 0.0) if by_share else result.goodput / _MBIT)
        failed[place] += not result.ok
    return {place: _cell(found, failed[place]) for place, found in values.items()}


def _cell(values: Sequence[float], failed: int) -> Cell:
    low, high = values[0], values[0]
    if len(values) > 1:
        low, _, high = quantiles(values, n=4, method="inclusive")
    return Cell(median=median(values), low=low, high=high, failed=failed, runs=len(values))


def _what(results: Sequence[tuple[Point, RunResult]]) -> str:
    return "goodput / C(1 − p)" if is_share(results) else "goodput, Mbit/s"


def _label(axis: Axis) -> str:
    return f"{axis.name}, {axis.unit}" if axis.unit else axis.name


def _protocols(results: Sequence[tuple[Point, RunResult]]) -> list[str]:
    return list(dict.fromkeys(point.spec.protocol for point, _ in results))


def _figure(title: str, width: float, height: float) -> Any:
    lines = title.count("\n") + 1
    figure = importlib.import_module("matplotlib.figure").Figure(
        figsize=(width, height + 0.2 * lines), layout="constrained"
    )
    figure.suptitle(title, fontsize=9)
    return figure


def _lines(title: str, axis: Axis, results: Sequence[tuple[Point, RunResult]]) -> Any:
    found = cells(results)
    figure = _figure(title, 5.6, 3.4)
    panel = figure.subplots()
    for protocol, color, marker in zip(_protocols(results), _COLORS, _MARKERS, strict=False):
        places = [(x, found[protocol, value]) for x, value in enumerate(axis.values) if (protocol, value) in found]
        xs = [x for x, _ in places]
        panel.fill_between(
            xs, [cell.low for _, cell in places], [cell.high for _, cell in places], color=color, alpha=0.2, lw=0
        )
        panel.plot(xs, [cell.median for _, cell in places], color=color, marker=marker, label=_NAMES[protocol])
        for x, cell in places:
            if cell.failed:
                text = f"{cell.failed}/{cell.runs} failed"
                panel.annotate(text, (x, cell.median), (0, 7), textcoords="offset points", color=color, ha="center")
    panel.set_xticks(range(len(axis.values)), axis.values)
    panel.set_xlabel(_label(axis))
    panel.set_ylabel(_what(results))
    panel.set_ylim(0, max([1.0] * is_share(results) + [cell.high * 1.15 for cell in found.values()]) or 1.0)
    panel.margins(x=0.08)
    panel.grid(axis="y", color="0.9")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, title="median, quartiles", title_fontsize=8)
    return figure


def _maps(title: str, axes: Sequence[Axis], results: Sequence[tuple[Point, RunResult]]) -> Any:
    """A heat map for each protocol (from above) and each value of the third axis (from the left)."""
    found = cells(results)
    protocols = _protocols(results)
    down, across = axes[0], axes[1]
    thirds: Sequence[tuple[str, ...]] = [(value,) for value in axes[2].values] if len(axes) == MAX_AXES else [()]
    size = (0.62 * len(across.values) + 0.5, 0.42 * len(down.values) + 0.7)
    figure = _figure(title, max(size[0] * len(thirds) + 1.6, 4.6), size[1] * len(protocols) + 0.2)
    panels = figure.subplots(len(protocols), len(thirds), squeeze=False, sharex=True, sharey=True)
    top = 1.0 if is_share(results) else max(cell.median for cell in found.values()) or 1.0
    image = None
    for row, protocol in enumerate(protocols):
        for column, third in enumerate(thirds):
            panel = panels[row][column]
            image = _map(panel, _grid(found, protocol, down, across, third), top)
            name = _NAMES[protocol]
            panel.set_title(f"{name}, {axes[2].name} {third[0]}" if third else name)
            panel.set_xticks(range(len(across.values)), across.values)
            panel.set_yticks(range(len(down.values)), down.values)
            if row == len(protocols) - 1:
                panel.set_xlabel(_label(across))
            if column == 0:
                panel.set_ylabel(_label(down))
    figure.colorbar(image, ax=panels, label=f"{_what(results)}, median", fraction=0.05)
    return figure


def _grid(found: Cells, protocol: str, down: Axis, across: Axis, third: tuple[str, ...]) -> list[list[Cell | None]]:
    return [[found.get((protocol, y, x, *third)) for x in across.values] for y in down.values]


def _map(panel: Any, grid: Sequence[Sequence[Cell | None]], top: float) -> Any:
    values = [[float("nan") if cell is None else min(cell.median, top) for cell in line] for line in grid]
    image = panel.imshow(values, cmap="viridis", vmin=0, vmax=top, aspect="auto")
    for x, y, cell in _placed(grid):
        text = f"{cell.median:.2f}" if top <= 1 else f"{cell.median:.3g}"
        if cell.failed:
            text += f"\n{cell.failed}/{cell.runs} failed"
        is_dark = cell.median < _DARK * top
        panel.text(x, y, text, ha="center", va="center", color="white" if is_dark else "black", fontsize=7)
    return image


def _placed(grid: Sequence[Sequence[Cell | None]]) -> Iterator[tuple[int, int, Cell]]:
    for y, line in enumerate(grid):
        for x, cell in enumerate(line):
            if cell is not None:
                yield x, y, cell
