"""Exit statuses of the tools, one for each kind of failure."""

from __future__ import annotations

from surewire.errors import (
    Aborted,
    ConfigError,
    ConnectionLost,
    DigestMismatch,
    HandshakeTimeout,
    Refused,
    SurewireError,
    TransferError,
)

OK = 0
USAGE = 2
FILE = 3
ADDRESS = 4
NO_ANSWER = 5
LOST = 6
DIGEST = 7
INTERRUPTED = 130
NO_READER = 141  # as a shell tells of a program that SIGPIPE ended


class AddressError(SurewireError):
    """A tool cannot use an address or port it was given."""


EPILOG = """\
exit status:
  0    rdps: the receiver confirmed the file; between two surewire tools it then
       stands there, byte for byte, under its final name. Another receiver has
       acknowledged all data and the FIN, or (with a note on standard error)
       all data, and then nothing more came.
       rdpr: the file is complete and has its final name
  2    wrong arguments
  3    a local file cannot be read or written
  4    an address or port cannot be used
  5    nobody answered, or the other side refused
  6    the other side ended the transfer, fell silent, or did not confirm the end
  7    the received bytes do not hash to what was sent
  130  interrupted
"""


def exit_code(error: SurewireError) -> int:
    """The status for a transfer that ended with `error`."""
    kinds: tuple[tuple[type[SurewireError], int], ...] = (
        (ConfigError, USAGE),
        (AddressError, ADDRESS),
        (DigestMismatch, DIGEST),
        (TransferError, FILE),
        (HandshakeTimeout, NO_ANSWER),
        (Refused, NO_ANSWER),
        (Aborted, INTERRUPTED),
        (ConnectionLost, LOST),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), LOST)
