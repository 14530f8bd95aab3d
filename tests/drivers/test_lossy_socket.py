"""The class-room socket: its limits and counters, what it does to messages by the numbers, and how it stops.

Each message costs 10 ms, so there are few. The statistics are checked with seeds stated here: what falls to a message
is drawn before it is on its way and does not depend on the machine.
"""

from __future__ import annotations

import importlib.util
import math
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "streamer"
PATIENCE_S = 20
HOST = "127.0.0.1"


def load() -> Any:
    """A copy of the module of one's own. What its import changes for the whole program is put back."""
    state = random.getstate()
    spec = importlib.util.spec_from_file_location("_lossy_socket_under_test", FOLDER / "lossy_socket.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses looks its module up by name
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
        random.setstate(state)
    return module


@pytest.fixture
def lossy() -> Iterator[Any]:
    module = load()
    module.atexit.unregister(module.print_statistics)
    state = random.getstate()
    random.seed(1)
    yield module
    random.setstate(state)


class Pair:
    """A lossy socket, and a plain one that it sends to."""

    def __init__(self, module: Any) -> None:
        self.lossy = module.LossyUDP()
        self.lossy.bind((HOST, 0))
        self.plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.plain.bind((HOST, 0))
        self.plain.settimeout(PATIENCE_S)
        self.there: tuple[str, int] = self.plain.getsockname()
        self.here: tuple[str, int] = self.lossy.getsockname()

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.lossy.sendto(message, self.there)

    def arrivals(self) -> list[bytes]:
        """All that was sent by now and arrives, in the order of arrival."""
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join(PATIENCE_S)
        end = os.urandom(16)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(end, self.there)
        found = []
        while (message := self.plain.recv(2048)) != end:
            found.append(message)
        return found

    def close(self) -> None:
        self.lossy.close()
        self.plain.close()


@pytest.fixture
def pair(lossy: Any) -> Iterator[Pair]:
    sockets = Pair(lossy)
    yield sockets
    sockets.close()


def number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def flips(before: bytes, after: bytes) -> int:
    assert len(before) == len(after)
    return (int.from_bytes(before, "big") ^ int.from_bytes(after, "big")).bit_count()


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside lossy_socket.py, in isolation from everything else."""
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); sys.dont_write_bytecode = True\n{textwrap.dedent(program)}"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


# Sending


@pytest.mark.parametrize("size", [0, 1, 1472])
def test_a_message_arrives_as_it_was_sent(pair: Pair, size: int) -> None:
    message = random.Random(2).randbytes(size)
    pair.send(message)
    assert pair.plain.recvfrom(2048) == (message, pair.here)


def test_a_message_of_1473_bytes_is_refused_and_not_counted(lossy: Any, pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="1473 bytes"):
        pair.send(bytes(1473))
    assert lossy.stats.packets_sent == 0
    assert pair.arrivals() == []


def test_the_limit_is_in_bytes_whatever_the_buffer(lossy: Any, pair: Pair) -> None:
    words = memoryview(bytearray(1476)).cast("I")
    with pytest.raises(RuntimeError, match="1476 bytes"):
        pair.lossy.sendto(words, pair.there)
    pair.lossy.sendto(words[:368], pair.there)
    assert lossy.stats.bytes_sent == 1472
    assert pair.arrivals() == [bytes(1472)]


def test_the_buffer_may_be_used_again_at_once(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(max_delivery_delay=0.2)
    buffer = bytearray(b"before")
    pair.lossy.sendto(buffer, pair.there)
    buffer[:] = b"after!"
    assert pair.arrivals() == [b"before"]


def test_sending_takes_the_caller_10_ms(pair: Pair) -> None:
    start = time.monotonic()
    pair.send(*[b"x"] * 10)
    assert time.monotonic() - start >= 0.1


def test_every_message_sent_is_counted_lost_or_not(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(loss_rate=1.0)
    pair.send(b"abc", b"", b"defgh")
    assert (lossy.stats.packets_sent, lossy.stats.bytes_sent) == (3, 8)
    assert pair.arrivals() == []


def test_what_is_received_is_counted(lossy: Any, pair: Pair) -> None:
    pair.plain.sendto(b"four", pair.here)
    pair.plain.sendto(b"", pair.here)
    assert pair.lossy.recvfrom() == (b"four", pair.there)
    assert pair.lossy.recvfrom() == (b"", pair.there)
    assert (lossy.stats.packets_recv, lossy.stats.bytes_recv) == (2, 4)
    assert (lossy.stats.packets_sent, lossy.stats.bytes_sent) == (0, 0)


def test_the_report_counts_46_bytes_more_for_each_packet(lossy: Any) -> None:
    for size in (100, 20):
        lossy.stats.count_sent(size)
    lossy.stats.count_received(7)
    assert lossy.stats.report().splitlines() == [
        "PACKETS_SENT=2",
        "UDP_BYTES_SENT=120",
        "ETH_BYTES_SENT=212",
        "PACKETS_RECV=1",
        "UDP_BYTES_RECV=7",
        "ETH_BYTES_RECV=53",
    ]


def test_counting_from_several_threads_misses_nothing(lossy: Any) -> None:
    def count() -> None:
        for _ in range(20_000):
            lossy.stats.count_sent(3)
            lossy.stats.count_received(2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (lossy.stats.packets_sent, lossy.stats.bytes_sent) == (80_000, 240_000)
    assert (lossy.stats.packets_recv, lossy.stats.bytes_recv) == (80_000, 160_000)


# Loss, damage and delay


def test_losses_are_the_first_draws_of_the_generator(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(loss_rate=0.5)
    random.seed(3)
    pair.send(*map(number, range(40)))
    twin = random.Random(3)
    expected = []
    for value in range(40):
        if twin.random() >= 0.5:
            twin.uniform(0, 0)
            expected.append(number(value))
    assert 10 < len(expected) < 30
    assert sorted(pair.arrivals()) == expected


@pytest.mark.parametrize("rate", [0.5, 4.0])
def test_the_corruption_rate_is_the_mean_number_of_flipped_bits(lossy: Any, rate: float) -> None:
    source = random.Random(4)
    for size in (1, 20, 1472):
        message = source.randbytes(size)
        counts = [flips(message, lossy.damaged(message, rate)) for _ in range(20_000)]
        bits = 8 * size
        deviation = math.sqrt(rate * (1 - rate / bits) / len(counts))
        assert abs(sum(counts) / len(counts) - rate) < 5 * deviation
        whole = (1 - rate / bits) ** bits
        spread = math.sqrt(whole * (1 - whole) / len(counts))
        assert abs(counts.count(0) / len(counts) - whole) < 5 * spread


def test_each_bit_is_flipped_as_often_as_any_other(lossy: Any) -> None:
    total, rate = 20_000, 1.5
    counts = [0] * 24
    for _ in range(total):
        pattern = int.from_bytes(lossy.damaged(bytes(3), rate), "little")
        for bit in range(24):
            counts[bit] += pattern >> bit & 1
    probability = rate / 24
    deviation = math.sqrt(total * probability * (1 - probability))
    assert max(abs(count - total * probability) for count in counts) < 5 * deviation


@pytest.mark.parametrize("rate", [16.0, 17.0, 1e300])
def test_so_much_corruption_flips_every_bit(lossy: Any, rate: float) -> None:
    assert lossy.damaged(b"\x0f\xaa", rate) == b"\xf0\x55"


@pytest.mark.parametrize("rate", [0.0, 5e-324, 1e-300])
def test_so_little_corruption_flips_none(lossy: Any, rate: float) -> None:
    assert lossy.damaged(bytes(1472), rate) == bytes(1472)


def test_an_empty_message_has_nothing_to_flip(lossy: Any) -> None:
    assert lossy.damaged(b"", 1.0) == b""


def test_the_socket_damages_messages(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(corruption_rate=2.0)
    pair.send(*[bytes(30)] * 30)
    arrived = pair.arrivals()
    assert len(arrived) == 30
    assert 30 <= sum(flips(bytes(30), message) for message in arrived) <= 90


def test_messages_overtake_each_other_within_the_delay(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(max_delivery_delay=0.3)
    pair.send(*map(number, range(30)))
    arrived = pair.arrivals()
    assert sorted(arrived) == list(map(number, range(30)))
    assert arrived != sorted(arrived)


def test_no_message_comes_before_its_delay(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(max_delivery_delay=0.5)
    random.seed(5)
    start = time.monotonic()
    pair.send(b"late")
    twin = random.Random(5)
    twin.random()
    delay_s = twin.uniform(0, 0.5)
    assert delay_s > 0.1
    assert pair.plain.recv(2048) == b"late"
    assert time.monotonic() - start >= 0.01 + delay_s


def test_the_same_seed_gives_the_same_fate(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(loss_rate=0.3, corruption_rate=1.0, max_delivery_delay=0.01)
    fates = []
    for seed in (6, 6, 7):
        random.seed(seed)
        pair.send(*map(number, range(20)))
        fates.append(sorted(pair.arrivals()))
    assert fates[0] == fates[1] != fates[2]


# The module global `sim`


def test_a_new_sim_holds_for_sockets_that_are_there(lossy: Any, pair: Pair) -> None:
    for rate, arrived in ((1.0, []), (0.0, [b"x"]), (1.0, [])):
        lossy.sim = lossy.SimulationParams(loss_rate=rate)
        pair.send(b"x")
        assert pair.arrivals() == arrived


def test_the_network_is_harmless_by_default(lossy: Any) -> None:
    assert (lossy.sim.loss_rate, lossy.sim.corruption_rate, lossy.sim.max_delivery_delay) == (0, 0, 0)
    assert lossy.SimulationParams(0.1, 0.2, 0.3).become_reliable_after >= 1e6
    assert lossy.SimulationParams(0.1, 0.2, 0.3, 4.0) == lossy.SimulationParams(
        loss_rate=0.1, corruption_rate=0.2, max_delivery_delay=0.3, become_reliable_after=4.0
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loss_rate", -0.1),
        ("loss_rate", 1.1),
        ("loss_rate", math.nan),
        ("corruption_rate", -0.1),
        ("corruption_rate", math.inf),
        ("corruption_rate", math.nan),
        ("max_delivery_delay", -0.1),
        ("max_delivery_delay", math.inf),
        ("max_delivery_delay", math.nan),
        ("become_reliable_after", -1.0),
        ("become_reliable_after", math.nan),
    ],
)
def test_values_out_of_range_are_refused(lossy: Any, field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        lossy.SimulationParams(**{field: value})


def test_a_reliable_network_neither_loses_nor_damages(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(1.0, 8.0, 0.0, become_reliable_after=0.0)
    pair.send(b"a", b"b", b"c")
    assert sorted(pair.arrivals()) == [b"a", b"b", b"c"]


def test_the_network_becomes_reliable_when_stated(lossy: Any, pair: Pair) -> None:
    imported_before_s = time.monotonic()
    lossy = load()
    lossy.atexit.unregister(lossy.print_statistics)
    lossy.sim = lossy.SimulationParams(loss_rate=1.0, become_reliable_after=0.15)
    pair.plain.setblocking(False)
    deadline_s = imported_before_s + PATIENCE_S
    with lossy.LossyUDP() as sender:
        while time.monotonic() < deadline_s:
            sender.sendto(b"x", pair.there)
            try:
                pair.plain.recv(2048)
            except BlockingIOError:
                continue
            break
    assert imported_before_s + 0.15 <= time.monotonic() < deadline_s


# Receiving and stopping


def test_recvfrom_returns_as_stated_after_stoprecv(pair: Pair) -> None:
    pair.plain.sendto(b"unread", pair.here)
    pair.lossy.stoprecv()
    assert pair.lossy.recvfrom() == (b"", ("", 0))
    assert pair.lossy.recvfrom(100) == (b"", ("", 0))


def test_sending_goes_on_after_stoprecv(pair: Pair) -> None:
    pair.lossy.stoprecv()
    pair.send(b"x")
    assert pair.arrivals() == [b"x"]


@pytest.mark.parametrize("interval_s", [None, 0.02])
def test_stoprecv_ends_a_waiting_recvfrom(pair: Pair, interval_s: float | None) -> None:
    if interval_s is not None:
        pair.lossy.settimeout(interval_s)
    results = []
    thread = threading.Thread(target=lambda: results.append(pair.lossy.recvfrom()))
    thread.start()
    pair.lossy.stoprecv()
    thread.join(PATIENCE_S)
    assert results == [(b"", ("", 0))]


def test_the_default_interval_is_a_second(pair: Pair) -> None:
    assert pair.lossy.gettimeout() == 1.0


def test_recvfrom_waits_longer_than_the_interval(pair: Pair) -> None:
    pair.lossy.settimeout(0.01)
    timer = threading.Timer(0.1, pair.plain.sendto, (b"at last", pair.here))
    timer.start()
    assert pair.lossy.recvfrom() == (b"at last", pair.there)
    timer.join(PATIENCE_S)


def test_a_non_blocking_socket_says_that_there_is_nothing(pair: Pair) -> None:
    pair.lossy.settimeout(0)
    with pytest.raises(BlockingIOError):
        pair.lossy.recvfrom()


def test_a_closed_socket_raises(lossy: Any) -> None:
    closed = lossy.LossyUDP()
    closed.close()
    with pytest.raises(OSError):
        closed.recvfrom()


def test_recvfrom_cuts_to_the_size_given(lossy: Any, pair: Pair) -> None:
    pair.plain.sendto(b"abcdef", pair.here)
    assert pair.lossy.recvfrom(4) == (b"abcd", pair.there)
    assert lossy.stats.bytes_recv == 4


# Threads and the end. A traceback in a thread would fail these tests: pytest warns about it, and warnings are errors.


def test_what_is_on_its_way_when_the_socket_closes_is_lost_quietly(lossy: Any, pair: Pair) -> None:
    lossy.sim = lossy.SimulationParams(max_delivery_delay=1.0)
    random.seed(5)
    pair.send(b"x")
    pair.lossy.close()
    # a machine so slow that the message was faster than close() proves nothing, and is no failure either
    assert pair.arrivals() in ([], [b"x"])


def test_another_failure_to_deliver_shows() -> None:
    outcome = run("""
        import lossy_socket
        with lossy_socket.LossyUDP() as s:
            s.sendto(b"x", ("127.0.0.1", 0))  # no port
            import threading
            [thread.join() for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    """)
    assert "OSError" in outcome.stderr


def test_a_program_prints_its_traffic_at_its_end() -> None:
    outcome = run("""
        import lossy_socket
        a, b = lossy_socket.LossyUDP(), lossy_socket.LossyUDP()
        b.bind(("127.0.0.1", 0))
        a.sendto(b"hello", b.getsockname())
        assert b.recvfrom()[0] == b"hello"
        print("done")
    """)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [
        "done",
        "PACKETS_SENT=1",
        "UDP_BYTES_SENT=5",
        "ETH_BYTES_SENT=51",
        "PACKETS_RECV=1",
        "UDP_BYTES_RECV=5",
        "ETH_BYTES_RECV=51",
    ]


def test_a_message_is_delivered_though_the_program_has_come_to_its_end(pair: Pair) -> None:
    outcome = run(f"""
        import lossy_socket
        lossy_socket.sim = lossy_socket.SimulationParams(max_delivery_delay=0.2)
        lossy_socket.LossyUDP().sendto(b"last words", {pair.there!r})
    """)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert pair.arrivals() == [b"last words"]


def test_the_import_seeds_the_generator_with_a_constant() -> None:
    programs = ["import lossy_socket, random; print(random.random())"] * 2 + ["import random; print(random.random())"]
    draws = [run(program).stdout.splitlines()[0] for program in programs]
    assert draws[0] == draws[1] != draws[2]


def test_sending_after_the_main_thread_is_done_works_or_tells_the_caller() -> None:
    """Python 3.12 starts no thread any more then, other versions do."""
    outcome = run("""
        import lossy_socket, threading
        s = lossy_socket.LossyUDP()
        def late():
            threading.main_thread().join()
            try:
                for _ in range(5):
                    s.sendto(b"x", ("127.0.0.1", 9))
                print("all sent")
            except RuntimeError as error:
                print("refused:", error)
        threading.Thread(target=late).start()
    """)
    words = ("refused:",) if sys.version_info[:2] == (3, 12) else ("refused:", "all sent")
    assert outcome.stdout.startswith(words)
    assert outcome.stderr == ""
