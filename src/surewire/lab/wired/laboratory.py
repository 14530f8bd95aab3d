"""`WiredLab`: client, NAT router and server as network namespaces, with a scenario on the wire between them.

    with WiredLab(scenario) as lab:
        server = lab.start("server", ["rdpr", "{server}", "8080", "copy"])
        client = lab.start("client", ["rdps", "{client}", "0", "{server}", "8080", "file"])
        ...                                    # lab.tend() now and then, if the scenario has times
        print(lab.finish().kept_up)

The times of blackouts, changes and rebindings count from the first packet on the wire; those of cross traffic from
the first command started at the client. Cross traffic is kernel TCP between router and server: it shares the wire, but
is not translated.

Invariant: leaving the `with` block ends every process and takes everything away (`surewire.drivers.namespaces`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from surewire.drivers.namespaces import NamespaceError, Namespaces, Stream, require_namespaces
from surewire.impair import LinkConfig, Scenario
from surewire.lab.wired import topology
from surewire.lab.wired.emulation import WireReport, choose_wire, read_message, start_module
from surewire.lab.wired.nat import nat_rules
from surewire.lab.wired.other_flows import FlowReport, OtherFlows
from surewire.lab.wired.wire import WireConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabOptions:
    """How a scenario is built.

    Attributes:
        seed: of the emulator's random decisions; netem has none.
        nat: whether the router translates (nftables masquerade); without, it only forwards.
        emulator: "auto", "tun" or "netem", see `choose_wire`.
        past_checksum: whether damage reaches programs, see `surewire.lab.wired.damage`.
        capture: file for a capture of the wire, see `surewire.lab.wired.capture`; None for none.
    """

    seed: int = 0
    nat: bool = True
    emulator: str = "auto"
    past_checksum: bool = False
    capture: Path | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabReport:
    """What happened on the wire.

    Attributes:
        wire: its counters.
        rebindings: how many times the NAT forgot.
        other_flows: what the cross traffic moved.
    """

    wire: WireReport
    rebindings: int
    other_flows: list[FlowReport]

    @property
    def kept_up(self) -> bool:
        """Whether the link was as configured."""
        return self.wire.kept_up


class WiredLab:
    """A laboratory, from construction to `close`."""

    ADDRESSES: ClassVar[Mapping[str, str]] = topology.ADDRESSES
    """Where "client", "router" (its outer address) and "server" are reached."""

    def __init__(self, scenario: Scenario, options: LabOptions | None = None) -> None:
        """Build it.

        Raises:
            ConfigError: the emulator asked for cannot do the scenario.
            NamespaceError: the system lacks something, or refuses; the text says what.
        """
        options = options or LabOptions()
        require_namespaces(topology.COMMANDS)
        self._rebinding = scenario.rebinding if options.nat else None
        self._rebindings = 0
        self._began: float | None = None
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as building:
            self._namespaces = building.enter_context(Namespaces(topology.HOSTS))
            topology.build_hosts(self._namespaces, nat=options.nat)
            self._wire = choose_wire(
                self._namespaces, wire_config(scenario, options), emulator=options.emulator, capture=options.capture
            )
            topology.raise_wire(self._namespaces, nat=options.nat)
            self._router = None
            if self._rebinding is not None:
                self._router = start_module(self._namespaces, topology.ROUTER, "surewire.lab.wired.nat")
            self._other_flows = OtherFlows(self._namespaces, scenario.cross_traffic)
            self._stack = building.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(
        self,
        host: str,
        command: Sequence[str],
        *,
        stdout: Stream = None,
        stderr: Stream = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command at a host; `{client}`, `{router}` and `{server}` in it become addresses."""
        process = self._namespaces.start(host, self.filled(command), stdout=stdout, stderr=stderr, env=env)
        if host == topology.CLIENT:
            self._other_flows.begin()
        return process

    def start_module(self, host: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Run a module of this package at a host, with pipes for input and output."""
        return start_module(self._namespaces, host, module, *arguments)

    def run(self, host: str, command: Sequence[str], text: str = "") -> str:
        """Run a short command at a host; see `Namespaces.run`."""
        return self._namespaces.run(host, self.filled(command), text)

    def filled(self, command: Sequence[str]) -> list[str]:
        """A command with the hosts' addresses in the place of `{client}` and so on; other braces stay."""
        filled = list(command)
        for host, address in self.ADDRESSES.items():
            filled = [word.replace(f"{{{host}}}", address) for word in filled]
        return filled

    def tend(self) -> None:
        """Do what the scenario wants by now: rebind the NAT, start and stop cross traffic. Call it every 50 ms or so.

        Raises:
            NamespaceError: one of our own processes failed.
        """
        self._wire.check()
        self._other_flows.tend()
        if self._rebinding is None:
            return
        if self._began is None:
            if not self._wire.has_begun():
                return
            self._began = time.monotonic()
        if time.monotonic() >= self._began + self._next_rebinding_s():
            self.rebind(address=self._rebinding.address)

    def rebind(self, *, address: bool = False) -> None:
        """Make the NAT give every flow a new source port, and address if asked to, at once.

        Raises:
            NamespaceError: the scenario has no rebinding or the lab no NAT, or it failed.
        """
        if self._router is None or self._router.stdin is None:
            raise NamespaceError("only a lab with a NAT and a scenario with a rebinding can rebind")
        self._rebindings += 1
        rules = nat_rules(self._rebindings, address=address)
        self._router.stdin.write(json.dumps({"rules": rules}).encode() + b"\n")
        error = read_message(self._router, "the router").get("error")
        if error is not None:
            raise NamespaceError(f"cannot rebind: {error}")

    def finish(self) -> LabReport:
        """Take the wire away and tell what was on it.

        Raises:
            NamespaceError: one of our own processes failed.
        """
        flows = self._other_flows.finish()
        return LabReport(wire=self._wire.finish(), rebindings=self._rebindings, other_flows=flows)

    def close(self) -> None:
        """End everything. May be called again."""
        self._stack.close()

    def _next_rebinding_s(self) -> float:
        """Seconds after the first packet."""
        rebinding = self._rebinding
        if rebinding is None or (self._rebindings and rebinding.every is None):
            return float("inf")
        return (rebinding.first + self._rebindings * (rebinding.every or 0)) / 1e9


def wire_config(scenario: Scenario, options: LabOptions) -> WireConfig:
    """What the wire does in a scenario, whose links are described for UDP datagrams, to whole IP packets."""
    up, down = (for_packets(link) for link in (scenario.up, scenario.down))
    return WireConfig(up=up, down=down, seed=options.seed, past_checksum=options.past_checksum)


def for_packets(link: LinkConfig) -> LinkConfig:
    """The same link for whole IP packets: IPv4 and UDP headers, the usual overhead, are part of their size."""
    return dataclasses.replace(link, overhead=max(0, link.overhead - LinkConfig().overhead))
