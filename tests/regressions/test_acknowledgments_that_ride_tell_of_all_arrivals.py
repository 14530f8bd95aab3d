"""Both sides sent at once over a path that only delays, and repeated 45% of their packets.

A full segment left 2 to 6 bytes for the acknowledgment that rode on it, which tell of the last 16 to 40 numbers. With
delays of up to a second more are out of order, and with data to send there is no acknowledgment but those.
And a packet with a short number, of which more than 64 later ones overtook it, was not understood.
"""

from __future__ import annotations

import random

from surewire.core.units import NS_PER_S
from surewire.impair import ClassroomConfig
from surewire.lab.simulated.streamer_simulation import ClassroomPair, Player, streamer_session
from surewire.lab.simulated.workloads import bulk
from surewire.streamer.session import StreamerSession


def test_few_packets_are_repeated_where_none_is_lost() -> None:
    rng = random.Random(1)
    workloads = bulk(rng.randbytes(500_000), rng.randbytes(500_000))
    players = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    pair = ClassroomPair(ClassroomConfig(max_delay=NS_PER_S), *players, seed=1)
    assert pair.run(120 * NS_PER_S).is_success
    for session in pair.sessions:
        assert isinstance(session, StreamerSession)
        assert session.stats.retransmissions < 0.3 * session.stats.data
