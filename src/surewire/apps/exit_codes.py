"""Exit statuses of the tools, one for each kind of failure."""

from __future__ import annotations

from surewire.errors import (
    Aborted,
    ConfigError,
    ConnectionLost,
    DigestMismatch,
    HandshakeFailed,
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
UNTRUSTED = 8
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

SEND_EPILOG = """\
exit status:
  0    the receiver confirmed the file: it stands there under its final name,
       on the disk, and hashes to what was sent
  2    wrong arguments, or a file with a key that cannot be used
  3    the file cannot be read, or changed while it was sent
  4    the address or port cannot be used
  5    nobody answered, or the other side refused the connection
  6    the receiver refused the file or could not store it, ended the transfer,
       fell silent, or did not confirm the end
  7    what the receiver stored does not hash to what was sent
  8    the receiver is not the one that is trusted, or the keys do not match:
       nothing was sent
  130  interrupted
"""

RECV_EPILOG = """\
exit status, with --once of the one file, else of the command itself:
  0    the file is complete, on the disk, and has its final name; without
       --once: ended by Ctrl-C or SIGTERM while nothing was being received
  2    wrong arguments, or a file with a key that cannot be used
  3    the folder or the file cannot be written; the sender was told so
  4    the address or port cannot be used
  6    the sender ended the transfer, fell silent, or did not keep to the rules
  7    the received bytes do not hash to what was sent; nothing is stored
  130  interrupted while a file was being received, or before the one came
"""


def exit_code(error: SurewireError) -> int:
    """The status for a transfer that ended with `error`."""
    kinds: tuple[tuple[type[SurewireError], int], ...] = (
        (ConfigError, USAGE),
        (AddressError, ADDRESS),
        (DigestMismatch, DIGEST),
        (TransferError, FILE),
        (HandshakeFailed, UNTRUSTED),
        (HandshakeTimeout, NO_ANSWER),
        (Refused, NO_ANSWER),
        (Aborted, INTERRUPTED),
        (ConnectionLost, LOST),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), LOST)
