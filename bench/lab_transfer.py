"""One transfer over an emulated link in a laboratory of its own, and what came of it.

No NAT: client and router forward, so that nothing but the wire is between the two. The sender's clock runs inside its
process, from before it connects until the receiver has confirmed everything; the file that arrived is compared with the
one that was sent. CPU seconds of the ends are those of the transfer, as they say them; that of everything else (the
emulator, building the laboratory, starting interpreters) is what the children of this process used beside.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import resource
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab_links import both_ways
from lab_peers import Peer

from surewire.drivers.namespaces import Stream
from surewire.impair import LinkConfig
from surewire.lab.wired.laboratory import LabOptions, LabReport, WiredLab
from surewire.lab.wired.running import Patience, run_pair

PORT = 8080
_STAYING_GRACE_S, _GRACE_S = 0.05, 10.0
_READY_S = 30.0
_BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One transfer.

    Attributes:
        peer, link, size, seed: what was asked for.
        seconds: the sender's; None if it did not end well in time.
        arrived: bytes of the file at the receiver when the sender ended or was stopped.
        sent: IP bytes offered to the wire, sender to receiver.
        kept_up: whether the wire was as configured all the time.
        failure: why it did not end well, one line.
        said: by the ends: `sender` and `receiver`, figures of each.
        wire: counters of the wire: `up`, `down`, `own`, `unread`.
        other_cpu_s: CPU time of the emulator and of what was there to start things.
        samples: how many bytes of the file were there when: monotonic seconds, bytes. Only where asked for.
    """

    peer: str
    link: str
    size: int
    seed: int
    seconds: float | None
    arrived: int
    sent: int
    kept_up: bool
    failure: str | None
    said: dict[str, dict[str, Any]]
    wire: dict[str, Any]
    other_cpu_s: float
    samples: list[tuple[float, int]] = field(default_factory=list)

    @property
    def overhead(self) -> float:
        """IP bytes put on the wire for each byte of the file that arrived."""
        return self.sent / self.arrived if self.arrived else 0.0


def transfer(
    peer: Peer, name: str, link: LinkConfig, source: Path, *, seed: int, limit_s: float, sampled: bool = False
) -> Outcome:
    """Move the file `source` once; `seed` is the emulator's.

    Args:
        peer, name, link: how, and over what, both ways.
        limit_s: the sender is stopped after so long.
        sampled: let the receiver note its progress, which only the native peer can.

    Raises:
        NamespaceError: the laboratory cannot be built, or failed.
    """
    with tempfile.TemporaryDirectory(dir=source.parent) as made:
        folder = Path(made)
        (folder / "into").mkdir()
        commands = _commands(peer, source, folder, sampled)
        ends = _Ends(folder)
        used = _children_cpu_s()
        with WiredLab(both_ways(name, link), LabOptions(seed=seed, emulator="tun", nat=False)) as lab:
            failure = ends.run(lab, *commands, limit_s=limit_s, grace_s=_STAYING_GRACE_S if peer.stays else _GRACE_S)
            report = lab.finish()
        used = _children_cpu_s() - used
        if failure is None and not _is_same(source, folder / "into" / "file"):
            failure = "what arrived is not what was sent"
        said = {"sender": ends.figures("sender"), "receiver": ends.figures("receiver")}
        size, samples = source.stat().st_size, folder / "samples"
        return Outcome(
            peer=peer.name,
            link=name,
            size=size,
            seed=seed,
            seconds=None if failure else float(said["sender"]["seconds"]),
            arrived=_allocated(folder / "into", size),
            sent=report.wire.up["offered_bytes"],
            kept_up=report.kept_up,
            failure=failure,
            said=said,
            wire=_counters(report),
            other_cpu_s=used - sum(float(one.get("cpu_s", 0)) for one in said.values()),
            samples=json.loads(samples.read_text()) if samples.exists() else [],
        )


class _Ends:
    """The two processes of a transfer, and what they print, in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(
        self, lab: WiredLab, receiver: list[str], sender: list[str], *, limit_s: float, grace_s: float
    ) -> str | None:
        """Run both to their ends; why the sender did not get everything confirmed, one line.

        How the receiver ends after that is not asked: where half of all is lost, so may be its last words.
        """
        patience = Patience(timeout_s=limit_s, grace_s=grace_s, ready_s=_READY_S)
        with contextlib.ExitStack() as stack:
            names = ("receiver.out", "receiver.err", "sender.out", "sender.err")
            files = [stack.enter_context((self._folder / name).open("wb")) for name in names]
            streams: dict[str, tuple[Stream, Stream]] = {
                "server_streams": (files[0], files[1]),
                "client_streams": (files[2], files[3]),
            }
            pair = run_pair(lab, receiver, sender, patience, **streams)
        return None if pair.client.exit == 0 else f"{pair.failure}{self._complaint()}"

    def figures(self, end: str) -> dict[str, Any]:
        """The JSON object in the last line that an end printed, and that in its file of statistics."""
        lines = (self._folder / f"{end}.out").read_text(errors="replace").splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        stats = self._folder / "stats"
        if end == "sender" and stats.exists():
            found |= json.loads(stats.read_text())
        return found

    def _complaint(self) -> str:
        """The last line on standard error, of the sender rather than of the receiver."""
        for end in ("sender", "receiver"):
            lines = (self._folder / f"{end}.err").read_text(errors="replace").splitlines()
            if lines:
                return f": {lines[-1]}"
        return ""


def _commands(peer: Peer, source: Path, folder: Path, sampled: bool) -> tuple[list[str], list[str]]:
    """Receiver and sender; {server} and {client} are the laboratory's to fill in."""
    values = {
        "source": str(source),
        "target": str(folder / "into" / "file"),
        "folder": str(folder / "into"),
        "name": "file",
        "stats": str(folder / "stats"),
        "port": PORT,
        "size": source.stat().st_size,
        "server": "{server}",
        "client": "{client}",
    }
    receiver, sender = (
        [sys.executable, *(part.format(**values) for part in command)] for command in (peer.receiver, peer.sender)
    )
    if sampled:
        receiver[2:2] = ["--samples", str(folder / "samples")]
    return receiver, sender


def _counters(report: LabReport) -> dict[str, Any]:
    wire = report.wire
    return {"up": wire.up, "down": wire.down, "own": wire.wire, "unread": wire.unread}


def _is_same(source: Path, stored: Path) -> bool:
    return stored.exists() and filecmp.cmp(source, stored, shallow=False)


def _allocated(folder: Path, most: int) -> int:
    """Bytes of the file that are stored, to a page; holes are not, where a peer stores what comes where it belongs."""
    return min(most, sum(path.stat().st_blocks * _BLOCK for path in folder.iterdir()))


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_source(path: Path, size: int) -> None:
    """A file of so many random bytes."""
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))
