"""Numbered UDP datagrams from one host of the laboratory to another, to measure what the wire does to them.

    python -m surewire.lab.wired.prober echo|sink HOST PORT
    python -m surewire.lab.wired.prober ping|flood HOST PORT BYTES COUNT PER_SECOND

`ping` sends and waits for `echo` to send all back; `flood` only sends, to `sink`. BYTES is the size of the IP packet,
COUNT how many, PER_SECOND how fast (0: as fast as it goes). Everybody prints one JSON object at the end; `echo` and
`sink` end with their standard input. It knows nothing of the wire, so it can judge it.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
import zlib
from typing import Any

from surewire.drivers.relay_sockets import add_drops

_IP_AND_UDP = 28
_HEAD = struct.Struct("!QQI")
_FILL = b"\x5a"
_BUFFER = 16 * 1024 * 1024
_SO_RCVBUFFORCE = 33
_WAIT_S = 1.0
_NS_PER_S = 1_000_000_000


def main() -> int:
    """Do what the arguments say; returns the exit status."""
    task, host, port, *numbers = sys.argv[1:]
    address = (host, int(port))
    if task in ("echo", "sink"):
        found = _serve(address, echoes=task == "echo")
    else:
        size, count, per_second = map(int, numbers)
        found = _ask(address, size, count, per_second, waits=task == "ping")
    print(json.dumps(found), flush=True)
    return 0


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # Beyond the system's limit, which root may exceed: what this socket drops would look like loss.
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    return sock


def _serve(address: tuple[str, int], *, echoes: bool) -> dict[str, Any]:
    """Receive until standard input ends."""
    arrivals: list[int] = []
    damaged, received_bytes, first, last = 0, 0, 0, 0
    with _open() as sock:
        sock.bind(address)
        sock.setblocking(False)
        print(json.dumps({"event": "ready"}), flush=True)
        while sys.stdin not in select.select([sock, sys.stdin], [], [])[0]:
            try:
                while True:
                    datagram, peer = sock.recvfrom(2048)
                    last = time.monotonic_ns()
                    first = first or last
                    received_bytes += len(datagram) + _IP_AND_UDP
                    fill = len(datagram) - _HEAD.size
                    number, sent_at, check = _HEAD.unpack_from(datagram)
                    if check != _check(number, sent_at) or datagram.count(_FILL, _HEAD.size) != fill:
                        damaged += 1
                        continue
                    arrivals.append(number)
                    if echoes:
                        sock.sendto(datagram, peer)
            except BlockingIOError:
                continue
        unread = add_drops(None, sock)
    span = (last - first) / _NS_PER_S
    return {
        **_order(arrivals),
        "damaged": damaged,
        "bytes_per_s": received_bytes / span if span else 0.0,
        "unread": unread,
    }


def _order(arrivals: list[int]) -> dict[str, Any]:
    """What the numbers tell, in the order of arrival."""
    seen = set(arrivals)
    overtaking, lowest = 0, sys.maxsize
    # From the end: one that arrives before a lower number has overtaken it.
    for number in reversed(arrivals):
        overtaking += number > lowest
        lowest = min(lowest, number)
    highest = max(arrivals, default=-1)
    bursts, missing, run = 0, 0, False
    for number in range(highest + 1):
        is_missing = number not in seen
        bursts += is_missing and not run
        missing += is_missing
        run = is_missing
    return {
        "received": len(arrivals),
        "unique": len(seen),
        "overtaking": overtaking,
        "mean_burst": missing / bursts if bursts else 0.0,
    }


def _ask(address: tuple[str, int], size: int, count: int, per_second: int, *, waits: bool) -> dict[str, Any]:
    """Send, and collect what comes back."""
    fill = _FILL * (size - _IP_AND_UDP - _HEAD.size)
    round_trips: list[int] = []
    began = time.monotonic_ns()
    with _open() as sock:
        sock.connect(address)
        sock.setblocking(False)
        for number in range(count):
            if per_second:
                _collect(sock, round_trips, began + number * _NS_PER_S // per_second, waits=waits)
            now = time.monotonic_ns()
            _send(sock, _HEAD.pack(number, now, _check(number, now)) + fill)
        ended = time.monotonic_ns()
        while waits and len(round_trips) < count:
            before = len(round_trips)
            _collect(sock, round_trips, time.monotonic_ns() + int(_WAIT_S * _NS_PER_S), waits=True, enough=count)
            if len(round_trips) == before:
                break
    round_trips.sort()
    return {"sent": count, "seconds": (ended - began) / _NS_PER_S, "round_trips_ns": round_trips}


def _check(number: int, sent_at: int) -> int:
    return zlib.crc32(b"%d %d" % (number, sent_at))


def _send(sock: socket.socket, datagram: bytes) -> None:
    while True:
        try:
            sock.send(datagram)
            return
        except BlockingIOError:
            select.select([], [sock], [])


def _collect(
    sock: socket.socket, round_trips: list[int], until: int, *, waits: bool, enough: int = sys.maxsize
) -> None:
    """Take echoes until a time, or until there are enough."""
    while (left := until - time.monotonic_ns()) > 0 and len(round_trips) < enough:
        if not waits:
            time.sleep(left / _NS_PER_S)
        elif select.select([sock], [], [], left / _NS_PER_S)[0]:
            datagram = sock.recv(2048)
            round_trips.append(time.monotonic_ns() - _HEAD.unpack_from(datagram)[1])


if __name__ == "__main__":
    sys.exit(main())
