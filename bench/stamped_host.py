"""A host of Streamer's tester, run as it is, that also says when its packets left and when its last bytes came.

    cd streamer; python ../bench/stamped_host.py 8000 8001 1

The tester and streamer.py stay unchanged: before test.py runs, classes that look at the clock take the places of
LossyUDP and Streamer. That is a few clock readings a packet, where output without a buffer would be two
system calls a number. As the last line of its own it prints STAMPS and a JSON object:

    first_sent, last_received    ns on the clock that all processes of a machine share; null if there was none
    sends, send_ns               calls of sendto, and the time spent in them
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
import time
from typing import Any

STAMPS = "STAMPS "


class Stamps:
    """What was seen; the thread that sends and the one that receives each write attributes of their own."""

    def __init__(self) -> None:
        self.first_sent: int | None = None
        self.last_received: int | None = None
        self.sends = 0
        self.send_ns = 0

    def on_sent(self, began: int, ended: int) -> None:
        if self.first_sent is None:
            self.first_sent = began
        self.sends += 1
        self.send_ns += ended - began


def stamp(lossy_socket: Any, instance: str) -> Stamps:
    """Replace LossyUDP and Streamer by classes that keep stamps, and return these."""
    stamps = Stamps()

    class StampedLossyUDP(lossy_socket.LossyUDP):  # type: ignore[misc]
        def sendto(self, message: bytes, dst: tuple[str, int]) -> Any:
            began = time.monotonic_ns()
            try:
                return super().sendto(message, dst)
            finally:
                stamps.on_sent(began, time.monotonic_ns())

    lossy_socket.LossyUDP = StampedLossyUDP
    # streamer.py takes the name from lossy_socket when it is imported: not before it is another one
    streamer: Any = importlib.import_module("streamer")

    class StampedStreamer(streamer.Streamer):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            # the tester's own words wait in the buffer
            print(f"instance {instance} is up", flush=True)

        def recv(self) -> bytes:
            data: bytes = super().recv()
            if data:
                stamps.last_received = time.monotonic_ns()
            return data

    streamer.Streamer = StampedStreamer
    return stamps


def main() -> None:
    # the folder of the tester, not this one, where another file is called streamer.py
    sys.path[0] = os.getcwd()
    stamps = stamp(importlib.import_module("lossy_socket"), sys.argv[-1])
    try:
        runpy.run_path("test.py", run_name="__main__")
    finally:
        print(STAMPS + json.dumps(vars(stamps)), flush=True)


if __name__ == "__main__":
    main()
