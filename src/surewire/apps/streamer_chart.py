"""Bar charts as SVG or PNG: one row a name, one panel a figure, so that figures of any unit stand side by side.

Drawing needs matplotlib, an extra (`surewire[charts]`), which is imported when something is drawn and not
before. It knows nothing of Streamer. The same input and the same matplotlib give the same bytes: the user's settings
for matplotlib do not count, and no date is written.
"""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surewire.errors import ConfigError

FORMATS = (".svg", ".png")
"""Endings of file names that say what is drawn."""

_LOG_ABOVE = 10  # largest value to smallest, from which on the short bars of a linear axis could not be told apart
_LONG = 1_000_000  # from here on a tick's number would run into its neighbour's
_PLAIN, _EMPHASIZED = "0.68", "0.33"  # greys, so that print and screen look alike
_NO_METADATA = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
_SETTINGS = {"font.size": 9, "axes.titlesize": 9, "svg.hashsalt": "surewire"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One figure of everything that is compared.

    Attributes:
        title: what it is, with its unit.
        values: one for each row, >= 0; None where there is none.
    """

    title: str
    values: Sequence[float | None]


def require_matplotlib() -> None:
    """Make sure that something can be drawn.

    Raises:
        ConfigError: matplotlib is not installed; the text says what to do.
    """
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigError(f"a chart needs matplotlib, try: pip install matplotlib ({error})") from error


def draw_bars(
    path: Path, *, title: str, names: Sequence[str], panels: Sequence[Panel], emphasized: int | None = None
) -> None:
    """Draw one panel of horizontal bars for each figure, and write the picture to `path`.

    Args:
        path: ends in one of `FORMATS`; an existing file is replaced.
        title: the conditions everything was measured under; may have several lines.
        names: of the rows, from above.
        panels: from the left; each has as many values as there are names.
        emphasized: index of a row whose bars are darker.

    Raises:
        ConfigError: the ending is none of `FORMATS`, or matplotlib is missing.
        OSError: the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConfigError(f"a chart's name ends in {' or '.join(FORMATS)}: '{path}'")
    require_matplotlib()
    matplotlib = importlib.import_module("matplotlib")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        picture = io.BytesIO()
        figure = _figure(title, names, panels, emphasized)
        figure.savefig(picture, format=ending.removeprefix("."), dpi=150, metadata=_NO_METADATA[ending])
    path.write_bytes(picture.getvalue())


def shown(value: float) -> str:
    """A value as it stands beside its bar: three digits, and all of those before the point."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def _figure(title: str, names: Sequence[str], panels: Sequence[Panel], emphasized: int | None) -> Any:
    size = (2.4 + 2.8 * len(panels), 1.3 + 0.3 * len(names))
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=10)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    rows = range(len(names))
    for axes, panel in zip(all_axes, panels, strict=True):
        colors = [_EMPHASIZED if row == emphasized else _PLAIN for row in rows]
        axes.barh(rows, [value or 0 for value in panel.values], height=0.7, color=colors)
        _label(axes, panel)
    all_axes[0].set_yticks(rows, names)
    all_axes[0].invert_yaxis()
    return figure


def _label(axes: Any, panel: Panel) -> None:
    """Scale, title, and the value beside each bar."""
    low, high, is_log = limits(panel.values)
    if is_log:
        axes.set_xscale("log")
        axes.minorticks_off()
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(lambda value, position: f"{value:,g}" if value < _LONG else f"{value:.0e}")
    axes.set_title(f"{panel.title}\n(logarithmic)" if is_log else f"{panel.title}\n")
    for row, value in enumerate(panel.values):
        text = "none" if value is None else shown(value)
        axes.annotate(text, (value or low, row), xytext=(3, 0), textcoords="offset points", va="center")
    axes.tick_params(axis="y", length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="0.9")
    axes.spines[["top", "right"]].set_visible(False)


def limits(values: Sequence[float | None]) -> tuple[float, float, bool]:
    """Where the axis of these values begins and ends, room for the labels included, and whether it is logarithmic.

    A logarithmic one begins at a power of ten clearly below the smallest value; with a zero there is none.
    """
    known = [value for value in values if value is not None] or [0.0]
    least, most = min(known), max(known)
    if least <= 0 or most / least < _LOG_ABOVE:
        return 0.0, (most or 1.0) * 1.45, False
    low = 10.0 ** math.floor(math.log10(least / 1.5))
    return low, most * (most / low) ** 0.45, True
