"""The sending tool behind `rdps`: from its arguments to its exit status."""

from __future__ import annotations

import argparse
import dataclasses
import random
import time

from surewire.apps import exit_codes, rdp_tool
from surewire.apps.arguments import ToolParser
from surewire.apps.console import complain, human
from surewire.apps.packet_lines import address_text
from surewire.apps.rdp_run import Run
from surewire.apps.sending_options import add_sending
from surewire.core.events import Closed, Event
from surewire.core.state import State
from surewire.core.units import NS_PER_S
from surewire.drivers.files import FileSource
from surewire.drivers.udp import UdpSocket
from surewire.errors import SurewireError
from surewire.rdp.records import sender_summary
from surewire.rdp.sender import RdpSender

_USAGE = "sender_ip sender_port receiver_ip receiver_port sender_file_name"


def make_parser(prog: str) -> ToolParser:
    """The command line."""
    parser = rdp_tool.make_parser(prog, "Send a file to an RDP receiver (rdpr) over UDP.", _USAGE)
    parser.add_argument("sender_ip", help="address to send from")
    parser.add_argument("sender_port", type=rdp_tool.port, help="UDP port to send from (0: any)")
    parser.add_argument("receiver_ip", help="address of the receiver")
    parser.add_argument("receiver_port", type=rdp_tool.peer_port, help="UDP port of the receiver")
    parser.add_argument("sender_file_name", help="the file to send")
    parser.add_argument("--magic", default="CSC361", help="name of the protocol in every packet (default %(default)s)")
    add_sending(parser.add_argument_group("how fast to send"))
    return parser


def run(prog: str, argv: list[str]) -> int:
    """Send a file as the arguments say; return the exit status."""
    args = rdp_tool.parse(make_parser(prog), argv)
    try:
        return _send(prog, args)
    except SurewireError as error:
        complain(prog, error)
        return exit_codes.exit_code(error)


def _send(prog: str, args: argparse.Namespace) -> int:
    limit = None if args.rate is None else args.rate.rate
    config = dataclasses.replace(
        rdp_tool.rdp_config(args, magic=args.magic), congestion=args.congestion, max_rate=limit
    )
    local, remote = (args.sender_ip, args.sender_port), (args.receiver_ip, args.receiver_port)
    purpose = f"cannot send from {address_text(local)} to {address_text(remote)}"
    with FileSource(args.sender_file_name) as source:
        rdp_tool.require_distinct(args, args.sender_file_name)
        with rdp_tool.open_socket(local, remote, offload=not args.no_offload, purpose=purpose) as socket:
            rng = random.SystemRandom()  # nobody should be able to guess the numbers a transfer begins with
            session = RdpSender(source, socket.remote, rng=rng, now=time.monotonic_ns(), config=config)
            return _Sending(prog, args, session, socket, source.size).run()


class _Sending:
    """One run of the sender."""

    def __init__(self, prog: str, args: argparse.Namespace, session: RdpSender, socket: UdpSocket, size: int) -> None:
        self._prog = prog
        self._args = args
        self._session = session
        self._socket = socket
        self._size = size
        self._run = Run(prog, args, socket, session, self._done)

    def run(self) -> int:
        """Send, print the summary, report."""
        session = self._session
        with self._run as run:
            closed = run.drive(on_event=self._on_event, on_turn=self._on_turn)
            elapsed = run.elapsed
            run.finish(sender_summary(session.packets, session.duration))
            error = closed.error
            if error is not None:
                complain(self._prog, error)
            elif closed.note is not None:
                complain(self._prog, f"note: {closed.note}")
            rdp_tool.write_stats(self._prog, self._args.stats, self._figures(closed, elapsed))
            return exit_codes.OK if error is None else exit_codes.exit_code(error)

    def _on_event(self, event: Event) -> None:
        """Nothing to decide here: the driver returns the last one."""

    def _on_turn(self) -> int | None:
        limit = self._args.rate
        if limit is not None and limit.look(now=time.monotonic_ns(), warn=self._warn):
            self._session.outbound.rules.max_rate = limit.rate
        if self._run.stop_requested and self._session.state is not State.CLOSED:
            self._session.abort("interrupted", now=time.monotonic_ns())
            return 0
        return None

    def _warn(self, text: str) -> None:
        complain(self._prog, text)

    def _done(self) -> str:
        acked, elapsed = self._session.acked_bytes, self._run.elapsed
        share = acked / self._size if self._size else 1.0
        return f"sent {human(acked)} ({share:.0%}), {human(acked / elapsed if elapsed else 0.0)}/s"

    def _figures(self, closed: Closed, elapsed: float) -> dict[str, object]:
        session, outbound, stats = self._session, self._session.outbound, self._socket.stats
        return {
            "seconds": elapsed,
            "duration": session.duration / NS_PER_S,
            "acked_bytes": session.acked_bytes,
            "total_bytes": session.packets.data_bytes["s"] + session.packets.data_bytes["S"],
            "unique_bytes": session.packets.data_bytes["s"],
            "peer_is_ours": session.is_ours,
            "congestion": self._args.congestion.name,
            "max_rate": outbound.rules.max_rate,
            "smoothed_rtt": outbound.rtt.smoothed_rtt / NS_PER_S,
            "min_rtt": outbound.rtt.min_rtt / NS_PER_S,
            "lost_bytes": outbound.stats.lost_bytes,
            "spurious_segments": outbound.stats.spurious_segments,
            "probes": outbound.stats.probes,
            "damaged": session.stats.damaged,
            "ignored": session.stats.ignored,
            "strangers": session.stats.strangers,
            "kernel_drops": stats.kernel_drops,
            "offload_failures": stats.offload_failures,
            "error": None if closed.error is None else str(closed.error),
        }
