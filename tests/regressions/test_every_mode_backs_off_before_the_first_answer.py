"""Stop-and-wait and go-back-N sent their first segment 2.5 times a second for as long as nobody had been started.

Their longest wait was `max_pto`, which is short for the sake of pings, so the wait never grew (RFC 6298 §5.5).
"""

from __future__ import annotations

import random

import pytest

from surewire.core.units import NS_PER_S
from surewire.streamer.config import Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession


@pytest.mark.parametrize("mode", Pipelining)
def test_the_wait_for_a_peer_grows(mode: Pipelining) -> None:
    now = NS_PER_S
    session = StreamerSession(
        ("nobody", 1), rng=random.Random(1), now=now, config=StreamerConfig(pipelining=mode, nagle=False)
    )
    session.write(bytes(10_000), now=now)
    sent_at: list[int] = []
    while now < 100 * NS_PER_S:
        while session.poll_transmit(now=now) is not None:
            sent_at.append(now)
        deadline = session.poll_timeout()
        assert deadline is not None
        now = max(deadline, now)
        session.handle_timeout(now=now)
    waits = [after - before for before, after in zip(sent_at, sent_at[1:], strict=False)]
    assert max(waits[:5]) < NS_PER_S // 2
    assert waits[-1] == 2 * NS_PER_S
    assert len(sent_at) < 70
