"""A side that has all it needs says DONE and may be gone: on a lossy path the peer waited 30 s for what was lost.

Nobody repeats a last word once its program has ended, so it is said more than once where the path loses.
"""

from __future__ import annotations

import random

from tests.unit.native.pair import Hop, Pair, content, dropping


def is_unheard(seed: int) -> bool:
    """Whether a client is left without word by a server that is gone once it has closed."""
    rng, gone = random.Random(seed), [False]

    def lost(hop: Hop) -> bool:
        return (gone[0] and hop.sender == "client") or rng.random() < 0.3

    up = content(20_000, seed)
    pair = Pair(dropping(lost), to_server=up)
    pair.server.waits_for_end = True
    pair.run(20, until=lambda: pair.server.connection is not None and pair.server.it.is_closed)
    gone[0] = True
    pair.run(60)
    assert bytes(pair.server.received) == up and pair.server.error is None
    return pair.client.error is not None


def test_nearly_all_peers_hear_it() -> None:
    assert not any(is_unheard(seed) for seed in range(80))
