"""A case of the fuzzer as data: a path, two sides with their settings, and what their applications do.

A case holds simple values only and says everything: the same case gives the same run. It can be written to a file
(`as_json`), changed by hand or by `minimize`, and run again. Times are ns since the beginning of the run, sizes bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from surewire.errors import ConfigError
from surewire.impair import ClassroomConfig, LinkConfig, Rebinding
from surewire.lab.proof.plain_data import from_plain, to_plain
from surewire.native.admission import AdmissionConfig
from surewire.native.config import NativeConfig
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import StreamerConfig


@dataclass(frozen=True, kw_only=True)
class FuzzPath:
    """What lies between the sides.

    Attributes:
        up, down: from the client (RDP's sender, Streamer's side 1) and to it.
        classroom: both ways in place of `up` and `down`, with a sendto that blocks; Streamer only.
        rebinding: what a NAT before the client does; at most `rebindings` times.
        rebindings: see there.
    """

    up: LinkConfig = LinkConfig()
    down: LinkConfig = LinkConfig()
    classroom: ClassroomConfig | None = None
    rebinding: Rebinding | None = None
    rebindings: int = 5


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A stranger's datagrams, one after the other at one side.

    Attributes:
        kind: "garbage", "header" (RDP's spelling, nonsense), "replay" (of what was overheard), "mutant" (of that).
        first, every: when.
        count: how many.
        at_server: whom they reach.
        spoofed: they come from the other side's address; else from a stranger's.
    """

    kind: str
    first: int
    every: int
    count: int
    at_server: bool = True
    spoofed: bool = True


@dataclass(frozen=True, kw_only=True)
class RdpCase:
    """A file transfer.

    Attributes:
        seed: of the links, the sides and the file's bytes.
        path: see `FuzzPath`.
        size: of the file.
        sender, receiver: settings.
        receiver_start: when it comes up; what was sent before is lost.
        store_delay: how long the receiver's application needs to store the file.
        failing_write: the sink fails at the write with this number, from 0 on; None for never.
        failing_commit: the sink cannot give the file its name.
        shrinking_read: from the read with this number on, the source is a byte short; None for never.
        sender_abort, receiver_abort: when the application gives up; None for never.
        refusals: when the sender is told that nothing listens at the receiver's port.
        injections: what strangers do.
    """

    seed: int
    path: FuzzPath = FuzzPath()
    size: int = 0
    sender: RdpConfig = field(default_factory=RdpConfig)
    receiver: RdpConfig = field(default_factory=RdpConfig)
    receiver_start: int = 0
    store_delay: int = 0
    failing_write: int | None = None
    failing_commit: bool = False
    shrinking_read: int | None = None
    sender_abort: int | None = None
    receiver_abort: int | None = None
    refusals: tuple[int, ...] = ()
    injections: tuple[Injection, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one side of a stream does.

    Attributes:
        steps: (verb, value), one after the other: "write" so many bytes, waiting for room; "read" until so many
            more have come; "pause" so many ns; "flush"; "finish"; "abort".
        start: when the side comes up.
        reads: it reads beside that; else in "read" steps only, and never if there is none.
        read_every: ns between two such reads; 0: as soon as there is something.
        stall: no such reads from the first time to the second.
        give_up: when it finishes, whatever its steps are waiting for.
    """

    steps: tuple[tuple[str, int], ...] = (("finish", 0),)
    start: int = 0
    reads: bool = True
    read_every: int = 0
    stall: tuple[int, int] | None = None
    give_up: int


@dataclass(frozen=True, kw_only=True)
class StreamerCase:
    """A Streamer connection.

    Attributes:
        seed: of the links, the sides and the bytes written.
        path: see `FuzzPath`.
        config1, config2: settings of the sides.
        plan1, plan2: their applications.
        injections: what strangers do.
    """

    seed: int
    path: FuzzPath = FuzzPath()
    config1: StreamerConfig = field(default_factory=StreamerConfig)
    config2: StreamerConfig = field(default_factory=StreamerConfig)
    plan1: Plan
    plan2: Plan
    injections: tuple[Injection, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Talk:
    """One connection of a native case: what its two applications do.

    Attributes:
        client, server: their plans, which may also "send" bytes of a source, "divert" so many that come into a sink,
            and "close". The client opens the connection at its `start`; the server's application begins when the
            connection is there, and its `start` means nothing.
    """

    client: Plan
    server: Plan


@dataclass(frozen=True, kw_only=True)
class NativeCase:
    """Connections of the native transport, between one client's endpoint and one server's.

    Attributes:
        seed: of the links, the sides and the bytes written.
        path: see `FuzzPath`; no class room.
        client, server: settings of all connections of a side.
        limits: whom the server lets in.
        is_sealed: with a shared key; else in checked mode, where the wire can be read.
        server_start: when the server comes up; what was sent before is lost.
        talks: the connections.
        refusals: when the client is told that nothing listens at the server's port.
        injections: what strangers do.
    """

    seed: int
    path: FuzzPath = FuzzPath()
    client: NativeConfig = field(default_factory=NativeConfig)
    server: NativeConfig = field(default_factory=NativeConfig)
    limits: AdmissionConfig = field(default_factory=AdmissionConfig)
    is_sealed: bool = False
    server_start: int = 0
    talks: tuple[Talk, ...] = ()
    refusals: tuple[int, ...] = ()
    injections: tuple[Injection, ...] = ()


FuzzCase = RdpCase | StreamerCase | NativeCase

_KINDS: dict[str, type[RdpCase] | type[StreamerCase] | type[NativeCase]] = {
    "rdp": RdpCase,
    "streamer": StreamerCase,
    "native": NativeCase,
}


def protocol_of(case: FuzzCase) -> str:
    """ "rdp", "streamer" or "native"."""
    return next(name for name, kind in _KINDS.items() if isinstance(case, kind))


def as_json(case: FuzzCase) -> str:
    """The case as text, what is not at its default."""
    return json.dumps({"protocol": protocol_of(case), **to_plain(case)}, indent=2)


def from_json(text: str) -> FuzzCase:
    """The case that `as_json` wrote.

    Raises:
        ConfigError: it is no case.
    """
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"not JSON: {error}") from error
    if not isinstance(plain, dict) or plain.get("protocol") not in _KINDS:
        raise ConfigError(f"a case is an object with a protocol, {' or '.join(_KINDS)}")
    return from_plain(_KINDS[plain.pop("protocol")], plain)
