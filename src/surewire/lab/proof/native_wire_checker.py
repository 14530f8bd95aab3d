"""Watches the datagrams between native endpoints and holds them against docs/format.md.

A `Tap` for a network, a router or a capture, for any number of clients of one server. It decodes with the wire's
decoders and keeps books of its own: what a side can know is what reached it. Checked here:

opening     HELLO of 1,200 bytes or more; a repetition says the same, with a cookie that a RETRY brought; the server
            answers only what reached it, and repeats its WELCOME unchanged
addresses   the server sends no address more than three times what came from there before it knows that the client
            reads there, and beside the answers of the opening only challenges and responses; a response repeats a
            challenge that came, to where it came from
limits      no datagram above what the peer takes

What short datagrams say is checked by `native_stream_rules`, in checked mode only: sealed ones cannot be read.
A datagram that reaches a side and was never sent to it is damaged, forged, or of another conversation: it must have no
effect, and only its bytes count, for the rule of three.
"""

from __future__ import annotations

from typing import NamedTuple

from surewire.core.trains import Address
from surewire.crypto.checked import SUITE, TRAILER
from surewire.crypto.crc32c import crc32c
from surewire.errors import MalformedSegment
from surewire.lab.proof.native_repair_rules import SentPieces
from surewire.lab.proof.native_stream_rules import Half, Short
from surewire.lab.proof.violations import Findings
from surewire.native.paths import AMPLIFICATION
from surewire.wire import native_datagram as wire
from surewire.wire import native_frames as frames
from surewire.wire import native_parameters
from surewire.wire.native_parameters import Parameters

_PATH_FRAMES = (frames.PathChallenge, frames.PathResponse)


class _Attempt:
    """A client's opening, by its HELLO's dcid."""

    def __init__(self, hello: wire.Hello) -> None:
        self.hello = hello
        self.cookies: set[bytes] = {b""}  # that reached the client
        self.parameters = _read_parameters(hello.suite, hello.message)


class _Conversation:
    """A connection, from its first WELCOME on."""

    def __init__(self, attempt: _Attempt, welcome: wire.Welcome, findings: Findings) -> None:
        self.client_id = attempt.hello.scid
        self.welcome = welcome
        self.is_readable = attempt.hello.suite == SUITE
        self.has_welcomed = False  # a WELCOME reached the client
        self.is_open = False  # a short datagram of the client's reached the server
        self.welcomed: set[Address] = set()  # where the WELCOME went
        self.proven: set[Address] = set()  # where the server knows that the client reads
        self.challenged: dict[bytes, Address] = {}  # by the server: data, and where it sent them
        own, peer = attempt.parameters, _read_parameters(attempt.hello.suite, welcome.message)
        up = SentPieces("client", findings, window=0 if peer is None else peer.repair_window)
        down = SentPieces("server", findings, window=0 if own is None else own.repair_window)
        self.client = Half("client", findings, own=own, peer=peer, pieces=up, peer_pieces=down)
        self.server = Half("server", findings, own=peer, peer=own, pieces=down, peer_pieces=up)
        self.most = {
            True: None if own is None else own.max_datagram,
            False: None if peer is None else peer.max_datagram,
        }


class _Known(NamedTuple):
    """A datagram that was sent, as it was understood."""

    from_server: bool
    long: wire.LongDatagram | None = None
    conversation: _Conversation | None = None
    short: Short | None = None


class NativeWireChecker:
    """A tap on a network with a server and its clients."""

    def __init__(self, server: Address, findings: Findings | None = None) -> None:
        """`server` is where the server is found; whoever else sends to it is a client, wherever it is."""
        self.findings = findings or Findings()
        self.forged = 0  # datagrams that reached a side but were never sent to it as they are
        self._forged_to: dict[bytes, int] = {}
        self._server = server
        self._attempts: dict[bytes, _Attempt] = {}
        self._arrived_hellos: set[bytes] = set()  # attempts whose HELLO reached the server
        self._by_server_id: dict[bytes, _Conversation] = {}
        self._by_client_id: dict[bytes, list[_Conversation]] = {}
        self._sent: dict[bytes, _Known] = {}
        self._from: dict[Address, int] = {}  # bytes that reached the server, by where from
        self._to: dict[Address, int] = {}  # bytes that the server sent there before it was proven
        self._proven: set[Address] = set()

    def halves(self, client_id: bytes) -> tuple[Half, Half] | None:
        """The two directions of the connection that a client calls by this id: its own first; None before it opened."""
        for conversation in self._by_client_id.get(client_id, []):
            if conversation.is_open:
                return conversation.client, conversation.server
        return None

    def forged_to(self, connection_id: bytes) -> int:
        """Datagrams with this connection id that reached a side, and that nobody had sent to it as they were."""
        return self._forged_to.get(connection_id, 0)

    # The tap.

    def on_sent(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A host's socket took a datagram."""
        from_server = source == self._server
        if not from_server and destination != self._server:
            return  # other traffic on the same network
        known = self._sent.get(datagram)
        if known is None:
            known = self._understand(datagram, from_server=from_server, now=now)
            if known is None:
                return
            self._sent[datagram] = known
        elif known.short is not None:
            self._check_repetition(known.short, from_server, now)
            return
        if known.long is not None:
            self._check_long(known.long, from_server, now)
        elif known.conversation is not None:
            self._check_short(known, len(datagram), now)
        if from_server:
            if isinstance(known.long, wire.Welcome) and known.long.scid in self._by_server_id:
                self._by_server_id[known.long.scid].welcomed.add(destination)
            self._check_destination(known, destination, len(datagram), now)

    def on_delivered(self, source: Address, destination: Address, datagram: bytes, now: int) -> None:
        """A datagram is about to reach a host."""
        to_server = destination == self._server
        if to_server:
            self._from[source] = self._from.get(source, 0) + len(datagram)
        known = self._sent.get(datagram)
        if known is None or known.from_server == to_server:
            self.forged += to_server or source == self._server
            if len(datagram) >= wire.HEADER_SIZE:
                cid = datagram[1 : 1 + wire.CID_SIZE]
                self._forged_to[cid] = self._forged_to.get(cid, 0) + 1
        elif known.long is not None:
            self._on_long(known.long, source)
        elif known.conversation is not None:
            self._on_short(known.conversation, known, now)

    def _check_repetition(self, short: Short, from_server: bool, now: int) -> None:
        if not short.is_last_word:
            self._add("packet numbers", from_server, f"number {short.number} twice", now)

    # Reading.

    def _understand(self, datagram: bytes, *, from_server: bool, now: int) -> _Known | None:
        if not datagram or not wire.is_long(datagram[0]):
            return self._read_short(datagram, from_server=from_server, now=now)
        try:
            return _Known(from_server, wire.parse(datagram, crc32c))
        except MalformedSegment as error:
            self._add("readable", from_server, f"sent what nobody can read: {error}", now)
            return None

    def _read_short(self, datagram: bytes, *, from_server: bool, now: int) -> _Known | None:
        if len(datagram) < wire.HEADER_SIZE + TRAILER or not wire.is_short(datagram[0]):
            self._add("readable", from_server, f"sent {len(datagram)} bytes that are no datagram", now)
            return None
        first, cid, low = wire.SHORT.unpack_from(datagram)
        conversation = self._conversation(cid, from_server=from_server)
        if conversation is None:
            self._add("opening", from_server, f"sent a short datagram to {cid.hex()}, which nobody is", now)
            return None
        if not conversation.is_readable:
            return _Known(from_server, None, conversation)
        half = conversation.server if from_server else conversation.client
        number = wire.restore_number(low, half.next_number)
        try:
            body = frames.parse(memoryview(datagram)[wire.HEADER_SIZE : -TRAILER])
        except MalformedSegment as error:
            self._add("readable", from_server, f"sent what nobody can read: {error}", now)
            return None
        if crc32c(datagram[:-TRAILER], number >> 32) != int.from_bytes(datagram[-TRAILER:], "big"):
            self._add("readable", from_server, f"number {number} has a wrong checksum", now)
        return _Known(from_server, None, conversation, Short(number, first & wire.KEY_PHASE, body))

    def _conversation(self, cid: bytes, *, from_server: bool) -> _Conversation | None:
        """Whose datagram it is. A client's id may belong to several until it has chosen one of the WELCOMEs."""
        if not from_server:
            return self._by_server_id.get(cid)
        candidates = self._by_client_id.get(cid, [])
        return next((one for one in candidates if one.is_open), candidates[0] if candidates else None)

    # The opening.

    def _check_long(self, packet: wire.LongDatagram, from_server: bool, now: int) -> None:
        if isinstance(packet, wire.Hello) == from_server:
            self._add("direction", from_server, f"sent a {type(packet).__name__.upper()}", now)
        elif isinstance(packet, wire.Hello):
            self._check_hello(packet, now)
        elif isinstance(packet, wire.Welcome):
            self._check_welcome(packet, now)
        elif packet.scid not in self._arrived_hellos:
            self._add("opening", True, f"{type(packet).__name__.upper()} for a HELLO that never reached it", now)

    def _check_hello(self, hello: wire.Hello, now: int) -> None:
        attempt = self._attempts.setdefault(hello.dcid, _Attempt(hello))
        if hello._replace(cookie=b"") != attempt.hello._replace(cookie=b""):
            self._add("opening", False, "repeats its HELLO with another content", now)
        if hello.cookie not in attempt.cookies:
            self._add("opening", False, "shows a cookie that no RETRY brought", now)

    def _check_welcome(self, welcome: wire.Welcome, now: int) -> None:
        conversation = self._by_server_id.get(welcome.scid)
        if conversation is not None:
            if conversation.welcome != welcome:
                self._add("opening", True, "repeats its WELCOME with another content", now)
            return
        for dcid, attempt in self._attempts.items():
            if attempt.hello.scid == welcome.dcid and dcid in self._arrived_hellos:
                conversation = _Conversation(attempt, welcome, self.findings)
                self._by_server_id[welcome.scid] = conversation
                self._by_client_id.setdefault(welcome.dcid, []).append(conversation)
                return
        self._add("opening", True, "WELCOME for a HELLO that never reached it", now)

    def _on_long(self, packet: wire.LongDatagram, source: Address) -> None:
        if isinstance(packet, wire.Hello):
            self._arrived_hellos.add(packet.dcid)
            if packet.cookie:
                self._proven.add(source)
        elif isinstance(packet, wire.Retry):
            if packet.scid in self._attempts:
                self._attempts[packet.scid].cookies.add(packet.cookie)
        elif isinstance(packet, wire.Welcome) and packet.scid in self._by_server_id:
            self._by_server_id[packet.scid].has_welcomed = True

    # Short datagrams.

    def _check_short(self, known: _Known, nbytes: int, now: int) -> None:
        conversation, from_server = known.conversation, known.from_server
        assert conversation is not None
        if from_server and not conversation.is_open:
            self._add("opening", True, "a short datagram before one of the client's reached it", now)
        if not from_server and not conversation.has_welcomed:
            self._add("opening", False, "a short datagram before a WELCOME reached it", now)
        most = conversation.most[from_server]
        if most is not None and nbytes > most:
            self._add("datagram size", from_server, f"{nbytes} bytes, the peer takes {most}", now)
        if known.short is not None:
            half = conversation.server if from_server else conversation.client
            half.on_sent(known.short, now)

    def _on_short(self, conversation: _Conversation, known: _Known, now: int) -> None:
        if not known.from_server and not conversation.is_open:
            conversation.is_open = True
            conversation.proven |= conversation.welcomed  # whoever answers the WELCOME has read it
            self._proven |= conversation.proven
        if known.short is None:
            return
        (conversation.client if known.from_server else conversation.server).on_reached(known.short, now)
        for frame in known.short.body:
            if (
                not known.from_server
                and isinstance(frame, frames.PathResponse)
                and frame.data in conversation.challenged
            ):
                conversation.proven.add(conversation.challenged[frame.data])
                self._proven.add(conversation.challenged[frame.data])

    # Addresses.

    def _check_destination(self, known: _Known, destination: Address, nbytes: int, now: int) -> None:
        conversation, short = known.conversation, known.short
        if known.long is None and short is None:
            return  # sealed: nobody can tell a challenge from the stream, nor what was answered
        if short is not None and conversation is not None:
            self._check_path_frames(conversation, short, destination, now)
            is_asking = all(isinstance(frame, _PATH_FRAMES) for frame in short.body)
            if destination not in conversation.proven and not is_asking:
                self._add("addresses", True, f"sends the stream to {destination}, which nobody has proved", now)
        if destination in self._proven:
            return
        self._to[destination] = self._to.get(destination, 0) + nbytes
        allowed = AMPLIFICATION * self._from.get(destination, 0)
        if self._to[destination] > allowed:
            self._add("rule of three", True, f"{self._to[destination]} bytes to {destination}, allowed {allowed}", now)

    def _check_path_frames(self, conversation: _Conversation, short: Short, destination: Address, now: int) -> None:
        for frame in short.body:
            if isinstance(frame, frames.PathChallenge):
                if frame.data in conversation.challenged:
                    self._add("addresses", True, "a challenge that was sent before", now)
                conversation.challenged[frame.data] = destination

    def _add(self, rule: str, from_server: bool, what: str, now: int) -> None:
        self.findings.add(rule, f"{'server' if from_server else 'client'}: {what}", now)


def _read_parameters(suite: int, message: bytes) -> Parameters | None:
    """What a side has stated, where it stands in clear."""
    try:
        return native_parameters.parse(message) if suite == SUITE else None
    except MalformedSegment:
        return None
