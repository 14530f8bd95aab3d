"""CPU time for each byte as the window grows, and the share of C(1-p) that long fat paths give, in virtual time.

    python bench/big_windows.py [--controller fixed] [--megabytes 200] [--losses 0 1 10] [--window-bdp 1.5] [--singles]

Two whole native endpoints, checked mode, datagrams of 1,472 bytes, over one link each way that has a rate, half of the
round trip as delay, a queue of one bandwidth-delay product, and independent loss of datagrams in both directions. What
leaves as a train arrives as one, without the lost ones, as UDP_SEGMENT and UDP_GRO do it; `--singles`: one by one.

The receive window is 16 MiB, as by default, or 1.5 bandwidth-delay products if that is more; what goes into a sink, as
here, has eight of it.

Time is virtual, CPU time is real: `time.thread_time_ns` around what is asked of an endpoint after each event, apart for
both sides, link and loop not counted. The source copies from one block of memory and the sink only counts, so the
files' own cost is left out. Ten round trips pass before anything is measured, and at least two seconds where the
controller has to find the rate. Columns:

    of C(1-p)   bytes of the stream stored for the first time, over C (1-p) x 1440/1500 (payload at the wire rate)
    us/datagram CPU time for each datagram of the stream sent, or received
    s/GB        CPU time for each GB stored, at the sender and at the receiver
    runs, holes the longest the sent log and the receiver's lists of numbers and bytes became
    acks        datagrams of the receiver for each 100 that arrived there

Compare the rows of one run with each other, on a quiet machine; seconds of different machines are not comparable.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import NamedTuple

from surewire.core.congestion import Congestion
from surewire.core.trains import Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.crypto.checked import CheckedClient, CheckedServer
from surewire.native.config import DEFAULT_TRANSPORT, NativeConfig
from surewire.native.connection import Connection
from surewire.native.endpoint import Endpoint

DATAGRAM = 1_472
HEADERS = 28  # bytes of IPv4 and UDP
SEGMENT = DATAGRAM - 26  # bytes of the stream in a datagram: 22 of header and 4 of checksum
PATHS = ((1_000, 1), (1_000, 10), (1_000, 100), (1_000, 1_000))  # Mbit/s and ms of the round trip: windows 1 : 1,000
EDGE = 1 << 40  # bytes of a stream that does not end while anybody looks
WARM_ROUND_TRIPS = 10
CLIENT, SERVER = ("192.168.1.100", 51_000), ("10.10.1.100", 4433)


class Figures(NamedTuple):
    """What one run showed."""

    share: float
    sender_ns: int
    receiver_ns: int
    stored: int
    sent: int  # datagrams of the stream that left, and that arrived
    arrived: int
    answers: int
    retransmitted: int
    lost: int
    runs: int
    numbers: int
    holes: int


class Block:
    """A source as long as one likes, of one block repeated."""

    size = EDGE

    def __init__(self) -> None:
        self._block = memoryview(random.Random(1).randbytes(2 * DATAGRAM))

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self._block[:length])

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        block = self._block
        for view in views:
            view[:] = block[: len(view)]


class Count:
    """A sink that only counts."""

    def __init__(self) -> None:
        self.nbytes = 0

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        self.nbytes += sum(map(len, pieces))


class Watched(Connection):
    """A connection that shows how long its books are."""

    @property
    def runs(self) -> int:
        """Entries of the sent log."""
        return len(self._sending.outbound.log)

    @property
    def numbers(self) -> int:
        """Ranges of packet numbers received."""
        return self._receiving.tracker.tracked_ranges

    @property
    def holes(self) -> int:
        """Holes in the stream received."""
        return self._receiving.incoming.books.gaps


class Pipe:
    """One direction: a rate, a queue, a delay, loss; a train stays together."""

    def __init__(self, rate: int, delay: int, loss: float, queue: int, rng: random.Random) -> None:
        """Take bits a second, ns, a share of the datagrams, and bytes."""
        self._rate, self._delay, self._loss, self._queue, self._rng = rate, delay, loss, queue, rng
        self._free_at = 0
        self.passed = 0  # datagrams that arrive

    def time_of(self, nbytes: int) -> int:
        """Time in which so many bytes leave, ns."""
        return max(nbytes, 0) * 8 * NS_PER_S // self._rate

    def carry(self, train: Train, now: int) -> tuple[int, bytes] | None:
        """When what is left of a train arrives; None when nothing is."""
        kept = []
        for datagram in train.datagrams():
            start = max(self._free_at, now)
            if (start - now) * self._rate > 8 * NS_PER_S * self._queue:
                continue
            self._free_at = start + (len(datagram) + HEADERS) * 8 * NS_PER_S // self._rate
            if self._rng.random() >= self._loss:
                kept.append(datagram)
        self.passed += len(kept)
        return (self._free_at + self._delay, b"".join(kept)) if kept else None


class Side:
    """An endpoint, the CPU time it took, and when it wants to be called."""

    def __init__(self, endpoint: Endpoint, turn: Callable[[int], None]) -> None:
        self.endpoint = endpoint
        self.cpu = 0  # ns
        self.wakeup: int | None = None
        self._turn = turn

    def act(self, now: int, arrival: tuple[bytes, int] | None, peer: tuple[str, int]) -> list[Train]:
        """Let the endpoint have what arrived (bytes, stride) or its deadline; what it sends, copied."""
        endpoint, trains, clock = self.endpoint, list[Train](), time.thread_time_ns
        began = clock()
        if arrival is not None:
            endpoint.handle_datagrams(*arrival, peer, now=now)
        else:
            endpoint.handle_timeout(now=now)
        self._turn(now)
        while (train := endpoint.poll_transmit(now=now)) is not None:
            self.cpu += clock() - began
            trains.append(train._replace(buffers=[b"".join(train.buffers)]))
            began = clock()
        self.wakeup = endpoint.poll_timeout()
        self.cpu += clock() - began
        return trains


class Path:
    """Two endpoints and the pipes between them."""

    def __init__(self, args: argparse.Namespace, rate: int, rtt: int, loss: float, seed: int) -> None:
        """Take bits a second, ns, and a share of the datagrams."""
        rng = random.Random(seed)
        self.bdp = rate * rtt // (8 * NS_PER_S)
        window = args.window or max(int(args.window_bdp * self.bdp), 16 << 20)
        config = NativeConfig(
            transport=replace(
                DEFAULT_TRANSPORT, receive_window=window, initial_rtt=rtt, max_gaps=max(16_384, window // 2_400)
            ),
            congestion=congestion(args.controller, rate),
            fixed_datagram=DATAGRAM,
        )
        self.now = NS_PER_S
        self.sink = Count()
        self.server: Watched | None = None
        self._is_single = args.singles
        client, server = (
            Endpoint(security, config=config, rng=random.Random(rng.random()), now=self.now, kind=Watched)
            for security in (None, CheckedServer())
        )
        self.client = client.connect(SERVER, security=CheckedClient(), now=self.now)
        self.client.send_source(Block(), 0, EDGE, now=self.now)
        self.sides = (Side(client, self._no_turn), Side(server, self._accept))
        queue = max(self.bdp, 128 << 10)
        self.pipes = tuple(Pipe(rate, rtt // 2, loss, queue, random.Random(rng.random())) for _ in range(2))
        self._heap: list[tuple[int, int, int, tuple[bytes, int] | None]] = [(self.now, 0, 0, None)]
        self._count = 0
        self.peak = [0, 0, 0]  # runs, numbers, holes

    def _no_turn(self, now: int) -> None:
        self.sides[0].endpoint.take_changed()

    def _accept(self, now: int) -> None:
        endpoint = self.sides[1].endpoint
        endpoint.take_changed()
        if self.server is None and (found := endpoint.poll_accept()) is not None:
            found.divert(self.sink, EDGE, now=now)
            self.server = found if isinstance(found, Watched) else None

    def run(self, until: Callable[[], bool]) -> None:
        """Run until something is reached."""
        heap, looked_at = self._heap, 0
        while not until():
            self.now, _, which, arrival = heappop(heap)
            side = self.sides[which]
            if arrival is None and (side.wakeup is not None and side.wakeup > self.now):
                continue  # put off since
            before = side.wakeup
            for train in side.act(self.now, arrival, (SERVER, CLIENT)[which]):
                self._carry(which, train)
            if side.wakeup is not None and (side.wakeup != before or arrival is None):
                self._push(max(side.wakeup, self.now), which, None)
            if self.now >= looked_at:
                looked_at = self.now + 10 * NS_PER_MS
                self._look()

    def _carry(self, which: int, train: Train) -> None:
        carried = self.pipes[which].carry(train, self.now)
        if carried is None:
            return
        at, data = carried
        stride = min(train.stride, len(data))
        if not self._is_single:
            self._push(at, 1 - which, (data, stride))
            return
        for start in range(0, len(data), stride):  # as far apart as the link lets them leave
            left = self.pipes[which].time_of(len(data) - start - stride)
            self._push(at - left, 1 - which, (data[start : start + stride], stride))

    def _push(self, at: int, which: int, arrival: tuple[bytes, int] | None) -> None:
        self._count += 1
        heappush(self._heap, (at, self._count, which, arrival))

    def _look(self) -> None:
        if self.server is not None and isinstance(self.client, Watched):
            present = self.client.runs, self.server.numbers, self.server.holes
            self.peak = [max(pair) for pair in zip(self.peak, present, strict=True)]


def congestion(name: str, rate: int) -> Congestion:
    """A controller for a link of `rate` bits a second; a fixed one sends 99% of what fits it."""
    return (
        Congestion(name, rate=rate * 99 // 800 * SEGMENT // (DATAGRAM + HEADERS))
        if name == "fixed"
        else Congestion(name)
    )


def measure(args: argparse.Namespace, megabits: int, rtt_ms: int, loss: float) -> Figures:
    """Run one path until it is warm, then for so many bytes."""
    rate, rtt = megabits * 1_000_000, rtt_ms * NS_PER_MS
    path = Path(args, rate, rtt, loss, args.seed)
    warm_at = path.now + max(WARM_ROUND_TRIPS * rtt, 0 if args.controller == "fixed" else 2 * NS_PER_S)
    path.run(lambda: path.now >= warm_at)
    began, before, stored = path.now, _counts(path), path.sink.nbytes
    goal = stored + int(args.megabytes * 1_000_000)
    give_up = began + args.seconds * NS_PER_S
    path.run(lambda: path.sink.nbytes >= goal or path.now >= give_up)
    stored = path.sink.nbytes - stored
    bound = rate / 8 * (1 - loss) * 1440 / 1500 * (path.now - began) / NS_PER_S
    counts = [after - earlier for after, earlier in zip(_counts(path), before, strict=True)]
    sender_ns, receiver_ns, *rest = counts
    return Figures(stored / bound, sender_ns, receiver_ns, stored, *rest, *path.peak)


def _counts(path: Path) -> tuple[int, ...]:
    stats = path.client.stats()
    answers = 0 if path.server is None else path.server.stats().datagrams_sent
    return (
        path.sides[0].cpu,
        path.sides[1].cpu,
        stats.datagrams_sent,
        path.pipes[0].passed,
        answers,
        stats.retransmitted_bytes,
        stats.lost_bytes,
    )


def main() -> None:
    """Run all paths with all losses and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--controller", default="fixed", help="fixed (at 99%% of the link), model, ...")
    parser.add_argument("--megabytes", type=float, default=200.0, help="stored while measured")
    parser.add_argument("--seconds", type=int, default=60, help="of virtual time, after which a run ends in any case")
    parser.add_argument("--losses", type=float, nargs="+", default=[0, 1, 10, 30], help="per cent")
    parser.add_argument("--paths", nargs="+", default=[f"{rate}x{rtt}" for rate, rtt in PATHS], help="Mbit/s x ms")
    parser.add_argument("--window", type=int, default=0, help="receive window, bytes; 0: see --window-bdp")
    parser.add_argument("--window-bdp", type=float, default=1.5, help="the same in BDPs, but at least 16 MiB")
    parser.add_argument("--singles", action="store_true", help="datagrams arrive one by one")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(
        "path            loss  of C(1-p)  us/datagram s+r   s/GB s+r        runs  numbers  holes  acks/100  sent/lost"
    )
    for name in args.paths:
        megabits, rtt_ms = (int(part) for part in name.split("x"))
        for loss in args.losses:
            row = measure(args, megabits, rtt_ms, loss / 100)
            again = row.retransmitted / max(row.lost, 1)
            print(
                f"{name + ' ms':<14} {loss:>4g}% {row.share:>9.1%}"
                f"  {row.sender_ns / row.sent / 1e3:>7.2f} {row.receiver_ns / row.arrived / 1e3:>6.2f}"
                f"  {row.sender_ns / row.stored:>7.2f} {row.receiver_ns / row.stored:>6.2f}"
                f" {row.runs:>9,} {row.numbers:>8,} {row.holes:>6,}"
                f" {100 * row.answers / row.arrived:>9.2f} {again:>9.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
