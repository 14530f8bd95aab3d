"""Fingerprints of servers' public keys: short enough to read out on the telephone, long enough not to be forged.

    sw1:mfrg-gzdf-mztw-q2lk-nnwg-23tp       24 digits of RFC 4648 base32, lower case

120 bits of SHA-256: whoever wants another key with a given fingerprint has to try about 2**120 of them. The hash is
prefixed with its purpose, so that it equals no other hash of the same key.
"""

from __future__ import annotations

import base64
import hashlib
import re

from surewire.errors import ConfigError

PREFIX = "sw1:"  # the kind of fingerprint, so that a later one can be told apart
_PURPOSE = b"surewire server key"
_BYTES = 15
_DIGITS = re.compile(r"[a-z2-7]{24}")


def fingerprint(public: bytes) -> str:
    """The fingerprint of a public key."""
    digest = hashlib.sha256(_PURPOSE + public).digest()[:_BYTES]
    return _grouped(base64.b32encode(digest).decode("ascii").lower())


def normal_fingerprint(text: str) -> str:
    """A fingerprint as somebody typed it, as `fingerprint` writes it: any case, with any grouping or none.

    Raises:
        ConfigError: it is none.
    """
    digits = re.sub(r"[\s-]", "", text.lower()).removeprefix(PREFIX)
    if not _DIGITS.fullmatch(digits):
        raise ConfigError(f"a fingerprint is {PREFIX} and 24 letters and digits, not {text!r}")
    return _grouped(digits)


def _grouped(digits: str) -> str:
    return PREFIX + "-".join(digits[start : start + 4] for start in range(0, len(digits), 4))
