"""Key files: one key, readable by its owner only, made whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from surewire.api.keys import config_folder, read_key, server_private_key, shared_key, write_new_key
from surewire.apps.transfer_options import read_shared_key
from surewire.errors import ConfigError

KEY = bytes(range(32))


def key_file(folder: Path, content: str | bytes = KEY.hex() + "\n", mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [KEY.hex(), KEY.hex().upper() + "\r\n", f"\n  {KEY.hex()}  \n\n"])
def test_a_key_is_read(tmp_path: Path, content: str) -> None:
    path = key_file(tmp_path, content)
    assert read_key(path) == shared_key(path) == shared_key(str(path)) == KEY


@pytest.mark.parametrize(
    "content",
    ["", KEY.hex()[:-1], KEY.hex() + "0", "x" * 64, KEY.hex()[:32] + " " + KEY.hex()[32:], KEY, "é" * 32, "0" * 9000],
)
def test_what_is_no_key_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(ConfigError, match="holds no key"):
        read_key(key_file(tmp_path, content))


def test_a_key_in_place_of_the_name_of_its_file_is_not_repeated() -> None:
    for read in (read_key, shared_key, lambda name: read_shared_key("test", name)):
        with pytest.raises(ConfigError, match="make a new one") as caught:
            read(KEY.hex())
        assert KEY.hex() not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o602])
def test_a_key_that_others_can_get_at_is_no_key(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others can read"):
        read_key(key_file(tmp_path, mode=mode))
    assert read_key(key_file(tmp_path, mode=0o400)) == KEY


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_key(tmp_path / "missing")
    with pytest.raises(ConfigError, match="no regular file"):
        read_key(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="no regular file"):
        read_key(tmp_path / "pipe")


def test_bytes_are_the_key_itself() -> None:
    assert shared_key(KEY) == KEY
    with pytest.raises(ConfigError, match="has 32 bytes, not 5"):
        shared_key(b"short")


def test_a_new_key_is_for_its_owner_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    before = os.umask(0)
    try:
        write_new_key(path, KEY)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_new_key(path, bytes(32))
    assert read_key(path) == KEY
    assert os.listdir(tmp_path) == ["key"]
    with pytest.raises(ConfigError, match="cannot write the key"):
        write_new_key(tmp_path / "missing" / "key", KEY)


def test_a_server_makes_its_key_once(tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    made = server_private_key(path)
    assert len(made) == 32
    assert server_private_key(path) == made
    assert server_private_key(tmp_path / "other.key") != made
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read"):
        server_private_key(path)


def test_the_default_is_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    made = server_private_key()
    assert (tmp_path / "settings/surewire/server.key").read_text() == made.hex() + "\n"
    assert (tmp_path / "settings/surewire").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_folder() == tmp_path / ".config/surewire"
    (tmp_path / ".config").touch()
    with pytest.raises(ConfigError, match="cannot create"):
        server_private_key()
