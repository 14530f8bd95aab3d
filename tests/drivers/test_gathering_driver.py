"""That the driver for threads lets datagrams gather for as long as the pump says."""

from __future__ import annotations

import threading
import time

import pytest

import surewire
from surewire.core.units import NS_PER_US
from surewire.drivers.endpoint_pump import EndpointPump
from surewire.drivers.sleeper import Sleeper

PATIENCE = 321 * NS_PER_US


def test_a_driver_sleeps_as_patiently_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: dict[str, set[int]] = {}
    nap = Sleeper._nap

    def noted(self: Sleeper, nanoseconds: int) -> bool:
        naps.setdefault(threading.current_thread().name, set()).add(nanoseconds)
        return nap(self, nanoseconds)

    monkeypatch.setattr(Sleeper, "_nap", noted)
    monkeypatch.setattr(EndpointPump, "patience", lambda self: PATIENCE)
    with (
        surewire.listen(("127.0.0.1", 0), plain=True) as listener,
        surewire.connect(listener.address, plain=True) as client,
        listener.accept() as server,
    ):
        server.sendall(b"x" * 100)
        assert client.recv_exactly(100) == b"x" * 100
        client.shutdown()
        assert server.recv(1) == b""
        while "surewire-driver" not in naps:  # it takes over as soon as nobody waits here
            time.sleep(0.001)
    assert max(naps["MainThread"]) == max(naps["surewire-driver"]) == PATIENCE
