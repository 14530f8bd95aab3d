"""The connections of an endpoint, found by id, by the HELLO that opened them, and by themselves.

Also what is remembered of those that are over: their late datagrams are told from strangers' and may get the last word
again, and their HELLOs open nothing.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.native.admission import Guest
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.connection_ids import ConnectionIds, Remembered
from surewire.native.deadlines import Alarmed
from surewire.native.last_words import LastWord
from surewire.native.packing import Scratch
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.wire.native_datagram import Hello

MAX_REMEMBERED = 4_096  # ids of what is over, 500 bytes each with the last word, and as many HELLOs, 400 bytes each
REMEMBERED_FOR = 30 * NS_PER_S  # longer than a cookie lives, and than most peers go on sending to nobody
_DIGEST_SIZE = 16  # bytes, of messages that strangers may choose

HelloKey = tuple[Address, bytes, bytes, bytes]


class Member(Alarmed):
    """A connection and where it stands."""

    __slots__ = ("connection", "guest", "hello", "id", "is_changed", "is_gone", "is_ready", "is_unsettled", "last_word")

    def __init__(
        self,
        connection: Connection,
        connection_id: bytes,
        *,
        serial: int,
        guest: Guest | None = None,
        hello: HelloKey | None = None,
    ) -> None:
        super().__init__(serial)
        self.connection = connection
        self.id = connection_id
        self.guest = guest  # None: it was opened from here
        self.hello = hello
        self.last_word: LastWord | None = None
        self.is_gone = False  # in no table any more
        # see `Agenda`
        self.is_ready = False
        self.is_unsettled = False
        self.is_changed = False

    @property
    def is_half_open(self) -> bool:
        """It came from outside, and its handshake is not complete: the application knows nothing of it."""
        return self.guest is not None and self.guest.is_half_open


class Maker:
    """Makes the connections of an endpoint: what they have in common."""

    __slots__ = ("_config", "_kind", "_rng", "_scratch")

    def __init__(self, kind: type[Connection], *, config: NativeConfig, rng: random.Random) -> None:
        self._kind = kind
        self._config = config
        self._rng = rng
        self._scratch = Scratch()  # one train at a time leaves the endpoint, so one piece of memory does for all

    def open(self, peer: Address, *, security: ClientSecurity, connection_id: bytes, now: int) -> Connection:
        """A connection to `peer`."""
        return self._kind.open(
            peer,
            security=security,
            connection_id=connection_id,
            config=self._config,
            rng=self._rng,
            now=now,
            scratch=self._scratch,
        )

    def accept(
        self,
        hello: Hello,
        *,
        source: Address,
        hello_bytes: int,
        security: ServerSecurity,
        connection_id: bytes,
        is_validated: bool,
        now: int,
    ) -> Connection:
        """A connection from `source`.

        Raises:
            HandshakeFailed: the HELLO is malformed, or made with another key.
        """
        return self._kind.accept(
            hello,
            source=source,
            hello_bytes=hello_bytes,
            security=security,
            connection_id=connection_id,
            is_validated=is_validated,
            config=self._config,
            rng=self._rng,
            now=now,
            scratch=self._scratch,
        )


class Members:
    """All that are not over."""

    def __init__(self, ids: ConnectionIds) -> None:
        self._ids = ids
        self._by_id: dict[bytes, Member] = {}
        self._by_hello: dict[HelloKey, Member] = {}
        self._by_connection: dict[Connection, Member] = {}
        self._over: Remembered[LastWord | None] = Remembered(limit=MAX_REMEMBERED, lifetime=REMEMBERED_FOR)
        # apart from the ids: strangers can fill this one
        self._spent: Remembered[None] = Remembered(limit=MAX_REMEMBERED, lifetime=REMEMBERED_FOR)
        self._serial = 0
        # the lookups of every datagram, without a call in between
        self.by_id = self._by_id.get
        self.by_hello = self._by_hello.get
        self.by_connection = self._by_connection.get

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    @property
    def remembered(self) -> int:
        """Ids and HELLOs of what is over that are kept."""
        return len(self._over) + len(self._spent)

    def draw_id(self) -> bytes:
        """An id for one more."""
        return self._ids.draw(self._by_id, self._over)

    def is_over(self, connection_id: bytes) -> bool:
        """Whether the id is remembered as one of a connection that is no more."""
        return connection_id in self._over

    def is_spent(self, hello: HelloKey) -> bool:
        """Whether the HELLO is remembered as one that opened what is no more, or that could open nothing."""
        return hello in self._spent

    def last_word(self, connection_id: bytes) -> LastWord | None:
        """What the connection that had this id said last, if anything."""
        return self._over.get(connection_id)

    def add(
        self,
        connection: Connection,
        connection_id: bytes,
        *,
        guest: Guest | None = None,
        hello: HelloKey | None = None,
    ) -> Member:
        """One more."""
        self._serial += 1
        member = Member(connection, connection_id, serial=self._serial, guest=guest, hello=hello)
        self._by_id[connection_id] = member
        self._by_connection[connection] = member
        if hello is not None:
            self._by_hello[hello] = member
        return member

    def remove(self, member: Member, *, now: int) -> None:
        """It is over."""
        member.is_gone = True
        del self._by_id[member.id]
        del self._by_connection[member.connection]
        self._over.add(member.id, member.last_word, now=now)
        if member.hello is not None:
            del self._by_hello[member.hello]
            if not member.is_half_open:  # a client whose WELCOMEs were all lost may try again
                self._spent.add(member.hello, None, now=now)

    def note_failed(self, hello: HelloKey, *, now: int) -> None:
        """This HELLO was made with another key: no need to compute that again."""
        self._spent.add(hello, None, now=now)


def hello_key(hello: Hello, source: Address) -> HelloKey:
    """What is the same in each repetition of a HELLO, and in no other one.

    The message belongs to it: who sees a HELLO could else let one with the same ids and another message overtake it,
    and the genuine one would count as its repetition.
    """
    digest = hashlib.sha256(bytes((hello.suite,)) + hello.message).digest()[:_DIGEST_SIZE]
    return source, hello.dcid, hello.scid, digest
