"""The tc commands, as text: no kernel with netem was at hand to run them."""

from __future__ import annotations

import pytest

from surewire.drivers.namespaces import NamespaceError
from surewire.errors import ConfigError
from surewire.impair import Change, CoDel, GilbertElliott, LinkConfig
from surewire.lab.wired.netem import netem_command, parse_counters, why_not_exactly

MS = 1_000_000
HEAD = "tc qdisc add dev wan root netem limit"


@pytest.mark.parametrize(
    ("config", "rest"),
    [
        (LinkConfig(), "100000"),
        (LinkConfig(delay=10 * MS), "100000 delay 10000us"),
        (LinkConfig(delay=10 * MS, jitter=2_500_000), "100000 delay 10000us 2500us"),
        (LinkConfig(loss=0.1), "100000 loss random 10%"),
        (LinkConfig(loss=1e-5), "100000 loss random 0.001%"),
        (
            LinkConfig(bursts=GilbertElliott(p=0.01, r=0.25, loss_bad=0.9, loss_good=0.001)),
            "100000 loss gemodel 1% 25% 90% 0.1%",
        ),
        (LinkConfig(duplicate=0.05, corrupt=0.02), "100000 duplicate 5% corrupt 2%"),
        (LinkConfig(delay=MS, reorder=0.25, reorder_gap=5), "100000 delay 1000us reorder 25% gap 5"),
        # 65 packets of the MTU may wait, 16 are on a path of 10 ms at 20 Mbit/s, and one is being sent.
        (LinkConfig(delay=10 * MS, rate=20_000_000, queue=65 * 1500), "82 delay 10000us rate 20000000bit"),
        (LinkConfig(rate=8_000, queue_packets=3), "4 rate 8000bit"),
    ],
)
def test_command(config: LinkConfig, rest: str) -> None:
    assert " ".join(netem_command("wan", config)) == f"{HEAD} {rest}"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LinkConfig(rate=1000, codel=CoDel()), "codel"),
        (LinkConfig(mtu=1400), "mtu"),
        (LinkConfig(blackouts=((0, 1),)), "blackouts"),
        (LinkConfig(changes=(Change(at=1, loss=0.5),)), "changes"),
        (LinkConfig(loss=0.1, max_loss_run=3), "max_loss_run"),
        (LinkConfig(reorder=0.1), "reorder without delay"),
        (LinkConfig(loss=0.1, bursts=GilbertElliott(p=0.1, r=0.5)), "loss beside bursts"),
    ],
)
def test_what_netem_cannot_do(config: LinkConfig, reason: str) -> None:
    assert why_not_exactly(config) == reason
    with pytest.raises(ConfigError, match=f"cannot do this link: {reason}"):
        netem_command("wan", config)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LinkConfig(rate=1000), "rate"),
        (LinkConfig(corrupt=0.1), "corrupt_bits"),
        (LinkConfig(corrupt=0.1, corrupt_bits=1), None),
        (LinkConfig(delay=MS, jitter=MS, loss=0.1), None),
        (LinkConfig(delay=MS, duplicate=0.1), None),
        (LinkConfig(delay=MS, jitter=MS, loss=0.1, duplicate=0.1), "duplicate beside loss"),
    ],
)
def test_what_netem_does_exactly(config: LinkConfig, reason: str | None) -> None:
    assert why_not_exactly(config) == reason


def test_counters() -> None:
    text = '[{"kind": "netem", "handle": "8001:", "root": true, "bytes": 4200, "packets": 3, "drops": 1, "qlen": 0}]'
    assert parse_counters(text) == {"delivered": 3, "delivered_bytes": 4200, "dropped": 1}


@pytest.mark.parametrize("text", ["", "[]", '[{"kind": "noqueue"}]'])
def test_no_counters(text: str) -> None:
    with pytest.raises(NamespaceError, match="no netem"):
        parse_counters(text)
