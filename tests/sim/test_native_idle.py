"""After a while without anything to send, what follows goes out at the pace of the path, not as one burst."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.simulated.native_simulation import ETHERNET, NativeSimulation
from surewire.native.connection import Connection
from surewire.transfer.files import ScatterSource
from tests.sim.world import MS, content

RATE = 20_000_000  # bits a second
RTT = 50 * MS
BDP = RATE // 8 * RTT // NS_PER_S
QUEUE = BDP // 4
HALF = 4_000_000


class Halting(Connection):
    """Takes half of what its application gives it, and the rest when it is told to go on."""

    _rest: tuple[ScatterSource, int, int] | None = None

    def send_source(self, source: ScatterSource, offset: int, length: int, *, now: int) -> None:
        self._rest = source, offset + length // 2, length - length // 2
        super().send_source(source, offset, length // 2, now=now)

    def finish(self, *, now: int) -> None:
        if self._rest is None:
            super().finish(now=now)

    def go_on(self, now: int) -> None:
        assert self._rest is not None
        rest, self._rest = self._rest, None
        super().send_source(*rest, now=now)
        super().finish(now=now)


@pytest.mark.parametrize("idle", [1, 5, 25])
@pytest.mark.parametrize("name", ["model", "cubic", "background"])
def test_what_follows_an_idle_time_is_paced(name: str, idle: int) -> None:
    link = LinkConfig(rate=RATE, delay=RTT // 2, queue=QUEUE)
    run = NativeSimulation(
        content(2 * HALF, 1),
        link,
        LinkConfig(rate=RATE, delay=RTT // 2),
        seed=1,
        config=replace(ETHERNET, congestion=Congestion(name)),
        kind=Halting,
    )
    client, network, sent = run.client, run.network, run.forward.stats
    assert isinstance(client, Halting)
    network.run(until=60 * NS_PER_S, stop=lambda: client.acknowledged >= HALF)
    network.run(until=network.now + idle * NS_PER_S)
    began, bytes_before, dropped_before = network.now, sent.offered_bytes, sent.queue_dropped
    window = client.stats().cwnd
    assert window > 0.5 * BDP, "nothing to see: the window is small"
    client.go_on(began)
    run.endpoints[0].touch(client)
    network.service(run.hosts[0])
    network.run(until=began + 5 * MS)
    assert sent.offered_bytes - bytes_before < 0.4 * window, "a burst"
    network.run(until=began + RTT)
    assert sent.offered_bytes - bytes_before > 0.7 * min(window, BDP), "it begins anew, though the path is known"
    assert sent.queue_dropped - dropped_before <= 20, "at once, they would be fifty"
    run.run()
    assert run.is_success
