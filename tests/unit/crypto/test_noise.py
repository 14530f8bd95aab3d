"""The Noise handshake where vectors do not lead: refusals, forged messages, turns, and what is kept secret."""

from __future__ import annotations

import random

import pytest

from surewire.crypto.aead import AESGCM, CHACHAPOLY, Cipher
from surewire.crypto.noise import MAX_MESSAGE, HandshakeState, public_key
from surewire.crypto.noise_patterns import pattern
from surewire.crypto.noise_symmetric import CipherState, SymmetricState, rekeyed
from surewire.errors import ConfigError, HandshakeFailed, LocalProtocolError

PRIVATE, PSK = bytes(range(32)), bytes(range(1, 33))
BOTH = pytest.mark.parametrize("cipher", [AESGCM, CHACHAPOLY], ids=lambda cipher: cipher.name)

# Points of small order that need no arithmetic to be found: what is agreed on with them is zero for everybody.
SMALL_ORDER = [bytes(32), (1).to_bytes(32, "little")]


def side(
    name: str, *, initiator: bool, cipher: Cipher = AESGCM, prologue: bytes = b"p", seed: int = 1
) -> HandshakeState:
    chosen = pattern(name)
    has_static = name.startswith("NX") and not initiator
    return HandshakeState(
        chosen,
        cipher,
        is_initiator=initiator,
        prologue=prologue,
        rng=random.Random(seed + initiator),
        static=PRIVATE if has_static else None,
        psks=[PSK] * chosen.psk_count,
    )


def test_the_public_key_of_a_known_private_key() -> None:
    # RFC 7748 §6.1, Alice
    private = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    assert public_key(private).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"


def test_another_prologue_ends_the_handshake() -> None:
    for name in ("NX", "NNpsk0"):
        client, server = side(name, initiator=True), side(name, initiator=False, prologue=b"q")
        if name == "NNpsk0":
            with pytest.raises(HandshakeFailed):
                server.read_message(client.write_message(b""))
            continue
        server.read_message(client.write_message(b""))
        with pytest.raises(HandshakeFailed):
            client.read_message(server.write_message(b""))


@BOTH
@pytest.mark.parametrize("name", ["NX", "NNpsk0"])
def test_a_changed_answer_is_refused_and_the_genuine_one_still_taken(name: str, cipher: Cipher) -> None:
    client, server = side(name, initiator=True, cipher=cipher), side(name, initiator=False, cipher=cipher)
    assert server.read_message(client.write_message(b"first")) == b"first"
    answer = server.write_message(b"second")
    # 255 is the bit of a coordinate that X25519 does not read (RFC 7748 §5); the hash does
    for bit in (255, *range(0, 8 * len(answer), 9)):
        forged = bytearray(answer)
        forged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(HandshakeFailed):
            client.read_message(bytes(forged))
    for size in range(len(answer)):
        with pytest.raises(HandshakeFailed):
            client.read_message(answer[:size])
    assert client.remote_static is None
    assert client.read_message(answer) == b"second"
    assert client.remote_static == (public_key(PRIVATE) if name == "NX" else None)
    ours, theirs = client.split(), server.split()
    assert (ours.sending.key, ours.receiving.key) == (theirs.receiving.key, theirs.sending.key)
    assert ours.sending.key != ours.receiving.key
    assert client.hash == server.hash


def test_a_forgery_before_the_psk_message_leaves_the_psk_where_it_was() -> None:
    client, server = side("NNpsk0", initiator=True), side("NNpsk0", initiator=False)
    message = client.write_message(b"")
    with pytest.raises(HandshakeFailed):
        server.read_message(bytes(len(message)))
    assert server.read_message(message) == b""


@pytest.mark.parametrize("point", SMALL_ORDER, ids=["0", "1"])
def test_keys_that_agree_on_no_secret_are_refused(point: bytes) -> None:
    client, server = side("NX", initiator=True), side("NX", initiator=False)
    client.write_message(b"")
    with pytest.raises(HandshakeFailed, match="no secret"):
        client.read_message(point + bytes(64))
    assert server.read_message(point) == b""
    with pytest.raises(HandshakeFailed, match="no secret"):
        server.write_message(b"")


def test_messages_have_their_turns() -> None:
    client, server = side("NX", initiator=True), side("NX", initiator=False)
    with pytest.raises(LocalProtocolError, match="other side's"):
        client.read_message(bytes(100))
    with pytest.raises(LocalProtocolError, match="other side's"):
        server.write_message(b"")
    with pytest.raises(LocalProtocolError, match="not finished"):
        client.split()
    server.read_message(client.write_message(b""))
    client.read_message(server.write_message(b""))
    with pytest.raises(LocalProtocolError, match="no more"):
        client.write_message(b"")


def test_messages_have_a_longest_length() -> None:
    server = side("NX", initiator=False)
    assert len(side("NX", initiator=True).write_message(bytes(MAX_MESSAGE - 32))) == MAX_MESSAGE
    with pytest.raises(LocalProtocolError, match="65535"):
        side("NX", initiator=True).write_message(bytes(MAX_MESSAGE - 31))
    with pytest.raises(HandshakeFailed, match="65535"):
        server.read_message(bytes(MAX_MESSAGE + 1))


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("NNpsk0", {"psks": []}),
        ("NNpsk0", {"psks": [PSK[:31]]}),
        ("NN", {"psks": [PSK]}),
        ("NK", {"remote_static": None}),
        ("NK", {"remote_static": bytes(31)}),
        ("NN", {"static": bytes(33)}),
    ],
)
def test_missing_and_malformed_keys_are_the_callers_fault(name: str, keys: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        HandshakeState(
            pattern(name),
            AESGCM,
            is_initiator=True,
            prologue=b"",
            rng=random.Random(1),
            **keys,  # type: ignore[arg-type]
        )


def test_a_pattern_whose_own_key_is_missing() -> None:
    client = HandshakeState(pattern("IN"), AESGCM, is_initiator=True, prologue=b"", rng=random.Random(1))
    with pytest.raises(LocalProtocolError, match="not given"):
        client.write_message(b"")


@pytest.mark.parametrize("name", ["", "N?", "XY", "NNpsk", "NNpsk3", "Npsk2", "NN+psk0", "KX psk0"])
def test_unknown_patterns(name: str) -> None:
    with pytest.raises(ConfigError):
        pattern(name)


def test_modifiers_put_the_psk_where_the_specification_does() -> None:
    assert pattern("NNpsk0").messages == (("psk", "e"), ("e", "ee"))
    assert pattern("XXpsk0+psk3").messages == (("psk", "e"), ("e", "ee", "s", "es"), ("s", "se", "psk"))
    assert pattern("XXpsk0+psk3").psk_count == 2


@BOTH
def test_rekey_is_the_cipher_of_zeros_under_the_last_nonce(cipher: Cipher) -> None:
    # §4.2, spelled out: 32 zero bits and 64 one bits are the same in either byte order
    expected = cipher.aead(PSK).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
    assert rekeyed(cipher, PSK) == expected


def test_the_last_nonce_is_kept_for_the_rekey() -> None:
    state = CipherState(AESGCM, PSK, nonce=2**64 - 2)
    state.encrypt(b"", b"x")
    with pytest.raises(LocalProtocolError, match="nonce"):
        state.encrypt(b"", b"x")


def test_a_long_protocol_name_is_hashed() -> None:
    # §5.2: names of up to 32 bytes are filled up with zeros
    assert SymmetricState.of("n" * 32, AESGCM).hash == b"n" * 32
    assert SymmetricState.of("n", AESGCM).hash == b"n" + bytes(31)
    assert len(SymmetricState.of("n" * 33, AESGCM).hash) == 32


def test_no_secret_is_shown() -> None:
    client = side("NNpsk0", initiator=True)
    client.write_message(b"")
    state = CipherState(AESGCM, PSK)
    for shown in (repr(client), str(client), repr(state), repr(SymmetricState.of("n", AESGCM))):
        assert PSK.hex() not in shown
        assert repr(PSK)[2:-1] not in shown
