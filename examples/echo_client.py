"""Says something to `echo_server.py` and shows the answer.

    PYTHONPATH=src python3 examples/echo_client.py FINGERPRINT [PORT]

The server prints its fingerprint. It is remembered: later connections need no `trust`.
"""

from __future__ import annotations

import sys

import surewire


def main(fingerprint: str, port: int) -> None:
    with surewire.connect(("127.0.0.1", port), trust=fingerprint) as stream:
        for saying in (b"hello", b"are you there?", b"good bye"):
            stream.sendall(saying)
            print(stream.recv_exactly(len(saying)).decode())
        stats = stream.stats()
    print(f"confirmed; {stats.datagrams_sent} datagrams sent, round trip {stats.rtt_ns / 1e6:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000)
