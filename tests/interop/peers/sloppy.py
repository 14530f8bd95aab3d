"""A sloppy RDP peer, for interoperability tests: wrong in small ways when it sends, generous when it reads.

It shares no code with the package and knows only the assignment's text. Every packet carries all fields (zero where
they mean nothing), `Acknowledgement` spelt so, no colon after `Payload`, an unknown field, junk after the payload of a
DAT and after the empty line of a SYN, and the magic of another term. It reads fields by name in any order, with or
without colon, with LF or CR LF, any spelling of the magic.

Receiver: keeps what comes out of order, acknowledges each 4th in-order packet or after 200 ms. Sender: resends single
packets by their own timers, fills 1,024 bytes, gives up with RST after `--silence`. Numbers do not wrap.

    python sloppy.py send SENDER_IP SENDER_PORT RECEIVER_IP RECEIVER_PORT FILE [options]
    python sloppy.py recv IP PORT FILE [options]

Exit: 0 done, 1 reset or a local error, 2 usage, 3 deadline passed, 4 no answer.
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import time
from pathlib import Path

MAX_PACKET = 1024
JUNK = b"\x00\n\nZz"
ISN = 361
RESEND = 0.4
ACK_EVERY = 4
ACK_DELAY = 0.2
USUAL_WINDOW = 10240
LARGEST_FLIGHT = 65536
LINGER = 1.0
HEADER_END = re.compile(rb"\r?\n\r?\n")
FIELD = re.compile(rb"\s*([A-Za-z-]+)\s*:?\s*(\S+)")


class Failure(Exception):
    """Ends the program with an exit code and one line on stderr."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Packet:
    """What was found by name; a number that is missing or no number is None."""

    def __init__(self, data: bytes) -> None:
        end = HEADER_END.search(data)
        head, body = (data[: end.start()], data[end.end() :]) if end else (data, b"")
        fields = {m[1].lower(): m[2] for m in map(FIELD.match, head.splitlines()) if m}
        numbers = {name: int(value) for name, value in fields.items() if re.fullmatch(rb"[0-9]{1,19}", value)}
        self.ours = b"csc361" in fields.get(b"magic", b"").lower()
        self.kind = fields.get(b"type", b"").upper().decode("latin-1")
        self.sequence = numbers.get(b"sequence")
        self.acknowledged = numbers.get(b"acknowledgement", numbers.get(b"acknowledgment"))
        self.window = numbers.get(b"window", USUAL_WINDOW)
        size = numbers.get(b"payload", 0)
        self.body = body[:size] if len(body) >= size else b""


class Link:
    def __init__(self, sock: socket.socket, args: argparse.Namespace) -> None:
        self.sock = sock
        self.args = args
        self.deadline = time.monotonic() + args.deadline
        self.heard = time.monotonic()
        self.peer: tuple[str, int] = ("", 0)
        self.stats = {"sent": 0, "received": 0, "rejected": 0, "resent": 0}

    def build(self, kind: str, sequence: int = 0, acknowledged: int = 0, window: int = 0, body: bytes = b"") -> bytes:
        lines = [f"Magic: {self.args.magic}", f"Type: {kind}", f"Sequence: {sequence}"]
        lines += [f"Acknowledgement: {acknowledged}", f"Payload {len(body)}"]
        if not (kind == "ACK" and self.args.no_window):
            lines.append(f"Window: {window}")
        lines += ["X-Term: spring", "", ""]
        head = ("\r\n" if self.args.crlf else "\n").join(lines).encode("ascii")
        return head + body + (JUNK if kind in ("DAT", "SYN") else b"")

    def send(self, packet: bytes) -> None:
        self.sock.sendto(packet, self.peer)
        self.stats["sent"] += 1

    def receive(self, until: float) -> Packet | None:
        """The next packet that has a magic; None at the time `until`."""
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
            packet = Packet(data)
            if not packet.ours:
                self.stats["rejected"] += 1
                continue
            if self.args.role == "recv":
                self.peer = address  # a sender that moved is followed, whoever it is
            self.heard = time.monotonic()
            self.stats["received"] += 1
            if packet.kind == "RST":
                raise Failure(1, "reset by peer")
            return packet


class Sender:
    def __init__(self, link: Link, data: bytes) -> None:
        self.link = link
        self.data = data
        self.flight: dict[int, tuple[bytes, float]] = {}
        self.acknowledged = ISN
        self.following = ISN
        self.edge = ISN + 1
        self.end = ISN + 1 + len(data)

    def launch(self, sequence: int, packet: bytes) -> None:
        self.link.stats["resent"] += sequence in self.flight
        self.flight[sequence] = (packet, time.monotonic())
        self.link.send(packet)

    def launch_data(self, limit: int) -> None:
        """Send new data up to the number `limit`, packets as large as 1,024 bytes allow."""
        while self.following < min(limit, self.end):
            here = self.following
            room = MAX_PACKET - len(self.link.build("DAT", here, body=bytes(999))) + 999
            size = min(room, limit - here, self.end - here)
            start = here - ISN - 1
            self.launch(here, self.link.build("DAT", here, body=self.data[start : start + size]))
            self.following += size

    def step(self) -> None:
        """Resend what is due, then take in one packet."""
        now = time.monotonic()
        for sequence, (packet, sent) in list(self.flight.items()):
            if now - sent >= RESEND:
                self.launch(sequence, packet)
        due = min((sent for _, sent in self.flight.values()), default=now) + RESEND
        give_up = self.link.heard + self.link.args.silence
        packet_in = self.link.receive(min(due, give_up))
        if packet_in is None:
            if time.monotonic() >= give_up:
                raise Failure(4, "no answer")
            if not self.flight:
                self.launch_data(self.following + 1)  # a closed window is asked by one byte past it
        elif packet_in.kind == "ACK" and packet_in.acknowledged is not None:
            self.take(packet_in.acknowledged, packet_in.window)

    def take(self, acknowledged: int, window: int) -> None:
        if not self.acknowledged <= acknowledged <= self.following:
            return
        self.acknowledged = acknowledged
        self.edge = acknowledged + min(window, LARGEST_FLIGHT)
        for sequence in [number for number in self.flight if number < acknowledged]:
            packet, sent = self.flight.pop(sequence)
            rest = Packet(packet).body[acknowledged - sequence :]
            if rest:
                self.flight[acknowledged] = (self.link.build("DAT", acknowledged, body=rest), sent)

    def control(self, kind: str) -> None:
        sequence = self.following
        self.following += 1
        self.launch(sequence, self.link.build(kind, sequence))
        while self.acknowledged <= sequence:
            self.step()

    def run(self) -> None:
        try:
            self.control("SYN")
            while self.acknowledged < self.end:
                self.launch_data(self.edge)
                self.step()
        except Failure as failure:
            if failure.code == 4:
                self.link.send(self.link.build("RST"))
            raise
        if self.link.args.no_fin:
            return
        try:
            self.control("FIN")
        except Failure as failure:
            # All data is acknowledged: silence now is a receiver that has gone, not a failed transfer.
            if failure.code != 4:
                raise


class Receiver:
    def __init__(self, link: Link) -> None:
        self.link = link
        self.first: int | None = None
        self.expected = 0
        self.total = 0
        self.end: float | None = None
        self.kept: dict[int, bytes] = {}
        self.unacknowledged = 0
        self.ack_due: float | None = None

    def acknowledge(self) -> None:
        self.unacknowledged = 0
        self.ack_due = None
        self.link.send(self.link.build("ACK", acknowledged=self.expected, window=self.link.args.window))

    def take_data(self, sequence: int, body: bytes) -> bytes:
        """What has come in order now; schedules or sends the ACK."""
        if sequence + len(body) <= self.expected:
            self.acknowledge()
            return b""
        if sequence + len(body) > self.expected + self.link.args.window:
            return b""
        self.kept[sequence] = max(self.kept.get(sequence, b""), body, key=len)
        before, ordered = self.expected, b""
        for number in sorted(self.kept):
            if number > self.expected:
                break
            piece = self.kept.pop(number)[self.expected - number :]
            ordered += piece
            self.expected += len(piece)
        self.unacknowledged += self.expected > before
        if self.unacknowledged >= ACK_EVERY:
            self.acknowledge()
        elif self.ack_due is None:
            self.ack_due = time.monotonic() + ACK_DELAY
        return ordered

    def take(self, packet: Packet) -> bytes:
        sequence = packet.sequence
        if sequence is None:
            return b""
        if packet.kind == "SYN" and self.first in (None, sequence):
            if self.first is None:
                self.first, self.expected = sequence, sequence + 1
            self.acknowledge()
        elif packet.kind == "FIN" and self.first is not None:
            if sequence == self.expected and self.end is None:
                self.end = time.monotonic() + LINGER
                self.link.deadline = self.end + LINGER
                self.expected += 1
            self.acknowledge()
        elif packet.kind == "DAT" and self.first is not None and packet.body:
            return self.take_data(sequence, packet.body)
        return b""

    def run(self) -> None:
        with open(self.link.args.file, "wb", buffering=0) as file:
            while self.end is None or time.monotonic() < self.end:
                packet = self.link.receive(self.ack_due or self.end or self.link.deadline)
                if packet is not None:
                    self.total += file.write(self.take(packet))
                elif self.ack_due is not None:
                    self.acknowledge()
                if 0 < self.link.args.reset_after <= self.total and self.end is None:
                    self.link.send(self.link.build("RST"))
                    raise Failure(1, "gave the transfer up")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="sloppy RDP peer")
    roles = parser.add_subparsers(dest="role", required=True)
    sender, receiver = roles.add_parser("send"), roles.add_parser("recv")
    for role in (sender, receiver):
        role.add_argument("ip")
        role.add_argument("port", type=int)
    sender.add_argument("receiver_ip")
    sender.add_argument("receiver_port", type=int)
    sender.add_argument("--no-fin", action="store_true", help="never send FIN")
    sender.add_argument("--silence", type=float, default=5.0, help="seconds without an answer before RST")
    sender.set_defaults(no_window=False)
    receiver.add_argument("--window", type=int, default=USUAL_WINDOW, help="bytes")
    receiver.add_argument("--no-window", action="store_true", help="leave Window out of ACKs")
    receiver.add_argument("--reset-after", type=int, default=0, help="send RST after so many bytes (0: never)")
    for role in (sender, receiver):
        role.add_argument("file")
        role.add_argument("--magic", default="CSc361")
        role.add_argument("--crlf", action="store_true", help="end lines by CR LF")
        role.add_argument("--deadline", type=float, default=60.0, help="seconds")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    code = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        link = Link(sock, args)
        try:
            sock.bind((args.ip, args.port))
            print(f"ready {sock.getsockname()[1]}", flush=True)
            if args.role == "send":
                link.peer = (args.receiver_ip, args.receiver_port)
                Sender(link, Path(args.file).read_bytes()).run()
            else:
                Receiver(link).run()
        except Failure as failure:
            code = failure.code
            print(f"sloppy: {failure}", file=sys.stderr)
        except OSError as error:
            code = 1
            print(f"sloppy: {error}", file=sys.stderr)
        print("stats", *(f"{name}={count}" for name, count in link.stats.items()), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
