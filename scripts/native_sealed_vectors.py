"""Writes the test vectors of sealed mode: docs/vectors/native-sealed.json.

    python -m scripts.native_sealed_vectors          writes them
    python -m scripts.native_sealed_vectors --check  exit code 1 when the file is not what would be written

For each suite a whole handshake from fixed keys, as the specification of Noise has it, and datagrams sealed before
and after a key update. Each step is written out with HMAC, X25519 and the ciphers' plain calls, and nothing of
the package is used: two readings of the specification have to agree. The tests compare both ways.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from scripts.native_vectors_long import (
    ATTEMPT,
    CLIENT,
    SERVER,
    Json,
    hello_parts,
    joined,
    welcome_parts,
    with_checksum,
)

FILE = Path(__file__).resolve().parent.parent / "docs" / "vectors" / "native-sealed.json"

SERVER_PRIVATE = bytes(range(0x10, 0x30))
CLIENT_EPHEMERAL = bytes(range(0x30, 0x50))
SERVER_EPHEMERAL = bytes(range(0x50, 0x70))
PSK = bytes(range(0x70, 0x90))
CLIENT_PAYLOAD = "010400000001" + "020245c0" + "030481000000" + "040480007530" + "06025388"
SERVER_PAYLOAD = CLIENT_PAYLOAD[:-8] + "0508" + SERVER + "06025388"
SUITES = {1: ("NX", "AESGCM"), 2: ("NNpsk0", "AESGCM"), 3: ("NX", "ChaChaPoly"), 4: ("NNpsk0", "ChaChaPoly")}

# key, nonce, text, associated data
Seal = Callable[[bytes, int, bytes, bytes], bytes]


def seal_aesgcm(key: bytes, nonce: int, text: bytes, associated: bytes) -> bytes:
    return AESGCM(key).encrypt(bytes(4) + nonce.to_bytes(8, "big"), text, associated)


def seal_chachapoly(key: bytes, nonce: int, text: bytes, associated: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(bytes(4) + nonce.to_bytes(8, "little"), text, associated)


SEALS: dict[str, Seal] = {"AESGCM": seal_aesgcm, "ChaChaPoly": seal_chachapoly}


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def agree(private: bytes, other: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def sha256(*pieces: bytes) -> bytes:
    return hashlib.sha256(b"".join(pieces)).digest()


def derive(chaining_key: bytes, secret: bytes, count: int) -> list[bytes]:
    """HKDF of the specification's §4.3."""
    temporary = hmac.digest(chaining_key, secret, "sha256")
    outputs = [hmac.digest(temporary, b"\x01", "sha256")]
    while len(outputs) < count:
        outputs.append(hmac.digest(temporary, outputs[-1] + bytes([len(outputs) + 1]), "sha256"))
    return outputs


def handshake_nx(name: bytes, seal: Seal, prologue: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """First message, second message, chaining key and hash at the end: -> e, <- e ee s es."""
    chain = name.ljust(32, b"\0")
    digest = sha256(chain, prologue)
    client, server = public(CLIENT_EPHEMERAL), public(SERVER_EPHEMERAL)
    payload = bytes.fromhex(CLIENT_PAYLOAD)
    digest = sha256(sha256(digest, client), payload)
    first = client + payload

    digest = sha256(digest, server)
    chain, key = derive(chain, agree(SERVER_EPHEMERAL, client), 2)
    static = seal(key, 0, public(SERVER_PRIVATE), digest)
    digest = sha256(digest, static)
    chain, key = derive(chain, agree(SERVER_PRIVATE, client), 2)
    sealed = seal(key, 0, bytes.fromhex(SERVER_PAYLOAD), digest)
    return first, server + static + sealed, chain, sha256(digest, sealed)


def handshake_nnpsk0(name: bytes, seal: Seal, prologue: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """As above: -> psk e, <- e ee. Each e goes into the chaining key, too."""
    chain = sha256(name) if len(name) > 32 else name.ljust(32, b"\0")
    digest = sha256(chain, prologue)
    client, server = public(CLIENT_EPHEMERAL), public(SERVER_EPHEMERAL)
    chain, mixed, key = derive(chain, PSK, 3)
    digest = sha256(sha256(digest, mixed), client)
    chain, key = derive(chain, client, 2)
    sealed = seal(key, 0, bytes.fromhex(CLIENT_PAYLOAD), digest)
    digest = sha256(digest, sealed)
    first = client + sealed

    digest = sha256(digest, server)
    chain, key = derive(chain, server, 2)
    chain, key = derive(chain, agree(SERVER_EPHEMERAL, client), 2)
    sealed = seal(key, 0, bytes.fromhex(SERVER_PAYLOAD), digest)
    return first, server + sealed, chain, sha256(digest, sealed)


def datagram(seal: Seal, key: bytes, phase: int, dcid: str, number: int, body: bytes) -> Json:
    header = bytes([0x40 | phase]) + bytes.fromhex(dcid) + (number & 0xFFFF_FFFF).to_bytes(4, "big")
    return {
        "number": number,
        "header": header.hex(),
        "body": body.hex(),
        "datagram": (header + seal(key, number, body, header)).hex(),
    }


def direction(seal: Seal, key: bytes, dcid: str) -> Json:
    """What is sealed with one direction's keys."""
    updated = seal(key, 2**64 - 1, bytes(32), b"")[:32]
    data = b"\x08" + (70_000).to_bytes(8, "big") + b"stream bytes"
    return {
        "key": key.hex(),
        "key_after_update": updated.hex(),
        "datagrams": [
            datagram(seal, key, 0, dcid, 0, b"\x01"),
            datagram(seal, key, 0, dcid, 2**32 + 5, data),
            datagram(seal, key, 0, dcid, 2**62 - 1, b""),
        ],
        "datagrams_after_update": [datagram(seal, updated, 1, dcid, 6, data)],
    }


def suite_vector(suite: int) -> Json:
    pattern, cipher = SUITES[suite]
    name, seal = f"Noise_{pattern}_25519_{cipher}_SHA256", SEALS[cipher]
    prologue = b"surewire native" + bytes.fromhex("00000001" + f"{suite:02x}" + ATTEMPT + CLIENT + "01" + "00000001")
    run = handshake_nx if pattern == "NX" else handshake_nnpsk0
    first, second, chain, digest = run(name.encode("ascii"), seal, prologue)
    clients, servers = derive(chain, b"", 2)
    return {
        "suite": suite,
        "protocol_name": name,
        "prologue": prologue.hex(),
        "first_message": first.hex(),
        "second_message": second.hex(),
        "handshake_hash": digest.hex(),
        "hello": with_checksum(joined(hello_parts("", first.hex(), suite=suite))),
        "welcome": with_checksum(joined(welcome_parts(second.hex()))),
        "client_to_server": direction(seal, clients, SERVER),
        "server_to_client": direction(seal, servers, CLIENT),
    }


def rendered() -> str:
    document: Json = {
        "about": "handshakes and sealed datagrams of each suite from fixed keys; see docs/security.md",
        "server_private_key": SERVER_PRIVATE.hex(),
        "server_public_key": public(SERVER_PRIVATE).hex(),
        "shared_key": PSK.hex(),
        "client_ephemeral_private_key": CLIENT_EPHEMERAL.hex(),
        "server_ephemeral_private_key": SERVER_EPHEMERAL.hex(),
        "hello_dcid": ATTEMPT,
        "client_connection_id": CLIENT,
        "server_connection_id": SERVER,
        "client_payload": CLIENT_PAYLOAD,
        "server_payload": SERVER_PAYLOAD,
        "suites": [suite_vector(suite) for suite in SUITES],
    }
    return json.dumps(document, indent=1) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the test vectors of sealed mode.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the file differs")
    if parser.parse_args().check:
        if not FILE.exists() or FILE.read_text(encoding="ascii") != rendered():
            print(f"{FILE} is not up to date", file=sys.stderr)
            return 1
        return 0
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(rendered(), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
