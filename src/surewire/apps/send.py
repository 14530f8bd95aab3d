"""`surewire send`: one file to a `surewire recv`, sealed unless told otherwise.

This file is the command: arguments in, a transfer run, a summary out. The conversation is in `file_sending`, what is
said of it in `send_report`; what the exit statuses mean is in `EPILOG`.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import threading
import time

from surewire.api.blocking import connect
from surewire.api.known_servers import KnownServers, server_name
from surewire.api.options import FIRST_USE
from surewire.api.stream import Stream
from surewire.apps import exit_codes, send_report
from surewire.apps.arguments import parse_destination
from surewire.apps.bottleneck import Bottleneck
from surewire.apps.console import complain, os_reason
from surewire.apps.file_sending import FileSending
from surewire.apps.progress import FIRST_AFTER, make_display
from surewire.apps.send_report import SentFile
from surewire.apps.sending_options import add_sending
from surewire.apps.stopping import StopRequests
from surewire.apps.transfer_options import add_keys, add_shared, make_config, read_shared_key
from surewire.apps.transfer_view import RateMeter, View
from surewire.core.units import NS_PER_S
from surewire.drivers.files import FileSource
from surewire.errors import Aborted, ConfigError, ConnectionLost, HandshakeTimeout, SurewireError
from surewire.transfer import names
from surewire.transfer.messages import Offer

PROG = "surewire send"
DESCRIPTION = """\
Send a file to a computer where `surewire recv` runs, over UDP. What is sent is
encrypted; the receiver is known by its key, which is taken on trust the first
time: compare the fingerprint that both sides print, or share a key (--psk).
"""
EPILOG = exit_codes.SEND_EPILOG

_TURN_S = 0.1  # between looks at a transfer
_GIVE_UP_S = 1.0  # for the other side to be told that this one was interrupted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="the file to send")
    parser.add_argument("to", metavar="HOST:PORT", type=parse_destination, help="the receiver; IPv6 in brackets")
    parser.add_argument("--name", metavar="NAME", help="the name that the file gets there (default: its own)")
    keys = add_keys(parser)
    keys.add_argument("--server-key", metavar="KEY", help="the receiver's public key, 64 hexadecimal digits")
    keys.add_argument(
        "--trust", metavar="FINGERPRINT", help="the fingerprint that the receiver printed; its key is then remembered"
    )
    add_shared(parser)
    add_sending(parser.add_argument_group("how fast to send"))


def run(args: argparse.Namespace) -> int:
    """Send as the parsed arguments say, print what there is to say, return the exit status."""
    try:
        sent = _send(args)
    except SurewireError as error:
        status = exit_codes.exit_code(error)
        complain(PROG, error)
        if args.json:
            print(json.dumps({"error": str(error), "exit": status}), flush=True)
        return status
    if args.json:
        print(json.dumps(send_report.record(sent)), flush=True)
    elif not args.quiet:
        print(send_report.summary(sent), end="", flush=True)
    return exit_codes.OK


def _send(args: argparse.Namespace) -> SentFile:
    psk = read_shared_key(PROG, args.psk)
    with FileSource(args.file) as source:
        return _Sending(args, psk, source, _offer(args, source)).run()


def _offer(args: argparse.Namespace, source: FileSource) -> Offer:
    name = os.path.basename(os.fspath(args.file)) if args.name is None else args.name
    reason = names.why_not(name)
    if reason is not None:
        raise ConfigError(f"the receiver would not take the name {name!r}: {reason}; give another one with --name")
    try:
        found = os.stat(args.file)
    except OSError as error:
        raise ConfigError(f"cannot read {args.file}: {os_reason(error)}") from error
    return Offer(name, source.size, stat.S_IMODE(found.st_mode), found.st_mtime_ns)


class _Sending:
    """One run: a thread that connects and sends, and this one, which shows progress and minds the signals."""

    def __init__(self, args: argparse.Namespace, psk: bytes | None, source: FileSource, offer: Offer) -> None:
        self._args = args
        self._psk = psk
        self._source = source
        self._offer = offer
        self._stream: Stream | None = None
        self._sending: FileSending | None = None
        self._sha256: bytes | None = None
        self._error: BaseException | None = None
        self._bottleneck = Bottleneck()

    def run(self) -> SentFile:
        """Send; what came of it.

        Raises:
            SurewireError: it failed.
        """
        started, busy_before = time.monotonic_ns(), time.process_time_ns()
        # A daemon, so that nothing it waits for keeps an interrupted command from ending.
        thread = threading.Thread(target=self._work, name="transfer", daemon=True)
        display = make_display(is_quiet=self._args.quiet)
        meter = RateMeter(started)
        with StopRequests() as stop:
            thread.start()
            while thread.is_alive():
                thread.join(_TURN_S)
                if stop.signal is not None:
                    display.hide()
                    self._interrupt(thread)
                now = time.monotonic_ns()
                self._keep_limit(now)
                view = self._look(meter, now)
                if view is not None and now - started > FIRST_AFTER:
                    display.show([view])
            display.hide()
        if self._error is not None:
            raise self._error
        return self._result(started, time.process_time_ns() - busy_before)

    def _work(self) -> None:
        try:
            self._stream = self._connect()
            self._sending = FileSending(self._stream, self._source, self._offer)
            self._sha256 = self._sending.run()
        except BaseException as error:
            self._error = error  # raised again where it is told

    def _connect(self) -> Stream:
        args, known = self._args, None
        needs_trust = not (args.plain or args.psk or args.server_key or args.trust)
        if needs_trust:
            known = KnownServers().key_of(*args.to)
        try:
            stream = connect(
                args.to,
                psk=self._psk,
                server_key=args.server_key,
                trust=FIRST_USE if needs_trust else args.trust,
                plain=args.plain,
                timeout=None,
                mtu=args.mtu,
                offload=not args.no_offload,
                congestion=args.congestion,
                max_rate=None if args.rate is None else args.rate.rate,
                config=make_config(args.timeout),
            )
        except HandshakeTimeout as error:
            if self._psk is not None:
                raise HandshakeTimeout(f"{error}: nobody is there, or the shared keys differ") from error
            raise
        except OSError as error:
            place = server_name(*args.to)
            raise exit_codes.AddressError(f"cannot send to {place}: {os_reason(error)}") from error
        if needs_trust and known is None and not args.quiet:
            complain(
                PROG, f"note: {server_name(*args.to)} is new; its fingerprint is {stream.fingerprint}, remembered now"
            )
        return stream

    def _interrupt(self, thread: threading.Thread) -> None:
        if self._stream is not None:
            self._stream.abort(1, "the sender was interrupted")
            thread.join(_GIVE_UP_S)
        raise Aborted("interrupted")

    def _keep_limit(self, now: int) -> None:
        """Let the limit of the rate follow its file, from when the connection stands."""
        stream, limit = self._stream, self._args.rate
        if stream is not None and limit is not None and limit.look(now=now, warn=_warn):
            stream.max_rate = limit.rate

    def _look(self, meter: RateMeter, now: int) -> View | None:
        """Sample the connection; how far it is, None before it stands."""
        stream, sending = self._stream, self._sending
        if stream is None or sending is None:
            return None
        stats = stream.stats()
        self._bottleneck.sample(stats, now=now)
        done = sending.done(stats)
        rate = meter.rate(done, now=now)
        return View(0, self._offer.name, done, self._offer.size, rate, stats.rtt_ns, send_report.loss(stats))

    def _result(self, started: int, busy_ns: int) -> SentFile:
        stream, sending, sha256 = self._stream, self._sending, self._sha256
        if stream is None or sending is None or sha256 is None:
            raise ConnectionLost("the transfer ended without an outcome")
        stats = stream.stats()
        # The receiver has said that it has all of it; its last acknowledgments may have been lost.
        stats = stats._replace(acknowledged=stats.written)
        elapsed = max(sending.finished_ns - started, 1)
        verdict = self._bottleneck.verdict(
            busy=max(busy_ns - sending.hashing_ns, 0) / elapsed,
            reading=sending.reading_ns / elapsed,
            loss=send_report.loss(stats),
        )
        return SentFile(
            name=self._offer.name,
            size=self._offer.size,
            sha256=sha256,
            seconds=elapsed / NS_PER_S,
            peer=server_name(*self._args.to),
            fingerprint=stream.fingerprint,
            is_sealed=not self._args.plain,
            stats=stats,
            socket=stream.socket_stats(),
            verdict=verdict,
        )


def _warn(text: str) -> None:
    complain(PROG, text)
