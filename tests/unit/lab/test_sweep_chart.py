"""The picture of a sweep: what is put together, what is drawn, what is refused."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from surewire.core.units import NS_PER_MS
from surewire.errors import ConfigError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.runs import RunResult
from surewire.lab.sweeps.chart import Cell, cells, check_chart, draw, is_share
from surewire.lab.sweeps.grid import Point, Sweep, parse_axis

LINK = LinkConfig(delay=5 * NS_PER_MS, rate=20_000_000)
BASE = Scenario(name="base", up=LINK, down=LINK)
needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib, of the extra 'sweep', is not installed"
)


def results(*axes: str, share: bool = True) -> tuple[Sweep, list[tuple[Point, RunResult]]]:
    """Seed n reaches n tenths, and seed 1 of every place fails."""
    sweep = Sweep(base=BASE, axes=tuple(map(parse_axis, axes)), protocols=("rdp", "streamer"), seeds=range(1, 6))
    return sweep, [(point, one(point.spec.seed, share=share)) for point in sweep.points()]


def one(seed: int, *, share: bool) -> RunResult:
    reached = 0.0 if seed == 1 else seed / 10
    return RunResult(ok=seed != 1, goodput=20e6 * reached, utilisation=reached if share else None, datagrams=1)


def test_a_cell_is_all_seeds_of_a_place() -> None:
    _, found = results("loss=0,1")
    put_together = cells(found)
    assert set(put_together) == {(protocol, loss) for protocol in ("rdp", "streamer") for loss in "01"}
    assert set(put_together.values()) == {Cell(median=0.3, low=0.2, high=0.4, failed=1, runs=5)}


def test_without_a_bound_the_goodput_is_shown() -> None:
    _, found = results("loss=0", share=False)
    assert not is_share(found)
    assert cells(found)["rdp", "0"].median == pytest.approx(6.0)
    assert cells(found[:1])["rdp", "0"] == Cell(median=0, low=0, high=0, failed=1, runs=1)


def test_a_crash_does_not_decide_what_is_shown() -> None:
    _, found = results("loss=0")
    assert is_share([(found[0][0], RunResult(ok=False, error="Crash: x")), *found[1:]])


@needs_matplotlib
@pytest.mark.parametrize(
    ("axes", "texts"),
    [
        (("loss=0,1,10",), ["RDP", "Streamer", "1/5 failed", "loss, %", "goodput / C(1 − p)", "10"]),
        (("loss=0,1", "rtt=5,50"), ["RDP", "Streamer", "0.30", "1/5 failed", "loss, %", "rtt, ms", "50"]),
        (("loss=0,1", "rtt=5", "rate=1M,2M"), ["RDP, rate 1M", "Streamer, rate 2M", "rtt, ms"]),
    ],
)
def test_a_picture_names_what_it_shows(tmp_path: Path, axes: tuple[str, ...], texts: list[str]) -> None:
    sweep, found = results(*axes)
    path = tmp_path / "p.svg"
    draw(path, title="the title\nof two lines", axes=sweep.axes, results=found)
    svg = path.read_text()
    shown = {text.strip() for text in re.findall(r"<!--(.*?)-->", svg, re.DOTALL)}
    assert {"the title", "of two lines", *texts} <= shown, shown


@needs_matplotlib
def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    sweep, found = results("loss=0,1", "rtt=5,50")
    for ending in (".svg", ".png"):
        pictures = []
        for name in ("a", "b"):
            path = tmp_path / f"{name}{ending}"
            draw(path, title="t", axes=sweep.axes, results=found)
            pictures.append(path.read_bytes())
        assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG")


@needs_matplotlib
def test_a_picture_of_part_of_a_sweep_and_one_without_bound(tmp_path: Path) -> None:
    sweep, found = results("loss=0,1", "rtt=5,50", share=False)
    draw(tmp_path / "p.svg", title="t", axes=sweep.axes, results=found[:7])
    assert "Mbit/s" in (tmp_path / "p.svg").read_text()


@pytest.mark.parametrize(
    ("name", "axes", "why"),
    [
        ("p.pdf", ["loss=0"], r"ends in \.svg or \.png"),
        ("p.svg", [], "1 to 3 axes, not 0"),
        ("p.svg", ["loss=0", "rtt=1", "rate=1M", "size=1"], "1 to 3 axes, not 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(name: str, axes: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        check_chart(Path(name), [parse_axis(axis) for axis in axes])
