"""CRC-32C: the vectors of RFC 3720, the pure form against the package's, and that either can be had alone."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import surewire
from surewire.crypto.crc32c import Checksum, crc32c
from surewire.crypto.pure_crc32c import crc32c as pure

SRC = Path(surewire.__file__).resolve().parent.parent
BOTH = pytest.mark.parametrize("checksum", [crc32c, pure], ids=["chosen", "pure"])

# RFC 3720 appendix B.4; the RFC prints the bytes of the sum in the order sent, lowest first.
ISCSI_READ = bytes.fromhex(
    "01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000"
)
VECTORS = [
    (b"", 0),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(reversed(range(32))), 0x113FDB5C),
    (ISCSI_READ, 0xD9963A56),
    (b"123456789", 0xE3069283),  # the check value of the catalogues of CRCs
]


@BOTH
@pytest.mark.parametrize(("data", "expected"), VECTORS)
def test_published_vectors(checksum: Checksum, data: bytes, expected: int) -> None:
    assert checksum(data) == expected
    assert checksum(memoryview(bytearray(data))) == expected


@BOTH
def test_it_goes_on_where_it_stopped(checksum: Checksum) -> None:
    data = random.Random(1).randbytes(100)
    for cut in range(len(data)):
        assert checksum(data[cut:], checksum(data[:cut])) == checksum(data)


def test_pure_and_chosen_agree() -> None:
    rng = random.Random(2)
    for size in [*range(70), 1472, 65_507]:
        data, value = rng.randbytes(size), rng.getrandbits(32)
        assert pure(data, value) == crc32c(data, value)


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, str(SRC)], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_without_the_package_the_pure_form_is_chosen() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.modules['crc32c'] = None\n"
        "from surewire.crypto.crc32c import crc32c\n"
        "print(crc32c.__module__, crc32c(b'123456789'))"
    )
    assert run(program) == f"surewire.crypto.pure_crc32c {0xE3069283}"


def test_checked_mode_needs_no_cryptography() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.modules['cryptography'] = None\n"
        "import surewire.crypto.checked\n"
        "print('surewire.crypto.aead' in sys.modules)"
    )
    assert run(program) == "False"
