"""Seeds keep their meaning: what the link delivered before it had CoDel, policing, changes and the rest.

The digests were recorded with the model of commit be69531, before it was divided and extended. A difference here
makes every seed in a bug report, a trace or a document worthless; it is no matter of updating the digests.
"""

from __future__ import annotations

import hashlib
import random

import pytest

from surewire.impair import GilbertElliott, Link, LinkConfig

MS = 1_000_000
S = 1_000_000_000

CONFIGS = {
    "perfect": LinkConfig(),
    "delay": LinkConfig(delay=20 * MS, jitter=5 * MS),
    "jitter only": LinkConfig(jitter=7 * MS),
    "loss": LinkConfig(loss=0.3, delay=MS),
    "bursts": LinkConfig(bursts=GilbertElliott.from_average(0.2, 4)),
    "bursts both states": LinkConfig(loss=0.05, bursts=GilbertElliott(p=0.1, r=0.3, loss_bad=0.7, loss_good=0.02)),
    "duplicate": LinkConfig(duplicate=0.4, corrupt=0.5, jitter=MS),
    "reorder": LinkConfig(reorder=0.25, delay=10 * MS, jitter=MS),
    "reorder without delay": LinkConfig(reorder=0.25),
    "bottleneck": LinkConfig(rate=3_333_333, queue=7_000, delay=MS),
    "bottleneck without queue": LinkConfig(rate=20_000_000, queue=0, overhead=0),
    "blackouts": LinkConfig(blackouts=((100 * MS, 300 * MS), (S, 2 * S)), loss=0.1),
    "all": LinkConfig(
        loss=0.1,
        bursts=GilbertElliott.from_average(0.05, 3),
        duplicate=0.1,
        corrupt=0.1,
        reorder=0.1,
        delay=25 * MS,
        jitter=8 * MS,
        rate=2_000_000,
        queue=20_000,
        overhead=40,
        blackouts=((500 * MS, 600 * MS),),
    ),
}

RECORDED = {
    "perfect": "c64bd401a361966f",
    "delay": "7ece31e0ab0038cc",
    "jitter only": "7eb705d29c8093e6",
    "loss": "1df18cf2c342240f",
    "bursts": "251a106af96c4661",
    "bursts both states": "87f1a57513fc0ef0",
    "duplicate": "80012a529a142fc0",
    "reorder": "a487d95beebdc004",
    "reorder without delay": "926057af83af21e5",
    "bottleneck": "1be4bd7959101e17",
    "bottleneck without queue": "e1f63fe27c7b7cf4",
    "blackouts": "d62fae001320b1e9",
    "all": "4b0e07b33986e3fd",
}


def digest(config: LinkConfig) -> str:
    """Of all deliveries of 500 datagrams, some of them in one moment, some empty."""
    datagrams = random.Random("datagrams")
    link = Link(config, random.Random("link"))
    sha = hashlib.sha256()
    now = 12_345
    for _ in range(500):
        datagram = datagrams.randbytes(datagrams.choice((0, 1, 40, 1_000, 1_400)))
        for at, copy in link.transmit(datagram, now=now):
            sha.update(b"%d %d " % (at, len(copy)) + copy)
        sha.update(b";")
        now += datagrams.choice((0, 0, 1, MS // 3, 4 * MS, 9 * MS))
    return sha.hexdigest()[:16]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_deliveries_are_those_recorded(name: str) -> None:
    assert digest(CONFIGS[name]) == RECORDED[name]


def test_the_digest_sees_one_bit_and_one_nanosecond() -> None:
    assert digest(LinkConfig(delay=1)) != digest(LinkConfig())
    assert digest(LinkConfig(corrupt=0.01)) != digest(LinkConfig())
