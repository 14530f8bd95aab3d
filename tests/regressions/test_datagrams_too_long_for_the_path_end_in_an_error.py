"""Where long datagrams vanish and short ones pass, as behind a wrong path MTU, both sides went on for ever.

Each was heard by the other all the time: pings, acknowledgments and FINs pass. Nothing limited how long nothing moves.
"""

from __future__ import annotations

import pytest

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConnectionLost
from surewire.impair import LinkConfig, Scenario
from surewire.lab.simulated.players import Player
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.lab.simulated.stream_simulation import StreamSimulation
from surewire.lab.simulated.streamer_simulation import streamer_session
from surewire.lab.simulated.workloads import bulk
from surewire.rdp.config import RdpConfig
from surewire.streamer.session import StreamerSession

OPEN = LinkConfig(delay=10 * NS_PER_MS)
NARROW = LinkConfig(delay=10 * NS_PER_MS, mtu=1280)


def test_streamer() -> None:
    workloads = bulk(bytes(5_000), b"")
    players = [Player(workload=workload, make_session=streamer_session()) for workload in workloads]
    simulation = StreamSimulation(Scenario(name="narrow", up=NARROW, down=OPEN), *players, seed=1)
    outcome = simulation.run(300 * NS_PER_S)
    assert isinstance(outcome.host1.error, ConnectionLost) and "taken nothing" in str(outcome.host1.error)
    reader = simulation.sessions[1]
    assert isinstance(reader, StreamerSession)
    assert isinstance(reader.reading_error, ConnectionLost), "it would wait for ever"


@pytest.mark.parametrize("extensions", [True, False])
def test_rdp(extensions: bool) -> None:
    """The file's last segment is short and arrives, so both sides hear of each other."""
    narrow = LinkConfig(delay=10 * NS_PER_MS, mtu=900)
    simulation = RdpSimulation(bytes(2_000), narrow, OPEN, seed=1, config=RdpConfig(extensions=extensions))
    simulation.run(limit_s=400)
    for outcome in (simulation.sender_outcome, simulation.receiver_outcome):
        assert outcome.closed and isinstance(outcome.error, ConnectionLost)
    assert simulation.sink.committed is None
