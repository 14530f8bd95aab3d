"""One end of a conversation in small messages over surewire's native transport, by the blocking API.

native_echo.py recv              answers every 64 bytes with 64 bytes, until the other side ends
native_echo.py send PORT COUNT   asks so often, one question after the other's answer
"""

from __future__ import annotations

import argparse

from ends import HOST, measured, say_port
from native_options import add_options, keywords

from surewire import connect, listen

_MESSAGE = bytes(range(64))


def _ask(args: argparse.Namespace) -> None:
    with connect((HOST, args.port), **keywords(args)) as stream, measured(round_trips=args.count):
        for _ in range(args.count):
            stream.sendall(_MESSAGE)
            if stream.recv_exactly(len(_MESSAGE)) != _MESSAGE:
                raise SystemExit("another answer came")


def _answer(args: argparse.Namespace) -> None:
    with listen((HOST, 0), **keywords(args)) as listener:
        say_port(listener.address[1])
        with listener.accept() as stream, measured():
            while data := stream.recv(len(_MESSAGE)):
                stream.sendall(data)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser)
    roles = parser.add_subparsers(dest="role", required=True)
    asking = roles.add_parser("send")
    asking.add_argument("port", type=int)
    asking.add_argument("count", type=int)
    roles.add_parser("recv")
    args = parser.parse_args()
    (_ask if args.role == "send" else _answer)(args)


if __name__ == "__main__":
    main()
