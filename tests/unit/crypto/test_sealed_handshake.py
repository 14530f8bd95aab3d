"""Sealed handshakes as a connection runs them: suites, trust, wrong keys, forged answers, what they refuse."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from surewire.crypto.aead import KEY_SIZE
from surewire.crypto.sealed import (
    AnyServer,
    KeyClient,
    KeyServer,
    PskClient,
    PskServer,
    SealedClientHandshake,
    SealedServer,
    SealedServerHandshake,
    fingerprint,
    public_key,
)
from surewire.errors import ConfigError, HandshakeFailed, LocalProtocolError, UntrustedServer
from tests.unit.crypto.trains import train

PSK, PRIVATE = bytes(range(7, 39)), bytes(range(50, 82))
SERVER = AnyServer(KeyServer(PRIVATE), PskServer(PSK))
Client = KeyClient | PskClient


def trust(public: bytes) -> None:
    if public != public_key(PRIVATE):
        raise UntrustedServer("another key")


CLIENTS: list[tuple[int, Callable[[], Client]]] = [
    (1, lambda: KeyClient(trust)),
    (2, lambda: PskClient(PSK)),
    (3, lambda: KeyClient(trust, "chachapoly")),
    (4, lambda: PskClient(PSK, "chachapoly")),
]
EACH = pytest.mark.parametrize(("suite", "client"), CLIENTS, ids=["1", "2", "3", "4"])


def begin(client: Client, server: SealedServer = SERVER) -> tuple[SealedClientHandshake, SealedServerHandshake]:
    client_side = client.begin(random.Random(1))
    return client_side, server.begin(client_side.suite, random.Random(2))


def carries(
    sender: SealedClientHandshake | SealedServerHandshake, to: SealedClientHandshake | SealedServerHandshake
) -> bool:
    """Whether what one side seals opens at the other and comes back as it was."""
    data, slots = train(1, 100, 16)
    before = bytes(data)
    sender.keys().sending.seal(slots, 1, 4)
    return data != before and to.keys().receiving.open(slots, 0, 4) and data[:-16] == before[:-16]


@EACH
def test_a_handshake(suite: int, client: Callable[[], Client]) -> None:
    ours, theirs = begin(client())
    assert ours.suite == theirs.suite == suite
    assert theirs.accept(b"prologue", ours.hello(b"prologue", b"wants")) == b"wants"
    assert ours.finish(theirs.welcome(b"offers")) == b"offers"
    assert carries(ours, theirs)
    assert carries(theirs, ours)
    assert not carries(ours, ours)
    assert ours.server_key == (public_key(PRIVATE) if suite in (1, 3) else None)


@EACH
def test_lengths_that_the_document_states(suite: int, client: Callable[[], Client]) -> None:
    ours, theirs = begin(client())
    hello = ours.hello(b"", b"12345")
    theirs.accept(b"", hello)
    welcome = theirs.welcome(b"123")
    assert (len(hello) - 5, len(welcome) - 3) == ((32, 96) if suite in (1, 3) else (48, 48))


@EACH
def test_another_prologue_fails_on_one_side_or_the_other(suite: int, client: Callable[[], Client]) -> None:
    ours, theirs = begin(client())
    hello = ours.hello(b"prologue", b"")
    with pytest.raises(HandshakeFailed):
        theirs.accept(b"Prologue", hello)
        ours.finish(theirs.welcome(b""))


def test_another_suite_of_the_same_pattern_fails() -> None:
    ours, _ = begin(KeyClient(trust))
    theirs = SERVER.begin(3, random.Random(2))
    theirs.accept(b"", ours.hello(b"", b""))
    with pytest.raises(HandshakeFailed):
        ours.finish(theirs.welcome(b""))


@EACH
def test_forged_answers_are_refused_and_the_genuine_one_taken(suite: int, client: Callable[[], Client]) -> None:
    ours, theirs = begin(client())
    theirs.accept(b"", ours.hello(b"", b""))
    genuine = theirs.welcome(b"yes")
    for forged in (b"", genuine[:-1], genuine + b"\0", bytes(len(genuine)), random.Random(3).randbytes(len(genuine))):
        with pytest.raises(HandshakeFailed):
            ours.finish(forged)
    assert ours.server_key is None
    assert ours.finish(genuine) == b"yes"
    assert carries(ours, theirs)


def test_a_server_that_nobody_vouches_for() -> None:
    ours, theirs = begin(KeyClient(trust), KeyServer(bytes(range(32))))
    theirs.accept(b"", ours.hello(b"", b""))
    with pytest.raises(UntrustedServer, match="another key"):
        ours.finish(theirs.welcome(b""))
    assert ours.server_key is None
    with pytest.raises(LocalProtocolError):
        ours.keys()


def test_another_shared_key() -> None:
    ours, theirs = begin(PskClient(PSK), PskServer(bytes(32)))
    with pytest.raises(HandshakeFailed) as caught:
        theirs.accept(b"", ours.hello(b"", b""))
    assert PSK.hex() not in str(caught.value)


def test_somebody_in_between_can_not_pose_as_the_server() -> None:
    """With the server's public key, but not the private one, there is no answer that fits."""
    ours, theirs = begin(KeyClient(trust), KeyServer(bytes(range(32))))
    theirs.accept(b"", ours.hello(b"", b""))
    answer = bytearray(theirs.welcome(b""))
    with pytest.raises(HandshakeFailed):
        ours.finish(bytes(answer[:32]) + public_key(PRIVATE) + bytes(answer[64:]))


def test_a_hello_again_is_a_new_handshake() -> None:
    ours, theirs = begin(PskClient(PSK))
    first, second = ours.hello(b"one", b""), ours.hello(b"two", b"")
    assert first != second
    theirs.accept(b"one", first)
    with pytest.raises(HandshakeFailed):
        ours.finish(theirs.welcome(b""))
    other = SERVER.begin(ours.suite, random.Random(5))
    other.accept(b"two", second)
    ours.finish(other.welcome(b""))
    assert carries(other, ours)


def test_keys_differ_from_one_connection_to_the_next() -> None:
    rng = random.Random(9)
    client = PskClient(PSK)
    first, second = client.begin(rng), client.begin(rng)
    assert first.hello(b"", b"") != second.hello(b"", b"")


def test_what_is_out_of_turn() -> None:
    ours, theirs = begin(PskClient(PSK))
    for wrong in (ours.keys, theirs.keys, lambda: ours.finish(b""), lambda: theirs.welcome(b"")):
        with pytest.raises(LocalProtocolError):
            wrong()
    theirs.accept(b"", ours.hello(b"", b""))
    ours.finish(welcome := theirs.welcome(b""))
    for wrong in (lambda: ours.finish(welcome), lambda: theirs.welcome(b"")):
        with pytest.raises(LocalProtocolError, match="over"):
            wrong()


def test_which_server_takes_which_suite() -> None:
    key, psk = KeyServer(PRIVATE), PskServer(PSK)
    assert (key.suites, psk.suites) == ((1, 3), (2, 4))
    assert AnyServer(psk, key, psk).suites == (2, 4, 1, 3)
    assert AnyServer().suites == ()
    for server, suite in ((key, 2), (psk, 1), (AnyServer(key), 4), (AnyServer(), 1), (AnyServer(key, psk), 0)):
        with pytest.raises(LocalProtocolError, match=f"suite {suite}"):
            server.begin(suite, random.Random(1))


@pytest.mark.parametrize("size", [0, KEY_SIZE - 1, KEY_SIZE + 1, 64])
@pytest.mark.parametrize("make", [PskClient, PskServer, KeyServer])
def test_keys_of_another_length(make: Callable[[bytes], object], size: int) -> None:
    with pytest.raises(ConfigError, match=f"32 bytes, not {size}"):
        make(bytes(size))


def test_an_unknown_cipher() -> None:
    for make in (lambda: PskClient(PSK, "aes"), lambda: KeyClient(trust, "")):
        with pytest.raises(ConfigError, match="aesgcm or chachapoly"):
            make()


def test_no_secret_is_shown() -> None:
    ours, theirs = begin(PskClient(PSK))
    theirs.accept(b"", ours.hello(b"", b""))
    ours.finish(theirs.welcome(b""))
    shown = " ".join(map(repr, (ours, theirs, ours.keys(), PskClient(PSK), PskServer(PSK), KeyServer(PRIVATE), SERVER)))
    for secret in (PSK, PRIVATE):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_the_fingerprint_comes_with_it() -> None:
    assert fingerprint(public_key(PRIVATE)).startswith("sw1:")
