"""Draws whole cases: the sides' settings and applications, on a path of `fuzz_draw`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surewire.core.config import TransportConfig
from surewire.errors import ConfigError
from surewire.lab.proof.fuzz_case import FuzzCase, Plan, RdpCase, StreamerCase
from surewire.lab.proof.fuzz_draw import MS, Dice, S, draw_injections, draw_path
from surewire.lab.proof.fuzz_native_cases import native_case
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig

PROTOCOLS = ("rdp", "streamer", "native")

_NATIVE_SHARE = 0.4  # of the seeds; the others keep the cases that they had before there was a native transport

_SEGMENT = 1_456  # bytes of data in a full packet of Streamer
_DATAGRAMS = 250  # with data, in each direction at most; repeats and acknowledgments come on top
_PATIENT = 0.7  # share of cases whose sides wait so long that nothing but success will do on most paths
_SIZES = (0, 1, 2, 100, 935, 936, 959, 960, 1456, 1457, 3_000)
_PIECES = (1, 4, 5, 100, 1_455, 1_456, 1_457, 6_000, 12_345)


def draw_case(seed: int, protocol: str | None = None) -> FuzzCase:
    """The case of a seed; of any protocol if none is named.

    Raises:
        ConfigError: there is no such protocol.
    """
    if protocol not in (None, *PROTOCOLS):
        raise ConfigError(f"a protocol is {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}, not {protocol!r}")
    is_native = Dice(f"surewire fuzz native or not {seed}").chance(_NATIVE_SHARE)
    if protocol == "native" or (protocol is None and is_native):
        return native_case(seed)
    dice = Dice(f"surewire fuzz {seed}")
    kind = dice.pick(PROTOCOLS[:2])
    return _rdp_case(dice, seed) if (protocol or kind) == "rdp" else _streamer_case(dice, seed)


def _size(dice: Dice, piece: int) -> int:
    """Bytes to send: seldom many, and not more than some hundred pieces."""
    if dice.chance(0.25):
        size = dice.pick(_SIZES)
    else:
        size = dice.stretched(1, dice.pick((3_000, 30_000, 100_000, 100_000, 400_000)))
    return min(size, _DATAGRAMS * max(piece, 1) * (3 if dice.chance(0.05) else 1))


# RDP

_RDP_TRANSPORT: dict[str, Sequence[Any]] = {
    "initial_rtt": (MS, 10 * MS, 400 * MS, 5 * S),
    "max_ack_delay": (1, MS, 25 * MS, 200 * MS),
    "ack_every": (1, 4, 100),
    "min_ack_ranges": (1, 4, 48),
    "max_ack_ranges": (1, 2, 24, 64, 1000),
    "max_tracked_ranges": (1, 2, 16),
    "ack_reordered": (True, False),
    "max_pto": (10 * MS, 200 * MS, 20 * S),
    "idle_timeout": (100 * MS, 5 * S, 60 * S, 120 * S),
    "handshake_timeout": (100 * MS, 5 * S, 120 * S),
    "stall_timeout": (S, 20 * S, 600 * S),
    "linger": (MS, S, 60 * S),
    "max_closing_pto": (10 * MS, 100 * MS, 5 * S),
    "receive_window": (1, 500, 935, 1_500, 30_000),
    "max_gaps": (1, 2, 16),
    "max_train": (1, 2, 7, 64),
    "min_pto": (10 * MS, S),
}
_RDP: dict[str, Sequence[Any]] = {
    "plain_window": (1, 2, 700, 3_000, 1 << 20),
    "plain_payload": (1, 10, 100, 536, 900),
    "assumed_window": (1, 1000, 100_000),
    "silent_close": (MS, S, 60 * S),
    "reset_copies": (1, 10),
    "farewell_copies": (1, 10),
    "plain_linger": (MS, S, 20 * S),
}


def _rdp_config(dice: Dice, magic: bytes, *, is_patient: bool) -> RdpConfig:
    how_far = dice.pick((0.0, 0.0, 0.1, 0.3))
    transport = dice.some(how_far, **_RDP_TRANSPORT)
    if is_patient:
        transport |= {"idle_timeout": 120 * S, "handshake_timeout": 120 * S, "linger": 60 * S, "stall_timeout": 120 * S}
    return RdpConfig(
        magic=magic,
        extensions=not dice.chance(0.12),
        transport=TransportConfig(**transport),
        **dice.some(how_far, **_RDP),
    )


def _rdp_case(dice: Dice, seed: int) -> RdpCase:
    magic = dice.pick((b"CSC361", b"CSC361", b"C", b"M" * 32))
    is_patient = dice.chance(_PATIENT)
    sender, receiver = (_rdp_config(dice, magic, is_patient=is_patient) for _ in range(2))
    has_checksums = sender.extensions and receiver.extensions
    window = receiver.transport.receive_window if has_checksums else receiver.plain_window
    piece = min(935 if has_checksums else sender.plain_payload, window)
    path = draw_path(dice, may_corrupt=has_checksums, may_be_classroom=False)
    kinds = ("garbage", "header", "replay", "mutant") if has_checksums else ("garbage", "replay")
    values: dict[str, Any] = {}
    if dice.chance(0.15):
        values |= dice.some(
            0.3,
            failing_write=(0, 1, 5, 20),
            failing_commit=(True,),
            shrinking_read=(0, 1, 5),
            refusals=((100 * MS,), tuple(range(10 * MS, 3 * S, 300 * MS)), (S, S, S, S, S)),
        )
    for name in ("sender_abort", "receiver_abort"):
        if dice.chance(0.05):
            values[name] = dice.stretched(MS, 20 * S)
    if dice.chance(0.15):
        values["receiver_start"] = dice.stretched(MS, 40 * S)
    if dice.chance(0.15):
        values["store_delay"] = dice.stretched(MS, 20 * S)
    size = _size(dice, piece)
    return RdpCase(
        seed=seed,
        path=path,
        size=size,
        sender=sender,
        receiver=receiver,
        injections=draw_injections(dice, kinds),
        **values,
    )


# Streamer

_STREAMER_TRANSPORT: dict[str, Sequence[Any]] = {
    "initial_rtt": (MS, 20 * MS, S),
    "max_ack_delay": (MS, 20 * MS, 500 * MS),
    "ack_every": (1, 2, 100),
    "max_ack_ranges": (1, 2, 10),
    "max_tracked_ranges": (8, 64, 300),
    "ack_reordered": (True, False),
    "overtaking_window": (0, MS, 20 * MS, S),
    "min_pto": (0, 50 * MS, S),
    "max_pto": (10 * MS, 100 * MS, 2 * S),
    "tail_effort": (0.0, 0.3),
    "tail_effort_spared": (0, 4_000),
    "tail_ping_interval": (MS, 200 * MS),
    "idle_timeout": (S, 10 * S, 120 * S),
    "handshake_timeout": (S, 10 * S, 300 * S),
    "stall_timeout": (S, 20 * S, 600 * S),
    "linger": (MS, 100 * MS, 10 * S, 60 * S),
    "receive_window": (1_472, 3_000, 20_000, 60_000),
    "max_gaps": (1, 2, 16),
}
_STREAMER: dict[str, Sequence[Any]] = {
    "pipelining": tuple(Pipelining),
    "acks": tuple(AckPolicy),
    "nagle": (True, False),
    "coalesce_delay": (0, MS, 200 * MS),
    "fin_rides": (True, False),
    "send_buffer": (1, 500, 4_000),
    "receive_buffer": (1, 100, 4_000),
    "repeat_acks_above": (0.0, 0.05, 1.0),
    "ping_interval": (50 * MS, S),
    "patient_pings": (1, 5, 200),
    "max_ping_interval": (150 * MS, 5 * S),
    "patient_openings": (1, 100),
    "max_opening_interval": (150 * MS, 10 * S),
    "keepalive_interval": (S, 5 * S, 1000 * S),
    "peer_close_timeout": (100 * MS, S, 1000 * S),
    "last_ack_timeout": (100 * MS, S, 60 * S),
}


def _streamer_config(dice: Dice, mode: Pipelining, *, is_patient: bool, is_black_hole: bool) -> StreamerConfig:
    how_far = dice.pick((0.0, 0.05, 0.15, 0.4))
    usual = StreamerConfig().transport
    values = {name: getattr(usual, name) for name in usual.__slots__}
    settings = {"pipelining": mode} | dice.some(how_far, **_STREAMER)
    values |= dice.some(how_far, **_STREAMER_TRANSPORT)
    if is_patient:
        values |= {"linger": 60 * S, "idle_timeout": 120 * S, "handshake_timeout": 300 * S, "stall_timeout": 120 * S}
        settings |= {"peer_close_timeout": 1000 * S, "last_ack_timeout": 60 * S}
    if is_black_hole:
        values["stall_timeout"] = dice.pick((S, 5 * S, 20 * S))
    return StreamerConfig(transport=TransportConfig(**values), **settings)


def _streamer_case(dice: Dice, seed: int) -> StreamerCase:
    path = draw_path(dice, may_corrupt=True, may_be_classroom=True)
    # Where long packets vanish, all of them are sent again and again until a side has seen enough.
    is_black_hole = any(link.mtu is not None for link in (path.up, path.down))
    is_patient = dice.chance(_PATIENT) and not is_black_hole
    mode = dice.pick(tuple(Pipelining)) if dice.chance(0.35) else Pipelining.SELECTIVE_REPEAT
    config1 = _streamer_config(dice, mode, is_patient=is_patient, is_black_hole=is_black_hole)
    config2 = config1
    if dice.chance(0.6):
        config2 = _streamer_config(dice, mode, is_patient=is_patient, is_black_hole=is_black_hole)
    pieces = [_piece(one, other) for one, other in ((config1, config2), (config2, config1))]
    if dice.chance(0.25):
        steps1, steps2 = _dialogue(dice, min(pieces))
        reads = False
    else:
        steps1, steps2 = (
            _talk(dice, piece, nagle=config.nagle) for piece, config in zip(pieces, (config1, config2), strict=True)
        )
        reads = True
    return StreamerCase(
        seed=seed,
        path=path,
        config1=config1,
        config2=config2,
        plan1=_plan(dice, steps1, reads=reads),
        plan2=_plan(dice, steps2, reads=reads),
        injections=draw_injections(dice, ("garbage", "replay", "mutant")),
    )


def _piece(writer: StreamerConfig, reader: StreamerConfig) -> int:
    """Bytes of which it is reasonable to send some hundred times as many."""
    piece = min(_SEGMENT, writer.send_buffer, reader.receive_buffer + 500)
    # The format states no window: what lies beyond it is dropped and sent again, each round trip.
    return min(piece, reader.transport.receive_window // 20)


Steps = list[tuple[str, int]]


def _dialogue(dice: Dice, piece: int) -> tuple[Steps, Steps]:
    """Requests and answers, turn by turn."""
    steps1: Steps = []
    steps2: Steps = []
    for _ in range(dice.whole(1, 15)):
        question, answer = (min(dice.pick(_PIECES), 10 * piece) for _ in range(2))
        steps1 += [("write", question), ("read", answer)]
        steps2 += [("read", question), ("write", answer)]
        if dice.chance(0.1):
            steps2.append(("pause", dice.stretched(MS, 2 * S)))
    return steps1, steps2


def _talk(dice: Dice, piece: int, *, nagle: bool) -> Steps:
    """Writes of some size, with pauses and a flush here and there."""
    left = 0 if dice.chance(0.2) else _size(dice, piece)
    size = max(dice.pick(_PIECES), -(-left // _DATAGRAMS))
    steps: Steps = []
    is_restless = dice.chance(0.5)
    while left > 0:
        write = min(left, size if nagle or not is_restless else dice.whole(1, 2 * size))
        steps.append(("write", write))
        left -= write
        if is_restless and dice.chance(0.1):
            steps.append(("pause", dice.stretched(MS, 3 * S)))
        if is_restless and dice.chance(0.1):
            steps.append(("flush", 0))
    if dice.chance(0.15):
        del steps[dice.whole(0, len(steps)) :]  # closes at an odd time
    return steps


def _plan(dice: Dice, steps: Steps, *, reads: bool) -> Plan:
    ending = dice.pick(("finish", "finish", "finish", "pause", "read", "abort", "rest"))
    if ending == "pause":
        steps = [*steps, ("pause", dice.stretched(MS, 20 * S))]
    elif ending == "read":  # to the end: more never comes
        steps = [*steps, ("read", 1 << 30)]
    elif ending == "abort" and dice.chance(0.5):
        at = dice.whole(0, len(steps))
        steps = [*steps[:at], ("pause", dice.stretched(MS, 5 * S)), ("abort", 0)]
    if ending != "rest" and steps[-1:] != [("abort", 0)]:
        steps = [*steps, ("finish", 0)]
    values: dict[str, Any] = {}
    if reads and dice.chance(0.2):
        values["read_every"] = dice.stretched(MS, 2 * S)
    if reads and dice.chance(0.15):
        begin = dice.stretched(MS, 3 * S)
        values["stall"] = (begin, begin + dice.stretched(10 * MS, 15 * S))
    start = dice.stretched(MS, 60 * S) if dice.chance(0.15) else 0
    is_deaf = reads and dice.chance(0.03)
    return Plan(
        steps=tuple(steps),
        start=start,
        reads=reads and not is_deaf,
        give_up=start + dice.pick((10, 60, 200)) * S,
        **values,
    )
