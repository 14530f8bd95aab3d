"""One sender that `surewire recv` serves: its connection, the thread that receives from it, and how far that is."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from surewire.api.known_servers import server_name
from surewire.apps.file_receiving import FileReceiving, Received, ReceivingStream
from surewire.apps.progress import FIRST_AFTER
from surewire.apps.transfer_view import RateMeter, View
from surewire.core.units import NS_PER_S
from surewire.drivers.udp_options import UdpStats
from surewire.errors import Aborted, IdleTimeout


class ServedStream(ReceivingStream, Protocol):
    """A stream that also tells whose it is."""

    @property
    def peer(self) -> tuple[str, int]: ...

    def socket_stats(self) -> UdpStats: ...


class ServedSender:
    """What the main thread sees of it; the outcome is there when `thread` has ended."""

    def __init__(self, key: int, stream: ServedStream, folder: str, *, overwrite: bool) -> None:
        """Start serving; `key` tells senders apart."""
        self.key = key
        self.stream = stream
        self.peer = server_name(*stream.peer)
        self.receiving = FileReceiving(stream, folder, overwrite=overwrite)
        self.received: Received | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name=f"sender-{key}", daemon=True)
        self._meter = RateMeter(time.monotonic_ns())
        self._stall: IdleTimeout | None = None
        self._moved = (-1, 0)  # bytes that had come, and when that was first so
        self.thread.start()

    def _work(self) -> None:
        try:
            self.received = self.receiving.run()
        except BaseException as error:
            # told, or raised again, by the main thread
            self.error = self._stall if isinstance(error, Aborted) and self._stall is not None else error

    def view(self, now: int) -> View | None:
        """How far it is; None until that means anything."""
        offer = self.receiving.offer
        if offer is None or now - self.receiving.started_ns < FIRST_AFTER:
            return None
        stats = self.stream.stats()
        done = self.receiving.done(stats)
        return View(self.key, offer.name, done, offer.size, self._meter.rate(done, now=now), stats.rtt_ns, -1.0)

    def end_if_stalled(self, limit: int, now: int) -> None:
        """Give up a sender that stays there, but sends nothing for `limit` ns: others may want its place."""
        if self.receiving.offer is None or self.receiving.is_storing:
            return
        received = self.stream.stats().received
        if received != self._moved[0]:
            self._moved = received, now
        elif now - self._moved[1] > limit and self._stall is None:
            self._stall = IdleTimeout(f"nothing has come for {limit // NS_PER_S} s")
            self.stream.abort(1, str(self._stall))
