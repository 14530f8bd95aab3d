"""Sends back whatever it gets, to any number of clients; `echo_client.py` is one.

    PYTHONPATH=src python3 examples/echo_server.py [PORT]

Needs the `cryptography` package. Clients know the server by its fingerprint; its key is made at first use and kept in
~/.config/surewire/server.key.
"""

from __future__ import annotations

import contextlib
import sys
import threading

import surewire
from surewire.api.stream import Stream


def echo(stream: Stream) -> None:
    with stream:
        while data := stream.recv(65_536):
            stream.sendall(data)


def main(port: int) -> None:
    with surewire.listen(("127.0.0.1", port)) as listener, contextlib.suppress(KeyboardInterrupt):
        print(f"port {listener.address[1]}, fingerprint {listener.fingerprint}", flush=True)
        for stream in listener:
            threading.Thread(target=echo, args=(stream,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
