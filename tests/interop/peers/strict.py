"""A strict RDP peer that parses by position, for interoperability tests.

It shares no code with the package and knows only the assignment's text. A packet is taken only if it has exactly the
minimal fields in exactly the table's order, LF line ends and its own magic byte for byte; anything else is ignored
and counted as rejected. Only the bytes after the empty line of a SYN are not looked at.

Receiver: go-back-N (nothing out of order is kept), a small window, no window updates, gone at once after the FIN-ACK.
Sender: go-back-N with one fixed timeout, initial sequence number 0. Numbers do not wrap.

    python strict.py send SENDER_IP SENDER_PORT RECEIVER_IP RECEIVER_PORT FILE [options]
    python strict.py recv IP PORT FILE [options]

Exit: 0 done, 1 reset or a local error, 2 usage, 3 deadline passed.
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple

MAX_PACKET = 1024
PAYLOAD = 900
FIN_TRIES = 10
NUMBER = re.compile(rb"0|[1-9][0-9]{0,18}")
FIELDS: dict[bytes, tuple[bytes, ...]] = {
    b"SYN": (b"Sequence",),
    b"FIN": (b"Sequence",),
    b"DAT": (b"Sequence", b"Payload"),
    b"ACK": (b"Acknowledgment", b"Window"),
    b"RST": (),
}


class Failure(Exception):
    """Ends the program with an exit code and one line on stderr."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Packet(NamedTuple):
    kind: bytes
    first: int
    second: int
    body: bytes


def build(magic: bytes, kind: bytes, *numbers: int, body: bytes = b"") -> bytes:
    lines = [b"Magic: " + magic, b"Type: " + kind]
    lines += [b"%s: %d" % pair for pair in zip(FIELDS[kind], numbers, strict=True)]
    return b"\n".join(lines) + b"\n\n" + body


def parse(magic: bytes, data: bytes) -> Packet | None:
    """The packet, or None if any byte is not where it has to be."""
    head, gap, body = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if len(data) > MAX_PACKET or not gap or len(lines) < 2:
        return None
    kind = lines[1].removeprefix(b"Type: ")
    if lines[0] != b"Magic: " + magic or lines[1] != b"Type: " + kind or kind not in FIELDS:
        return None
    names = FIELDS[kind]
    if len(lines) != 2 + len(names):
        return None
    numbers = [0, 0]
    for index, (name, line) in enumerate(zip(names, lines[2:], strict=True)):
        label, _, value = line.partition(b": ")
        if label != name or not NUMBER.fullmatch(value):
            return None
        numbers[index] = int(value)
    if kind == b"DAT" and (numbers[1] == 0 or numbers[1] != len(body)):
        return None
    if kind in (b"FIN", b"ACK", b"RST") and body:
        return None
    return Packet(kind, numbers[0], numbers[1], body)


class Link:
    """The bound socket, the one peer it talks to, and the counters."""

    def __init__(self, sock: socket.socket, magic: bytes, deadline: float) -> None:
        self.sock = sock
        self.magic = magic
        self.deadline = deadline
        self.peer: tuple[str, int] | None = None
        self.stats = {"sent": 0, "received": 0, "rejected": 0, "strangers": 0}

    def send(self, kind: bytes, *numbers: int, body: bytes = b"") -> None:
        assert self.peer is not None
        self.sock.sendto(build(self.magic, kind, *numbers, body=body), self.peer)
        self.stats["sent"] += 1

    def receive(self, until: float) -> Packet | None:
        """The next packet of the peer; None at the time `until`. The first SYN of a receiver names the peer."""
        while True:
            now = time.monotonic()
            if now >= self.deadline:
                raise Failure(3, "deadline passed")
            if now >= until:
                return None
            self.sock.settimeout(min(until, self.deadline) - now)
            try:
                data, address = self.sock.recvfrom(65535)
            except TimeoutError:
                continue
            packet = parse(self.magic, data)
            if packet is None:
                self.stats["rejected"] += 1
            elif self.peer is None and packet.kind != b"SYN" or self.peer not in (None, address):
                self.stats["strangers"] += 1
            elif self.peer is not None and packet.kind == b"RST":
                raise Failure(1, "reset by peer")
            else:
                self.peer = address
                self.stats["received"] += 1
                return packet


def exchange(link: Link, kind: bytes, sequence: int, timeout: float, tries: int) -> Packet | None:
    """Send a SYN or FIN until the number after it is acknowledged; None after so many tries (0: no limit)."""
    sent = 0
    while tries == 0 or sent < tries:
        link.send(kind, sequence)
        sent += 1
        until = time.monotonic() + timeout
        while (packet := link.receive(until)) is not None:
            if packet.kind == b"ACK" and packet.first == sequence + 1:
                return packet
    return None


def send_data(link: Link, data: bytes, window: int, timeout: float, payload: int) -> None:
    """Go-back-N: the first data byte has number 1, all of it is acknowledged on return."""
    base = following = highest = 1
    end, edge = 1 + len(data), 1 + window
    timer = time.monotonic() + timeout
    while base < end:
        while following < min(end, edge):
            size = min(payload, edge - following, end - following)
            link.send(b"DAT", following, size, body=data[following - 1 : following - 1 + size])
            following += size
            highest = max(highest, following)
        packet = link.receive(timer)
        if packet is None:
            following = base
            timer = time.monotonic() + timeout
            # A closed window may never be reopened by an update: one byte past it asks for the present one.
            edge = max(edge, base + 1)
        elif packet.kind == b"ACK" and base <= packet.first <= highest:
            if packet.first > base:
                timer = time.monotonic() + timeout
            base = packet.first
            following = max(following, base)
            edge = base + packet.second


def send_file(link: Link, args: argparse.Namespace) -> None:
    data = Path(args.file).read_bytes()
    link.peer = (args.receiver_ip, args.receiver_port)
    opened = exchange(link, b"SYN", 0, args.timeout, tries=0)
    assert opened is not None
    send_data(link, data, opened.second, args.timeout, args.payload)
    # Everything is acknowledged: silence after FIN means that its ACK was lost and the receiver has gone.
    exchange(link, b"FIN", 1 + len(data), args.timeout, tries=FIN_TRIES)


def receive_file(link: Link, args: argparse.Namespace) -> None:
    with open(args.file, "wb", buffering=0) as file:
        opening = link.receive(link.deadline)
        while opening is None:
            opening = link.receive(link.deadline)
        if args.refuse:
            link.send(b"RST")
            raise Failure(1, "refused the transfer")
        first = opening.first
        expected = first + 1
        held = 0
        drained = time.monotonic()
        link.send(b"ACK", expected, args.window)
        while True:
            packet = link.receive(link.deadline)
            if packet is None or packet.kind == b"ACK" or (packet.kind == b"SYN" and packet.first != first):
                continue
            # The imagined application empties the buffer only now and then; no update tells the sender.
            if (time.monotonic() - drained) * 1000 >= args.drain_ms:
                held, drained = 0, time.monotonic()
            if packet.kind == b"DAT" and packet.first == expected and packet.second <= args.window - held:
                file.write(packet.body)
                expected += packet.second
                held += packet.second if args.drain_ms else 0
            if packet.kind == b"FIN" and packet.first == expected:
                link.send(b"ACK", expected + 1, args.window)
                return
            link.send(b"ACK", expected, args.window - held)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="strict positional RDP peer")
    roles = parser.add_subparsers(dest="role", required=True)
    sender, receiver = roles.add_parser("send"), roles.add_parser("recv")
    for role in (sender, receiver):
        role.add_argument("ip")
        role.add_argument("port", type=int)
    sender.add_argument("receiver_ip")
    sender.add_argument("receiver_port", type=int)
    sender.add_argument("--timeout", type=float, default=0.2, help="seconds before everything is sent again")
    sender.add_argument("--payload", type=int, default=PAYLOAD, help="bytes in a DAT")
    receiver.add_argument("--window", type=int, default=736, help="bytes")
    receiver.add_argument("--drain-ms", type=int, default=0, help="empty the buffer so rarely (0: at once)")
    receiver.add_argument("--refuse", action="store_true", help="answer the SYN by RST")
    for role in (sender, receiver):
        role.add_argument("file")
        role.add_argument("--magic", default="CSC361")
        role.add_argument("--deadline", type=float, default=60.0, help="seconds")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    code = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        link = Link(sock, args.magic.encode("ascii"), time.monotonic() + args.deadline)
        try:
            sock.bind((args.ip, args.port))
            print(f"ready {sock.getsockname()[1]}", flush=True)
            (send_file if args.role == "send" else receive_file)(link, args)
        except Failure as failure:
            code = failure.code
            print(f"strict: {failure}", file=sys.stderr)
        except OSError as error:
            code = 1
            print(f"strict: {error}", file=sys.stderr)
        print("stats", *(f"{name}={count}" for name, count in link.stats.items()), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
