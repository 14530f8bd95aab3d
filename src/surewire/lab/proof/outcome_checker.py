"""Was what the two applications were told true? A judge of whole conversations, after the fact.

It knows no protocol and no packet: only what each application gave, what it was told, what the other one got, and
how both ended. So the same judge serves the simulator, the router and real hosts. An empty list of
violations means:

* what was read is a prefix of what was written, in order, each byte once; all of it if the reader saw the end;
* nothing was called delivered that is not at the other side; success was claimed only when it was one;
* nothing ended silently too early: whoever lacks something has an error of `surewire.errors`;
* both sides reached their final state before the deadline;
* a file stands under its name whole and identical, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from surewire.errors import SurewireError
from surewire.lab.proof.violations import Violation


@dataclass(frozen=True, kw_only=True)
class SideEnd:
    """How one side ended.

    Attributes:
        name: for messages.
        closed: it reached its final state before the deadline.
        error: what it was told, None for nothing.
        is_qualified: it was told to have succeeded, with a note that says what is not certain.
    """

    name: str
    closed: bool
    error: BaseException | None = None
    is_qualified: bool = False

    @property
    def claims_success(self) -> bool:
        return self.closed and self.error is None and not self.is_qualified


@dataclass(frozen=True, kw_only=True)
class StreamRecord:
    """One direction of a conversation.

    Attributes:
        writer, reader: how its two sides ended.
        given: what the writing application gave, in order.
        is_finished: the writing application said that this was all.
        told_delivered: bytes from the front that it was told are delivered.
        read: what the reading application got.
        held: what lay ready for it, in order, behind that and was not read.
        has_ended: the reader was told that nothing follows `read` and `held`.
        ended_after: bytes the reader had got when it was told so for the first time: a program stops reading then.
            None when it never was, or nobody noted it.
        reading_error: why the reader must not take what it has for everything; None for no reason.
    """

    writer: SideEnd
    reader: SideEnd
    given: bytes
    is_finished: bool
    told_delivered: int
    read: bytes
    held: bytes = b""
    has_ended: bool = False
    ended_after: int | None = None
    reading_error: BaseException | None = None


@dataclass(frozen=True, kw_only=True)
class TransferRecord:
    """A file sent.

    Attributes:
        sender, receiver: how the two sides ended.
        data: the file.
        told_delivered: bytes from its front that the sender was told are delivered.
        stored: what the receiver's temporary file holds, from its front; holes may be anything.
        committed: what stands under the final name; None for nothing.
    """

    sender: SideEnd
    receiver: SideEnd
    data: bytes
    told_delivered: int
    stored: bytes
    committed: bytes | None


def check_stream(record: StreamRecord) -> list[Violation]:
    """Everything wrong with one direction."""
    found: list[Violation] = []
    arrived = record.read + record.held
    if not record.given.startswith(arrived):
        at = first_difference(record.given, arrived)
        found.append(Violation("same bytes", f"{record.reader.name} read something else from byte {at} on"))
    if record.told_delivered > len(arrived):
        found.append(
            Violation(
                "told delivered",
                f"{record.writer.name} was told that {record.told_delivered} bytes are delivered, "
                f"{len(arrived)} have arrived at {record.reader.name}",
            )
        )
    if record.has_ended and not (record.is_finished and len(arrived) == len(record.given)):
        found.append(
            Violation("true end", f"{record.reader.name} saw the end after {len(arrived)} of {len(record.given)} bytes")
        )
    if record.ended_after not in (None, len(record.given)):
        found.append(
            Violation(
                "true end", f"{record.reader.name} saw the end after {record.ended_after} of {len(record.given)} bytes"
            )
        )
    if record.writer.claims_success and record.is_finished and len(arrived) != len(record.given):
        found.append(
            Violation(
                "true success",
                f"{record.writer.name} ended well, "
                f"{record.reader.name} has {len(arrived)} of {len(record.given)} bytes",
            )
        )
    if record.is_finished:
        found += _check_note(record.writer, record.told_delivered, len(record.given))
    if record.reader.closed and not record.has_ended and record.reading_error is None:
        found.append(
            Violation("silent end", f"{record.reader.name} has neither the end of the stream nor a reason why not")
        )
    return found + _check_errors(record.reading_error)


def check_transfer(record: TransferRecord) -> list[Violation]:
    """Everything wrong with a transfer."""
    found = check_end(record.sender) + check_end(record.receiver)
    data, committed, told = record.data, record.committed, record.told_delivered
    if committed is not None and committed != data:
        at = first_difference(data, committed)
        found.append(Violation("same file", f"{len(committed)} of {len(data)} bytes, different from byte {at} on"))
    if record.stored[:told] != data[:told] or told > len(data):
        at = first_difference(data[:told], record.stored[:told])
        found.append(Violation("told delivered", f"of {told} bytes acknowledged, byte {at} has not been stored"))
    found += _check_note(record.sender, told, len(data))
    for side in (record.sender, record.receiver):
        if side.claims_success and committed != data:
            found.append(Violation("true success", f"{side.name} ended well, and the file does not stand"))
    return found


def check_end(side: SideEnd) -> list[Violation]:
    """Whether a side ended at all, and with an error that it may end with."""
    if not side.closed:
        return [Violation("final state", f"{side.name} has not ended by the deadline")]
    return _check_errors(side.error)


def first_difference(expected: bytes, got: bytes) -> int:
    """Index of the first byte that differs, which may be the end of the shorter one."""
    for index, (left, right) in enumerate(zip(expected, got, strict=False)):
        if left != right:
            return index
    return min(len(expected), len(got))


def _check_note(writer: SideEnd, told: int, given: int) -> list[Violation]:
    """Only the end may be uncertain with a note, not bytes."""
    if not (writer.closed and writer.is_qualified) or told >= given:
        return []
    return [Violation("true note", f"{writer.name} has a note in place of an error: {told} of {given} bytes delivered")]


def _check_errors(error: BaseException | None) -> list[Violation]:
    if error is None or isinstance(error, SurewireError):
        return []
    return [Violation("typed error", f"{type(error).__name__} is no error of surewire: {error}")]
