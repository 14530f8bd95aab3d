"""Two flows that always have something to send, ours and kernel TCP, over one emulated link: who gets how much.

Both connect at the same moment. What counts is what the receiving applications read within the seconds after that.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab_links import both_ways

from surewire.errors import SurewireError
from surewire.impair import LinkConfig
from surewire.lab.wired.laboratory import LabOptions, WiredLab
from surewire.lab.wired.running import listening

_FLOW = str(Path(__file__).parent / "peers" / "flow.py")
_FIRST_PORT = 9001
_READY_S = 30.0
_TO_START_S = 2.0  # interpreters start; late ones would give the other a start
_TURN_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """What came of it.

    Attributes:
        link: its name.
        seed: of the emulator.
        seconds: how long was counted.
        received: bytes that each flow's application read in this time, by the flow's name.
        later: those of the second half.
        kept_up: whether the wire was as configured.
        wire: counters of the way to the server.
    """

    link: str
    seed: int
    seconds: float
    received: dict[str, int]
    later: dict[str, int]
    kept_up: bool
    wire: dict[str, Any]

    def share(self, name: str) -> float:
        """Of what both got."""
        return self.received[name] / max(1, sum(self.received.values()))


def share(
    flows: Mapping[str, Sequence[str]], name: str, link: LinkConfig, folder: Path, *, seconds: float, seed: int
) -> Sharing:
    """Run the flows, each by its arguments for `peers/flow.py`, against each other.

    Raises:
        NamespaceError: the laboratory cannot be built, or failed.
        SurewireError: a flow did not begin, or ended.
    """
    notes = {flow: folder / f"flow-{number}" for number, flow in enumerate(flows)}
    with WiredLab(both_ways(name, link), LabOptions(seed=seed, emulator="tun", nat=False)) as lab:
        begins = _run(lab, flows, notes, seconds)
        report = lab.finish()
    middle = {flow: _count(path, begins + seconds / 2) for flow, path in notes.items()}
    received = {flow: _count(path, begins + seconds) for flow, path in notes.items()}
    return Sharing(
        link=name,
        seed=seed,
        seconds=seconds,
        received=received,
        later={flow: received[flow] - middle[flow] for flow in flows},
        kept_up=report.kept_up,
        wire=report.wire.up,
    )


def _run(lab: WiredLab, flows: Mapping[str, Sequence[str]], notes: Mapping[str, Path], seconds: float) -> float:
    """Let the flows run for their time; when that began by the monotonic clock."""
    command = [sys.executable, _FLOW, "--host", "{server}"]
    ports = {flow: str(_FIRST_PORT + number) for number, flow in enumerate(flows)}
    for flow, options in flows.items():
        receiver = [*command, "--listen-port", ports[flow], *options, "recv", str(notes[flow])]
        lab.start("server", receiver, stdout=subprocess.DEVNULL)
    _await_listeners(lab, len(flows))
    begins = time.monotonic() + _TO_START_S
    senders = [
        lab.start("client", [*command, *options, "send", ports[flow], "--at", str(begins)])
        for flow, options in flows.items()
    ]
    while time.monotonic() < begins + seconds:
        lab.tend()
        time.sleep(_TURN_S)
        ended = [sender for sender in senders if sender.poll() is not None]
        if ended:
            raise SurewireError(f"a flow ended with status {ended[0].returncode}")
    return begins


def _await_listeners(lab: WiredLab, count: int) -> None:
    deadline = time.monotonic() + _READY_S
    while len(listening(lab)) < count:
        if time.monotonic() > deadline:
            raise SurewireError(f"the receivers did not listen within {_READY_S:g} s")
        time.sleep(_TURN_S)


def _count(notes: Path, until: float) -> int:
    """Bytes read by a moment of the monotonic clock."""
    count = 0
    for line in notes.read_text().splitlines() if notes.exists() else []:
        when, _, came = line.partition(" ")
        if float(when) > until:
            break
        count = int(came)
    return count
