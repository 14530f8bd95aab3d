"""Who sends a file waits until it has arrived before he says that it was the last: that end was not hurried.

Copies of what was sent last, and words that ask for it, went out at the end of the stream only, so that at 30% loss 300
kB took a third longer than those that end with the stream.
"""

from __future__ import annotations

import random

from surewire.native.config import NativeConfig
from surewire.transfer.files import MemorySource
from tests.unit.native.pair import Hop, Pair, content, dropping


def seconds(seed: int, *, ends: bool) -> float:
    """Until 300 kB are acknowledged, whether the stream ends with them or not."""
    rng = random.Random(seed)

    def lost(hop: Hop) -> bool:
        return rng.random() < 0.3

    pair = Pair(dropping(lost), config=NativeConfig())
    pair.client.finishes = pair.server.finishes = False
    pair.server.reads = True
    pair.run(10, until=lambda: pair.client.it.is_established)
    data, began = content(300_000), pair.now
    pair.client.it.send_source(MemorySource(data), 0, len(data), now=pair.now)
    if ends:
        pair.client.it.finish(now=pair.now)
    assert pair.run(60, until=lambda: pair.client.it.acknowledged == len(data))
    return (pair.now - began) / 1e9


def test_a_file_takes_as_long_whether_the_stream_ends_with_it_or_not() -> None:
    alone = sorted(seconds(seed, ends=False) for seed in range(30))
    ending = sorted(seconds(seed, ends=True) for seed in range(30))
    assert sum(alone[5:25]) < 1.1 * sum(ending[5:25])
