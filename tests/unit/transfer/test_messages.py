"""The messages of a file transfer: what stands on the wire, what is refused, and what later versions may add."""

from __future__ import annotations

import json

import pytest

from surewire.errors import LocalProtocolError, RemoteProtocolError
from surewire.transfer import messages
from surewire.transfer.messages import Digest, Message, Offer, Refusal, Stored, UnsupportedOffer

SHA = bytes(range(32))
FULL = Offer("a file.txt", 7, 0o644, 1_700_000_000_123_456_789)


class Stream:
    """Bytes as they come from a network: in small pieces."""

    def __init__(self, data: bytes, *, piece: int = 3) -> None:
        self.data = data
        self.piece = piece

    def recv(self, limit: int) -> bytes:
        taken = self.data[: min(limit, self.piece)]
        self.data = self.data[len(taken) :]
        return taken


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def offer(**fields: object) -> bytes:
    """An offer with some of its fields replaced; None leaves one out."""
    usual: dict[str, object] = {"type": "offer", "version": 1, "files": [{"name": "x", "size": 1}]}
    return json.dumps({key: value for key, value in {**usual, **fields}.items() if value is not None}).encode()


def file(**fields: object) -> bytes:
    return offer(files=[{"name": "x", "size": 1, **fields}])


@pytest.mark.parametrize(
    "message",
    [
        FULL,
        Offer("", 0),
        Offer("\N{SNOWMAN}" * 255, messages.MAX_SIZE),
        Digest(SHA),
        Stored(SHA),
        Refusal("room", "no"),
    ],
)
def test_what_is_emitted_is_read_again(message: Message) -> None:
    stream = Stream(messages.emit(message) + b"rest")
    assert messages.read(stream) == message
    assert stream.data == b"rest"


def test_the_bytes_of_an_offer() -> None:
    head = b'{"type":"offer","version":1,"files":[{"name":"a file.txt","size":7,'
    assert messages.emit(FULL) == b"\0\0\0\x6f" + head + b'"mode":420,"mtime_ns":1700000000123456789}]}'
    assert messages.emit(Offer("x", 1)) == framed(b'{"type":"offer","version":1,"files":[{"name":"x","size":1}]}')


def test_the_end_of_the_stream_is_no_message_and_no_error() -> None:
    assert messages.read(Stream(b"")) is None


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 20])
def test_an_end_within_a_message_is_an_error(cut: int) -> None:
    with pytest.raises(RemoteProtocolError, match="in the middle of a message"):
        messages.read(Stream(messages.emit(FULL)[:cut]))


@pytest.mark.parametrize("head", [b"\0\0\0\0", b"\0\0\0\1", b"\0\1\0\1", b"GET ", b"\xff\xff\xff\xff"])
def test_a_length_that_no_message_has_is_told_before_its_bytes_come(head: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no file transfer"):
        messages.read(Stream(head))


def test_the_longest_message_is_read_and_a_longer_one_not_written() -> None:
    body = offer(later="y" * 60_000)
    body += b" " * (messages.MAX_MESSAGE - len(body))
    assert messages.read(Stream(framed(body), piece=9999)) == Offer("x", 1)
    with pytest.raises(LocalProtocolError, match="65536 are the most"):
        messages.emit(Offer("\N{SNOWMAN}" * 20_000, 1))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'"offer"',
        b"null",
        b"\xff\xfe",
        b"{'type':'offer'}",
        b'{"type":"offer"}',
        b'{"type":7}',
        b'{"type":["offer"]}',
        b'{"type":"other"}',
        b'{"type":"digest"}',
        b'{"type":"digest","sha256":"' + b"0" * 63 + b'"}',
        b'{"type":"digest","sha256":"' + b"A" * 64 + b'"}',
        b'{"type":"digest","sha256":"' + b"0" * 63 + b' "}',
        b'{"type":"refused","code":"room"}',
        b'{"type":"refused","code":"room","text":"' + b"x" * 501 + b'"}',
        b'{"type":"digest","type":"stored","sha256":"' + b"0" * 64 + b'"}',
        b'{"type":"digest","x":NaN,"sha256":"' + b"0" * 64 + b'"}',
        b'{"type":"digest","x":' + b"[" * 50_000 + b"]" * 10_000 + b"}",
        b'{"type":"offer","version":1' + b"0" * 6_000 + b"}",
        offer(version=0),
        offer(version=True),
        offer(version="1"),
        offer(version=1.0),
        offer(files=None),
        offer(files={}),
        offer(files=["x"]),
        offer(requires="tree"),
        offer(requires=[1]),
        file(name=7),
        file(name="x" * 4097),
        file(name="\ud800"),
        file(size=-1),
        file(size=1 << 62),
        file(size=True),
        file(size="1"),
        file(size=1.5),
        file(mode=0o10000),
        file(mode=None),
        file(mtime_ns=1 << 63),
    ],
    ids=lambda body: body[:60].decode("latin-1"),
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        messages.parse(body)
    assert not isinstance(caught.value, UnsupportedOffer)
    assert "\n" not in str(caught.value)


def test_keys_of_later_versions_are_skipped() -> None:
    assert messages.parse(offer(resume=True, groups=[{}])) == Offer("x", 1)
    assert messages.parse(file(owner="somebody", path=["a", "x"])) == Offer("x", 1)
    assert messages.parse(offer(requires=[])) == Offer("x", 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (offer(version=2), "version 2"),
        (offer(version=2, files=None), "version 2"),
        (offer(requires=["tree"]), "not known here: tree"),
        (offer(requires=["tree"], files=None), "not known here: tree"),
        (offer(files=[]), "not 0"),
        (offer(files=[{"name": "x", "size": 1}] * 2), "not 2"),
    ],
)
def test_what_a_later_sender_needs_is_told_apart_from_what_is_wrong(body: bytes, reason: str) -> None:
    with pytest.raises(UnsupportedOffer, match=reason):
        messages.parse(body)


def test_a_refusal_of_a_later_version_is_understood_as_one() -> None:
    assert messages.parse(b'{"type":"refused","code":"quota","text":"too much"}') == Refusal("quota", "too much")


def test_the_text_of_a_refusal_is_cut() -> None:
    assert messages.parse(messages.emit(Refusal("room", "x" * 9_000))[4:]) == Refusal("room", "x" * 500)
