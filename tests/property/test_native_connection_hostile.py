"""Native connections against a peer with genuine keys that may say anything: the body of the fuzz harness.

See fuzz/README.md. What the peer says is sealed as it should be, so all of it reaches the rules of the connection.
"""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import native_connection
from fuzz.reading import Reader
from surewire.core.state import State


def acts(size: int) -> st.SearchStrategy[bytes]:
    """An input: mostly small numbers, since most bytes choose one of a few things."""
    return st.one_of(st.binary(max_size=size), st.lists(st.integers(0, 20), max_size=size).map(bytes))


@settings(max_examples=150)
@given(acts(300))
def test_whatever_the_peer_says(data: bytes) -> None:
    native_connection.feed(data)


def test_the_seeds_pass() -> None:
    for seed in native_connection.seeds():
        native_connection.feed(seed)


def test_random_inputs_come_far() -> None:
    """The harness reaches what it is for: every state, both directions of the stream, and every kind of refusal."""
    late = {State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING}
    states: Counter[State] = Counter()
    totals: Counter[str] = Counter()
    rng = random.Random(2)
    for number in range(600):
        if number >= 120 and late <= set(states):
            break  # both sides end at the same time in one game of some hundred
        reader = Reader(rng.randbytes(600) if rng.random() < 0.5 else bytes(rng.randrange(21) for _ in range(600)))
        game = native_connection.Game(reader)
        for _ in range(100):
            if game.closed is not None or reader.is_used_up:
                break
            game.act()
            states[game.target.state] += 1
        stats = game.target.stats()
        for name in (
            "acknowledged",
            "received",
            "malformed",
            "refused",
            "duplicates",
            "damaged",
            "lost_bytes",
            "key_updates",
        ):
            totals[name] += getattr(stats, name)
    assert late <= set(states) and State.CLOSED in states
    assert all(totals[name] > 10 for name in totals), totals
