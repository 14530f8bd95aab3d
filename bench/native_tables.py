"""Does the cost of a byte grow with the file, or with loss? Two tables of `bench/native.py`.

Sizes are taken as far as half the free memory allows: source and target both lie in it (10 GB: the source then has
holes, which read as zeros and take none). Loss is made by `surewire router` between the ends, the same share in both
directions, at a rate that it carries easily; its own CPU time is not counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from native_ends import Transfer, transfer
from native_ways import WAYS

SIZES_MB = (1, 10, 100, 1_000, 10_000)
LOSSES = (0, 1, 3, 10, 20, 30)
_SPARSE_FROM_MB = 5_000
_BLOCK = 1 << 24
_OVERHEAD = {"checked": 26, "sealed": 38}  # bytes of a datagram that are not the file's
_LINK = ("--rate", "300M", "--delay", "2", "--queue", "1M", "--seed", "1")


def make_source(path: Path, nbytes: int) -> None:
    """A file of random bytes; a very long one has them only now and then."""
    step = 64 * _BLOCK if nbytes >= _SPARSE_FROM_MB * 1_000_000 else _BLOCK
    with path.open("wb") as file:
        for offset in range(0, nbytes, step):
            file.seek(offset)
            file.write(os.urandom(min(_BLOCK, nbytes - offset)))
        file.truncate(nbytes)


def fits(folder: Path, megabytes: float) -> bool:
    """True when so much can be stored twice (once, if the source has holes) in half of what is free."""
    there = os.statvfs(folder)
    free = min(there.f_bavail * there.f_frsize, _available_memory())
    copies = 1.1 if megabytes >= _SPARSE_FROM_MB else 2
    return megabytes * 1e6 * copies < free * 0.6


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def size_rows(folder: Path, most_megabytes: float, way: str, say: Callable[[str], None]) -> list[list[str]]:
    """One row for each size; headings first."""
    rows = [["MB", "MB/s", "CPU s/GB sender", "receiver", "peak MB sender", "receiver"]]
    source = folder / "source"
    for megabytes in (size for size in SIZES_MB if size <= most_megabytes):
        if not fits(folder, megabytes):
            say(f"{megabytes} MB: left out, not enough memory is free")
            continue
        make_source(source, megabytes * 1_000_000)
        done = transfer(WAYS[way], source)
        rows.append([f"{megabytes:,}", f"{done.rate / 1e6:,.0f}", *_cost(done, done.nbytes)])
        say(f"{way}, {megabytes} MB: {done.rate / 1e6:.0f} MB/s")
    return rows


def loss_rows(folder: Path, megabytes: float, way: str, say: Callable[[str], None]) -> list[list[str]]:
    """One row for each loss rate; headings first. The costs are for each byte sent, retransmissions included."""
    rows = [["loss", "sent/file", "bound", "MB/s", "CPU s/GB sent, sender", "receiver", "peak MB sender", "receiver"]]
    source = folder / "source"
    make_source(source, int(megabytes * 1_000_000))
    for loss in LOSSES:
        done = transfer(WAYS[way], source, relay=(*_LINK, "--loss", str(loss)))
        bound = 1472 / (1472 - _OVERHEAD[way.partition(",")[0]]) / (1 - loss / 100)
        rows.append(
            [
                f"{loss}%",
                f"{done.sent_ratio:.3f}",
                f"{bound:.3f}",
                f"{done.rate / 1e6:.1f}",
                *_cost(done, int(done.nbytes * (done.sent_ratio or 1))),
            ]
        )
        say(f"{way}, {loss}% loss: {done.rate / 1e6:.1f} MB/s")
    return rows


def _cost(done: Transfer, nbytes: int) -> list[str]:
    ends = (done.sending, done.receiving)
    return [*(f"{end.cpu_s / nbytes * 1e9:.2f}" for end in ends), *(f"{end.peak_mb:.0f}" for end in ends)]
