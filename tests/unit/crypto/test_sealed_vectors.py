"""docs/vectors/native-sealed.json: the package against it, and the file against the script that writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts import native_sealed_vectors as script
from surewire.crypto.crc32c import crc32c
from surewire.crypto.sealed import (
    AnyServer,
    KeyClient,
    KeyServer,
    PskClient,
    PskServer,
    SealedProtection,
    public_key,
)
from surewire.wire import native_datagram
from surewire.wire.native_datagram import HEADER_SIZE, Hello, Welcome
from surewire.wire.slots import Slots
from tests.unit.crypto.fixed_random import FixedRandom

DOCUMENT: dict[str, Any] = json.loads(script.FILE.read_text(encoding="ascii"))
KEYS = {name: bytes.fromhex(value) for name, value in DOCUMENT.items() if isinstance(value, str) and name != "about"}
EACH = pytest.mark.parametrize("vector", DOCUMENT["suites"], ids=lambda vector: vector["protocol_name"])


def client_of(suite: int) -> KeyClient | PskClient:
    cipher = "aesgcm" if suite in (1, 2) else "chachapoly"
    if suite in (2, 4):
        return PskClient(KEYS["shared_key"], cipher)
    return KeyClient(seen.append, cipher)


seen: list[bytes] = []


def test_the_file_is_what_the_script_writes() -> None:
    assert script.FILE.read_text(encoding="ascii") == script.rendered()
    assert [vector["suite"] for vector in DOCUMENT["suites"]] == [1, 2, 3, 4]
    assert public_key(KEYS["server_private_key"]) == KEYS["server_public_key"]


@EACH
def test_the_handshake(vector: dict[str, Any]) -> None:
    suite, prologue = vector["suite"], bytes.fromhex(vector["prologue"])
    dcid, scid = KEYS["hello_dcid"], KEYS["client_connection_id"]
    assert native_datagram.prologue(dcid, scid, 1, suite, [1]) == prologue
    ours = client_of(suite).begin(FixedRandom(KEYS["client_ephemeral_private_key"]))
    server = AnyServer(KeyServer(KEYS["server_private_key"]), PskServer(KEYS["shared_key"]))
    theirs = server.begin(suite, FixedRandom(KEYS["server_ephemeral_private_key"]))
    first = ours.hello(prologue, KEYS["client_payload"])
    assert first.hex() == vector["first_message"]
    assert native_datagram.emit(Hello(dcid, 1, scid, suite, b"", first), crc32c).hex() == vector["hello"]
    assert theirs.accept(prologue, first) == KEYS["client_payload"]
    second = theirs.welcome(KEYS["server_payload"])
    assert second.hex() == vector["second_message"]
    welcome = Welcome(scid, 1, KEYS["server_connection_id"], second)
    assert native_datagram.emit(welcome, crc32c).hex() == vector["welcome"]
    seen.clear()
    assert ours.finish(second) == KEYS["server_payload"]
    assert seen == ([KEYS["server_public_key"]] if suite in (1, 3) else [])
    check_direction(vector["client_to_server"], ours.keys().sending, theirs.keys().receiving)
    check_direction(vector["server_to_client"], theirs.keys().sending, ours.keys().receiving)


def check_direction(vector: dict[str, Any], sending: SealedProtection, receiving: SealedProtection) -> None:
    for entry in vector["datagrams"]:
        check_datagram(entry, sending, receiving)
    for entry in vector["datagrams_after_update"]:
        check_datagram(entry, sending.successor(), receiving.successor())


def check_datagram(entry: dict[str, Any], sending: SealedProtection, receiving: SealedProtection) -> None:
    plain = bytes.fromhex(entry["header"] + entry["body"])
    buffer = bytearray(plain + bytes(16))
    slots = Slots(memoryview(buffer), stride=len(buffer), header=HEADER_SIZE, trailer=16)
    sending.seal(slots, 1, entry["number"])
    assert buffer.hex() == entry["datagram"]
    assert receiving.open(slots, 0, entry["number"])
    assert buffer[:-16] == plain
