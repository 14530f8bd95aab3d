"""Messages of a file transfer against any bytes: `RemoteProtocolError` and nothing else, and nothing is lost."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from surewire.errors import RemoteProtocolError
from surewire.transfer import messages, names
from surewire.transfer.messages import REFUSALS, Digest, Message, Offer, Refusal, Stored

texts = st.text(max_size=300)
digests = st.binary(min_size=32, max_size=32)
offers = st.builds(
    Offer,
    texts,
    st.integers(0, messages.MAX_SIZE),
    st.none() | st.integers(0, 0o7777),
    st.none() | st.integers(-(1 << 63) + 1, (1 << 63) - 1),
)
all_messages: st.SearchStrategy[Message] = st.one_of(
    offers, digests.map(Digest), digests.map(Stored), st.builds(Refusal, st.sampled_from(sorted(REFUSALS)), texts)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(["type", "version", "requires", "files", "sha256", "code", "text", "name", "size", "mode"])


class Stream:
    """Gives pieces of the sizes drawn, then as much as is asked for."""

    def __init__(self, data: bytes, pieces: list[int]) -> None:
        self.data = data
        self.pieces = pieces

    def recv(self, limit: int) -> bytes:
        size = min(limit, self.pieces.pop()) if self.pieces else limit
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def parses(body: bytes) -> bool:
    try:
        messages.parse(body)
    except RemoteProtocolError:
        return False
    return True


@given(all_messages, st.lists(st.integers(1, 9), max_size=200), st.binary(max_size=9))
def test_messages_survive_any_cutting(message: Message, pieces: list[int], rest: bytes) -> None:
    stream = Stream(messages.emit(message) + rest, pieces)
    assert messages.read(stream) == message
    assert stream.data == rest


@given(st.binary(max_size=100))
def test_any_bytes(body: bytes) -> None:
    parses(body)


@given(st.binary(max_size=100), st.lists(st.integers(1, 9), max_size=20))
def test_any_stream(data: bytes, pieces: list[int]) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert messages.read(Stream(data, pieces)) is not None or not data


@given(all_messages, st.dictionaries(keys, values, max_size=3), st.dictionaries(keys, values, max_size=3))
def test_messages_with_any_values(message: Message, changes: dict[str, object], in_file: dict[str, object]) -> None:
    fields = json.loads(messages.emit(message)[4:])
    if isinstance(message, Offer):
        fields["files"][0].update(in_file)
    parses(json.dumps(fields | changes).encode())


@given(all_messages, st.integers(0, 400), st.binary(max_size=3))
def test_damaged_messages(message: Message, at: int, new: bytes) -> None:
    body = messages.emit(message)[4:]
    parses(body[: at % len(body)] + new + body[at % len(body) + len(new) :])


@given(st.text(max_size=80))
def test_a_name_that_may_be_used_stays_in_its_folder(name: str) -> None:
    if names.why_not(name) is None:
        assert not set(name) & {"/", "\\", "\0", "\n", "\r", "\x1b"}
        assert name not in ("", ".", "..")
        assert len(name.encode()) <= names.MAX_NAME
