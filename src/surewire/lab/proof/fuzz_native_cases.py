"""Draws native cases: settings, limits, and what the applications of some connections do, on a path of `fuzz_draw`.

The seeds are the fuzzer's; the draws are of a generator of their own, so that the cases of the other protocols stay
what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from surewire.impair import Rebinding
from surewire.lab.proof.fuzz_case import FuzzPath, NativeCase, Plan, Talk
from surewire.lab.proof.fuzz_draw import MS, Dice, S, draw_injections, draw_link, draw_path
from surewire.native.admission import AdmissionConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig

_DATAGRAMS = 250  # with data, in each direction of all connections together
_PATIENT = 0.7
_GENTLE = 0.35  # share of cases on a path on which nothing but success will do, if nobody gives up
_SEALED = 0.15  # share of cases: what is sealed cannot be read on the wire
_SIZES = (0, 1, 2, 100, 1_174, 1_175, 1_446, 1_447, 3_000, 20_000)
_PIECES = (1, 4, 100, 1_174, 1_446, 6_000, 12_345)

_TRANSPORT: dict[str, Sequence[Any]] = {
    "initial_rtt": (MS, 10 * MS, 400 * MS, 5 * S),
    "max_ack_delay": (1_000, MS, 25 * MS, 200 * MS),
    "ack_every": (1, 2, 4, 100),
    "min_ack_ranges": (1, 4, 48),
    "max_ack_ranges": (1, 2, 24, 64),
    "max_tracked_ranges": (1, 2, 16),
    "ack_reordered": (True, False),
    "min_pto": (10 * MS, S),
    "max_pto": (10 * MS, 200 * MS, 20 * S),
    "max_closing_pto": (10 * MS, 100 * MS, 5 * S),
    "idle_timeout": (100 * MS, 5 * S, 60 * S, 120 * S),
    "stall_timeout": (S, 20 * S, 600 * S),
    "handshake_timeout": (100 * MS, 5 * S, 120 * S),
    "receive_window": (1, 500, 1_174, 1_500, 30_000, 30_000),
    "max_gaps": (1, 2, 16),
    "max_train": (1, 2, 7, 64),
}
_NATIVE: dict[str, Sequence[Any]] = {
    "send_buffer": (1, 500, 4_000, 100_000),
    "max_datagram": (1_200, 1_201, 1_472, 9_000, 65_507),
    "fixed_datagram": (1_200, 1_280, 1_472, 4_000),
    "connection_id_prefix": (b"\x01", b"\xff\xff\xff\xff"),
    "keepalive": (100 * MS, S, 25 * S, 1000 * S),
    "wait_at_end": ((1, MS), (MS, S), (5 * S, 60 * S)),
    "update_keys_after": (1, 2, 10, 100, 100),
}
_LIMITS: dict[str, Sequence[Any]] = {
    "max_connections": (1, 2),
    "max_per_address": (1, 2),
    "max_half_open": (1, 2, 200),
    "max_half_open_per_address": (1, 2),
    "max_unproven": (0,),
    "max_unproven_per_address": (0, 1),
    "max_unproven_per_s": (0, 1),
    "max_waiting": (1,),
    "always_validate": (True,),
    "handshake_timeout": (100 * MS, S),
}

Steps = list[tuple[str, int]]


def native_case(seed: int) -> NativeCase:
    """The native case of a seed."""
    dice = Dice(f"surewire fuzz native {seed}")
    if dice.chance(_GENTLE):
        up, down = (draw_link(dice, dice.pick(("clean", "fair")), may_corrupt=True) for _ in range(2))
        path = FuzzPath(up=up, down=down)
    else:
        path = draw_path(dice, may_corrupt=True, may_be_classroom=False)
    if path.rebinding is None and dice.chance(0.1):
        path = replace(path, rebinding=_rebinding(dice))
    is_patient = dice.chance(_PATIENT)
    client, server = (_config(dice, path, is_patient=is_patient) for _ in range(2))
    count = dice.pick((1, 1, 1, 2, 3, 8))
    talks = tuple(_talk(dice, client, server, share=count) for _ in range(count))
    values: dict[str, Any] = {}
    if dice.chance(0.15):
        values["server_start"] = dice.stretched(MS, 40 * S)
    if dice.chance(0.05):
        values["refusals"] = dice.pick(((100 * MS,), tuple(range(10 * MS, 3 * S, 300 * MS)), (S, S, S, S, S)))
    return NativeCase(
        seed=seed,
        path=path,
        client=client,
        server=server,
        limits=_limits(dice, is_patient=is_patient),
        is_sealed=dice.chance(_SEALED),
        talks=talks,
        injections=draw_injections(dice, ("garbage", "replay", "mutant")),
        **values,
    )


def _rebinding(dice: Dice) -> Rebinding:
    every = dice.stretched(500 * MS, 20 * S) if dice.chance(0.5) else None
    return Rebinding(first=dice.stretched(MS, 5 * S), every=every, address=dice.chance(0.4))


def _config(dice: Dice, path: FuzzPath, *, is_patient: bool) -> NativeConfig:
    how_far = dice.pick((0.0, 0.0, 0.1, 0.3))
    transport = dice.some(how_far, **_TRANSPORT)
    values = dice.some(how_far, **_NATIVE)
    if is_patient:
        transport |= {"idle_timeout": 120 * S, "handshake_timeout": 120 * S, "stall_timeout": 120 * S}
        values.pop("keepalive", None)
    if any(link.mtu is not None and link.mtu < 1_250 for link in (path.up, path.down)):
        transport["stall_timeout"] = dice.pick((S, 5 * S, 20 * S))  # full datagrams are sent in vain all that time
    if not dice.chance(0.3):
        values.setdefault("max_datagram", 1_472)
    return NativeConfig(transport=replace(DEFAULT_TRANSPORT, **transport), **values)


def _limits(dice: Dice, *, is_patient: bool) -> AdmissionConfig:
    if not dice.chance(0.15):
        patience = 60 * S if is_patient and dice.chance(0.7) else 10 * S
        return AdmissionConfig(always_validate=dice.chance(0.2), handshake_timeout=patience)
    values = dice.some(0.15, **_LIMITS)
    half_open = values.get("max_half_open", 1_024)
    values["max_unproven"] = min(values.get("max_unproven", 128), half_open - 1)
    return AdmissionConfig(**values)


def _piece(writer: NativeConfig, reader: NativeConfig) -> int:
    """Bytes of which it is reasonable to send some hundred times as many."""
    window = min(writer.send_buffer, reader.transport.receive_window)
    return max(min(1_446, window, writer.transport.max_train * 1_446), 1)


def _talk(dice: Dice, client: NativeConfig, server: NativeConfig, *, share: int) -> Talk:
    """One connection; `share`: so many of them have to get by with the work of one."""
    pieces = [_piece(client, server), _piece(server, client)]
    start = dice.stretched(MS, 10 * S) if dice.chance(0.4) else 0
    if dice.chance(0.25):
        steps = _dialogue(dice, min(pieces), share)
        reads = False
    else:
        steps = _stream(dice, pieces[0], share), _stream(dice, pieces[1], share)
        reads = True
    give_up = start + dice.pick((10, 60, 200)) * S
    first, second = (_plan(dice, one, reads=reads, give_up=give_up) for one in steps)
    return Talk(client=replace(first, start=start), server=second)


def _dialogue(dice: Dice, piece: int, share: int) -> tuple[Steps, Steps]:
    """Requests and answers, turn by turn; some answers are written from a source or into a sink."""
    steps1: Steps = []
    steps2: Steps = []
    for _ in range(max(dice.whole(1, 15) // share, 1)):
        question, answer = (min(dice.pick(_PIECES), 10 * piece) for _ in range(2))
        take = dice.pick(("read", "read", "divert"))
        steps1 += [("write", question), (take, answer)]
        steps2 += [("read", question), (dice.pick(("write", "send")), answer)]
        if dice.chance(0.1):
            steps2.append(("pause", dice.stretched(MS, 2 * S)))
    return steps1, steps2


def _stream(dice: Dice, piece: int, share: int) -> Steps:
    """Writes of some size and bytes of sources, with pauses, and now and then something into a sink."""
    left = 0 if dice.chance(0.2) else _size(dice, piece, share)
    size = max(dice.pick(_PIECES), -(-left // _DATAGRAMS))
    steps: Steps = []
    is_restless = dice.chance(0.5)
    while left > 0:
        count = min(left, dice.whole(1, 2 * size) if is_restless else size)
        if dice.chance(0.1):
            count = left
        steps.append(("send" if dice.chance(0.2) else "write", count))
        left -= count
        if is_restless and dice.chance(0.1):
            steps.append(("pause", dice.stretched(MS, 3 * S)))
        if dice.chance(0.03):
            steps.append(("divert", dice.stretched(1, 20_000)))
    return steps


def _size(dice: Dice, piece: int, share: int) -> int:
    if dice.chance(0.25):
        size = dice.pick(_SIZES)
    else:
        size = dice.stretched(1, dice.pick((3_000, 30_000, 100_000, 100_000, 400_000)))
    return min(size, _DATAGRAMS * piece * (3 if dice.chance(0.05) else 1) // share)


def _plan(dice: Dice, steps: Steps, *, reads: bool, give_up: int) -> Plan:
    ending = dice.pick(("finish", "finish", "finish", "finish", "pause", "read", "close", "abort", "rest"))
    if ending == "pause":
        steps = [*steps, ("pause", dice.stretched(MS, 20 * S))]
    elif ending == "read":  # to the end: more never comes
        steps = [*steps, ("read", 1 << 30)]
    if ending == "abort" and dice.chance(0.25):
        at = dice.whole(0, len(steps))
        steps = [*steps[:at], ("pause", dice.stretched(MS, 5 * S)), ("abort", 0)]
    elif ending == "close":
        steps = [*steps, ("close", 0)]
    elif ending != "rest":
        steps = [*steps, ("finish", 0)]
    values: dict[str, Any] = {}
    if reads and dice.chance(0.2):
        values["read_every"] = dice.stretched(MS, 2 * S)
    if reads and dice.chance(0.15):
        begin = dice.stretched(MS, 3 * S)
        values["stall"] = (begin, begin + dice.stretched(10 * MS, 15 * S))
    is_deaf = reads and dice.chance(0.03)
    return Plan(steps=tuple(steps), reads=reads and not is_deaf, give_up=give_up, **values)
