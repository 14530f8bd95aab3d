"""What the application does with a native connection: it writes, reads and ends its half of the stream.

Nothing here sends or receives: bytes wait in `Sending` and `Receiving` until the connection is polled, or something
arrives. A verb is allowed or refused by the state of the connection, which is changed here by the application's own
end alone. `now` is part of every verb, as of every call of a session; few of them need it.
"""

from __future__ import annotations

from surewire.core.state import Input, State, StateMachine
from surewire.core.trains import Buffer
from surewire.errors import ConfigError, LocalProtocolError
from surewire.native.receiving import Receiving
from surewire.native.sending import Sending
from surewire.native.silence import Silence
from surewire.transfer.files import OffsetSink, ScatterSource

_WRITABLE = (State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT)


class ApplicationSide:
    """A connection as an application has it."""

    def __init__(self, machine: StateMachine, sending: Sending, receiving: Receiving, silence: Silence) -> None:
        self._machine = machine
        self._sending = sending
        self._receiving = receiving
        self._silence = silence

    # Getters.

    @property
    def state(self) -> State:
        return self._machine.state

    @property
    def is_established(self) -> bool:
        """True from the end of the handshake to the end of the connection."""
        return self.state not in (State.CLOSED, State.SYN_SENT, State.SYN_RECEIVED)

    @property
    def room(self) -> int:
        """Bytes that `write` would take now."""
        return self._sending.stream.room if self._may_write else 0

    @property
    def _may_write(self) -> bool:
        return self.state in _WRITABLE and not self._sending.outbound.scoreboard.is_finished

    @property
    def written(self) -> int:
        """Bytes that the application gave to send, those of sources included."""
        return self._sending.stream.written

    @property
    def acknowledged(self) -> int:
        """Bytes below which the peer has everything."""
        board = self._sending.outbound.scoreboard
        return min(board.una, board.size)

    @property
    def readable(self) -> int:
        """Bytes that `read` would return."""
        return self._receiving.incoming.readable

    @property
    def diverted_left(self) -> int:
        """Bytes that the sink of `divert` still waits for, up to the last hole."""
        return self._receiving.incoming.diverted_left

    @property
    def has_ended(self) -> bool:
        """True when the peer's end is reached and everything before it has been read."""
        incoming = self._receiving.incoming
        return incoming.books.is_complete and not incoming.readable

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that arrivals take, holes included: at most `receive_window`."""
        return self._receiving.incoming.held

    # Verbs.

    def write(self, data: Buffer, *, now: int) -> int:
        """Take bytes to send; `bytes` are kept without a copy.

        Returns:
            How many were taken: fewer than given, perhaps none, when the buffer is full.

        Raises:
            LocalProtocolError: after `finish`, or after the connection has ended.
        """
        self._require_writable()
        taken = self._sending.stream.write(data)
        self._on_written()
        return taken

    def send_source(self, source: ScatterSource, offset: int, length: int, *, now: int) -> None:
        """Let `length` bytes of a source follow what was written. They are read when they are sent.

        Raises:
            LocalProtocolError: after `finish`, or after the connection has ended.
        """
        self._require_writable()
        if length > 0:
            self._sending.stream.append_source(source, offset, length)
            self._on_written()
            self._sending.outbound.scoreboard.push()  # a file is whole

    def _on_written(self) -> None:
        self._sending.on_written()
        if self.is_established:
            self._silence.on_demand()

    def _require_writable(self) -> None:
        if not self._may_write:
            raise LocalProtocolError("cannot send: this side has been closed")

    def read(self, most: int, *, now: int) -> bytes:
        """Take out at most `most` bytes in order; b"" when there are none now."""
        data = self._receiving.incoming.read(most)
        self._receiving.on_read()
        return data

    def read_into(self, target: memoryview, *, now: int) -> int:
        """Fill `target` (of bytes) with bytes in order; return how many there were, 0 when there are none now."""
        count = self._receiving.incoming.read_into(target)
        self._receiving.on_read()
        return count

    def divert(self, sink: OffsetSink, length: int, *, now: int) -> None:
        """Let `sink` have the next `length` bytes of the stream, from its offset 0, as they come and in any order.

        Raises:
            LocalProtocolError: an earlier sink still waits for bytes.
            DestinationError: the sink cannot store what has arrived already.
        """
        self._receiving.incoming.divert(sink, length)
        self._receiving.on_read()

    def limit_rate(self, rate: int | None, *, now: int) -> None:
        """From now on let at most `rate` bytes of the stream leave a second, repeats included; None: no limit.

        Raises:
            ConfigError: it is not positive.
        """
        if rate is not None and rate < 1:
            raise ConfigError("a limit of the rate is positive")
        self._sending.limit_rate(rate)

    def finish(self, *, now: int) -> None:
        """Nothing more will be written: let the end follow. Harmless when repeated."""
        if not self._may_write:
            return
        self._sending.outbound.scoreboard.finish()
        if self.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            self._machine.handle(Input.FINISH)

    def close(self, *, now: int) -> None:
        """Write no more, and throw away what still comes: only the peer's end matters now."""
        self.finish(now=now)
        self._receiving.incoming.discard()
        self._receiving.on_read()
