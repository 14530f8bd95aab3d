"""The screen log against pipes whose reader is slow, gone or non-blocking."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from surewire.drivers.screen_log import ScreenLog
from surewire.errors import LocalProtocolError

PATIENCE_S = 30


@dataclass
class Pipe:
    """A pipe nobody reads until `start`; then a thread collects all that comes."""

    reading: int
    writing: int
    collected: bytearray = field(default_factory=bytearray)
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while data := os.read(self.reading, 1 << 16):
            self.collected += data

    def finish(self) -> bytes:
        """Close the writing end and return everything that went through."""
        os.close(self.writing)
        self.writing = -1
        assert self.thread is not None
        self.thread.join(PATIENCE_S)
        return bytes(self.collected)

    def stop_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    for descriptor in (made.writing, made.reading):
        if descriptor >= 0:
            os.close(descriptor)


def chunks(count: int, size: int) -> list[bytes]:
    return [f"{i:09}\n".encode().ljust(size, b".") for i in range(count)]


def test_everything_is_written_in_order(pipe: Pipe) -> None:
    pipe.start()
    with ScreenLog(pipe.writing) as log:
        for chunk in chunks(500, 5_000):
            log.write(chunk)
    assert log.backlog == 0
    assert not log.broken
    assert pipe.finish() == b"".join(chunks(500, 5_000))


def test_text_is_written_as_utf8_whatever_it_holds(pipe: Pipe) -> None:
    pipe.start()
    with ScreenLog(pipe.writing) as log:
        log.write("grün\n")
        log.write("")
        log.write(b"raw \xff\n")
        log.write("broken \udcff\n")
    assert pipe.finish() == "grün\n".encode() + b"raw \xff\nbroken \\udcff\n"


@pytest.mark.parametrize("spooled", [False, True])
def test_a_reader_that_takes_nothing_holds_nobody_up(pipe: Pipe, tmp_path: Path, spooled: bool) -> None:
    written = chunks(400, 10_000)
    limit = 50_000 if spooled else 8 << 20
    log = ScreenLog(pipe.writing, memory_limit=limit, spool_directory=str(tmp_path))
    for chunk in written:
        log.write(chunk)
    assert log.backlog > 3_000_000
    assert os.listdir(tmp_path) == []
    pipe.start()
    log.close()
    assert log.backlog == 0
    assert pipe.finish() == b"".join(written)


def test_the_order_holds_while_the_spool_comes_and_goes(pipe: Pipe, tmp_path: Path) -> None:
    written = chunks(3_000, 3_000)
    log = ScreenLog(pipe.writing, memory_limit=10_000, spool_directory=str(tmp_path))
    for i, chunk in enumerate(written):
        log.write(chunk)
        if i == 100:
            pipe.start()
    log.close()
    assert pipe.finish() == b"".join(written)


def test_without_a_spool_the_writer_waits_and_nothing_is_lost(pipe: Pipe, tmp_path: Path) -> None:
    written = chunks(200, 10_000)
    log = ScreenLog(pipe.writing, memory_limit=25_000, spool_directory=str(tmp_path / "absent"))
    highest = 0
    pipe.start()
    for chunk in written:
        log.write(chunk)
        highest = max(highest, log.backlog)
    log.write(b"x" * 100_000)  # more than the limit, taken when nothing else waits
    log.close()
    assert highest <= 25_000
    assert pipe.finish() == b"".join(written) + b"x" * 100_000


def test_a_reader_that_went_away_ends_the_log_but_not_the_program(pipe: Pipe, tmp_path: Path) -> None:
    pipe.stop_reading()
    log = ScreenLog(pipe.writing, memory_limit=1_000, spool_directory=str(tmp_path / "absent"))
    for chunk in chunks(100, 10_000):
        log.write(chunk)
    log.close()
    assert log.broken
    assert isinstance(log.error, BrokenPipeError)
    assert log.backlog == 0


def test_a_reader_that_goes_away_frees_a_waiting_writer(pipe: Pipe, tmp_path: Path) -> None:
    log = ScreenLog(pipe.writing, memory_limit=1_000, spool_directory=str(tmp_path / "absent"))

    def leave() -> None:
        os.read(pipe.reading, 1)
        pipe.stop_reading()

    leaver = threading.Thread(target=leave, daemon=True)
    leaver.start()
    for chunk in chunks(100, 10_000):
        log.write(chunk)
    log.close()
    leaver.join(PATIENCE_S)
    assert log.broken


def test_a_non_blocking_descriptor_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing, False)
    log = ScreenLog(pipe.writing)
    written = chunks(100, 10_000)
    for chunk in written:
        log.write(chunk)
    pipe.start()
    log.close()
    assert pipe.finish() == b"".join(written)


def test_closing_without_draining_drops_what_waits(pipe: Pipe) -> None:
    log = ScreenLog(pipe.writing)
    for chunk in chunks(100, 10_000):
        log.write(chunk)
    log.close(drain=False)
    assert log.backlog == 0
    with pytest.raises(LocalProtocolError):
        log.write(b"late")
    pipe.start()
    log.close()
    total = b"".join(chunks(100, 10_000))
    assert total.startswith(pipe.finish())


def test_a_file_object_can_be_the_target(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with ScreenLog(memory) as log:
        log.write("to memory\n")
    assert memory.getvalue() == b"to memory\n"
    with (tmp_path / "log").open("wb") as file:
        file.write(b"before\n")
        with ScreenLog(file) as log:
            log.write("to a file\n")
        file.write(b"after\n")
    assert (tmp_path / "log").read_bytes() == b"before\nto a file\nafter\n"


def test_a_target_that_was_closed_breaks_the_log() -> None:
    memory = io.BytesIO()
    log = ScreenLog(memory)
    memory.close()
    log.write("lost")
    log.close()
    assert log.broken


def test_a_program_whose_reader_left_ends_without_a_traceback() -> None:
    program = (
        "from surewire.drivers.screen_log import ScreenLog\n"
        "log = ScreenLog()\n"
        "for _ in range(200): log.write('x' * 10_000)\n"
        "log.close()\n"
        "raise SystemExit(3 if log.broken else 4)\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(source)},
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")
