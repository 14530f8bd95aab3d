"""How long sendto of the class-room socket takes here.

    cd streamer; python ../bench/sendto_time.py 100 0.1 0.1 0.1

Sends that many full packets to a port of its own that nobody reads, with the given loss rate, corruption rate and
longest delay, and prints the mean of the calls in seconds. It is nominally 10 ms; that a sleep never ends early, the
damage, and the start of a thread for the delivery make it longer.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
from typing import Any


def main() -> None:
    sys.path[0] = os.getcwd()
    lossy_socket: Any = importlib.import_module("lossy_socket")
    count = int(sys.argv[1])
    loss, corruption, delay = map(float, sys.argv[2:])
    lossy_socket.sim = lossy_socket.SimulationParams(
        loss_rate=loss, corruption_rate=corruption, max_delivery_delay=delay
    )
    packet = os.urandom(1472)
    with socket.socket(type=socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        sender = lossy_socket.LossyUDP()
        began = time.perf_counter()
        for _ in range(count):
            sender.sendto(packet, target.getsockname())
        print(f"SENDTO_S={(time.perf_counter() - began) / count:.7f}")
        # what is on its way is sent from this socket, and to a port that still exists
        time.sleep(delay)


if __name__ == "__main__":
    main()
