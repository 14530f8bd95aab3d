"""Transfers that cannot succeed: both sides end, each with the reason, and no file appears."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from surewire.core.trains import Buffer
from surewire.errors import Aborted, DestinationError, DigestMismatch, Reset, SourceChanged, SurewireError
from surewire.lab.simulated.rdp_simulation import RdpSimulation
from surewire.rdp.config import RdpConfig
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire.segment import PacketType
from tests.sim.world import MS, PATH, PLAIN, S, content, impaired, use_sink, use_source

CONFIGS = pytest.mark.parametrize("config", [RdpConfig(), PLAIN], ids=["ours", "plain"])


class FullDisk(MemorySink):
    """Takes `room` bytes and no more."""

    def __init__(self, room: int, message: str = "cannot write 'received.dat': no space left on device") -> None:
        super().__init__()
        self._room = room
        self._message = message

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        if offset + sum(len(piece) for piece in pieces) > self._room:
            raise DestinationError(self._message)
        super().write_at(offset, pieces)


class Shrinking(MemorySource):
    """A file that someone truncates after it was opened: it states `claimed` bytes and has fewer."""

    def __init__(self, data: bytes, claimed: int) -> None:
        super().__init__(data)
        self._claimed = claimed

    @property
    def size(self) -> int:
        return self._claimed


class Unreadable(MemorySource):
    """A file on a disk with a bad sector."""

    def read_at(self, offset: int, length: int) -> bytes:
        if offset + length > 50_000:
            raise SourceChanged("cannot read 'sent.dat' any more: input/output error")
        return super().read_at(offset, length)


class Rewritten(MemorySource):
    """A file that someone writes to meanwhile: another content each time a place is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads: dict[int, int] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        turn = self._reads[offset] = self._reads.get(offset, -1) + 1
        data = super().read_at(offset, length)
        return data if not turn else bytes([turn & 255]) * len(data)


def reasons(simulation: RdpSimulation) -> tuple[SurewireError | None, SurewireError | None]:
    """How the sender and the receiver ended; both must have."""
    assert simulation.sender_outcome.closed and simulation.receiver_outcome.closed
    assert simulation.sink.committed is None
    return simulation.sender_outcome.error, simulation.receiver_outcome.error


@CONFIGS
@pytest.mark.parametrize("room", [0, 50_000, 99_999])
def test_a_full_disk_ends_both_sides(config: RdpConfig, room: int) -> None:
    simulation = RdpSimulation(content(100_000), PATH, seed=1, config=config)
    use_sink(simulation, FullDisk(room), config)
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_receiver, DestinationError) and "no space left" in str(at_receiver)
    assert isinstance(at_sender, Reset)
    assert ("no space left" in str(at_sender)) == (config is not PLAIN)  # a plain RST has no room for a reason
    assert simulation.network.now < 2 * S


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_full_disk_on_a_bad_path(seed: int) -> None:
    """The RST goes out three times, and the sender's next packets are not answered by a new one."""
    link = impaired(loss=0.2, duplicate=0.1, reorder=0.1, corrupt=0.1)
    simulation = RdpSimulation(content(100_000), link, seed=seed)
    use_sink(simulation, FullDisk(60_000))
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_receiver, DestinationError), f"seed {seed}"
    assert isinstance(at_sender, SurewireError), f"seed {seed}"


def test_a_reason_with_a_line_break_reaches_the_sender() -> None:
    """A file name may hold one, and an error names the file."""
    simulation = RdpSimulation(content(10_000), PATH, seed=1)
    use_sink(simulation, FullDisk(0, "cannot write 'a\n\nb': no space left"))
    at_sender, _ = reasons(simulation.run())
    assert isinstance(at_sender, Reset) and "no space left" in str(at_sender)


@CONFIGS
def test_a_truncated_source_ends_both_sides(config: RdpConfig) -> None:
    simulation = RdpSimulation(content(100_000), PATH, seed=1, config=config)
    use_source(simulation, Shrinking(content(50_000), 100_000), config)
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_sender, SourceChanged)
    assert isinstance(at_receiver, Reset)
    assert ("changed" in str(at_receiver)) == (config is not PLAIN)


@CONFIGS
def test_an_unreadable_source_ends_both_sides(config: RdpConfig) -> None:
    simulation = RdpSimulation(content(100_000), PATH, seed=1, config=config)
    use_source(simulation, Unreadable(content(100_000)), config)
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_sender, SourceChanged) and "input/output error" in str(at_sender)
    assert isinstance(at_receiver, Reset)
    assert simulation.network.now < 2 * S


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_source_rewritten_meanwhile_is_found_by_its_digest(seed: int) -> None:
    simulation = RdpSimulation(content(100_000), impaired(loss=0.1), seed=seed)
    use_source(simulation, Rewritten(content(100_000)))
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_receiver, DigestMismatch), f"seed {seed}"
    assert isinstance(at_sender, Reset) and "do not hash" in str(at_sender), f"seed {seed}"


@CONFIGS
@pytest.mark.parametrize("at_ms", [30, 100, 150])
def test_the_sender_gives_up(config: RdpConfig, at_ms: int) -> None:
    simulation = RdpSimulation(content(400_000), PATH, seed=1, config=config)
    simulation.network.at(S + at_ms * MS, lambda: simulation.sender.abort("interrupted", now=simulation.network.now))
    simulation.network.at(S + at_ms * MS, lambda: simulation.network.service(simulation.sender_host))
    simulation.run(limit_s=5)
    assert isinstance(simulation.sender_outcome.error, Aborted) and "interrupted" in str(
        simulation.sender_outcome.error
    )
    sent = simulation.sender.packets.count("sS", PacketType.RST)
    if at_ms == 30:  # before any answer: the RST is a plain one, which proves nothing to a receiver of ours
        assert sent == 1
        return
    at_sender, at_receiver = reasons(simulation)
    assert sent == (config.reset_copies if config is not PLAIN else 1)
    assert isinstance(at_receiver, Reset)
    assert ("interrupted" in str(at_receiver)) == (config is not PLAIN)


@CONFIGS
def test_the_receiver_gives_up(config: RdpConfig) -> None:
    simulation = RdpSimulation(content(100_000), PATH, seed=1, config=config)
    simulation.network.at(S + 100 * MS, lambda: simulation.receiver.abort("interrupted", now=simulation.network.now))
    simulation.network.at(S + 100 * MS, lambda: simulation.network.service(simulation.receiver_host))
    at_sender, at_receiver = reasons(simulation.run())
    assert isinstance(at_receiver, Aborted) and isinstance(at_sender, Reset)
    assert ("interrupted" in str(at_sender)) == (config is not PLAIN)
    assert simulation.network.now < 2 * S


def test_a_receiver_that_gives_up_before_anybody_came_says_nothing() -> None:
    simulation = RdpSimulation(content(1), PATH, seed=1)
    simulation.receiver.abort("interrupted", now=simulation.network.now)
    simulation.run(limit_s=60)
    assert isinstance(simulation.receiver_outcome.error, Aborted)
    assert simulation.receiver.packets.count("sS", PacketType.RST) == 0
    assert simulation.sender_outcome.error is not None


def test_a_sender_that_gave_up_before_the_answer_leaves_a_receiver_that_ends() -> None:
    """The SYN arrived, the sender was interrupted before the ACK reached it."""
    simulation = RdpSimulation(content(100_000), PATH, seed=1)
    simulation.network.at(S + 30 * MS, lambda: simulation.sender.abort("interrupted", now=simulation.network.now))
    simulation.network.at(S + 30 * MS, lambda: simulation.network.service(simulation.sender_host))
    simulation.run()
    assert simulation.receiver_outcome.closed and simulation.receiver_outcome.error is not None
