"""Cases: drawn from seeds, kept as JSON, judged benign or not."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest

from surewire.core.config import TransportConfig
from surewire.errors import ConfigError
from surewire.impair import ClassroomConfig, LinkConfig, Policer, Rebinding
from surewire.lab.proof.fuzz_case import (
    FuzzCase,
    FuzzPath,
    Plan,
    RdpCase,
    StreamerCase,
    as_json,
    from_json,
    protocol_of,
)
from surewire.lab.proof.fuzz_cases import PROTOCOLS, draw_case
from surewire.lab.proof.fuzz_draw import Dice
from surewire.lab.proof.fuzz_expect import deadline_of, is_benign
from surewire.lab.proof.plain_data import from_plain, to_plain
from surewire.native.config import NativeConfig
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import Pipelining, StreamerConfig

S = 1_000_000_000
MS = 1_000_000

CLEAN = RdpCase(seed=1, size=1000)
TALK = StreamerCase(
    seed=1,
    config1=StreamerConfig(peer_close_timeout=1000 * S),
    config2=StreamerConfig(peer_close_timeout=1000 * S),
    plan1=Plan(steps=(("write", 100), ("finish", 0)), give_up=10 * S),
    plan2=Plan(give_up=10 * S),
)


@pytest.mark.parametrize("seed", range(200))
def test_a_case_survives_the_file(seed: int) -> None:
    case = draw_case(seed)
    assert from_json(as_json(case)) == case == draw_case(seed)


def test_a_protocol_can_be_asked_for() -> None:
    assert {protocol_of(draw_case(seed, protocol)) for seed in range(20) for protocol in ("rdp",)} == {"rdp"}
    assert {protocol_of(draw_case(seed)) for seed in range(20)} == set(PROTOCOLS)


def test_the_cases_of_these_seeds_are_the_same_for_ever() -> None:
    """A replay command in a report must mean the same tomorrow; when drawing is changed on purpose, so is this."""
    assert as_json(draw_case(3)) != as_json(draw_case(4))
    dice = Dice("a")
    drawn = (dice.whole(0, 999), dice.stretched(1, 10**6), dice.pick("abc"), dice.real(0, 1), dice.chance(0.5))
    assert drawn == (272, 2, "b", 0.6442, True)


def test_dice() -> None:
    dice = Dice("b")
    assert {dice.whole(3, 5) for _ in range(100)} == {3, 4, 5}
    assert all(10 <= dice.stretched(10, 1000) <= 1000 for _ in range(200))
    assert len({len(str(dice.stretched(1, 10**6))) for _ in range(200)}) >= 6
    assert dice.some(1.0, x=(1,)) == {"x": 1} and dice.some(0.0, x=(1,)) == {}


def _settings(case: FuzzCase) -> tuple[RdpConfig | StreamerConfig | NativeConfig, ...]:
    if isinstance(case, RdpCase):
        return case.sender, case.receiver
    return (case.config1, case.config2) if isinstance(case, StreamerCase) else (case.client, case.server)


def test_every_impairment_is_drawn_and_both_ends_of_the_settings() -> None:
    links: Counter[str] = Counter()
    transports: Counter[str] = Counter()
    for seed in range(1500):
        case = draw_case(seed)
        for link in (case.path.up, case.path.down):
            links.update(name for name in to_plain(link))
        sides = _settings(case)
        for side in sides:
            transports.update(to_plain(side.transport))
    assert {each.name for each in dataclasses.fields(LinkConfig)} == set(links)
    assert {each.name for each in dataclasses.fields(TransportConfig)} == set(transports)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_good_part_of_the_cases_must_succeed(protocol: str) -> None:
    benign = sum(is_benign(draw_case(seed, protocol)) for seed in range(500))
    assert 75 <= benign <= 300


# What is benign


def with_path(case: RdpCase | StreamerCase, **path: object) -> RdpCase | StreamerCase:
    return dataclasses.replace(case, path=FuzzPath(**path))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", [CLEAN, TALK])
def test_a_clean_path_is_benign(case: RdpCase | StreamerCase) -> None:
    assert is_benign(case)
    assert is_benign(with_path(case, up=LinkConfig(loss=0.02, delay=20 * MS)))
    assert deadline_of(case) > 3600 * S


@pytest.mark.parametrize("case", [CLEAN, TALK])
@pytest.mark.parametrize(
    "link",
    [
        LinkConfig(loss=0.5),
        LinkConfig(mtu=1000),
        LinkConfig(delay=20 * S),
        LinkConfig(blackouts=((0, 60 * S),)),
        LinkConfig(policer=Policer(rate=10**6, burst=1000)),
    ],
    ids=["loss", "mtu", "delay", "blackout", "policer"],
)
def test_a_bad_path_is_not(case: RdpCase | StreamerCase, link: LinkConfig) -> None:
    assert not is_benign(with_path(case, up=link))
    assert not is_benign(with_path(case, down=link))


@pytest.mark.parametrize(
    "change",
    [
        {"sender_abort": S},
        {"receiver_abort": S},
        {"failing_write": 0},
        {"failing_commit": True},
        {"shrinking_read": 1},
        {"refusals": (S,)},
        {"receiver_start": 40 * S},
        {"sender": RdpConfig(transport=TransportConfig(idle_timeout=MS))},
        {"path": FuzzPath(rebinding=Rebinding(first=S, every=MS))},
        {"sender": RdpConfig(extensions=False), "path": FuzzPath(up=LinkConfig(corrupt=0.1))},
    ],
    ids=str,
)
def test_a_transfer_that_may_fail(change: dict[str, object]) -> None:
    assert not is_benign(dataclasses.replace(CLEAN, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"plan1": Plan(steps=(("abort", 0),), give_up=S)},
        {"plan2": Plan(start=200 * S, give_up=S)},
        {"config1": StreamerConfig(peer_close_timeout=S)},
        {"config1": StreamerConfig(receive_buffer=50), "plan2": Plan(steps=(("write", 100),), give_up=S),
         "plan1": Plan(reads=False, give_up=S)},
        {"path": FuzzPath(classroom=ClassroomConfig(loss=0.5))},
        {"path": FuzzPath(rebinding=Rebinding(first=S))},
    ],
    ids=range(6),
)  # fmt: skip
def test_a_stream_that_may_fail(change: dict[str, object]) -> None:
    assert not is_benign(dataclasses.replace(TALK, **change))  # type: ignore[arg-type]


# Files


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[]", "a case is an object"),
        ('{"protocol": "tcp"}', "a case is an object"),
        ('{"protocol": "rdp"}', "seed"),
        ('{"protocol": "rdp", "seed": "1"}', "RdpCase.seed: expected int"),
        ('{"protocol": "rdp", "seed": true}', "RdpCase.seed: expected int"),
        ('{"protocol": "rdp", "seed": 1, "wings": 2}', "there is no wings"),
        ('{"protocol": "rdp", "seed": 1, "refusals": 5}', "expected a list"),
        ('{"protocol": "rdp", "seed": 1, "path": 5}', "expected an object"),
        ('{"protocol": "rdp", "seed": 1, "path": {"up": {"loss": 2}}}', "probability"),
        ('{"protocol": "streamer", "seed": 1, "plan1": {"give_up": 1, "steps": [["write"]]}}', "expected 2 values"),
        ('{"protocol": "streamer", "seed": 1, "config1": {"pipelining": "x"}}', "pipelining"),
    ],
)
def test_files_that_are_no_case(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        from_json(text)


def test_plain_data_leaves_defaults_out() -> None:
    assert to_plain(RdpConfig()) == {}
    config = RdpConfig(magic=b"\xc3"[:0] + b"X", transport=TransportConfig(max_train=2))
    assert json.loads(json.dumps(to_plain(config))) == {"magic": "X", "transport": {"max_train": 2}}
    assert from_plain(RdpConfig, to_plain(config)) == config
    mode = StreamerConfig(pipelining=Pipelining.GO_BACK_N)
    assert from_plain(StreamerConfig, to_plain(mode)).pipelining is Pipelining.GO_BACK_N
