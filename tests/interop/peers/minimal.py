"""The least RDP peer that works, for interoperability tests.

It shares no code with the package and knows only the assignment's text. It reads the first three letters of each
header line's name and the number after it, and does not look at who sent a packet.

Receiver: throws away what is out of order, acknowledges each packet, constant window, and after the FIN-ACK keeps its
socket open for a second but answers nothing. Sender: three packets at a time, one timer, random initial sequence
number, packets that fill 1,024 bytes. Numbers do not wrap.

    python minimal.py send SENDER_IP SENDER_PORT RECEIVER_IP RECEIVER_PORT FILE [options]
    python minimal.py recv IP PORT FILE [options]

Exit: 0 done, 1 reset or a local error, 2 usage, 3 deadline passed.
"""

from __future__ import annotations

import argparse
import random
import socket
import sys
import time

WINDOW = 10240
IN_FLIGHT = 3
TIMEOUT = 0.3
FIN_TRIES = 8


class Failure(Exception):
    """Ends the program with an exit code and one line on stderr."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Peer:
    def __init__(self, sock: socket.socket, args: argparse.Namespace) -> None:
        self.sock = sock
        self.args = args
        self.deadline = time.monotonic() + args.deadline
        self.other: tuple[str, int] = ("", 0)
        self.stats = {"sent": 0, "received": 0, "rejected": 0}

    def send(self, kind: str, fields: str, body: bytes = b"") -> None:
        self.sock.sendto(f"Magic: {self.args.magic}\nType: {kind}\n{fields}\n\n".encode() + body, self.other)
        self.stats["sent"] += 1

    def receive(self, until: float) -> tuple[str, dict[str, int], bytes] | None:
        """Type, numbers by the first three letters of their names, rest; None at the time `until`."""
        while True:
            now = time.monotonic()
            if now >= self.deadline:
                raise Failure(3, "deadline passed")
            if now >= until:
                return None
            self.sock.settimeout(min(until, self.deadline) - now)
            try:
                data, source = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            if self.args.role == "recv":
                self.other = source
            head, _, body = data.partition(b"\n\n")
            words = [line.replace(":", " ").split() for line in head.decode("latin-1").split("\n")]
            fields = {pair[0][:3].lower(): pair[1] for pair in words if len(pair) == 2}
            if "mag" not in fields or "typ" not in fields:
                self.stats["rejected"] += 1
                continue
            self.stats["received"] += 1
            if fields["typ"] == "RST":
                raise Failure(1, "reset by peer")
            return fields["typ"], {name: int(value) for name, value in fields.items() if value.isdecimal()}, body

    def ask(self, kind: str, sequence: int, tries: int) -> int | None:
        """Send a SYN or FIN until it is acknowledged; the window of its ACK, None after so many tries."""
        for _ in range(tries):
            self.send(kind, f"Sequence: {sequence}")
            until = time.monotonic() + TIMEOUT
            while (packet := self.receive(until)) is not None:
                if packet[0] == "ACK" and packet[1].get("ack") == sequence + 1:
                    return packet[1].get("win", WINDOW)
        return None

    def send_batch(self, base: int, end: int, window: int, data: bytes) -> int:
        """Send at most three packets from the number `base` on; the number after them."""
        following = base
        for _ in range(IN_FLIGHT):
            overhead = len(f"Magic: {self.args.magic}\nType: DAT\nSequence: {following}\nPayload: 999\n\n")
            size = min(1024 - overhead, base + window - following, end - following)
            if size <= 0:
                break
            start = len(data) - (end - following)
            self.send("DAT", f"Sequence: {following}\nPayload: {size}", data[start : start + size])
            following += size
        return following

    def send_file(self) -> None:
        with open(self.args.file, "rb") as file:
            data = file.read()
        self.other = (self.args.receiver_ip, self.args.receiver_port)
        isn = random.randrange(2**31)
        window = self.ask("SYN", isn, tries=10**6)
        base, end = isn + 1, isn + 1 + len(data)
        highest = base
        while base < end:
            # One byte is sent into a closed window too: nothing else would ever reopen it.
            following = self.send_batch(base, end, max(window or 0, 1), data)
            highest = max(highest, following)
            start = base
            until = time.monotonic() + TIMEOUT
            while base < following and (packet := self.receive(until)) is not None:
                if packet[0] == "ACK" and start <= packet[1].get("ack", 0) <= highest:
                    base = max(base, packet[1]["ack"])
                    window = packet[1].get("win", WINDOW)
        # Everything is acknowledged: silence after FIN means that its ACK was lost and the receiver has gone.
        self.ask("FIN", end, tries=FIN_TRIES)

    def receive_file(self) -> None:
        expected = -1
        with open(self.args.file, "wb", buffering=0) as file:
            while True:
                packet = self.receive(self.deadline)
                if packet is None:
                    continue
                kind, numbers, body = packet
                sequence, size = numbers.get("seq", -1), numbers.get("pay", 0)
                if kind == "SYN" and expected == -1:
                    expected = sequence + 1
                elif kind == "DAT" and sequence == expected and 0 < size <= len(body):
                    file.write(body[:size])
                    expected += size
                elif kind == "FIN" and sequence == expected:
                    self.send("ACK", f"Acknowledgment: {expected + 1}\nWindow: {WINDOW}")
                    time.sleep(1.0)
                    return
                if expected != -1 and kind in ("SYN", "DAT", "FIN"):
                    self.send("ACK", f"Acknowledgment: {expected}\nWindow: {WINDOW}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="minimal RDP peer")
    roles = parser.add_subparsers(dest="role", required=True)
    sender, receiver = roles.add_parser("send"), roles.add_parser("recv")
    for role in (sender, receiver):
        role.add_argument("ip")
        role.add_argument("port", type=int)
    sender.add_argument("receiver_ip")
    sender.add_argument("receiver_port", type=int)
    for role in (sender, receiver):
        role.add_argument("file")
        role.add_argument("--magic", default="CSC361")
        role.add_argument("--deadline", type=float, default=60.0, help="seconds")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    code = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        peer = Peer(sock, args)
        try:
            sock.bind((args.ip, args.port))
            print(f"ready {sock.getsockname()[1]}", flush=True)
            (peer.send_file if args.role == "send" else peer.receive_file)()
        except Failure as failure:
            code = failure.code
            print(f"minimal: {failure}", file=sys.stderr)
        except OSError as error:
            code = 1
            print(f"minimal: {error}", file=sys.stderr)
        print("stats", *(f"{name}={count}" for name, count in peer.stats.items()), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
