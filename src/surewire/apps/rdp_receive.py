"""The receiving tool behind `rdpr`: from its arguments to its exit status."""

from __future__ import annotations

import argparse
import threading
import time

from surewire.apps import exit_codes, rdp_tool
from surewire.apps.arguments import ToolParser, seconds
from surewire.apps.console import complain, human
from surewire.apps.packet_lines import address_text
from surewire.apps.rdp_run import Run
from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.state import State
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.files import FileSink
from surewire.drivers.udp import UdpSocket
from surewire.errors import DestinationError, DigestMismatch, HandshakeTimeout, SurewireError
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.records import receiver_summary

_USAGE = "receiver_ip receiver_port receiver_file_name"
_COMMIT_POLL = 2 * NS_PER_MS  # how late the end of storing the file may be noticed


def make_parser(prog: str) -> ToolParser:
    """The command line."""
    parser = rdp_tool.make_parser(prog, "Receive a file from an RDP sender (rdps) over UDP.", _USAGE)
    parser.add_argument("receiver_ip", help="address to listen at (0.0.0.0 or ::, for all)")
    parser.add_argument("receiver_port", type=rdp_tool.port, help="UDP port to listen at (0: any)")
    parser.add_argument("receiver_file_name", help="where to store the file; replaced when the transfer is complete")
    parser.add_argument(
        "--wait",
        type=seconds,
        metavar="S",
        help="end with status 5 if no transfer begins within S seconds (default: wait for ever)",
    )
    parser.add_argument(
        "--linger",
        type=seconds,
        metavar="S",
        help="seconds to stay after the end, until the sender says that it knows of it"
        " (default: 15; 3 for a sender that is not surewire's and never says so)",
    )
    return parser


def run(prog: str, argv: list[str]) -> int:
    """Receive a file as the arguments say; return the exit status."""
    args = rdp_tool.parse(make_parser(prog), argv)
    try:
        return _receive(prog, args)
    except SurewireError as error:
        complain(prog, error)
        return exit_codes.exit_code(error)


def _receive(prog: str, args: argparse.Namespace) -> int:
    config = rdp_tool.rdp_config(args, linger=args.linger)
    local = (args.receiver_ip, args.receiver_port)
    with FileSink(args.receiver_file_name) as sink:
        rdp_tool.require_distinct(args, args.receiver_file_name)
        purpose = f"cannot listen at {address_text(local)}"
        with rdp_tool.open_socket(local, None, offload=not args.no_offload, purpose=purpose) as socket:
            return _Reception(prog, args, RdpReceiver(sink, config=config), socket, sink).run()


class _Reception:
    """One run of the receiver."""

    def __init__(
        self, prog: str, args: argparse.Namespace, session: RdpReceiver, socket: UdpSocket, sink: FileSink
    ) -> None:
        self._prog = prog
        self._args = args
        self._session = session
        self._socket = socket
        self._sink = sink
        self._committer: _Committer | None = None
        self._said_storing = False
        self._run = Run(prog, args, socket, session, self._done)

    def run(self) -> int:
        """Receive, print the summary, report."""
        session = self._session
        with self._run as run:
            complain(self._prog, f"listening at {address_text(self._socket.address)}")
            closed = run.drive(on_event=self._on_event, on_turn=self._on_turn)
            elapsed = run.elapsed
            if self._committer is not None:
                self._committer.join()
            run.finish(receiver_summary(session.packets, session.duration))
            error = self._explain(closed)
            rdp_tool.write_stats(self._prog, self._args.stats, self._figures(error, elapsed))
            return exit_codes.OK if error is None else exit_codes.exit_code(error)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ReceivedAll):
            self._committer = _Committer(self._sink, event)

    def _on_turn(self) -> int | None:
        session, wait = self._session, self._args.wait
        if self._run.stop_requested:
            self._stop()
        if wait is not None and session.state is State.LISTEN and self._run.elapsed > wait:
            session.abort(HandshakeTimeout(f"no transfer began within {wait:g} s"), now=time.monotonic_ns())
        if session.state is State.CLOSED:
            return 0
        if self._committer is None or session.state is not State.CLOSE_WAIT:
            return None
        if not self._committer.is_done:
            return _COMMIT_POLL
        if self._committer.error is not None:
            session.abort(self._committer.error, now=time.monotonic_ns())
        else:
            session.confirm(now=time.monotonic_ns())
        return 0

    def _stop(self) -> None:
        """End on request; but a file that is all here is stored, and its sender told so, first."""
        state = self._session.state
        if state in (State.LISTEN, State.ESTABLISHED):
            self._session.abort("interrupted", now=time.monotonic_ns())
        elif state is State.TIME_WAIT:
            self._session.leave(now=time.monotonic_ns())
        elif state is State.CLOSE_WAIT and not self._said_storing:
            self._said_storing = True
            complain(self._prog, "all bytes are here: finishing; interrupt again to end at once")

    def _done(self) -> str:
        session, elapsed = self._session, self._run.elapsed
        if session.peer is None:
            return "waiting for a sender"
        text = f"received {human(session.received)}"
        if session.expected_size:
            text += f" ({session.received / session.expected_size:.0%})"
        return f"{text}, {human(session.received / elapsed if elapsed else 0.0)}/s"

    def _explain(self, closed: Closed) -> SurewireError | None:
        """Say how it ended; return the failure, if it was one."""
        error, stats = closed.error, self._session.stats
        if error is not None and self._committer is not None and self._committer.error is None:
            complain(self._prog, f"note: {error}; but the file is complete and stored")
            error = None
        if error is not None:
            complain(self._prog, error)
            self._keep()
        if stats.damaged or stats.strangers:
            dropped = f"dropped {stats.damaged} damaged datagrams and {stats.strangers} packets of strangers"
            complain(self._prog, f"note: {dropped}")
        return error

    def _keep(self) -> None:
        sink, size = self._sink, self._session.expected_size
        try:
            kept = sink.keep()
        except DestinationError as error:
            complain(self._prog, f"what has come may be lost: {error}")
            kept = None
        if kept is not None:
            beyond = sink.stored - sink.contiguous
            of = f" of {size}" if size is not None else ""
            more = f", and {beyond} bytes beyond a gap," if beyond else ""
            complain(self._prog, f"kept the first {sink.contiguous}{of} bytes{more} in {kept}")

    def _figures(self, error: SurewireError | None, elapsed: float) -> dict[str, object]:
        session, stats = self._session, self._session.stats
        return {
            "seconds": elapsed,
            "duration": session.duration / NS_PER_S,
            "received_bytes": session.received,
            "peer_is_ours": session.is_ours,
            "damaged": stats.damaged,
            "ignored": stats.ignored,
            "strangers": stats.strangers,
            "migrations": stats.migrations,
            "kernel_drops": self._socket.stats.kernel_drops,
            "error": None if error is None else str(error),
        }


class _Committer:
    """Checks and stores the file on a thread of its own, since syncing a big file takes long."""

    def __init__(self, sink: FileSink, whole: ReceivedAll) -> None:
        # Until it is known better: the thread may die of what nobody thought of.
        self.error: SurewireError | None = DestinationError("storing the file failed")
        self._sink = sink
        self._whole = whole
        self._thread = threading.Thread(target=self._work, name="commit")
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join()

    def _work(self) -> None:
        size, digest = self._whole
        try:
            if digest is not None and self._sink.digest(size) != digest:
                raise DigestMismatch("the received bytes do not hash to what was sent; the file is not stored")
            self._sink.commit(size)
        except SurewireError as error:
            self.error = error
        else:
            self.error = None
