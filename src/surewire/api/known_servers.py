"""Servers whose public keys this user trusts: a text file that people can read and mend, like ssh's known_hosts.

    # comment
    example.net:5000 c2f1...64 hexadecimal digits of the public key

One line a server, the first field as it was asked for: trust is given to a name, not to what it resolves to. The file
belongs to its user (mode 0600) and is replaced whole, by a rename, so that a reader sees the old or the new one. Two
programs that add a line at the same moment wait for each other.

Not here: whether a key is genuine (the handshake proves it), and what a fingerprint is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from surewire.api.keys import KEY_SIZE, config_folder, make_config_folder
from surewire.errors import ConfigError, UntrustedServer

_KEY = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_SIZE}}}")
_MOST_BYTES = 16 << 20


def server_name(host: str, port: int) -> str:
    """A server as the file names it: host names in lower case, IPv6 addresses in brackets."""
    host = host.lower()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class KnownServers:
    """The file; it is read each time, so that what somebody removed is gone."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """`path` None: known_servers in the configuration folder. It need not exist."""
        self.path = config_folder() / "known_servers" if path is None else Path(path)
        self._is_default = path is None

    def key_of(self, host: str, port: int) -> bytes | None:
        """The public key of a server, None if it is not known.

        Raises:
            ConfigError: the file cannot be read, or has a line that is wrong.
        """
        return self._parse(self._read()).get(server_name(host, port))

    def remember(self, host: str, port: int, public_key: bytes, *, is_first: bool = False) -> None:
        """Trust this key, in place of any other that this server had, but not if it was to be the `is_first`.

        Raises:
            UntrustedServer: `is_first`, and somebody else has met the server meanwhile: with another key.
            ConfigError: the file cannot be read or written, or has a line that is wrong.
        """
        if self._is_default:
            make_config_folder(self.path.parent)
        name = server_name(host, port)
        with self._locked():
            text = self._read()
            known = self._parse(text).get(name)
            if known == public_key:
                return
            if is_first and known is not None:
                raise UntrustedServer(f"{name} has shown two keys at the same time: somebody may be in between")
            kept = [line for line in text.splitlines() if line.split("#")[0].lower().split()[:1] != [name]]
            self._replace("\n".join([*kept, f"{name} {public_key.hex()}", ""]))

    def _read(self) -> str:
        try:
            with open(self.path, "rb") as file:
                return file.read(_MOST_BYTES).decode()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is no text file") from error

    def _parse(self, text: str) -> dict[str, bytes]:
        found = {}
        for number, line in enumerate(text.splitlines(), 1):
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) != 2 or not _KEY.fullmatch(fields[1]):
                # Silently passing over a line could mean that a server whose key has changed counts as a new one.
                raise ConfigError(f"{self.path}, line {number}: not HOST:PORT and {2 * KEY_SIZE} hexadecimal digits")
            found[fields[0].lower()] = bytes.fromhex(fields[1])
        return found

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold a lock file beside the file, which cannot be the lock itself because it is replaced."""
        lock = f"{self.path}.lock"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write {lock}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _replace(self, text: str) -> None:
        # a link of the user's own making (into a repository of settings, say) stays one
        target = os.path.realpath(self.path)
        temporary = f"{target}.{os.urandom(4).hex()}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
            except OSError:
                with contextlib.suppress(OSError):  # the first error is the one to tell
                    os.unlink(temporary)
                raise
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror}") from error
