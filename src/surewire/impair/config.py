"""What one direction of a path does to datagrams, as data: `LinkConfig` and the parts it is made of.

Nothing happens here; `surewire.impair.link` says in which order the stages come. Every part is checked
when it is made, so a configuration that exists makes sense. Times are ns, rates bits a second, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from surewire.errors import ConfigError
from surewire.impair.checks import check_optional_whole, check_probability, check_whole

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GilbertElliott:
    """Bursty loss: a chain with a good and a bad state, which takes one step per datagram.

    The chain starts good. A datagram first moves the chain, then is lost with the probability of
    the state it finds.

    Attributes:
        p: probability of the step good -> bad, 0..1.
        r: probability of the step bad -> good, 0..1; its inverse is the mean stay in the bad state.
        loss_bad: probability of loss in the bad state, 0..1.
        loss_good: probability of loss in the good state, 0..1.

    Raises:
        ConfigError: a value is no probability.
    """

    p: float
    r: float
    loss_bad: float = 1.0
    loss_good: float = 0.0

    def __post_init__(self) -> None:
        for name in ("p", "r", "loss_bad", "loss_good"):
            check_probability(f"bursts.{name}", getattr(self, name))

    @classmethod
    def from_average(cls, loss: float, mean_burst: float) -> GilbertElliott:
        """The chain that loses everything when bad and nothing when good.

        Args:
            loss: long-run share of datagrams lost, 0 <= loss < 1.
            mean_burst: mean number of consecutive datagrams lost, >= 1 and >= loss / (1 - loss)
                (bursts are at least one delivered datagram apart).

        Raises:
            ConfigError: no such chain exists.
        """
        check_probability("average loss of bursts", loss)
        if loss == 1:
            raise ConfigError("average loss of bursts must be below 1")
        if not 1 <= mean_burst < float("inf"):
            raise ConfigError(f"mean burst length must be at least 1 datagram, not {mean_burst}")
        r = 1 / mean_burst
        p = r * loss / (1 - loss)
        if p > 1:
            raise ConfigError(f"an average loss of {loss} needs bursts of {loss / (1 - loss):.3g} datagrams or more")
        return cls(p=p, r=r)


@dataclass(frozen=True, kw_only=True, slots=True)
class CoDel:
    """Controlled delay: the queue drops so that datagrams do not wait above `target` for long (RFC 8289).

    Attributes:
        target: waiting time that is acceptable, ns, >= 1. Default 5 ms (RFC 8289 section 4.2).
        interval: how long the wait must stay above it before the first drop, ns, >= `target`; in the order
            of the longest round-trip time. Default 100 ms (RFC 8289 section 4.3).

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    target: int = 5 * _NS_PER_MS
    interval: int = 100 * _NS_PER_MS

    def __post_init__(self) -> None:
        check_whole("codel.target", self.target, least=1)
        check_whole("codel.interval", self.interval, least=self.target)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policer:
    """A token bucket before the queue: what comes faster than `rate` for more than `burst` bytes is dropped.

    Attributes:
        rate: tokens a second, in bits, >= 1.
        burst: bytes the bucket holds, and has at the start, >= 1. A datagram takes its size and the link's
            `overhead`; one that is longer than the bucket never passes.

    Raises:
        ConfigError: a value is out of its range or of another type.
    """

    rate: int
    burst: int

    def __post_init__(self) -> None:
        check_whole("policer.rate", self.rate, least=1)
        check_whole("policer.burst", self.burst, least=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """New values from a time on; what is None stays as it was.

    Attributes:
        at: when, ns from `Link.begin` or else the first datagram offered, >= 0.
        rate: bits a second, >= 1. What waits in the queue, and the rest of the datagram being serialised,
            leaves at the new rate.
        delay: propagation time of what leaves the bottleneck from then on, ns, >= 0. A shorter delay lets
            it overtake what is under way, as a shorter route does.
        loss: probability of independent loss of what leaves the bottleneck from then on, 0..1.

    Raises:
        ConfigError: a value is out of its range or of another type, or nothing changes.
    """

    at: int
    rate: int | None = None
    delay: int | None = None
    loss: float | None = None

    def __post_init__(self) -> None:
        check_whole("change.at", self.at, least=0)
        check_optional_whole("change.rate", self.rate, least=1)
        check_optional_whole("change.delay", self.delay, least=0)
        if self.loss is not None:
            check_probability("change.loss", self.loss)
        if self.rate is None and self.delay is None and self.loss is None:
            raise ConfigError("a change must give a rate, a delay or a loss")


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkConfig:
    """What one direction of a path does to datagrams; the default is a perfect link.

    Attributes:
        loss: probability that a datagram is lost, independent of the others, 0..1.
        bursts: bursty loss, beside `loss`; None for none.
        drops: the datagrams, by number from 1 in the order they reach this stage, that are lost for sure;
            ascending.
        max_loss_run: datagrams lost in a row at most, >= 1: the next one survives, unless it stands in
            `drops`; None for no bound.
        duplicate: probability that a datagram arrives twice, 0..1.
        corrupt: probability that bits of a copy are flipped, 0..1. An empty datagram has no bit to flip and passes.
        corrupt_bits: 1 to so many distinct bits are flipped, number and places uniform, >= 1.
        max_corrupt_run: copies corrupted in a row at most, >= 1; None for no bound.
        reorder: probability that a copy skips `delay` and `jitter` and so overtakes those before it,
            0..1. With `delay` 0 it is held back by `REORDER_HOLD` instead.
        reorder_gap: at least so many copies minus one keep their place between two that `reorder` picks, >= 1.
            As tc-netem's `gap`: with `reorder` 1 exactly each `reorder_gap`-th copy is picked.
        delay: propagation time in ns, >= 0.
        jitter: each copy takes `delay` + uniform(-jitter, +jitter) ns, at least 0; >= 0. Jitter
            alone reorders, as tc-netem's does, and these are not counted as reordered.
        rate: bottleneck in bits a second, > 0; None for no bottleneck.
        queue: bytes that may wait for the bottleneck (drop-tail), `overhead` included, the datagram
            being serialised not; >= 0. Default 256 KiB: 105 ms at 20 Mbit/s, so several times the
            bandwidth-delay product of a 20 ms path, as home routers have it. No part without `rate`.
        queue_packets: datagrams that may wait for the bottleneck, beside `queue`, >= 0; None for no such
            limit. No part without `rate`.
        codel: drops from the head of that queue before it is full; None for none. No part without `rate`.
        policer: a token bucket before the queue; None for none. It needs no `rate`.
        overhead: bytes added to each datagram in the bottleneck, the policer and for `mtu`, >= 0. Default
            28: IPv4 and UDP headers.
        mtu: bytes, `overhead` included, above which a datagram vanishes without a word (a path-MTU black
            hole), >= 1; None for no limit.
        blackouts: half-open intervals [start, stop) in ns during which everything offered is gone,
            counted from `Link.begin` or else the first datagram offered; 0 <= start < stop.
        blackout_period: ns after which the blackouts come again, and again; none may end later than that.
            None: they come once.
        changes: other values from later times on, in order of time, no two at one time.

    Raises:
        ConfigError: a value is out of its range or of another type, or two contradict each other.
    """

    loss: float = 0.0
    bursts: GilbertElliott | None = None
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    delay: int = 0
    jitter: int = 0
    rate: int | None = None
    queue: int = 256 * 1024
    overhead: int = 28
    blackouts: tuple[tuple[int, int], ...] = ()
    queue_packets: int | None = None
    codel: CoDel | None = None
    policer: Policer | None = None
    reorder_gap: int = 1
    corrupt_bits: int = 3
    mtu: int | None = None
    changes: tuple[Change, ...] = ()
    blackout_period: int | None = None
    max_loss_run: int | None = None
    max_corrupt_run: int | None = None
    drops: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "corrupt", "reorder"):
            check_probability(name, getattr(self, name))
        for name in ("delay", "jitter", "queue", "overhead"):
            check_whole(name, getattr(self, name), least=0)
        for name in ("reorder_gap", "corrupt_bits"):
            check_whole(name, getattr(self, name), least=1)
        for name in ("rate", "mtu", "blackout_period", "max_loss_run", "max_corrupt_run"):
            check_optional_whole(name, getattr(self, name), least=1)
        check_optional_whole("queue_packets", self.queue_packets, least=0)
        self._check_drops()
        self._check_times()

    def after(self, elapsed: int) -> LinkConfig:
        """The same link from `elapsed` (ns) on: changes that have come are its values, only those to come are left."""
        past = [change for change in self.changes if change.at <= elapsed]
        values: dict[str, Any] = {}
        for change in past:
            given = {"rate": change.rate, "delay": change.delay, "loss": change.loss}
            values.update({name: value for name, value in given.items() if value is not None})
        return replace(self, changes=self.changes[len(past) :], **values)

    def _check_drops(self) -> None:
        previous = 0
        for number in self.drops:
            check_whole("a number of drops, which ascend from 1,", number, least=previous + 1)
            previous = number

    def _check_times(self) -> None:
        for start, stop in self.blackouts:
            check_whole("start of a blackout", start, least=0)
            check_whole("end of a blackout", stop, least=start + 1)
            if self.blackout_period is not None and stop > self.blackout_period:
                raise ConfigError("blackout_period must not be shorter than a blackout's end")
        previous = -1
        for change in self.changes:
            if change.at <= previous:
                raise ConfigError("changes must be in order of time, no two at one time")
            if change.rate is not None and self.rate is None:
                raise ConfigError("a change of rate needs a rate to begin with")
            previous = change.at
