"""A socket that keeps saying that nothing listens at the peer's port, as Windows does, keeps no driver alive."""

from __future__ import annotations

import threading

from surewire.drivers.threaded import ThreadedDriver
from tests.drivers.fake_stream import ENDPOINT, FakeSession, FakeSocket

LONG = 30  # s; for what must happen, sooner or later


class RefusingSocket(FakeSocket):
    """From `refuse` on, every wait for a datagram ends with the same error, even when it has been stopped."""

    def __init__(self) -> None:
        super().__init__()
        self._refusing = threading.Event()
        self._is_enough = threading.Event()

    def refuse(self) -> None:
        self._refusing.set()
        self.inbox.put(ConnectionResetError("forcibly closed"))

    def relent(self) -> None:
        """Let a listener that is still there go."""
        self._is_enough.set()

    def recvfrom(self) -> tuple[bytes, tuple[str, int]]:
        if self._refusing.is_set() and not self._is_enough.is_set():
            raise ConnectionResetError("forcibly closed")
        return super().recvfrom()


def test_close_returns_although_every_wait_for_a_datagram_is_refused() -> None:
    session, socket = FakeSession(), RefusingSocket()
    session.needs_peer_end = False
    driver = ThreadedDriver(session, socket, ENDPOINT)
    driver.send(b"x")
    socket.refuse()
    closing = threading.Thread(target=driver.close, daemon=True)
    closing.start()
    try:
        closing.join(LONG)
        assert not closing.is_alive()
    finally:
        socket.relent()
        closing.join(LONG)
    assert socket.sent == [b"Dx", b"F"]
