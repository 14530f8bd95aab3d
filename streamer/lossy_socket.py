"""A UDP socket in front of a bad network: it loses, damages and delays what is sent through it.

`LossyUDP` is a `socket.socket` for UDP over IPv4. What it does to the messages is set by the module global `sim`:

    import lossy_socket
    lossy_socket.sim = lossy_socket.SimulationParams(loss_rate=0.1, corruption_rate=0.1, max_delivery_delay=0.1)

Assign a whole new object, as here, at any time; it holds for every socket from then on. (`from lossy_socket import sim`
would give you the value of that moment, which no assignment changes any more.)

What happens to a message given to `sendto`, in this order:

1. It is counted, whatever becomes of it, and the caller sleeps 10 ms: at most 100 messages a second.
2. It is lost with the probability `loss_rate`.
3. Each bit is flipped with the probability `corruption_rate` / number of bits, each by itself. So `corruption_rate` is
   the mean number of flipped bits in a message, whatever its length: 0.1 damages about one message in ten.
4. It is delivered after a time between 0 and `max_delivery_delay` seconds, all equally likely, by a thread of its own.
   A message sent later may come earlier.

From `become_reliable_after` seconds after the import of this module on, steps 2 and 3 are left out.

Chance comes from Python's global generator, which the import of this module seeds with a constant: a program that
sends the same messages in the same order meets the same fate each time. For another fate, call `random.seed` after the
import. The draws for a message are: one for the loss; if it is not lost, one for each flipped bit and one more (none
if `corruption_rate` is 0, or so high that every bit is flipped), then one for the delay. A program that draws from the
global generator itself, or sends from several threads, shifts what falls to which message.

When the program ends, six lines with the traffic of all its sockets are printed, see `Statistics`.

This file needs nothing but the standard library. It does not emulate a link's bandwidth, queue or duplicates.
"""

from __future__ import annotations

import atexit
import math
import random
import socket
import threading
import time
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 1472
"""An Ethernet frame carries 1500 bytes, of which IP takes 20 and UDP 8."""

SEND_TIME_S = 0.010
WAKE_INTERVAL_S = 1.0

HEADER_BYTES = 46
"""What each message costs on an Ethernet besides its own bytes: UDP 8, IP 20, Ethernet 14 and its checksum 4."""

Address = tuple[str, int]

random.seed(1472)
_started_s = time.monotonic()


@dataclass(frozen=True)
class SimulationParams:
    """How bad the network is.

    Args:
        loss_rate: probability that a message is lost, 0 to 1.
        corruption_rate: mean number of flipped bits in a message, 0 or more. A message with fewer bits than that has
            all of them flipped.
        max_delivery_delay: longest time on the way, in seconds, 0 or more.
        become_reliable_after: seconds from the import of this module until nothing is lost or damaged any more, 0 or
            more; the default, about 30 years, is never.

    Raises:
        ValueError: a value is out of its range.
    """

    loss_rate: float = 0.0
    corruption_rate: float = 0.0
    max_delivery_delay: float = 0.0
    become_reliable_after: float = 1e9

    def __post_init__(self) -> None:
        # written so that NaN, which compares false with everything, is refused too
        if not 0 <= self.loss_rate <= 1:
            raise ValueError(f"loss_rate must be from 0 to 1, not {self.loss_rate}")
        if not 0 <= self.corruption_rate < math.inf:
            raise ValueError(f"corruption_rate must be a number from 0 on, not {self.corruption_rate}")
        if not 0 <= self.max_delivery_delay <= threading.TIMEOUT_MAX:
            raise ValueError(f"max_delivery_delay must be a number of seconds from 0 on, not {self.max_delivery_delay}")
        if not self.become_reliable_after >= 0:
            raise ValueError(f"become_reliable_after must be 0 or more seconds, not {self.become_reliable_after}")


class Statistics:
    """Messages and bytes sent and received by all sockets of this program. Any thread may count.

    Sent counts what was given to `sendto`, lost or not; received counts what `recvfrom` returned.
    """

    def __init__(self) -> None:
        self.packets_sent = 0
        self.bytes_sent = 0
        self.packets_recv = 0
        self.bytes_recv = 0
        self._lock = threading.Lock()

    def count_sent(self, size: int) -> None:
        """Count one message of `size` bytes."""
        with self._lock:
            self.packets_sent += 1
            self.bytes_sent += size

    def count_received(self, size: int) -> None:
        """Count one message of `size` bytes."""
        with self._lock:
            self.packets_recv += 1
            self.bytes_recv += size

    def report(self) -> str:
        """Six lines NAME=value. The ETH values add what UDP, IP and Ethernet put around each message."""
        with self._lock:
            values = {
                "PACKETS_SENT": self.packets_sent,
                "UDP_BYTES_SENT": self.bytes_sent,
                "ETH_BYTES_SENT": self.bytes_sent + HEADER_BYTES * self.packets_sent,
                "PACKETS_RECV": self.packets_recv,
                "UDP_BYTES_RECV": self.bytes_recv,
                "ETH_BYTES_RECV": self.bytes_recv + HEADER_BYTES * self.packets_recv,
            }
        return "\n".join(f"{name}={value}" for name, value in values.items())


sim = SimulationParams()
stats = Statistics()


class LossyUDP(socket.socket):
    """A UDP socket whose messages meet with the network that `sim` describes.

    Made without arguments; `bind` it to the address it receives at. Sending and receiving may go on in two threads.
    """

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.settimeout(WAKE_INTERVAL_S)
        self._must_stop = threading.Event()

    def sendto(self, message: bytes | bytearray | memoryview, dst: Address) -> int:  # type: ignore[override]
        """Send a message on its way; takes 10 ms.

        Args:
            message: 0 to 1472 bytes; copied, so the buffer may be used again at once.
            dst: host and port.

        Returns:
            The number of bytes of the message. It tells nothing about the message's fate.

        Raises:
            RuntimeError: the message is too long; nothing was sent or counted. Or the program is ending and Python
                starts no thread any more to deliver the message: in version 3.12, once the main thread is done.
        """
        data = bytes(message)
        if len(data) > MAX_MESSAGE_BYTES:
            raise RuntimeError(f"a message of {len(data)} bytes is too long for UDP: {MAX_MESSAGE_BYTES} is the limit")
        stats.count_sent(len(data))
        time.sleep(SEND_TIME_S)

        network = sim
        if time.monotonic() - _started_s < network.become_reliable_after:
            if random.random() < network.loss_rate:
                return len(data)
            data = damaged(data, network.corruption_rate)
        delay_s = random.uniform(0, network.max_delivery_delay)
        threading.Timer(delay_s, self._deliver, (data, dst)).start()
        return len(data)

    def _deliver(self, data: bytes, dst: Address) -> None:
        try:
            super().sendto(data, dst)
        except OSError:
            # What was on its way when the socket was closed is lost, as in a network that went down. Every other
            # failure, such as an address that does not exist, shows as a traceback.
            if self.fileno() != -1:
                raise

    def recvfrom(self, bufsize: int = 2048) -> tuple[bytes, Address]:  # type: ignore[override]
        """Wait for a message, until one arrives or `stoprecv` is called.

        A time set with `settimeout` does not end the waiting. It is the interval at which this method looks whether it
        has to stop; 1 second unless set. (After `settimeout(None)` it looks only when a message arrives.)

        Args:
            bufsize: longer messages are cut to this number of bytes.

        Returns:
            The message and the address of its sender, or `(b"", ("", 0))` after `stoprecv`.

        Raises:
            OSError: the socket is closed, or it was made non-blocking and there is no message.
        """
        while not self._must_stop.is_set():
            try:
                data, source = super().recvfrom(bufsize)
            except TimeoutError:
                continue
            stats.count_received(len(data))
            return data, source
        return b"", ("", 0)

    def stoprecv(self) -> None:
        """End the waiting in `recvfrom`, in whichever thread, and all later calls of it. Sending goes on."""
        self._must_stop.set()


def damaged(data: bytes, mean_flips: float) -> bytes:
    """The data with each bit flipped with the probability `mean_flips` / number of bits."""
    bits = 8 * len(data)
    probability = mean_flips / bits if bits else 0.0
    if probability == 0:
        return data
    if probability >= 1:
        return bytes(byte ^ 0xFF for byte in data)

    # A draw for each of up to 11,776 bits would slow the sender down by a tenth. Instead, each draw tells how many
    # bits stay whole before the next flip: k or more of them with the probability (1 - probability) ** k.
    flipped = bytearray(data)
    scale = math.log1p(-probability)
    position = math.log(1 - random.random()) / scale
    while position < bits:
        bit = int(position)
        flipped[bit // 8] ^= 1 << bit % 8
        position = bit + 1 + math.log(1 - random.random()) / scale
    return bytes(flipped)


def print_statistics() -> None:
    """Print the six lines of `stats`."""
    print(stats.report(), flush=True)


atexit.register(print_statistics)
