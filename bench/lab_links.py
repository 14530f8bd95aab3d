"""The emulated links of `bench/lab.py`, with what they bound and what is demanded on them.

A link is the scenario of its name, with damage of one bit, as netem does it: of two flipped bits TCP's checksum may
notice nothing, and the file would arrive damaged. Losses are independent, or in bursts, fall both ways, and after the
bottleneck. Rates count IP packets, so of a rate C the payload of a full datagram is 1,440 of 1,500 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from surewire.impair import LinkConfig, Scenario
from surewire.lab.scenario_files import load_scenario

PAYLOAD_SHARE = 1440 / 1500
"""What is payload of a full Ethernet's packet: 60 bytes of headers, those of UDP over IPv4 and a transport's own."""

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Column:
    """A link, a size, and what is demanded.

    Attributes:
        name: how it is chosen.
        link: both directions.
        megabytes: what is sent.
        must_seconds, must_overhead: what ours must not exceed: seconds, and IP bytes sent for each byte of the file.
    """

    name: str
    link: LinkConfig
    megabytes: float
    must_seconds: float
    must_overhead: float

    def bound_s(self, size: int) -> float:
        """Seconds for so many bytes at C(1-p), without any round trip."""
        return size * 8 / goodput_bound(self.link)


def passing(link: LinkConfig) -> float:
    """The share of packets that arrive undamaged."""
    share = (1 - link.loss) * (1 - link.corrupt)
    if link.bursts is not None:
        share *= link.bursts.r / (link.bursts.p + link.bursts.r)
    return share


def goodput_bound(link: LinkConfig) -> float:
    """Bits of payload a second: C(1-p) times the share of payload."""
    if link.rate is None:
        raise ValueError("a link without a rate has no bound")
    return link.rate * passing(link) * PAYLOAD_SHARE


def least_overhead(link: LinkConfig) -> float:
    """IP bytes sent for each byte that arrives, at least."""
    return 1 / (PAYLOAD_SHARE * passing(link))


def both_ways(name: str, link: LinkConfig) -> Scenario:
    """The link as the laboratory takes it."""
    return Scenario(name=name, up=link, down=link)


def one_bit(name: str) -> LinkConfig:
    """The link of a named scenario, the same both ways, with damage of one bit."""
    return replace(load_scenario(name).up, corrupt_bits=1)


CLEAN = one_bit("clean-100m")
"""100 Mbit/s, a round trip of 50 ms, a queue of 500 kB."""

COLUMNS = {
    column.name: column
    for column in (
        Column(name="0%", link=CLEAN, megabytes=50, must_seconds=4.6, must_overhead=1.07),
        Column(name="1%", link=one_bit("loss1"), megabytes=50, must_seconds=4.7, must_overhead=1.09),
        Column(name="10%", link=one_bit("loss10"), megabytes=50, must_seconds=5.1, must_overhead=1.20),
        Column(name="30%", link=one_bit("loss30"), megabytes=10, must_seconds=1.5, must_overhead=1.56),
        Column(name="bursts", link=one_bit("bursts-rtt200"), megabytes=50, must_seconds=6.0, must_overhead=1.15),
        Column(name="mixed", link=one_bit("mixed-1mb"), megabytes=1, must_seconds=0.60, must_overhead=1.30),
    )
}
"""Of the comparison with the peers, each demand for all of its megabytes."""
