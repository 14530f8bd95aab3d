"""What tests of the wired laboratory share: whether it can be built here, and what is left of one.

Tests that need it skip with the reason where it cannot be built; with SUREWIRE_REQUIRE_LAB=1 that is a failure.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from surewire.drivers.namespaces import NamespaceError, Namespaces, require_namespaces
from surewire.drivers.tun import TUN_PATH

PATIENCE_S = 20.0


def require_lab() -> None:
    """Skip, or fail if SUREWIRE_REQUIRE_LAB=1, where the laboratory cannot be built."""
    reason = _missing()
    if reason is None:
        return
    if os.environ.get("SUREWIRE_REQUIRE_LAB") == "1":
        pytest.fail(f"SUREWIRE_REQUIRE_LAB=1, but {reason}")
    pytest.skip(reason)


@functools.cache
def _missing() -> str | None:
    try:
        require_namespaces(("ip", "nft"))
        with Namespaces(["one"]) as namespaces:
            namespaces.run("one", ["nft", "add", "table", "ip", "surewire"])
    except NamespaceError as error:
        return str(error)
    return None if os.access(TUN_PATH, os.R_OK | os.W_OK) else f"cannot open {TUN_PATH}"


def until(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true before the patience is over."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def processes_with(marker: str) -> list[int]:
    """Processes that have the marker in their command line."""
    found = []
    for entry in _processes():
        with contextlib.suppress(OSError):
            if marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def network_namespaces_of(marker: str) -> set[int]:
    """The network namespaces, ours left out, of the processes that have the marker in their command line."""
    paths = [Path(f"/proc/{number}/ns/net") for number in (*processes_with(marker), "self")]
    *found, ours = [path.stat().st_ino for path in paths]
    return set(found) - {ours}


def network_namespaces() -> set[int]:
    """Every network namespace that a process is in, holds a descriptor of, or that is mounted somewhere.

    They are known by numbers that the kernel gives again: one that is there may be another test's, for a second or two.
    """
    found: set[int] = set()
    for entry in _processes():
        # A process may end at any time, and its descriptors with it.
        with contextlib.suppress(OSError):
            found.add((entry / "ns" / "net").stat().st_ino)
            for descriptor in (entry / "fd").iterdir():
                with contextlib.suppress(OSError):
                    kind, _, number = os.readlink(descriptor).partition(":[")
                    if kind == "net":
                        found.add(int(number.rstrip("]")))
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        root = line.split()[3]
        if root.startswith("net:["):
            found.add(int(root[5:-1]))
    return found


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
