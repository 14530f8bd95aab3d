"""The demo: a real file from rdps to rdpr through an emulated bad network, as three processes on this machine.

    python3 -m surewire.apps.demo [--size 10M | --file PATH] [--seed N] [--limit S] [--keep DIR]

Exit status: 0 the file arrived byte for byte; 1 it did not, or a tool failed, or the time was not enough (the demo
then ends its own processes and says so); 2 wrong arguments; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from surewire.apps.arguments import ToolParser, seconds
from surewire.apps.demo_report import TOOLS, FinishedRun, LogFollower, conclude
from surewire.apps.router_options import parse_size

PATH_OPTIONS = (
    *("--rate", "50M", "--queue", "250k"),
    *("--loss", "10", "--duplicate", "5", "--reorder", "5", "--corrupt", "2"),
    *("--delay", "20", "--jitter", "2"),
)
_PATH_TEXT = "50 Mbit/s, 10% loss, 5% duplicates, 5% reordering, 2% corruption, 20 ms +- 2 ms of delay, each way"
_LIMIT_S = 28.0  # for all of it; ending the processes and the report take up to two more
_TURN_S = 0.1
_LINE_S = 0.3  # between lines of progress where there is no terminal to rewrite one
_STOP_S = 1.0
_STATUS_INTERRUPTED = 130
# Should the demo itself be killed, its processes end by themselves.
_ROUTER_ENDS = ("--duration", "60")
_RECEIVER_ENDS = ("--wait", "30", "--linger", "3")
_PACKAGE = Path(__file__).resolve().parent.parent
_CHECKOUT = _PACKAGE.parent.parent
_LISTENING = re.compile(r"listening (?:at|on) 127\.0\.0\.1:([0-9]+)\n")


class DemoError(Exception):
    """The run cannot go on; the text says why."""


def make_parser() -> ToolParser:
    """The command line."""
    parser = ToolParser(
        prog="demo",
        description="Send a real file from rdps to rdpr through an emulated bad network and compare what arrives.",
        epilog=f"The network: {_PATH_TEXT}. Exit status 0: the file arrived byte for byte.",
        allow_abbrev=False,
    )
    content = parser.add_mutually_exclusive_group()
    content.add_argument(
        "--size",
        type=parse_size,
        default=10 << 20,
        metavar="BYTES",
        help="size of the file (k, M: powers of 1024), 10M",
    )
    content.add_argument("--file", type=Path, metavar="PATH", help="send this file instead of one that is made up")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the network's decisions (default: a new one)")
    parser.add_argument(
        "--limit", type=seconds, default=_LIMIT_S, metavar="S", help="give up after S seconds (default %(default)g)"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="leave files and logs in DIR, which is made if need be"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    args = make_parser().parse_args(argv)
    if args.file is not None and not args.file.is_file():
        sys.stderr.write(f"demo: there is no file {args.file}\n")
        return 2
    if args.file is not None and args.keep is not None and args.file.resolve().parent == args.keep.resolve():
        sys.stderr.write(f"demo: {args.keep} holds the file to send; name another folder\n")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _folder(args.keep) as folder:
            sent = args.file or _make_file(folder / "sent.bin", args.size)
            text, status = conclude(_Demo(folder, sent, seed=args.seed, limit=args.limit).run())
            print(f"\n{text}", end="", flush=True)
    except OSError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("demo: interrupted\n")
        return _STATUS_INTERRUPTED
    return status


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="surewire-demo-") as name:
            yield Path(name)
        return
    keep.mkdir(parents=True, exist_ok=True)
    for name in ("received.bin", *(f"{tool}.{end}" for tool in TOOLS for end in ("log", "out", "err", "json"))):
        (keep / name).unlink(missing_ok=True)
    yield keep.resolve()
    print(f"Everything is in {keep}.")


def _make_file(path: Path, size: int) -> Path:
    """Fill `path` with `size` bytes of this program's own source and documents, over and over."""
    files = sorted(_PACKAGE.rglob("*.py"))
    if (_CHECKOUT / "pyproject.toml").is_file():
        files += sorted(_CHECKOUT.glob("*.md")) + sorted((_CHECKOUT / "docs").glob("*.md"))
    block = b"".join(b"==> %b <==\n%b" % (file.name.encode(), file.read_bytes()) for file in files)
    with path.open("wb") as out:
        for start in range(0, size, len(block)):
            out.write(block[: size - start])
    return path


class _Demo:
    """One run: the processes, and the terminal while they work."""

    def __init__(self, folder: Path, sent: Path, *, seed: int | None, limit: float) -> None:
        self._folder = folder
        self._sent = sent.resolve()
        self._seed = seed
        self._limit = limit
        self._deadline = time.monotonic() + limit
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._seconds = 0.0

    def run(self) -> FinishedRun:
        """Start everything, wait for the end, clean up; not much longer than the limit."""
        trouble = None
        statuses: dict[str, int | None] = {}
        try:
            self._transfer()
        except DemoError as error:
            trouble = str(error)
        finally:
            # Also after an interrupt: no process may outlive the demo.
            statuses = self._stop()
        return FinishedRun(
            folder=self._folder, sent=self._sent, statuses=statuses, seconds=self._seconds, trouble=trouble
        )

    def _transfer(self) -> None:
        size = self._sent.stat().st_size
        receiver_port = self._start_listening(
            "rdpr", "127.0.0.1", "0", "received.bin", *_RECEIVER_ENDS, *self._outputs("rdpr")
        )
        seed = () if self._seed is None else ("--seed", str(self._seed))
        router_port = self._start_listening(
            "router",
            *("--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{receiver_port}"),
            *PATH_OPTIONS,
            *("--json", *_ROUTER_ENDS, *seed),
        )
        print(f"Sending {size} bytes: rdps -> router 127.0.0.1:{router_port} -> rdpr 127.0.0.1:{receiver_port}")
        print(f"Network: {_PATH_TEXT}")
        started = time.monotonic()
        self._start("rdps", "127.0.0.1", "0", "127.0.0.1", str(router_port), str(self._sent), *self._outputs("rdps"))
        self._watch(LogFollower(self._folder, size), started)
        if self._processes["rdps"].poll() == 0:
            # The receiver answers repeated FINs for a while before it ends.
            self._wait("rdpr")

    def _outputs(self, name: str) -> tuple[str, ...]:
        return "--log", f"{name}.log", "--stats", f"{name}.json"

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(_PACKAGE.parent)}
        with (self._folder / f"{name}.out").open("wb") as out, (self._folder / f"{name}.err").open("wb") as err:
            process = subprocess.Popen(
                [*_command(name), *arguments],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._processes[name] = process
        return process

    def _start_listening(self, name: str, *arguments: str) -> int:
        """Start a tool and return the port it says it listens at."""
        process = self._start(name, *arguments)
        while process.poll() is None:
            found = _LISTENING.search((self._folder / f"{name}.err").read_text(encoding="utf-8", errors="replace"))
            if found is not None:
                return int(found[1])
            self._check_time()
            time.sleep(_TURN_S / 10)
        raise DemoError(f"{name} did not begin to listen")

    def _watch(self, follower: LogFollower, started: float) -> None:
        """Show progress until the sender has ended."""
        is_terminal = sys.stdout.isatty()
        shown_at = started
        process = self._processes["rdps"]
        while True:
            is_over = process.poll() is not None
            now = time.monotonic()
            self._seconds = now - started
            follower.follow()
            if is_terminal:
                print(f"\r{follower.line(self._seconds):<79}", end="\n" if is_over else "", flush=True)
            elif is_over or now - shown_at >= _LINE_S:
                shown_at = now
                print(follower.line(self._seconds), flush=True)
            if is_over:
                return
            self._check_time()
            self._check_running("rdpr", "router")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TURN_S)

    def _wait(self, name: str) -> None:
        while self._processes[name].poll() is None:
            self._check_time()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes[name].wait(_TURN_S)

    def _check_time(self) -> None:
        if time.monotonic() >= self._deadline:
            raise DemoError(f"it was not over after {self._limit:g} s, so the demo ended its processes")

    def _check_running(self, *names: str) -> None:
        for name in names:
            status = self._processes[name].poll()
            if status:  # rdpr may have ended well just before rdps
                raise DemoError(f"{name} ended during the transfer")

    def _stop(self) -> dict[str, int | None]:
        """End what still runs, gently first; the statuses."""
        statuses: dict[str, int | None] = {}
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        limit = time.monotonic() + _STOP_S
        for name, process in self._processes.items():
            try:
                statuses[name] = process.wait(max(limit - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                statuses[name] = None
        return statuses


def _command(name: str) -> list[str]:
    """How to run a tool: its executable if `make` has built it, else its module."""
    executable = _CHECKOUT / name
    if name != "router" and executable.is_file() and os.access(executable, os.X_OK):
        return [str(executable)]
    module = ["surewire.apps.cli", "router"] if name == "router" else [f"surewire.apps.{name}"]
    return [sys.executable, "-m", *module]


if __name__ == "__main__":
    sys.exit(main())
