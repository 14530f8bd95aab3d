"""Random configurations of links, for hypothesis; every field takes part."""

from __future__ import annotations

from hypothesis import strategies as st

from surewire.impair import Change, CoDel, GilbertElliott, LinkConfig, Policer

MS = 1_000_000
S = 1_000_000_000

probabilities = st.sampled_from((0, 0.01, 0.1, 0.5, 1)) | st.floats(0, 1)
times = st.integers(0, 300 * MS) | st.sampled_from((0, MS, 10 * MS, 100 * MS))
rates = st.integers(1_000, 10**9)
runs = st.none() | st.integers(1, 5)


@st.composite
def bursts(draw: st.DrawFn) -> GilbertElliott:
    if draw(st.booleans()):
        loss = draw(st.floats(0, 0.9))
        return GilbertElliott.from_average(loss, draw(st.floats(max(1, loss / (1 - loss)) + 0.1, 20)))
    values = st.fixed_dictionaries(dict.fromkeys(("p", "r", "loss_bad", "loss_good"), probabilities))
    return GilbertElliott(**draw(values))


@st.composite
def codels(draw: st.DrawFn) -> CoDel:
    target = draw(st.integers(1, 20 * MS))
    return CoDel(target=target, interval=target + draw(st.integers(0, 200 * MS)))


@st.composite
def changes(draw: st.DrawFn, *, with_rate: bool) -> tuple[Change, ...]:
    made = []
    for at in sorted(draw(st.sets(times, max_size=4))):
        rate = draw(st.none() | rates) if with_rate else None
        delay, loss = draw(st.none() | times), draw(st.none() | probabilities)
        if (rate, delay, loss) != (None, None, None):
            made.append(Change(at=at, rate=rate, delay=delay, loss=loss))
    return tuple(made)


@st.composite
def blackouts(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    pairs = draw(st.lists(st.tuples(times, st.integers(1, 100 * MS)), max_size=3))
    return tuple((start, start + length) for start, length in pairs)


@st.composite
def link_configs(draw: st.DrawFn) -> LinkConfig:
    """Any configuration, half of its parts off in most."""
    rate = draw(st.none() | rates)
    black = draw(st.just(()) | blackouts())
    last = max((stop for _, stop in black), default=1)
    numbers = draw(st.just(set()) | st.sets(st.integers(1, 60), max_size=10))
    return LinkConfig(
        loss=draw(st.just(0) | probabilities),
        bursts=draw(st.none() | bursts()),
        drops=tuple(sorted(numbers)),
        max_loss_run=draw(runs),
        duplicate=draw(st.just(0) | probabilities),
        corrupt=draw(st.just(0) | probabilities),
        corrupt_bits=draw(st.integers(1, 20)),
        max_corrupt_run=draw(runs),
        reorder=draw(st.just(0) | probabilities),
        reorder_gap=draw(st.integers(1, 6)),
        delay=draw(times),
        jitter=draw(st.just(0) | times),
        rate=rate,
        queue=draw(st.integers(0, 20_000)),
        queue_packets=draw(st.none() | st.integers(0, 10)),
        codel=draw(st.none() | codels()),
        policer=draw(st.none() | st.builds(Policer, rate=rates, burst=st.integers(1, 10_000))),
        mtu=draw(st.none() | st.integers(1, 2_000)),
        overhead=draw(st.sampled_from((0, 28, 48))),
        blackouts=black,
        blackout_period=draw(st.none() | st.integers(last, last + S)),
        changes=draw(changes(with_rate=rate is not None)),
    )


offers = st.lists(st.tuples(st.sampled_from((0, 0, 1, 1_000, MS, 7 * MS)), st.integers(0, 1_500)), max_size=80)
"""Gaps in ns and sizes in bytes of the datagrams offered to a link."""
