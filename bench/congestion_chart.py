"""The pictures of docs/congestion.md: how windows, rates and queues go, and what loss leaves of the rate.

Each is made from runs in virtual time with fixed seeds; the same matplotlib gives the same bytes. Drawing needs
matplotlib, the extra `charts`, which is imported when something is drawn.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from congestion_runs import alone, bound, path

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.impair.config import Change
from surewire.lab.simulated.shared_link import Native, SharedLink, Tcp

_SETTINGS = {"font.size": 8, "axes.titlesize": 8, "axes.titlelocation": "left"}
_COLORS = ("#1b6ca8", "#c8553d", "#2e8540", "#8a63a8")
_MARKERS = ("o", "s", "^")
_STEP = 50  # ms, between two looks at the window and the queue
_SMOOTH = 10  # steps that a rate is the mean of
_MBIT = 8 / 1e6
_LOSSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
_SHARE_SEEDS = 5
_SHARE_MBIT, _SHARE_RTT = 20, 50
_SHARES = ("model", "bbr1", "cubic")


class Course(NamedTuple):
    """A run as it went, one value for each step. Times in s, rates in Mbit/s of payload, waits in ms, windows in kB."""

    times: list[float]
    rates: list[list[float]]
    waits: list[float]
    window: list[float]


class Scene(NamedTuple):
    """What a picture of a course shows: a run of `seconds`, and what is drawn beside it.

    Attributes:
        names: of the flows.
        full: the rate that could be had, as (s, Mbit/s of payload) from then on.
        product: bandwidth times round trip as (s, kB) from then on; with it, the window of the first flow is drawn.
    """

    title: str
    links: tuple[LinkConfig, LinkConfig]
    flows: tuple[Native | Tcp, ...]
    names: tuple[str, ...]
    seconds: float
    full: tuple[tuple[float, float], ...]
    product: tuple[tuple[float, float], ...] = ()


def _full(mbit: float, loss: float = 0.0) -> float:
    return bound(mbit, loss) * _MBIT


def _alone() -> Scene:
    title = "alone on 20 Mbit/s, 50 ms, a queue of 1 BDP, 10% random loss both ways"
    links = path(20, 50, loss=0.1)
    return Scene(title, links, (Native(),), ("model",), 30, ((0, _full(20, 0.1)),), ((0, 125.0),))


def _cubic() -> Scene:
    title = "model and CUBIC on 20 Mbit/s, 50 ms, a queue of 1 BDP"
    flows = (Native(), Tcp(start=5 * NS_PER_S, stop=65 * NS_PER_S))
    return Scene(title, path(20, 50), flows, ("model", "CUBIC, from 5 to 65 s"), 80, ((0, _full(20)),))


def _late() -> Scene:
    title = "four flows of model on 20 Mbit/s, 50 ms, a queue of 1 BDP, one more every 10 s"
    flows = tuple(Native(start=number * 10 * NS_PER_S) for number in range(4))
    names = tuple(f"from {number * 10} s" for number in range(4))
    return Scene(title, path(20, 50), flows, names, 60, ((0, _full(20)),))


def _changed(links: tuple[LinkConfig, LinkConfig], *changes: Change) -> tuple[LinkConfig, LinkConfig]:
    there, back = (replace(link, changes=changes) for link in links)
    return there, back


def _rate() -> Scene:
    title = "100 to 10 to 100 Mbit/s, 50 ms, a queue of 625 kB"
    down, up = Change(at=5 * NS_PER_S, rate=10_000_000), Change(at=12 * NS_PER_S, rate=100_000_000)
    full = (0.0, _full(100)), (5.0, _full(10)), (12.0, _full(100))
    product = (0.0, 625.0), (5.0, 62.5), (12.0, 625.0)
    return Scene(title, _changed(path(100, 50), down, up), (Native(),), ("model",), 18, full, product)


def _rtt() -> Scene:
    title = "a round trip of 20 to 200 to 20 ms, 100 Mbit/s, a queue of 250 kB"
    up, down = Change(at=5 * NS_PER_S, delay=100 * NS_PER_MS), Change(at=13 * NS_PER_S, delay=10 * NS_PER_MS)
    product = (0.0, 250.0), (5.0, 2500.0), (13.0, 250.0)
    return Scene(title, _changed(path(100, 20), up, down), (Native(),), ("model",), 18, ((0, _full(100)),), product)


SCENES: dict[str, Callable[[], Scene]] = {
    "congestion-alone.png": _alone,
    "congestion-cubic.png": _cubic,
    "congestion-late.png": _late,
    "congestion-rate.png": _rate,
    "congestion-rtt.png": _rtt,
}
SHARES = "congestion-loss.png"


def follow(name: str, scale: float) -> Course:
    """Run the scene of a picture."""
    scene = SCENES[name]()
    shared = SharedLink(*scene.links, scene.flows, seed=1, sample_every=_STEP * NS_PER_MS)
    window: list[float] = []
    steps = max(int(scene.seconds * scale * 1000 / _STEP), 4)
    for _ in range(steps):
        shared.run(_STEP / 1000)
        window.append(shared.stats(0).cwnd / 1000)
    samples = shared.samples[: steps + 1]
    rates = []
    for flow in range(len(scene.flows)):
        got = [sample.delivered[flow] for sample in samples]
        rates.append([_rate_at(got, at) for at in range(1, len(got))])
    times = [sample.at / NS_PER_S for sample in samples[1:]]
    return Course(times, rates, [sample.wait / NS_PER_MS for sample in samples[1:]], window)


def _rate_at(got: Sequence[int], at: int) -> float:
    since = max(at - _SMOOTH, 0)
    return (got[at] - got[since]) * _MBIT / ((at - since) * _STEP / 1000)


def share(name: str, loss: float, seed: int, scale: float) -> float:
    """The share of C(1-p) that a controller reaches alone."""
    links = path(_SHARE_MBIT, _SHARE_RTT, loss=loss)
    figures = alone(
        seed, scale, links=links, mbit=_SHARE_MBIT, skip=2, seconds=15, loss=loss, congestion=Congestion(name)
    )
    return figures["of C(1-p)"]


def draw_all(folder: Path, *, scale: float, jobs: int) -> str | None:
    """Make the pictures; what is wrong in a line if they cannot be made, else None."""
    try:
        importlib.import_module("matplotlib.figure")
    except ImportError as error:
        return f"pictures need matplotlib, try: pip install 'surewire[charts]' ({error})"
    if not folder.is_dir():
        return f"no such folder: {folder}"
    keys = [(name, loss) for name in _SHARES for loss in _LOSSES]
    with ProcessPoolExecutor(jobs) as pool:
        courses = [(name, pool.submit(follow, name, scale)) for name in SCENES]
        shares = [(key, [pool.submit(share, *key, seed, scale) for seed in range(1, _SHARE_SEEDS + 1)]) for key in keys]
        for name, future in courses:
            _write(folder / name, partial(_draw_course, SCENES[name](), future.result()))
        found = {key: [future.result() for future in futures] for key, futures in shares}
    _write(folder / SHARES, partial(_draw_shares, found))
    return None


def _write(file: Path, draw: Callable[[], Any]) -> None:
    matplotlib = importlib.import_module("matplotlib")
    picture = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        draw().savefig(picture, format="png", dpi=110, metadata={"Software": None})
    file.write_bytes(picture.getvalue())
    print(f"{file}: {len(picture.getvalue())} bytes", flush=True)


def _figure(height: float) -> Any:
    return importlib.import_module("matplotlib.figure").Figure(figsize=(6.6, height), layout="constrained")


def _draw_course(scene: Scene, course: Course) -> Any:
    """The rates; the queue; where there is one, the window against the product."""
    panels = 3 if scene.product else 2
    figure = _figure(0.5 + 1.35 * panels)
    axes = figure.subplots(panels, 1, sharex=True)
    axes[0].set_title(scene.title)
    _steps(axes[0], scene.full, course.times[-1], "what the path delivers")
    for rate, name, color in zip(course.rates, scene.names, _COLORS, strict=False):
        axes[0].plot(course.times, rate, color=color, lw=1, label=name)
    axes[0].set_ylabel("payload, Mbit/s")
    axes[0].legend(frameon=False, fontsize=7, ncols=len(scene.names) + 1, loc="upper center")
    axes[0].set_ylim(0, 1.3 * max(max(map(max, course.rates)), *(value for _, value in scene.full), 1))
    axes[1].plot(course.times, course.waits, color="0.3", lw=0.8)
    axes[1].set_ylabel("wait in the\nqueue, ms")
    if scene.product:
        _steps(axes[2], scene.product, course.times[-1], "rate x round trip")
        axes[2].plot(course.times, course.window, color=_COLORS[0], lw=1, label="window")
        axes[2].set_ylabel("in flight, kB")
        axes[2].legend(frameon=False, fontsize=7, ncols=2, loc="upper center")
        axes[2].set_ylim(0, 1.35 * max(*course.window, *(value for _, value in scene.product)))
    axes[-1].set_xlabel("s")
    for panel in axes:
        _plain(panel)
    axes[1].set_ylim(bottom=0)
    return figure


def _steps(panel: Any, values: Sequence[tuple[float, float]], end: float, label: str) -> None:
    """A line that changes at some times."""
    times = [at for at, _ in values] + [end]
    heights = [*(value for _, value in values), values[-1][1]]
    panel.step(times, heights, where="post", color="0.6", ls="--", lw=1, label=label)


def _plain(panel: Any) -> None:
    panel.grid(axis="y", color="0.92")
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(x=0.01)


def _draw_shares(found: dict[tuple[str, float], list[float]]) -> Any:
    figure = _figure(3.0)
    panel = figure.subplots()
    for name, color, marker in zip(_SHARES, _COLORS, _MARKERS, strict=False):
        runs = [found[name, loss] for loss in _LOSSES]
        lows, highs = zip(*((quantiles(run, n=4, method="inclusive")[0::2]) for run in runs), strict=True)
        panel.fill_between(range(len(runs)), lows, highs, color=color, alpha=0.2, lw=0)
        panel.plot(range(len(runs)), [median(run) for run in runs], color=color, marker=marker, ms=4, label=name)
    panel.set_xticks(range(len(_LOSSES)), [f"{loss:.0%}" for loss in _LOSSES])
    panel.set_xlabel("random loss p, both ways")
    panel.set_ylabel("of C(1 - p), %")
    panel.set_ylim(0, 105)
    panel.set_title(f"alone on {_SHARE_MBIT} Mbit/s, {_SHARE_RTT} ms, a queue of 1 BDP: median and quartiles")
    panel.legend(frameon=False)
    _plain(panel)
    return figure


__all__ = ["SCENES", "SHARES", "draw_all"]
