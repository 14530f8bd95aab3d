"""What `surewire send` and `surewire recv` say to each other, and to peers that break the rules, over a plain pair."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from surewire.apps import file_receiving
from surewire.apps.file_receiving import FileReceiving, Received, RefusedHere
from surewire.apps.file_sending import FileSending, RefusedByReceiver
from surewire.drivers.files import FileSource
from surewire.errors import (
    ConnectionLost,
    DigestMismatch,
    IdleTimeout,
    RemoteProtocolError,
    Reset,
    SourceChanged,
    Unconfirmed,
)
from surewire.transfer import messages
from surewire.transfer.messages import Digest, Message, Offer, Refusal, Stored
from tests.commands.pair_stream import PATIENCE_S, PairStream, pair

BIG = random.Random(3).randbytes((3 << 20) + 5)
SMALL = BIG[:1000]


class Aside:
    """Something done on another thread; `join` gives what it returned, or raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def join(self) -> object:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._result


def written(folder: Path, content: bytes) -> Path:
    path = folder / "in.bin"
    path.write_bytes(content)
    return path


def sending(stream: PairStream, path: Path, *, name: str = "out.bin") -> Callable[[], bytes]:
    source = FileSource(path)

    def run() -> bytes:
        with source:
            return FileSending(stream, source, Offer(name, source.size, 0o640, 1_000_000_000_000_000_000)).run()

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def receive(stream: PairStream, folder: Path, *, overwrite: bool = True) -> Received:
    return FileReceiving(stream, str(folder), overwrite=overwrite).run()


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@contextlib.contextmanager
def said(*parts: Message | bytes) -> Iterator[tuple[PairStream, PairStream]]:
    """A pair on whose first end these things were said, and no more will be."""
    with pair() as (far, near):
        for part in parts:
            far.sendall(part if isinstance(part, bytes) else messages.emit(part))
        far.shutdown()
        yield far, near


def answer(stream: PairStream) -> Message | None:
    return messages.read(stream)


@pytest.mark.parametrize("content", [b"", b"x", SMALL, BIG[: 1 << 20], BIG[: (1 << 20) + 1], BIG], ids=len)
def test_a_file_arrives(tmp_path: Path, folder: Path, content: bytes) -> None:
    with pair() as (far, near):
        sender = Aside(sending(far, written(tmp_path, content)))
        received = receive(near, folder)
        digest = hashlib.sha256(content).digest()
        assert sender.join() == digest == received.sha256
    assert (received.name, received.size, received.note) == ("out.bin", len(content), None)
    assert names(folder) == ["out.bin"]
    found = folder / "out.bin"
    assert found.read_bytes() == content
    assert found.stat().st_mode & 0o777 & ~0o640 == 0
    assert found.stat().st_mtime == 1_000_000_000


def test_an_existing_file_is_replaced_or_not(tmp_path: Path, folder: Path) -> None:
    (folder / "out.bin").write_bytes(b"old")
    with pair() as (far, near):
        sender = Aside(sending(far, written(tmp_path, BIG)))
        with pytest.raises(RefusedHere, match="out.bin exists"):
            receive(near, folder, overwrite=False)
        with pytest.raises(RefusedByReceiver, match="the receiver: there is a file of that name already") as caught:
            sender.join()
        assert caught.value.code == messages.EXISTS
    assert (folder / "out.bin").read_bytes() == b"old"
    with pair() as (far, near):
        sender = Aside(sending(far, written(tmp_path, SMALL)))
        receive(near, folder)
        sender.join()
    assert (names(folder), (folder / "out.bin").read_bytes()) == (["out.bin"], SMALL)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "", "a\\b", "a\nb", "x" * 256, "\x1b[2J"])
def test_a_name_that_leads_elsewhere_is_refused_at_once(tmp_path: Path, folder: Path, name: str) -> None:
    with said(Offer(name, 1 << 40)) as (far, near):
        refused = Aside(lambda: receive(near, folder))
        reply = answer(far)
        far.abort(0, "understood")
        with pytest.raises(RefusedHere, match="cannot be stored under that name"):
            refused.join()
    assert isinstance(reply, Refusal) and reply.code == messages.BAD_NAME
    assert names(folder) == [] and names(tmp_path) == ["into"]


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"keep")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    (folder / "sub").mkdir()
    for name in ("link", "dangling", "sub"):
        with said(Offer(name, 4), b"data", Digest(hashlib.sha256(b"data").digest())) as (far, near):
            with pytest.raises(RefusedHere):
                receive(near, folder)
            reply = answer(far)
        assert isinstance(reply, Refusal) and reply.code == messages.CANNOT_STORE
        assert str(tmp_path) not in reply.text
    assert (tmp_path / "elsewhere").read_bytes() == b"keep"
    assert names(folder) == ["dangling", "link", "sub"] and names(tmp_path) == ["elsewhere", "into"]


def test_what_does_not_fit_is_refused_at_once(tmp_path: Path, folder: Path) -> None:
    with said(Offer("big", messages.MAX_SIZE)) as (far, near):
        with pytest.raises(RefusedHere, match="do not fit"):
            receive(near, folder)
        reply = answer(far)
    assert isinstance(reply, Refusal) and reply.code == messages.NO_ROOM
    assert names(folder) == []


@contextlib.contextmanager
def largest_file(nbytes: int) -> Iterator[None]:
    """Let files grow to `nbytes` at most: the disk that is full, without filling a disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("content", [SMALL, BIG], ids=len)
def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path: Path, folder: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    with largest_file(500), pair() as (far, near):
        sender = Aside(sending(far, path))
        with pytest.raises(RefusedHere, match="File too large"):
            receive(near, folder)
        with pytest.raises(RefusedByReceiver, match="the disk failed or is full") as caught:
            sender.join()
    assert caught.value.code == messages.CANNOT_STORE
    assert names(folder) == []


def test_a_folder_that_vanishes_is_told(tmp_path: Path, folder: Path) -> None:
    with said(Offer("x", 4), b"data", Digest(hashlib.sha256(b"data").digest())) as (far, near):
        folder.rmdir()
        with pytest.raises(RefusedHere):
            receive(near, folder)
        assert isinstance(answer(far), Refusal)


@pytest.mark.parametrize("content", [SMALL, BIG], ids=len)
def test_other_bytes_than_were_hashed_are_not_stored(folder: Path, content: bytes) -> None:
    with said(Offer("x", len(content)), content, Digest(hashlib.sha256(content + b"!").digest())) as (far, near):
        with pytest.raises(DigestMismatch):
            receive(near, folder)
        reply = answer(far)
    assert isinstance(reply, Refusal) and reply.code == messages.DIGEST_DIFFERS
    assert names(folder) == []


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((), "offered nothing"),
        ((b"GET / HTTP/1.1\r\n",), "no file transfer"),
        ((b"\0\0",), "in the middle of a message"),
        ((Digest(bytes(32)),), "something else than an offer"),
        ((Offer("x", 10), b"short"), "before the end of the file"),
        ((Offer("x", 3), b"abc"), "did not say what the file hashes to"),
        ((Offer("x", 3), b"abc", Offer("x", 3)), "did not say what the file hashes to"),
        ((Offer("x", 3), b"abcd", Digest(bytes(32))), "no file transfer"),
    ],
)
def test_a_sender_that_does_not_keep_to_the_rules(
    folder: Path, parts: tuple[Message | bytes, ...], reason: str
) -> None:
    with said(*parts) as (far, near):
        with pytest.raises(RemoteProtocolError, match=reason):
            receive(near, folder)
        reply = answer(far)
    assert isinstance(reply, Refusal) and reply.code == messages.PROTOCOL
    assert names(folder) == []


def test_a_sender_of_a_later_version_is_told_what_is_not_understood(folder: Path) -> None:
    body = b'{"type":"offer","version":1,"requires":["tree"],"files":[]}'
    with said(len(body).to_bytes(4, "big") + body) as (far, near):
        with pytest.raises(RefusedHere, match="not known here: tree"):
            receive(near, folder)
        reply = answer(far)
    assert isinstance(reply, Refusal) and reply.code == messages.UNSUPPORTED


@pytest.mark.parametrize("done", [0, 5, 2_000_000])
def test_a_sender_that_is_interrupted_leaves_nothing(folder: Path, done: int) -> None:
    with pair() as (far, near):
        receiver = Aside(lambda: receive(near, folder))
        far.sendall(messages.emit(Offer("x", len(BIG))))
        far.sendall(BIG[:done])
        far.abort(1, "the sender was interrupted")
        with pytest.raises(Reset, match="the sender was interrupted"):
            receiver.join()
    assert names(folder) == []


def test_a_file_that_changes_meanwhile_is_told_at_the_sender(tmp_path: Path, folder: Path) -> None:
    path = written(tmp_path, BIG)
    with pair() as (far, near):
        run = sending(far, path)
        path.write_bytes(BIG[:-1])
        receiver = Aside(lambda: receive(near, folder))
        with pytest.raises(SourceChanged, match="changed while it was sent"):
            run()
        with pytest.raises(ConnectionLost):
            receiver.join()
    assert names(folder) == []


@pytest.mark.parametrize("content", [SMALL, BIG], ids=len)
@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (Refusal("room", "no room"), RefusedByReceiver, "the receiver: no room"),
        (Refusal("quota", "too much"), RefusedByReceiver, "the receiver: too much"),
        (Refusal("digest", "differs"), DigestMismatch, "differs"),
        (Stored(bytes(32)), DigestMismatch, "other bytes"),
        (Digest(bytes(32)), RemoteProtocolError, "no answer"),
        (b"HTTP/1.1 400", RemoteProtocolError, "no file transfer"),
        (b"", Unconfirmed, "without saying"),
    ],
)
def test_what_a_receiver_may_answer(
    tmp_path: Path, content: bytes, reply: Message | bytes, kind: type[Exception], reason: str
) -> None:
    with said(reply) as (_, near):
        with pytest.raises(kind, match=reason):
            sending(near, written(tmp_path, content))()
        assert near.closed == "aborted"  # the file is closed now, so nobody may go on reading it


def test_a_receiver_that_is_stopped_is_told_by_the_sender(tmp_path: Path) -> None:
    with pair() as (far, near):
        sender = Aside(sending(far, written(tmp_path, BIG)))
        assert isinstance(answer(near), Offer)
        near.abort(1, "the receiver was stopped")
        with pytest.raises(Reset, match="the receiver was stopped"):
            sender.join()


def test_a_sender_that_does_not_hear_the_end_does_no_harm(tmp_path: Path, folder: Path) -> None:
    with said(Offer("x", 1000), SMALL, Digest(hashlib.sha256(SMALL).digest())) as (far, near):
        real = near.close

        def close(timeout: float | None = None) -> str:
            real(timeout)
            raise Unconfirmed("nobody answers")

        near.close = close  # type: ignore[method-assign]
        received = receive(near, folder)
        assert answer(far) == Stored(hashlib.sha256(SMALL).digest())
    assert received.note == "the sender may not know: nobody answers"
    assert (folder / "x").read_bytes() == SMALL


def test_a_sender_that_lets_its_offer_drip_loses_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_receiving, "OFFER_S", 0.2)
    offer = messages.emit(Offer("x", 3))
    with pair() as (far, near):
        receiver = Aside(lambda: receive(near, folder))
        far.sendall(offer[:-1])
        with pytest.raises(IdleTimeout, match="offered nothing within"):
            receiver.join()
    assert names(folder) == []
