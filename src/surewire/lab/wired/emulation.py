"""The wire as the laboratory sees it: put in place, asked whether traffic has begun, taken away with its counters.

Two kinds: `TunWire`, our emulator in a process of its own, and `NetemWire`, the kernel's. `choose_wire` picks one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from surewire.drivers.namespaces import NamespaceError, Namespaces
from surewire.drivers.tun import TUN_PATH
from surewire.errors import ConfigError
from surewire.lab.wired import netem, topology
from surewire.lab.wired.nat import WAN_INTERFACE
from surewire.lab.wired.wire import WireConfig

EMULATORS = ("auto", "tun", "netem")

LATE_SHARE = 0.001
"""A wire has kept up when no packet was dropped for its sake and at most this share came late."""

_PATIENCE_S = 10.0
_SOURCE = str(Path(__file__).resolve().parents[3])


@dataclasses.dataclass(frozen=True, kw_only=True)
class WireReport:
    """What a wire has done.

    Attributes:
        emulator: "tun" or "netem".
        up: counters of the way to the server: those of `surewire.impair.LinkStats` with sizes of IP packets; or
            what netem tells.
        down: counters of the way back.
        wire: the emulator's own counters, `surewire.lab.wired.wire.WireStats`; empty for netem.
        unread: packets that the kernel dropped because the emulator did not read them in time.
    """

    emulator: str
    up: dict[str, int]
    down: dict[str, int]
    wire: dict[str, int]
    unread: int

    @property
    def kept_up(self) -> bool:
        """Whether the link was as configured: else it was worse, since the emulator was too slow."""
        if self.emulator != "tun":
            return True
        delivered = self.up["delivered"] + self.down["delivered"]
        disturbed = self.wire["late"] + self.wire["slow_turns"]
        lost = self.unread + self.wire["overflowed"] + self.wire["unsent"]
        return lost == 0 and disturbed <= max(1, delivered * LATE_SHARE)


class PlacedWire(Protocol):
    """A wire that joins router and server."""

    def has_begun(self) -> bool:
        """Whether a packet has been on it."""

    def check(self) -> None:
        """See whether it still works. Raises NamespaceError if not; the text says why."""

    def finish(self) -> WireReport:
        """Take it away.

        Raises:
            NamespaceError: it failed, now or before.
        """


class TunWire:
    """The emulator, running."""

    def __init__(self, namespaces: Namespaces, config: WireConfig, *, capture: Path | None = None) -> None:
        """Start it and give its two interfaces to router and server, not yet up.

        Raises:
            NamespaceError: it did not start, or ended.
        """
        if not os.path.exists(TUN_PATH):
            raise NamespaceError(f"{TUN_PATH} does not exist: the kernel has no TUN devices, or they are hidden here")
        self._namespaces = namespaces
        self._begun = False
        self._process = start_module(namespaces, topology.WIRE, "surewire.lab.wired.emulator")
        pickled = pickle.dumps(config)
        order = {
            "interfaces": [WAN_INTERFACE, topology.SERVER_INTERFACE],
            "capture": None if capture is None else str(capture.absolute()),
            "config_bytes": len(pickled),
        }
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(order).encode() + b"\n" + pickled)
            stdin.flush()
        except OSError as error:
            raise NamespaceError(f"the emulator did not start: {error}") from error
        self._await("ready")
        topology.attach_tuns(namespaces)

    def has_begun(self) -> bool:
        """Whether a packet has been on it."""
        self.check()
        return self._begun

    def check(self) -> None:
        """See whether the emulator still runs. Raises NamespaceError if not; the text says why."""
        if has_line(self._process):
            # After the first packet it says nothing more until it is stopped, but for an error.
            self._await(*() if self._begun else ("begin",))
            self._begun = True

    def finish(self) -> WireReport:
        """Stop the emulator and read its counters. Raises NamespaceError if it failed."""
        self.check()
        try:
            unread = topology.wire_drops(self._namespaces)
        except NamespaceError as error:
            # The devices go with the emulator.
            raise NamespaceError(f"the emulator ended before its time: {error}") from error
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        end = self._await("begin", "end")
        if end["event"] == "begin":
            end = self._await("end")
        self._process.wait(_PATIENCE_S)
        return WireReport(emulator="tun", up=end["up"], down=end["down"], wire=end["wire"], unread=unread)

    def _await(self, *events: str) -> dict[str, Any]:
        message = read_message(self._process, "the emulator")
        if message.get("event") not in events:
            raise NamespaceError(f"the emulator failed: {message.get('reason', message)}")
        return message


class NetemWire:
    """The kernel's netem at both ports of a bridge."""

    def __init__(self, namespaces: Namespaces, config: WireConfig) -> None:
        """Join router and server.

        Raises:
            ConfigError: netem cannot do this link.
            NamespaceError: a command failed.
        """
        self._namespaces = namespaces
        ends = ((topology.TO_SERVER, config.up), (topology.TO_ROUTER, config.down))
        commands = [netem.netem_command(device, link) for device, link in ends]
        topology.attach_veths(namespaces)
        for command in commands:
            namespaces.run(topology.WIRE, command)

    def has_begun(self) -> bool:
        """Whether a packet has been on it."""
        counters = netem.netem_counters(self._namespaces, topology.WIRE, topology.TO_SERVER)
        return any(counters.values())

    def check(self) -> None:
        """Nothing: the kernel does not stop."""

    def finish(self) -> WireReport:
        """Read the counters."""
        up = netem.netem_counters(self._namespaces, topology.WIRE, topology.TO_SERVER)
        down = netem.netem_counters(self._namespaces, topology.WIRE, topology.TO_ROUTER)
        return WireReport(emulator="netem", up=up, down=down, wire={}, unread=0)


def choose_wire(
    namespaces: Namespaces, config: WireConfig, *, emulator: str = "auto", capture: Path | None = None
) -> PlacedWire:
    """Put a wire in place: "tun", "netem", or "auto": netem where the kernel has it and does this link exactly.

    Raises:
        ConfigError: the emulator asked for cannot do this.
        NamespaceError: the system lacks what is needed.
    """
    only_tun = "past_checksum" if config.past_checksum else "a capture" if capture is not None else None
    if emulator == "netem":
        if only_tun is not None:
            raise ConfigError(f"the kernel's netem cannot do {only_tun}")
        for link in (config.up, config.down):
            netem.netem_command(WAN_INTERFACE, link)
        if not netem.netem_exists(namespaces, topology.WIRE):
            raise NamespaceError("this kernel has no netem (sch_netem), or the command tc is missing")
        return NetemWire(namespaces, config)
    if emulator == "auto" and only_tun is None:
        is_exact = all(netem.why_not_exactly(link) is None for link in (config.up, config.down))
        if is_exact and netem.netem_exists(namespaces, topology.WIRE):
            return NetemWire(namespaces, config)
    return TunWire(namespaces, config, capture=capture)


def start_module(namespaces: Namespaces, host: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of this package in a namespace, with pipes for input and output."""
    paths = os.pathsep.join(path for path in (_SOURCE, os.environ.get("PYTHONPATH", "")) if path)
    return namespaces.start(
        host,
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )


def has_line(process: subprocess.Popen[bytes], patience_s: float = 0.0) -> bool:
    """Whether a process has said something, or has closed its output, within some seconds."""
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], patience_s)[0])


def read_message(process: subprocess.Popen[bytes], who: str) -> dict[str, Any]:
    """The next line of JSON from one of our own processes.

    Raises:
        NamespaceError: it ended, or said nothing for ten seconds.
    """
    line = b""
    if has_line(process, _PATIENCE_S):
        assert process.stdout is not None
        line = process.stdout.readline()
    if not line:
        process.poll()
        raise NamespaceError(f"{who} ended or hangs (exit status {process.returncode})")
    message: dict[str, Any] = json.loads(line)
    return message
