"""rdpr: receive a file by RDP.

rdpr receiver_ip receiver_port receiver_file_name
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from surewire.apps import exit_codes, rdp_tool
from surewire.apps.packet_lines import address_text
from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.state import State
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.drivers.blocking import BlockingDriver
from surewire.drivers.files import FileSink
from surewire.drivers.udp import UdpSocket
from surewire.errors import DigestMismatch, HandshakeTimeout, SurewireError
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.records import receiver_summary

PROG = "rdpr"
_COMMIT_POLL = 2 * NS_PER_MS  # how late the end of storing the file may be noticed


def make_parser() -> rdp_tool.ToolParser:
    """The command line."""
    parser = rdp_tool.make_parser(PROG, "Receive a file from an RDP sender (rdps) over UDP.")
    parser.add_argument("receiver_ip", help="address to listen at (0.0.0.0 or ::, for all)")
    parser.add_argument("receiver_port", type=rdp_tool.port, help="UDP port to listen at (0: any)")
    parser.add_argument("receiver_file_name", help="where to store the file; replaced when the transfer is complete")
    parser.add_argument(
        "--wait",
        type=rdp_tool.seconds,
        metavar="S",
        help="end with status 5 if no transfer begins within S seconds (default: wait for ever)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    args = make_parser().parse_args(argv)
    try:
        return _receive(args)
    except SurewireError as error:
        rdp_tool.complain(PROG, error)
        return exit_codes.exit_code(error)


def _receive(args: argparse.Namespace) -> int:
    config = rdp_tool.rdp_config(args)
    local = (args.receiver_ip, args.receiver_port)
    with FileSink(args.receiver_file_name) as sink:
        try:
            socket = UdpSocket(local, offload=not args.no_offload)
        except OSError as error:
            rdp_tool.complain(PROG, f"cannot listen at {address_text(local)}: {rdp_tool.os_reason(error)}")
            return exit_codes.ADDRESS
        with socket:
            rdp_tool.complain(PROG, f"listening at {address_text(socket.address)}")
            return _Reception(args, RdpReceiver(sink, config=config), socket, sink).run()


class _Committer:
    """Checks and stores the file on a thread of its own, since syncing a big file takes long."""

    def __init__(self, sink: FileSink, whole: ReceivedAll) -> None:
        self.error: SurewireError | None = None
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


class _Reception:
    """One run of the receiver."""

    def __init__(self, args: argparse.Namespace, session: RdpReceiver, socket: UdpSocket, sink: FileSink) -> None:
        self._args = args
        self._session = session
        self._socket = socket
        self._sink = sink
        self._committer: _Committer | None = None
        self._opened_at = time.monotonic_ns()

    def run(self) -> int:
        """Receive, print the summary, report."""
        session = self._session
        try:
            run = rdp_tool.Run(self._args, self._socket, session, self._done)
        except OSError as error:
            rdp_tool.complain(PROG, f"cannot write {self._args.log}: {rdp_tool.os_reason(error)}")
            return exit_codes.FILE
        self._run = run
        with run.signals():
            try:
                closed = BlockingDriver(session, self._socket, on_event=self._on_event, on_turn=self._on_turn).run()
            except OSError as error:
                closed = Closed(SurewireError(f"the network failed: {rdp_tool.os_reason(error)}"))
            if self._committer is not None:
                self._committer.join()
            run.finish(receiver_summary(session.packets, session.duration))
        return self._end(closed)

    def _done(self) -> str:
        session, elapsed = self._session, (time.monotonic_ns() - self._opened_at) / NS_PER_S
        if session.peer is None:
            return "waiting for a sender"
        text = f"received {rdp_tool.human(session.received)}"
        if session.expected_size:
            text += f" ({session.received / session.expected_size:.0%})"
        return f"{text}, {rdp_tool.human(session.received / elapsed)}/s"

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ReceivedAll):
            self._committer = _Committer(self._sink, event)

    def _on_turn(self) -> int | None:
        session, committer = self._session, self._committer
        if self._run.stopped_by is not None:
            session.abort("interrupted")
        wait, elapsed = self._args.wait, time.monotonic_ns() - self._opened_at
        if wait is not None and session.state is State.LISTEN and elapsed > wait * NS_PER_S:
            session.abort(HandshakeTimeout(f"no transfer began within {wait:g} s"))
        again = self._run.on_turn()
        if committer is None or session.state is not State.CLOSE_WAIT:
            return again
        if committer.is_done:
            if committer.error is not None:
                session.abort(committer.error)
            else:
                session.confirm(now=time.monotonic_ns())
            return 0
        return _COMMIT_POLL

    def _end(self, closed: Closed) -> int:
        session, sink, error = self._session, self._sink, closed.error
        if self._committer is not None and self._committer.error is None and error is not None:
            rdp_tool.complain(PROG, f"note: {error}; but the file is complete and stored")
            error = None
        if error is not None:
            rdp_tool.complain(PROG, error)
            kept = sink.keep()
            if kept is not None:
                beyond = session.received - session.contiguous
                more = f" and {beyond} bytes beyond a gap" if beyond else ""
                rdp_tool.complain(PROG, f"kept the first {session.contiguous} bytes{more} in {kept}")
        if session.stats.damaged or session.stats.strangers:
            stats = session.stats
            rdp_tool.complain(
                PROG, f"note: dropped {stats.damaged} damaged datagrams and {stats.strangers} packets of strangers"
            )
        self._write_stats(error)
        return exit_codes.OK if error is None else exit_codes.exit_code(error)

    def _write_stats(self, error: SurewireError | None) -> None:
        session, stats = self._session, self._session.stats
        try:
            rdp_tool.write_stats(
                self._args.stats,
                {
                    "seconds": (time.monotonic_ns() - self._opened_at) / NS_PER_S,
                    "duration": session.duration / NS_PER_S,
                    "received_bytes": session.received,
                    "peer_is_ours": session.is_ours,
                    "damaged": stats.damaged,
                    "ignored": stats.ignored,
                    "strangers": stats.strangers,
                    "migrations": stats.migrations,
                    "kernel_drops": self._socket.stats.kernel_drops,
                    "error": None if error is None else str(error),
                },
            )
        except OSError as failure:
            rdp_tool.complain(PROG, f"cannot write {self._args.stats}: {rdp_tool.os_reason(failure)}")


def entry() -> int:
    """For the console script."""
    return main()


if __name__ == "__main__":
    sys.exit(main())
