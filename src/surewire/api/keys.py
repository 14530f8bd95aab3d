"""Keys in files: one that two sides share, and a server's own.

A key file is one line of 64 hexadecimal digits, that is 32 bytes, readable by its owner only: a file that others can
read is refused, since the key in it has to be taken for known. Not here: known servers, and what keys are used for.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from surewire.errors import ConfigError

KEY_SIZE = 32
_DIGITS = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_SIZE}}}")
_MOST_BYTES = 4096  # a file that is longer is something else

StrPath = str | os.PathLike[str]


def config_folder() -> Path:
    """Where this user's keys are: surewire/ in $XDG_CONFIG_HOME, or in ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # the specification says to ignore a relative one
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "surewire"


def make_config_folder(path: Path) -> None:
    """Create a folder for keys, and those above it, for this user only.

    Raises:
        ConfigError: that is not possible.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot create {path}: {error.strerror}") from error


def shared_key(psk: bytes | StrPath) -> bytes:
    """The shared key: itself, or what stands in a file of that name.

    Raises:
        ConfigError: the file is missing, readable by others, or holds no key; bytes of another length.
    """
    if isinstance(psk, bytes):
        if len(psk) != KEY_SIZE:
            raise ConfigError(f"a shared key has {KEY_SIZE} bytes, not {len(psk)}; file names are given as str or Path")
        return psk
    return read_key(psk)


def unreadable_key(path: StrPath, reason: object) -> ConfigError:
    """What to raise when a key file cannot be read; a key that was given in place of its name is not repeated."""
    name = os.fspath(path)
    if _DIGITS.fullmatch(name if isinstance(name, str) else os.fsdecode(name)):
        return ConfigError("a key was given in place of the name of its file; others may have seen it: make a new one")
    return ConfigError(f"cannot read the key in {name}: {reason}")


def read_key(path: StrPath) -> bytes:
    """The key in a file.

    Raises:
        ConfigError: the file is missing, readable by others, or holds no key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable_key(path, error.strerror) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{os.fspath(path)} is no regular file")
        if found.st_mode & 0o077:
            raise ConfigError(
                f"others can read the key in {os.fspath(path)}, so it is no secret: "
                f"make a new one, or chmod 600 if nobody has looked"
            )
        content = os.read(descriptor, _MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"cannot read the key in {os.fspath(path)}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    digits = content.decode("ascii", "replace").strip()
    if _DIGITS.fullmatch(digits):
        return bytes.fromhex(digits)
    raise ConfigError(f"{os.fspath(path)} holds no key: that is {2 * KEY_SIZE} hexadecimal digits and nothing else")


def write_new_key(path: StrPath, key: bytes) -> None:
    """Write a key to a new file, whole or not at all; never over one that exists.

    Raises:
        FileExistsError: there is a file of this name.
        ConfigError: the file cannot be written.
    """
    target = os.fspath(path)
    temporary = f"{target}.{os.urandom(4).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(key.hex().encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
            os.link(temporary, target)  # unlike a rename, this fails if there is one
        finally:
            os.unlink(temporary)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot write the key to {target}: {error.strerror}") from error


def server_private_key(path: StrPath | None = None) -> bytes:
    """A server's private key out of its file, which is made at first use.

    Args:
        path: None: server.key in the configuration folder, which is made, too.

    Raises:
        ConfigError: the file cannot be made, is readable by others, or holds no key.
    """
    if path is None:
        path = config_folder() / "server.key"
        make_config_folder(path.parent)
    if not os.path.lexists(path):
        # Somebody else who makes it at the same moment has made it as well as we would have.
        with contextlib.suppress(FileExistsError):
            write_new_key(path, os.urandom(KEY_SIZE))
    return read_key(path)
