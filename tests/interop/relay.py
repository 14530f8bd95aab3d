"""A small lossy path between two programs on 127.0.0.1, for the tests of the foreign peers by themselves.

Independent of the package's own router on purpose: it is part of what shows that the peers are right. It forwards
between one receiver and whoever sent last, drops and duplicates whole packets, and delays or changes none.
"""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from types import TracebackType

Fate = Callable[[bytes, bool], int]
"""Copies to deliver (0 is loss) of a packet; the second argument is True on the way to the receiver."""


def random_fate(seed: int, loss: float, duplication: float) -> Fate:
    """Independent loss and duplication, both as probabilities."""
    dice = random.Random(seed)

    def fate(packet: bytes, forward: bool) -> int:
        return 0 if dice.random() < loss else 1 + (dice.random() < duplication)

    return fate


class LossyRelay:
    """Forwards from construction until the `with` block is left; `.port` is where the sender has to send."""

    def __init__(self, to_port: int, fate: Fate) -> None:
        self._receiver = ("127.0.0.1", to_port)
        self._fate = fate
        self._stopping = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="lossy relay")
        self._thread.start()

    def _run(self) -> None:
        sender: tuple[str, int] | None = None
        while not self._stopping.is_set():
            try:
                packet, source = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            forward = source != self._receiver
            if forward:
                sender = source
            target = self._receiver if forward else sender
            copies = self._fate(packet, forward)
            self.lost += copies == 0
            if target is None:
                continue
            for _ in range(copies):
                self._socket.sendto(packet, target)

    def __enter__(self) -> LossyRelay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()
