"""A receiver of files against any bytes: an error of ours or a whole file, and nothing else in the folder."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from surewire.apps.file_receiving import FileReceiving, Received
from surewire.core.trains import Buffer
from surewire.errors import SurewireError
from surewire.native.statistics import ConnectionStats
from surewire.transfer import messages
from surewire.transfer.files import Sink
from surewire.transfer.messages import Digest, Offer, Refusal, Stored

BEFORE = {"old": b"kept", "other": b"kept, too"}


class Recording:
    """A stream that says these bytes and ends; what is answered is kept."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.answered = b""
        self.is_aborted = False

    def recv(self, limit: int) -> bytes:
        taken, self.data = self.data[:limit], self.data[limit:]
        return taken

    def receive_into(self, sink: Sink, count: int) -> int:
        taken = self.recv(count)
        half = len(taken) // 2
        sink.write_at(half, [taken[half:]])
        sink.write_at(0, [taken[:half]])
        return len(taken)

    def sendall(self, data: Buffer) -> None:
        self.answered += data

    def settimeout(self, seconds: float | None) -> None:
        """Nothing here waits."""

    def close(self, timeout: float | None = None) -> str:
        return "confirmed"

    def abort(self, code: int, text: str) -> None:
        self.is_aborted = True

    def stats(self) -> ConnectionStats:
        return ConnectionStats(*[0] * len(ConnectionStats._fields))  # type: ignore[arg-type]


def receive(data: bytes, *, overwrite: bool) -> tuple[Received | None, Recording, dict[str, bytes]]:
    """What came of it, what was answered, and what stands in the folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for old, content in BEFORE.items():
            (folder / old).write_bytes(content)
        stream, received = Recording(data), None
        try:
            received = FileReceiving(stream, name, overwrite=overwrite).run()
        except SurewireError as error:
            assert "\n" not in str(error)
        return received, stream, {path.name: path.read_bytes() for path in folder.iterdir()}


def check(data: bytes, *, overwrite: bool) -> Received | None:
    received, stream, found = receive(data, overwrite=overwrite)
    answers = Recording(stream.answered)
    answer = messages.read(answers)
    assert answers.data == b""
    if received is None:
        assert found == BEFORE
        assert stream.is_aborted or isinstance(answer, Refusal)
        return None
    content = found.pop(received.name)
    assert hashlib.sha256(content).digest() == received.sha256
    assert answer == Stored(received.sha256)
    assert found == {name: old for name, old in BEFORE.items() if name != received.name}
    assert overwrite or received.name not in BEFORE
    return received


names = st.sampled_from(["new", "old", "other", "../old", ".", "a/b", "", "\0", "x" * 300]) | st.text(max_size=20)


@given(names, st.binary(max_size=2_000), st.booleans())
def test_a_file_is_stored_or_refused(name: str, content: bytes, overwrite: bool) -> None:
    offer = messages.emit(Offer(name, len(content), 0o755, 0))
    data = offer + content + messages.emit(Digest(hashlib.sha256(content).digest()))
    received = check(data, overwrite=overwrite)
    if name == "new" or (overwrite and name in BEFORE):
        assert received is not None and (received.name, received.size) == (name, len(content))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes(data: bytes, overwrite: bool) -> None:
    check(data, overwrite=overwrite)


@given(st.sampled_from(["new", "old"]), st.binary(max_size=50), st.integers(0, 400), st.binary(max_size=3))
def test_damage_anywhere(name: str, content: bytes, at: int, new: bytes) -> None:
    data = messages.emit(Offer(name, len(content))) + content
    data += messages.emit(Digest(hashlib.sha256(content).digest()))
    at %= len(data)
    check(data[:at] + new + data[at + len(new) :], overwrite=True)


@given(st.integers(-5, 5), st.integers(0, 5))
def test_a_size_that_is_not_that_of_the_bytes(more: int, said: int) -> None:
    content = b"12345"
    body = json.dumps({"type": "offer", "version": 1, "files": [{"name": "new", "size": len(content) + more}]}).encode()
    data = len(body).to_bytes(4, "big") + body + content[said:]
    data += messages.emit(Digest(hashlib.sha256(content).digest()))
    received = check(data, overwrite=True)
    assert (received is not None) == (more == 0 and said == 0)
