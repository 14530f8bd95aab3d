"""The Noise handshake against the published vectors of other implementations, every pattern of the specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from surewire.crypto.aead import AESGCM, CHACHAPOLY
from surewire.crypto.noise import HandshakeState, public_key
from surewire.crypto.noise_patterns import pattern
from surewire.crypto.noise_symmetric import CipherState
from tests.unit.crypto.fixed_random import FixedRandom

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
CIPHERS = {cipher.name: cipher for cipher in (AESGCM, CHACHAPOLY)}


class Vector(NamedTuple):
    """One published handshake and what was sent after it."""

    protocol_name: str
    fields: dict[str, bytes]
    messages: list[tuple[bytes, bytes]]


def vectors() -> list[Vector]:
    found = []
    for file in sorted(VECTORS.glob("noise-*.json")):
        for entry in json.loads(file.read_text(encoding="ascii"))["vectors"]:
            name, messages = entry.pop("protocol_name"), entry.pop("messages")
            pairs = [(bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in messages]
            found.append(Vector(name, {key: bytes.fromhex(value) for key, value in entry.items()}, pairs))
    return found


def sides(vector: Vector) -> tuple[HandshakeState, HandshakeState]:
    """Initiator and responder as the vector has them."""
    _, pattern_name, _, cipher_name, _ = vector.protocol_name.split("_")
    chosen, fields = pattern(pattern_name), vector.fields
    psks = [fields["psk"]] * chosen.psk_count if "psk" in fields else []
    states = []
    for role, other in (("init", "resp"), ("resp", "init")):
        is_other_known = chosen.is_responder_known if role == "init" else chosen.is_initiator_known
        states.append(
            HandshakeState(
                chosen,
                CIPHERS[cipher_name],
                is_initiator=role == "init",
                prologue=fields.get("prologue", b""),
                rng=FixedRandom(fields[f"{role}_ephemeral"]),
                static=fields.get(f"{role}_static"),
                remote_static=public_key(fields[f"{other}_static"]) if is_other_known else None,
                psks=psks,
            )
        )
    return states[0], states[1]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector.protocol_name)
def test_a_published_vector(vector: Vector) -> None:
    initiator, responder = sides(vector)
    pending = list(vector.messages)
    writer, reader = initiator, responder
    while not initiator.is_finished:
        payload, ciphertext = pending.pop(0)
        assert writer.write_message(payload) == ciphertext
        assert reader.read_message(ciphertext) == payload
        writer, reader = reader, writer
    assert responder.is_finished
    assert initiator.hash == responder.hash
    ours, theirs = initiator.split(), responder.split()
    assert pending
    lanes: list[tuple[CipherState, CipherState]] = [(ours.sending, theirs.receiving), (theirs.sending, ours.receiving)]
    turn = 0  # the vectors go on with the initiator's key, whoever wrote last, and then take turns
    for payload, ciphertext in pending:
        sender, receiver = lanes[turn]
        assert sender.encrypt(b"", payload) == ciphertext
        assert receiver.decrypt(b"", ciphertext) == payload
        turn = 1 - turn


def test_the_vectors_cover_what_is_used_and_every_pattern() -> None:
    names = [vector.protocol_name for vector in vectors()]
    for cipher in CIPHERS:
        assert names.count(f"Noise_NX_25519_{cipher}_SHA256") == 4
        assert names.count(f"Noise_NNpsk0_25519_{cipher}_SHA256") == 4
        assert names.count(f"Noise_NN_25519_{cipher}_SHA256") >= 1
    plain = {name.split("_")[1].split("psk")[0] for name in names}
    assert plain == {"N", "K", "X", "NN", "KN", "NK", "KK", "NX", "KX", "XN", "IN", "XK", "IK", "XX", "IX"}
    assert {name.split("_")[1].split("psk")[1] for name in names if "psk" in name} == {"0", "1", "2", "3"}
