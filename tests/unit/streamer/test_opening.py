"""The nonces of a connection."""

from __future__ import annotations

import random

from surewire.streamer.opening import Opening


def test_a_nonce_fits_its_field_and_is_never_zero() -> None:
    rng = random.Random(1)
    nonces = {Opening(rng).nonce for _ in range(200_000)}
    assert min(nonces) == 1 and max(nonces) == (1 << 16) - 1
    assert len(nonces) > 60_000  # drawn from all of them


def test_it_is_stated_until_the_peer_has_it() -> None:
    opening = Opening(random.Random(1))
    assert opening.sender_nonce == opening.nonce
    assert opening.peer_nonce is None
    opening.is_known = True
    assert opening.sender_nonce is None


def test_the_generator_decides() -> None:
    assert Opening(random.Random(7)).nonce == Opening(random.Random(7)).nonce != Opening(random.Random(8)).nonce
