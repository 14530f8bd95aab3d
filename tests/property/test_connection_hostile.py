"""Sessions against a peer that may say anything: the bodies of the fuzz harnesses, run by Hypothesis.

See fuzz/README.md. What the peer sends has the right checksum, so all of it reaches the rules of the session.
"""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import rdp_connection, streamer_connection
from fuzz.reading import Reader
from surewire.core.state import State


def acts(size: int) -> st.SearchStrategy[bytes]:
    """An input: mostly small numbers, since most bytes choose one of a few things."""
    return st.one_of(st.binary(max_size=size), st.lists(st.integers(0, 20), max_size=size).map(bytes))


@settings(max_examples=60)
@given(acts(200))
def test_rdp(data: bytes) -> None:
    rdp_connection.feed(data)


@settings(max_examples=40)
@given(acts(120))
def test_streamer(data: bytes) -> None:
    streamer_connection.feed(data)


# That the harnesses reach what they are for.


def test_random_inputs_bring_rdp_far() -> None:
    states: Counter[tuple[bool, State]] = Counter()
    rng = random.Random(1)
    for _ in range(60):
        reader = Reader(rng.randbytes(200))
        game = rdp_connection.Game(reader)
        while not reader.is_used_up and game.closed is None:
            game.act()
            states[game.is_sender, game.session.state] += 1
    assert states[True, State.ESTABLISHED] and states[False, State.ESTABLISHED]
    assert states[True, State.CLOSED] and states[False, State.CLOSED]


def test_random_inputs_bring_streamer_far() -> None:
    states: Counter[State] = Counter()
    rng = random.Random(1)
    for _ in range(150):
        reader = Reader(rng.randbytes(150))
        game = streamer_connection.Game(reader)
        while not reader.is_used_up and game.closed is None:
            game.act()
            states[game.session.state] += 1
    assert {State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED} <= set(states)
