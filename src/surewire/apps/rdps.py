"""rdps: send a file by RDP.

rdps sender_ip sender_port receiver_ip receiver_port sender_file_name
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time

from surewire.apps import exit_codes, rdp_tool
from surewire.apps.packet_lines import address_text
from surewire.core.events import Closed, Event
from surewire.core.units import NS_PER_S
from surewire.drivers.blocking import BlockingDriver
from surewire.drivers.files import FileSource
from surewire.drivers.udp import UdpSocket
from surewire.errors import SurewireError
from surewire.rdp.records import sender_summary
from surewire.rdp.sender import RdpSender

PROG = "rdps"


def make_parser() -> rdp_tool.ToolParser:
    """The command line."""
    parser = rdp_tool.make_parser(PROG, "Send a file to an RDP receiver (rdpr) over UDP.")
    parser.add_argument("sender_ip", help="address to send from")
    parser.add_argument("sender_port", type=rdp_tool.port, help="UDP port to send from (0: any)")
    parser.add_argument("receiver_ip", help="address of the receiver")
    parser.add_argument("receiver_port", type=rdp_tool.port, help="UDP port of the receiver")
    parser.add_argument("sender_file_name", help="the file to send")
    parser.add_argument("--magic", default="CSC361", help="name of the protocol in every packet (default %(default)s)")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    args = make_parser().parse_args(argv)
    try:
        return _send(args)
    except SurewireError as error:
        rdp_tool.complain(PROG, error)
        return exit_codes.exit_code(error)


def _send(args: argparse.Namespace) -> int:
    config = rdp_tool.rdp_config(args, magic=args.magic)
    local, remote = (args.sender_ip, args.sender_port), (args.receiver_ip, args.receiver_port)
    with FileSource(args.sender_file_name) as source:
        try:
            socket = UdpSocket(local, remote=remote, offload=not args.no_offload)
        except OSError as error:
            where = f"{address_text(local)} towards {address_text(remote)}"
            rdp_tool.complain(PROG, f"cannot send from {where}: {rdp_tool.os_reason(error)}")
            return exit_codes.ADDRESS
        with socket:
            rng = random.Random(secrets.randbits(256))
            session = RdpSender(source, socket.remote, rng=rng, now=time.monotonic_ns(), config=config)
            return _run(args, session, socket, source.size)


def _run(args: argparse.Namespace, session: RdpSender, socket: UdpSocket, size: int) -> int:
    opened_at = time.monotonic_ns()

    def done() -> str:
        elapsed = (time.monotonic_ns() - opened_at) / NS_PER_S
        share = session.acked_bytes / size if size else 1.0
        rate = session.acked_bytes / elapsed if elapsed else 0.0
        return f"sent {rdp_tool.human(session.acked_bytes)} ({share:.0%}), {rdp_tool.human(rate)}/s"

    try:
        run = rdp_tool.Run(args, socket, session, done)
    except OSError as error:
        rdp_tool.complain(PROG, f"cannot write {args.log}: {rdp_tool.os_reason(error)}")
        return exit_codes.FILE

    def on_turn() -> int | None:
        if run.stopped_by is not None:
            session.abort("interrupted")
        return run.on_turn()

    def on_event(event: Event) -> None:
        """Nothing to decide here: the driver returns the last one."""

    with run.signals():
        try:
            closed = BlockingDriver(session, socket, on_event=on_event, on_turn=on_turn).run()
        except OSError as error:
            session.abort(rdp_tool.os_reason(error))
            closed = Closed(SurewireError(f"cannot send to {session.peer}: {rdp_tool.os_reason(error)}"))
        run.finish(sender_summary(session.packets, session.duration))
    return _end(args, session, socket, closed, elapsed=time.monotonic_ns() - opened_at)


def _end(args: argparse.Namespace, session: RdpSender, socket: UdpSocket, closed: Closed, *, elapsed: int) -> int:
    stats, outbound = session.stats, session.outbound
    if closed.error is not None:
        rdp_tool.complain(PROG, closed.error)
    elif closed.note is not None:
        rdp_tool.complain(PROG, f"note: {closed.note}")
    try:
        rdp_tool.write_stats(
            args.stats,
            {
                "seconds": elapsed / NS_PER_S,
                "duration": session.duration / NS_PER_S,
                "acked_bytes": session.acked_bytes,
                "total_bytes": session.packets.data_bytes["s"] + session.packets.data_bytes["S"],
                "unique_bytes": session.packets.data_bytes["s"],
                "peer_is_ours": session.is_ours,
                "smoothed_rtt": outbound.rtt.smoothed_rtt / NS_PER_S,
                "min_rtt": outbound.rtt.min_rtt / NS_PER_S,
                "lost_bytes": outbound.stats.lost_bytes,
                "spurious_segments": outbound.stats.spurious_segments,
                "probes": outbound.stats.probes,
                "damaged": stats.damaged,
                "ignored": stats.ignored,
                "strangers": stats.strangers,
                "kernel_drops": socket.stats.kernel_drops,
                "offload_failures": socket.stats.offload_failures,
                "error": None if closed.error is None else str(closed.error),
            },
        )
    except OSError as error:
        rdp_tool.complain(PROG, f"cannot write {args.stats}: {rdp_tool.os_reason(error)}")
    return exit_codes.OK if closed.error is None else exit_codes.exit_code(closed.error)


def entry() -> int:
    """For the console script."""
    return main()


if __name__ == "__main__":
    sys.exit(main())
