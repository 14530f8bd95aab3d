"""What the demo shows: progress while the packet log grows, and the report made from what the tools left.

Everything is read from the folder of a run, so a report can be made again, and a run that went wrong can be judged
as well as one that went right. No process is started here.

A folder holds `sent.bin` (or the run names another file), `received.bin`, `rdps.log`, `rdpr.log`, for each tool
its standard output and error as `NAME.out` and `NAME.err`, and `rdps.json`, `rdpr.json` with their figures.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from surewire.apps.console import human

TOOLS = ("rdps", "rdpr", "router")
_LOG_LINES = 4  # of each end of a packet log
_DELAYS = 64  # newest ones, of which the live figure is the median
_MAX_PENDING = 4096  # numbers that wait for their other end
_DAY_S = 86400


class LogFollower:
    """Reads both packet logs while they are written and says how far the transfer is."""

    def __init__(self, folder: Path, size: int) -> None:
        self.acked = 0
        self.resent = 0
        self._size = size
        self._first_byte: int | None = None
        self._sender = _GrowingLog(folder / "rdps.log")
        self._receiver = _GrowingLog(folder / "rdpr.log")
        self._there = _OneWay()
        self._back = _OneWay()

    @property
    def round_trip(self) -> float | None:
        """Seconds: the way of recent DATs plus the way of recent ACKs; both logs have the clock of one machine."""
        there, back = self._there.delay, self._back.delay
        return None if there is None or back is None else there + back

    def follow(self) -> None:
        """Take the lines written since the last call."""
        for at, event, kind, number, size in self._sender.lines():
            self._take_from_sender(at, event, kind, number, size)
        for at, event, kind, number, _ in self._receiver.lines():
            if event == "r" and kind == "DAT":
                self._there.on_arrived(number, at)
            elif event == "s" and kind == "ACK":
                self._back.on_sent(number, at)

    def _take_from_sender(self, at: float, event: str, kind: str, number: int, size: int) -> None:
        if kind == "SYN" and event == "s":
            self._first_byte = number + 1
        elif kind == "DAT" and event == "s":
            self._there.on_sent(number, at)
        elif kind == "DAT":
            self.resent += 1
            self._there.forget(number)
        elif kind == "ACK" and self._first_byte is not None:
            self._back.on_arrived(number, at)
            self.acked = max(self.acked, min(number - self._first_byte, self._size))

    def line(self, elapsed: float) -> str:
        """One line about the state of the transfer, `elapsed` seconds after its start."""
        share = self.acked / self._size if self._size else 1.0
        rate = self.acked / elapsed if elapsed > 0 else 0.0
        trip = "" if self.round_trip is None else f"   round trip {self.round_trip * 1000:.0f} ms"
        return f"{share:4.0%}   {human(self.acked)}   {human(rate)}/s{trip}   packets resent {self.resent}"


class _GrowingLog:
    """A packet log that another process writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def lines(self) -> Iterator[tuple[float, str, str, int, int]]:
        """Time of day (s), event, type, number and size of each whole line since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                text = file.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode("ascii").splitlines():
            stamp, event, _, _, kind, number, size = line.split(" ")
            yield _seconds(stamp), event, kind, int(number), int(size)


class _OneWay:
    """How long packets take from one log to the other, by their numbers; the logs are read one after the other."""

    def __init__(self) -> None:
        self._sent: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._delays: deque[float] = deque(maxlen=_DELAYS)

    @property
    def delay(self) -> float | None:
        """The median of recent ones (s), None before the first."""
        return median(self._delays) if self._delays else None

    def on_sent(self, number: int, at: float) -> None:
        self._sent[number] = at
        self._match(number)

    def on_arrived(self, number: int, at: float) -> None:
        self._arrived.setdefault(number, at)
        self._match(number)

    def forget(self, number: int) -> None:
        """A number was sent again: which copy arrives cannot be told."""
        self._sent.pop(number, None)

    def _match(self, number: int) -> None:
        if number in self._sent and number in self._arrived:
            delay = (self._arrived.pop(number) - self._sent.pop(number)) % _DAY_S
            if delay < _DAY_S / 2:
                self._delays.append(delay)
        for numbers in (self._sent, self._arrived):
            if len(numbers) > _MAX_PENDING:
                del numbers[next(iter(numbers))]


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run of the three tools that is over.

    Attributes:
        folder: where their files are.
        sent: the file that was sent.
        statuses: exit status of each tool; None for one that had to be killed.
        seconds: from the start of the sender to its end.
        trouble: why the run was cut short, if it was.
    """

    folder: Path
    sent: Path
    statuses: dict[str, int | None]
    seconds: float
    trouble: str | None = None

    @property
    def received(self) -> Path:
        return self.folder / "received.bin"


def conclude(run: FinishedRun) -> tuple[str, int]:
    """The report on a run, and the demo's exit status: 0 only when every tool succeeded and the files are equal."""
    received = digest(run.received)
    sent = None if received is None else digest(run.sent)  # the file may be big; a part never has the final name
    is_equal = received is not None and sent == received
    failed = [name for name in TOOLS if run.statuses.get(name) != 0]
    parts = [_packet_logs(run), _summaries(run)]
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError, KeyError):
        parts.append(_path_report(run))
    parts.append(_file_report(sent, received))
    if run.trouble is None and not failed and is_equal:
        parts.append(f"RESULT: the file arrived, byte for byte, in {run.seconds:.1f} s.\n")
        return "\n".join(parts), 0
    reasons = [run.trouble] if run.trouble else []
    reasons += [f"{name} {_ending(run.statuses.get(name))}" for name in failed]
    reasons += [] if is_equal else ["the file that was sent is not there" if received is None else "the files differ"]
    parts += [_what_was_said(run), f"FAILED: {'; '.join(reasons)}.\n"]
    return "\n".join(parts), 1


def digest(path: Path) -> str | None:
    """SHA-256 of a file in hex, None when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _packet_logs(run: FinishedRun) -> str:
    text = ""
    for name, side in (("rdps", "sender"), ("rdpr", "receiver")):
        lines = _read(run.folder / f"{name}.log").splitlines()
        text += f"Packet log of the {side}, {len(lines)} lines:\n"
        shown = lines
        if len(lines) > 2 * _LOG_LINES:
            shown = [*lines[:_LOG_LINES], "...", *lines[-_LOG_LINES:]]
        text += "".join(f"  {line}\n" for line in shown)
    return text


def _summaries(run: FinishedRun) -> str:
    text = ""
    for name in ("rdps", "rdpr"):
        lines = _read(run.folder / f"{name}.out").splitlines()
        text += f"Summary of {name}:\n" + "".join(f"  {line}\n" for line in lines)
    return text


def _path_report(run: FinishedRun) -> str:
    router = json.loads(_read(run.folder / "router.out"))
    figures = json.loads(_read(run.folder / "rdps.json"))
    rows = (
        ("datagrams offered", "offered"),
        ("lost", "lost"),
        ("dropped, queue full", "queue_dropped"),
        ("delivered twice", "duplicated"),
        ("corrupted", "corrupted"),
        ("reordered", "reordered"),
    )
    text = f"What the router did (seed {router['seed']}):    to the receiver      to the sender\n"
    for label, key in rows:
        text += f"  {label:<28}" + "".join(_share(router[way], key) for way in ("up", "down")).rstrip() + "\n"
    if router["relay"]["late"] or router["relay"]["overflowed"] or router["relay"]["receive_drops"]:
        text += "  (the router did not keep up with this machine's other work: the path was worse than asked for)\n"
    lost = _unusable(router["up"])
    text += "What it cost:\n"
    if figures["unique_bytes"]:
        ratio = figures["total_bytes"] / figures["unique_bytes"]
        text += (
            f"  total/unique data bytes: {ratio:.4f}; with {lost:.1%} of the datagrams lost or corrupted on the way,\n"
            f"  nobody can do with less than 1/(1-p) = {1 / (1 - lost):.4f} on average\n"
        )
    if figures["duration"]:
        goodput = figures["unique_bytes"] / figures["duration"]
        text += f"  {figures['duration']:.2f} s, {human(goodput)}/s of file; "
        text += f"smoothed round trip {figures['smoothed_rtt'] * 1000:.0f} ms, "
        text += f"{figures['spurious_segments']} packets resent although the first copy had arrived\n"
    return text


def _share(way: dict[str, Any], key: str) -> str:
    count = way[key]
    share = "" if key == "offered" or not way["offered"] else f" ({count / way['offered']:.1%})"
    return f"{f'{count}{share}':<21}"


def _unusable(way: dict[str, Any]) -> float:
    """The share of datagrams that did not come through whole; below 1."""
    lost = way["lost"] / max(way["offered"], 1)
    corrupted = way["corrupted"] / max(way["delivered"], 1)
    return float(min(1 - (1 - lost) * (1 - corrupted), 0.99))


def _file_report(sent: str | None, received: str | None) -> str:
    if received is None:
        return "No file was received.\n"
    verdict = "identical" if sent == received else "DIFFERENT"
    return f"SHA-256:\n  sent      {sent}\n  received  {received}\n  {verdict}\n"


def _what_was_said(run: FinishedRun) -> str:
    text = ""
    for name in TOOLS:
        said = _read(run.folder / f"{name}.err").strip() or "(nothing)"
        text += f"{name} {_ending(run.statuses.get(name))} and said: {said}\n"
    return text


def _ending(status: int | None) -> str:
    return "had to be killed" if status is None else f"ended with status {status}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
