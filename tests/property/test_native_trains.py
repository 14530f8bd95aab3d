"""What is done for a whole train at once, against the same done datagram by datagram: packing, opening, receiving."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surewire.core.acks import AckTracker
from surewire.core.timers import TimerTable
from surewire.crypto.aead import AESGCM, CHACHAPOLY
from surewire.crypto.checked import CheckedProtection
from surewire.crypto.sealed import SealedProtection
from surewire.native.config import DEFAULT_TRANSPORT
from surewire.native.incoming import Incoming
from surewire.native.keys import ReceivingKeys, SendingKeys
from surewire.native.packing import Packer, Part, Scratch
from surewire.native.receiving import Receiving
from surewire.native.recovering import Recovering
from surewire.native.security import Protection
from surewire.native.statistics import Counters
from surewire.wire import native_frames as frames
from surewire.wire.native_datagram import HEADER_SIZE, KEY_PHASE, SHORT, SHORT_FORM
from surewire.wire.slots import Slots

ID, TO = b"the peer", ("192.0.2.1", 1)
DATA = random.Random(1).randbytes(30_000)
WRAP = 2**32

protections: st.SearchStrategy[Protection] = st.sampled_from(
    [CheckedProtection(), SealedProtection(AESGCM, bytes(32)), SealedProtection(CHACHAPOLY, bytes(32))]
)
numbers = st.one_of(st.integers(0, 2**40), st.integers(WRAP - 12, WRAP + 2), st.integers(3 * WRAP - 12, 3 * WRAP))


def read_into(offset: int, views: Sequence[memoryview]) -> None:
    for view in views:
        view[:] = DATA[offset : offset + len(view)]
        offset += len(view)


def sealed(protection: Protection, number: int, body: bytes, *, form: int = SHORT_FORM) -> bytes:
    """One datagram, made by the plain functions."""
    data = bytearray(SHORT.pack(form, ID, number % WRAP) + body + bytes(protection.overhead))
    slots = Slots(memoryview(data), stride=len(data), header=HEADER_SIZE, trailer=protection.overhead)
    protection.seal(slots, 1, number)
    return bytes(data)


# Out.


@st.composite
def trains_out(draw: st.DrawFn) -> tuple[list[Part], int]:
    """Parts with consecutive numbers, cut into segments of one length, and the size of the stream."""
    segment, number = draw(st.integers(1, 200)), draw(numbers)
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        nbytes, offset = draw(st.integers(1, 9 * segment)), draw(st.integers(0, 20_000))
        count = -(-nbytes // segment)
        parts.append(Part(number, count, offset, offset + nbytes, segment))
        number += count
    size = 30_000
    if draw(st.booleans()):  # the end mark is in the last one
        size = parts[-1].stop
        parts = [part._replace(offset=0, stop=part.stop - part.offset) for part in parts[:-1]] + parts[-1:]
        parts = [part._replace(stop=min(part.stop, size)) for part in parts if min(part.stop, size) > part.offset]
        parts[-1] = parts[-1]._replace(stop=size + 1)
        number = parts[0].first
        for index, part in enumerate(parts):
            count = -(-(min(part.stop, size) - part.offset) // segment)
            parts[index] = part._replace(first=number, datagrams=count)
            number += count
    return parts, size


def plain_datagrams(protection: Protection, parts: list[Part], size: int, *, form: int) -> list[bytes]:
    """What a train of these parts is: padding first where a datagram but the last one is shorter than the longest."""
    bodies = []
    for part in parts:
        stop = min(part.stop, size)
        for start in range(part.offset, stop, part.segment):
            end = min(start + part.segment, stop)
            is_last = part.stop > size and end == stop
            bodies.append(frames.emit_data(start, DATA[start:end], is_last=is_last))
    longest = max(map(len, bodies))
    padded = [bytes(longest - len(body)) + body for body in bodies[:-1]] + bodies[-1:]
    return [sealed(protection, number, body, form=form) for number, body in enumerate(padded, parts[0].first)]


@given(protections, trains_out(), trains_out(), st.booleans())
def test_packed_trains_are_the_plain_datagrams(
    protection: Protection, before: tuple[list[Part], int], train: tuple[list[Part], int], has_changed: bool
) -> None:
    """Also in memory where another train stood before, and after a change of key."""
    scratch, keys = Scratch(), SendingKeys(protection, update_after=1)
    Packer(b"somebody", SendingKeys(protection, update_after=None), scratch).train(*before, read_into, TO)
    if has_changed:
        keys.update_if_due(1, largest_acked=0)
    parts, size = train
    packed = Packer(ID, keys, scratch).train(parts, size, read_into, TO)
    protection, form = (protection.successor(), SHORT_FORM | KEY_PHASE) if has_changed else (protection, SHORT_FORM)
    assert [bytes(each) for each in packed.datagrams()] == plain_datagrams(protection, parts, size, form=form)


# In.


@given(protections, numbers, st.integers(1, 12), st.integers(0, 60), st.data())
def test_a_train_is_opened_as_far_as_its_datagrams_are(
    protection: Protection, number: int, count: int, payload: int, data: st.DataObject
) -> None:
    stride = HEADER_SIZE + payload + protection.overhead
    whole = bytearray(b"".join(sealed(protection, number + i, DATA[i : i + payload]) for i in range(count)))
    for index in data.draw(st.sets(st.integers(0, count - 1), max_size=2)):
        whole[index * stride + data.draw(st.integers(0, stride - 1))] ^= 1 << data.draw(st.integers(0, 7))
    first = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(first + 1, count))
    together, singly = (
        Slots(memoryview(bytearray(whole)), stride=stride, header=HEADER_SIZE, trailer=protection.overhead)
        for _ in range(2)
    )
    genuine = [protection.open(singly, index, number + index) for index in range(first, stop)]
    opened = protection.open_train(together, first, stop, number + first)
    assert opened == first + [*genuine, False].index(False)
    assert together.bodies[first:opened] == singly.bodies[first:opened]


@dataclass
class Desk:
    """One `Receiving` and what can be seen of it."""

    protection: Protection
    expected: int  # the next number, so that the low 32 bits are restored
    counters: Counters = field(default_factory=Counters)
    others: list[frames.Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        transport = DEFAULT_TRANSPORT
        self.incoming = Incoming(transport)
        self.tracker = AckTracker(transport, TimerTable())
        self.receiving = Receiving(self.incoming, self.tracker, Recovering(1 << 20), self.counters)
        self.keys = ReceivingKeys(self.protection)
        if self.expected:
            self.tracker.on_received(self.expected - 1, self.expected, now=0)

    def take(self, datagrams: list[bytes], batches: list[tuple[int, int]]) -> None:
        stride, trailer = len(datagrams[0]), self.protection.overhead
        slots = Slots(memoryview(bytearray(b"".join(datagrams))), stride=stride, header=HEADER_SIZE, trailer=trailer)
        for first, stop in batches:
            self.others += self.receiving.handle(slots, first, stop, self.keys, now=5) or []

    def seen(self) -> dict[str, Any]:
        seen = {name: getattr(self.counters, name) for name in Counters.__slots__}
        return seen | {
            "bytes": self.incoming.read(100_000),
            "position": self.incoming.position,
            "ranges": self.tracker.received_ranges(),
            "others": self.others,
            "form": self.keys.form,
            "failures": self.keys.failures,
        }


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[Protection, int, list[bytes]]:
    """Datagrams of one length, most of them consecutive pieces of the stream; the others are anything else."""
    protection, expected, size = draw(protections), draw(numbers), draw(st.integers(1, 40))
    successor = protection.successor()
    datagrams: list[bytes] = []
    number, index, is_changed = expected, 0, False
    for kind in draw(st.lists(st.sampled_from("dddddddddddd" + "sjkocfpex"), min_size=1, max_size=24)):
        if kind == "s":  # something was lost
            number += draw(st.integers(1, 3))
            index += draw(st.integers(0, 2))
        elif kind == "j":  # the peer goes on elsewhere in the stream
            index += draw(st.integers(-2, 2))
        elif kind == "k":
            is_changed = True
        index = max(index, 0)
        body = frames.emit_data(index * size, DATA[index * size : (index + 1) * size], is_last=kind == "e")
        if kind == "o":  # another frame
            body = frames.emit_path_challenge(number.to_bytes(8, "big")).ljust(len(body), b"\0")[: len(body)]
        elif kind == "p":  # padding before a shorter piece
            body = b"\0" * (size - 1) + frames.emit_data(index * size, DATA[index * size : index * size + 1])
        key, form = (successor, SHORT_FORM | KEY_PHASE) if is_changed else (protection, SHORT_FORM)
        form |= 2 * (kind == "x")  # of no version that there is
        datagram = sealed(key, number, body, form=form)
        if kind == "c" and datagrams:  # a copy of an earlier one
            datagram = draw(st.sampled_from(datagrams))
        elif kind == "f":  # a forged one
            datagram = datagram[:-1] + bytes((datagram[-1] ^ 1,))
        datagrams.append(datagram)
        number, index = number + 1, index + 1
    return protection, expected, datagrams


@given(arrivals(), st.data())
def test_a_batch_is_received_as_its_datagrams_are(
    arrived: tuple[Protection, int, list[bytes]], data: st.DataObject
) -> None:
    protection, expected, datagrams = arrived
    count = len(datagrams)
    cuts = sorted({0, count, *data.draw(st.lists(st.integers(0, count), max_size=3))})
    together, singly = Desk(protection, expected), Desk(protection, expected)
    together.take(datagrams, list(zip(cuts, cuts[1:], strict=False)))
    singly.take(datagrams, [(index, index + 1) for index in range(count)])
    assert together.seen() == singly.seen()
