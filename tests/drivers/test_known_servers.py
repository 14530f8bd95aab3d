"""The file of servers whose keys are trusted."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from surewire.api.known_servers import KnownServers, server_name
from surewire.api.options import FIRST_USE, Client, client_of
from surewire.errors import ConfigError, UntrustedServer

ONE, TWO = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "known"


def test_nobody_is_known_at_first(path: Path) -> None:
    assert KnownServers(path).key_of("example.net", 5000) is None
    assert not path.exists()


def test_what_is_remembered_is_known(path: Path) -> None:
    servers = KnownServers(path)
    servers.remember("Example.net", 5000, ONE)
    servers.remember("example.net", 5001, TWO)
    servers.remember("fe80::1%2", 5000, TWO)
    for each in (servers, KnownServers(str(path))):
        assert each.key_of("EXAMPLE.net", 5000) == ONE
        assert each.key_of("example.net", 5001) == each.key_of("fe80::1%2", 5000) == TWO
        assert each.key_of("example.net", 500) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_takes_the_place_of_the_first_and_nothing_else_changes(path: Path) -> None:
    path.write_text(f"# mine\n\nkept:1 {ONE.hex()} # why\n  example.net:5 {ONE.hex()}\nEXAMPLE.net:5 {TWO.hex()}\n")
    KnownServers(path).remember("example.net", 5, TWO)
    assert path.read_text().splitlines()[:3] == ["# mine", "", f"kept:1 {ONE.hex()} # why"]
    KnownServers(path).remember("example.net", 5, ONE)
    assert path.read_text().splitlines() == ["# mine", "", f"kept:1 {ONE.hex()} # why", f"example.net:5 {ONE.hex()}"]


def test_two_first_meetings_at_the_same_time(path: Path) -> None:
    """Both began when nothing was known; the second may not take the place of the first."""

    sealed = pytest.importorskip("surewire.crypto.sealed", exc_type=ImportError)

    def meeting(trust: str) -> Client:
        return client_of("a", 1, psk=None, server_key=None, trust=trust, known_servers=path, plain=False)

    def shown(client: Client, private: bytes) -> None:
        prologue, rng = b"", random.Random(1)
        handshake, server = client.security.begin(rng), sealed.KeyServer(private).begin(1, rng)
        server.accept(prologue, handshake.hello(prologue, b""))
        handshake.finish(server.welcome(b""))
        client.on_established()

    first, second, third = meeting(FIRST_USE), meeting(FIRST_USE), meeting(FIRST_USE)
    shown(first, ONE)
    with pytest.raises(UntrustedServer, match="two keys"):
        shown(second, TWO)
    shown(third, ONE)
    assert KnownServers(path).key_of("a", 1) == sealed.public_key(ONE)
    shown(meeting(sealed.fingerprint(sealed.public_key(TWO))), TWO)
    assert KnownServers(path).key_of("a", 1) == sealed.public_key(TWO)


def test_remembering_what_is_known_does_not_touch_the_file(path: Path) -> None:
    servers = KnownServers(path)
    servers.remember("a", 1, ONE)
    before = path.stat()
    servers.remember("a", 1, ONE)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("line", ["a:1", f"a:1 {ONE.hex()[:-1]}", f"a:1 {ONE.hex()} x", f"{ONE.hex()}", "a:1 sw1:abc"])
def test_a_line_that_is_wrong_is_told_and_nothing_is_written(path: Path, line: str) -> None:
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ConfigError, match="line 2"):
        KnownServers(path).key_of("b", 1)
    with pytest.raises(ConfigError, match="line 2"):
        KnownServers(path).remember("b", 1, ONE)
    assert path.read_text() == f"# first\n{line}\n"


def test_files_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        KnownServers(tmp_path).key_of("a", 1)
    with pytest.raises(ConfigError, match="cannot write"):
        KnownServers(tmp_path / "missing" / "known").remember("a", 1, ONE)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no text file"):
        KnownServers(tmp_path / "binary").key_of("a", 1)


def test_a_link_stays_a_link(tmp_path: Path, path: Path) -> None:
    path.symlink_to(tmp_path / "target")
    KnownServers(path).remember("a", 1, ONE)
    assert path.is_symlink()
    assert (tmp_path / "target").read_text() == f"a:1 {ONE.hex()}\n"


def test_writers_at_the_same_moment_lose_nothing(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for written in [threads.submit(KnownServers(path).remember, "a", port, ONE) for port in range(40)]:
            written.result()
    assert all(KnownServers(path).key_of("a", port) == ONE for port in range(40))
    assert {each.name for each in path.parent.iterdir()} == {"known", "known.lock"}


def test_the_default_is_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    KnownServers().remember("a", 1, ONE)
    assert KnownServers(tmp_path / "surewire/known_servers").key_of("a", 1) == ONE


def test_names_are_as_people_write_them() -> None:
    assert server_name("Example.NET", 9) == "example.net:9"
    assert server_name("::1", 9) == "[::1]:9"
