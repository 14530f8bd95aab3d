"""`surewire recv`: store the files that `surewire send` brings, one after the other and at the same time.

This file is the command: arguments in, a listener and a thread for each sender, a line for each file. The conversation
is in `file_receiving`; what the exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import stat
import time

from surewire.api.blocking import listen
from surewire.api.known_servers import server_name
from surewire.api.listener import Listener
from surewire.apps import exit_codes
from surewire.apps.arguments import parse_endpoint
from surewire.apps.console import complain, human, os_reason
from surewire.apps.file_receiving import Received
from surewire.apps.progress import make_display
from surewire.apps.served_sender import ServedSender
from surewire.apps.stopping import StopRequests
from surewire.apps.transfer_options import add_keys, add_shared, make_config, read_shared_key
from surewire.apps.transfer_view import printable
from surewire.errors import Aborted, DestinationError, SurewireError

PROG = "surewire recv"
DESCRIPTION = """\
Receive files that `surewire send` sends here over UDP, until Ctrl-C or SIGTERM.
A file appears under its name when it is complete, never before, and replaces
one of that name. Whoever reaches the port may send, unless --psk keeps it to
those who have the key: so let --into be a folder for this and nothing else.
"""
EPILOG = exit_codes.RECV_EPILOG

_TURN_S = 0.1  # between looks at what there is to do
_MOST_SENDERS = 64  # at the same time; more wait until one of them is done
_GIVE_UP_S = 1.0  # for senders to be told that this side was interrupted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--listen",
        required=True,
        type=parse_endpoint,
        metavar="HOST:PORT",
        help="where senders send to (0.0.0.0: all IPv4 addresses, [::]: all IPv6 ones; port 0: any)",
    )
    parser.add_argument("--into", required=True, metavar="DIR", help="the folder to store files in; made if need be")
    parser.add_argument("--once", action="store_true", help="end after the first file, with its status")
    parser.add_argument("--no-overwrite", action="store_true", help="refuse files whose name is taken")
    add_keys(parser).add_argument(
        "--server-key",
        metavar="FILE",
        help="this side's private key, made at first use (default: server.key in the folder surewire of the user's "
        "configuration)",
    )
    add_shared(parser)


def run(args: argparse.Namespace) -> int:
    """Receive as the parsed arguments say, tell of each file, return the exit status."""
    try:
        folder = _folder(args.into)
        listener = _listen(args)
    except SurewireError as error:
        return _fail(args, error)
    # In this order: whoever has read that it listens may stop it.
    with listener, StopRequests() as stop:
        fingerprint = f", fingerprint {listener.fingerprint}" if listener.fingerprint is not None else ""
        complain(PROG, f"listening on {server_name(*listener.address)}{fingerprint}")
        return _Serving(args, listener, folder).run(stop)


def _folder(path: str) -> str:
    """The folder as an absolute path; it is made if only itself is missing.

    Raises:
        DestinationError: it is none, or cannot be made or written to.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        found = os.stat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise DestinationError(f"cannot write into {path}: it is not a folder")
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise DestinationError(f"cannot write into {path}: {reason}") from error
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise DestinationError(f"cannot write into {path}: no permission to create files there")
    return os.path.realpath(path)


def _listen(args: argparse.Namespace) -> Listener:
    psk = read_shared_key(PROG, args.psk)
    try:
        return listen(
            args.listen,
            psk=psk,
            server_key=args.server_key,
            plain=args.plain,
            mtu=args.mtu,
            offload=not args.no_offload,
            config=make_config(args.timeout),
        )
    except OSError as error:
        place = server_name(*args.listen)
        raise exit_codes.AddressError(f"cannot listen on {place}: {os_reason(error)}") from error


def _fail(args: argparse.Namespace, error: SurewireError, **more: object) -> int:
    """Tell of a failure; return its status."""
    status = exit_codes.exit_code(error)
    complain(PROG, error)
    if args.json:
        print(json.dumps({"error": str(error), "exit": status, **more}), flush=True)
    return status


class _Serving:
    """The main thread: lets senders in, shows progress, tells of what is stored, minds the signals."""

    def __init__(self, args: argparse.Namespace, listener: Listener, folder: str) -> None:
        self._args = args
        self._listener = listener
        self._folder = folder
        self._senders: list[ServedSender] = []
        self._keys = itertools.count()
        self._patience = make_config(args.timeout).transport.stall_limit
        self._display = make_display(is_quiet=args.quiet)

    def run(self, stop: StopRequests) -> int:
        """Serve until a signal, or with --once until a file has come or failed; return the exit status."""
        while stop.signal is None:
            self._accept()
            for sender in [sender for sender in self._senders if not sender.thread.is_alive()]:
                self._senders.remove(sender)
                status = self._tell(sender)
                if self._args.once and sender.receiving.offer is not None:
                    return status
            now = time.monotonic_ns()
            for sender in self._senders:
                sender.end_if_stalled(self._patience, now)
            self._show(now)
        return self._stop()

    def _accept(self) -> None:
        """Let somebody in, or wait a little."""
        if self._senders and (self._args.once or len(self._senders) >= _MOST_SENDERS):
            self._senders[0].thread.join(_TURN_S)
            return
        try:
            stream = self._listener.accept(_TURN_S)
        except TimeoutError:
            return
        sender = ServedSender(next(self._keys), stream, self._folder, overwrite=not self._args.no_overwrite)
        self._senders.append(sender)

    def _show(self, now: int) -> None:
        views = [view for sender in self._senders if (view := sender.view(now)) is not None]
        if views:
            self._display.show(views)
        else:
            self._display.hide()

    def _tell(self, sender: ServedSender) -> int:
        """Say what came of a sender; return the status for that."""
        self._display.hide()
        error, received = sender.error, sender.received
        offer = sender.receiving.offer
        name = {} if offer is None else {"name": offer.name}
        if isinstance(error, SurewireError):
            removed = "; nothing is kept of it" if offer is not None else ""
            what = printable(offer.name) if offer is not None else "a connection"
            status = exit_codes.exit_code(error)
            complain(PROG, f"{what} from {sender.peer}: {error}{removed}")
            if self._args.json and offer is not None:
                print(json.dumps({"error": str(error), "exit": status, "peer": sender.peer, **name}), flush=True)
            return status
        if error is not None or received is None:
            raise error or RuntimeError("a sender without an outcome")
        if received.note is not None:
            complain(PROG, f"note: {received.note}; but {printable(received.name)} is complete and stored")
        if self._args.json:
            print(json.dumps(self._record(sender, received)), flush=True)
        elif not self._args.quiet:
            rate = received.size / received.seconds if received.seconds else 0.0
            print(
                f"received {printable(received.name)} from {sender.peer}: {human(received.size)} in "
                f"{received.seconds:.3f} s, {human(rate)}/s; SHA-256 {received.sha256.hex()}",
                flush=True,
            )
        return exit_codes.OK

    def _record(self, sender: ServedSender, received: Received) -> dict[str, object]:
        stats = sender.stream.stats()
        return {
            "name": received.name,
            "path": received.path,
            "bytes": received.size,
            "seconds": round(received.seconds, 6),
            "rate": round(received.size / received.seconds, 1) if received.seconds else 0.0,
            "sha256": received.sha256.hex(),
            "received_bytes": stats.received_bytes,
            "duplicates": stats.duplicates,
            "damaged": stats.damaged,
            "local_drops": sender.stream.socket_stats().kernel_drops,
            "sealed": not self._args.plain,
            "peer": sender.peer,
        }

    def _stop(self) -> int:
        """Tell all senders; the status is that of an interrupt if that ended anything."""
        self._display.hide()
        self._listener.close()
        open_files = [sender for sender in self._senders if sender.receiving.offer is not None]
        for sender in self._senders:
            sender.stream.abort(1, "the receiver was stopped")
        deadline = time.monotonic() + _GIVE_UP_S
        for sender in self._senders:
            sender.thread.join(max(deadline - time.monotonic(), 0))
        stored = [self._tell(sender) for sender in open_files if not sender.thread.is_alive()].count(exit_codes.OK)
        if stored < len(open_files) or (self._args.once and not stored):
            return _fail(self._args, Aborted("interrupted"))
        return exit_codes.OK
