"""Fingerprints: their form, that they tell keys apart, and what a person may do to them."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from surewire.crypto.fingerprints import fingerprint, normal_fingerprint
from surewire.errors import ConfigError

KEY = bytes(range(32))


def test_the_form() -> None:
    text = fingerprint(KEY)
    assert re.fullmatch(r"sw1:([a-z2-7]{4}-){5}[a-z2-7]{4}", text)
    digits = text.removeprefix("sw1:").replace("-", "").upper()
    assert base64.b32decode(digits) == hashlib.sha256(b"surewire server key" + KEY).digest()[:15]


def test_other_keys_have_others() -> None:
    assert len({fingerprint(bytes([i]) * 32) for i in range(100)}) == 100


def test_what_people_make_of_it_is_read() -> None:
    text = fingerprint(KEY)
    bare = text.removeprefix("sw1:")
    for typed in (text, bare, text.upper(), bare.replace("-", ""), f"  {bare.replace('-', ' ')}\n"):
        assert normal_fingerprint(typed) == text


@pytest.mark.parametrize("typed", ["", "sw1:", "sw2:" + "a" * 24, "a" * 23, "a" * 25, "a" * 23 + "1", "a" * 23 + "é"])
def test_what_is_none_is_refused(typed: str) -> None:
    with pytest.raises(ConfigError, match="fingerprint"):
        normal_fingerprint(typed)
