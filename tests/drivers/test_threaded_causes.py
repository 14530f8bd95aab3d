"""Which error is told when a thread of the threaded driver fails: the cause, however the threads are scheduled."""

from __future__ import annotations

import threading

import pytest

from surewire.drivers.threaded import ThreadedDriver
from surewire.errors import Aborted
from tests.drivers.fake_stream import ENDPOINT, FakeSession, FakeSocket

LONG = 30  # s; for what must happen, sooner or later


class HastySocket(FakeSocket):
    """When it is stopped, the listener sees that before the thread that stopped it does anything else."""

    def stoprecv(self) -> None:
        super().stoprecv()
        for thread in threading.enumerate():
            if thread.name == "surewire-listener":
                thread.join(LONG)


def test_the_listener_does_not_take_the_stopped_socket_for_the_cause() -> None:
    session = FakeSession()
    defect = ZeroDivisionError("a defect")
    session.defect["poll_transmit"] = defect
    driver = ThreadedDriver(session, HastySocket(), ENDPOINT)
    with pytest.raises(Aborted, match="a defect") as caught:
        driver.close()
    assert caught.value.__cause__ is defect
