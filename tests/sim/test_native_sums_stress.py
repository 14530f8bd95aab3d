"""Sums of datagrams, whatever a path, an application and a configuration may do: every byte is right, and all ends.

Each case is drawn from its seed: two lossy links that repeat, reorder and go silent, a path MTU that falls, both
directions, writes and files of many sizes, and small windows on either side.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from surewire.core.units import NS_PER_MS as MS
from surewire.impair import LinkConfig
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.transfer.files import MemorySource
from tests.unit.native.pair import BOTH, End, Hop, Pair, content, is_over, linked

SEEDS = (*range(30), 68, 367, 438, 446, 453, 481, 496, 550, 564, 577)
CUT_OFF = 28  # of IPv4 and UDP


def draw_link(rng: random.Random) -> LinkConfig:
    start = rng.randrange(1000) * MS
    delay = rng.choice([1, 5, 10, 30, 100]) * MS
    return LinkConfig(
        loss=rng.choice([0.02, 0.05, 0.1, 0.2, 0.3, 0.5]),
        delay=delay,
        duplicate=rng.choice([0, 0, 0.02, 0.2]),
        reorder=rng.choice([0, 0, 0.02, 0.2]),
        jitter=rng.choice([0, 0, delay // 2, delay]),
        rate=rng.choice([None, 1_000_000, 5_000_000, 20_000_000, 100_000_000]),
        blackouts=((start, start + rng.randrange(50, 1500) * MS),) if rng.random() < 0.3 else (),
    )


def draw_config(rng: random.Random) -> NativeConfig:
    window = rng.choice([DEFAULT_TRANSPORT.receive_window] * 3 + [70_000])
    return NativeConfig(
        transport=replace(DEFAULT_TRANSPORT, receive_window=window),
        repair_window=rng.choice([4 << 20] * 4 + [100_000, 20_000, 1_000]),
        max_datagram=rng.choice([1_200, 1_472, 1_472, 8_972, 65_507]),
        send_buffer=rng.choice([16 << 20] * 3 + [100_000]),
        max_rate=rng.choice([None, None, None, 1_000_000]),
        update_keys_after=rng.choice([None, 50]),
    )


class Application(End):
    """Writes pieces and files at their times, then ends its stream; reads whatever comes."""

    def draw(self, rng: random.Random, data: bytes, origin: int) -> None:
        """What it will do."""
        self.data, self.at, self.due, self.pause = data, 0, origin, 0
        self.rng = rng
        self.pieces = rng.choice([(len(data) or 1,), (100, 4_500, 20_000), (15_000, 30_000, 80_000)])
        self.pauses = rng.choice([(0,), (0, 0, 0, 2, 10, 40, 200)])
        self.files = rng.choice([0.0, 0.3, 1.0])

    def act(self, now: int) -> None:
        connection = self.connection
        if connection is None:
            return
        while data := connection.read(1 << 20, now=now):
            self.received += data
        while self.at < len(self.data) and self.due <= now and not connection.is_closed:
            piece = self.data[self.at : self.at + self.rng.choice(self.pieces)]
            if self.rng.random() < self.files:
                connection.send_source(MemorySource(piece), 0, len(piece), now=now)
                self.at += len(piece)
            elif not (taken := connection.write(piece, now=now)):
                return
            else:
                self.at += taken
            self.due = now + self.rng.choice(self.pauses) * MS
        if self.at >= len(self.data) and self.due <= now and not connection.is_closed:
            connection.finish(now=now)


class Paused(Pair):
    """A pair whose applications wake by themselves, too."""

    def _next_at(self) -> int | None:
        at = super()._next_at()
        due = [end.due for end in self.ends if isinstance(end, Application) and end.due > self.now]
        return min([*due, *([] if at is None else [at])], default=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_byte_is_right_and_all_ends(seed: int) -> None:
    rng = random.Random(f"sums {seed}")
    links = linked(draw_link(rng), draw_link(rng), seed=seed)
    falls_at, mtu = (rng.randrange(20, 800) * MS, 1_300) if rng.random() < 0.3 else (1 << 62, 0)
    began: list[int] = []

    def path(hop: Hop) -> list[tuple[int, bytes]]:
        began.append(hop.now)
        has_fallen = hop.now - began[0] >= falls_at
        return [] if has_fallen and len(hop.data) + CUT_OFF > mtu else list(links(hop))

    security = BOTH[rng.choice(["checked", "sealed"])]()
    pair = Paused(path, seed=seed, config=draw_config(rng), server_config=draw_config(rng), security=security)
    up, down = (content(rng.choice([0, 3_000, 20_000, 60_000, 150_000, 300_000]), seed + at) for at in range(2))
    for end, data in ((pair.client, up), (pair.server, down)):
        end.__class__ = Application
        assert isinstance(end, Application)
        end.draw(rng, data, pair.now)
    assert pair.run(100, until=lambda: is_over(pair))
    assert pair.client.error is None and pair.server.error is None
    assert pair.server.received == up and pair.client.received == down
    for end in pair.ends:
        assert end.it.stats().malformed == 0
