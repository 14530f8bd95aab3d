"""Real files for a transfer: a `Source` to send from and a `Sink` that is complete or absent.

Nothing here maps files into memory: a file cut short by somebody else would then end the process
by a signal instead of an error, and content is read and written at offsets just as fast.

Invariants of the sink: the final name appears, by one rename, only when every byte is on the disk;
until then everything is in a temporary file beside it, which does not exist before the first
write. Memory does not grow with the file, only with the number of holes in it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from types import TracebackType

from surewire.core.ranges import RangeSet
from surewire.core.trains import Buffer
from surewire.drivers.file_names import (
    create_beside,
    give_name,
    kind_of,
    mode_within,
    reason_of,
    replaceable,
    sync_directory,
)
from surewire.errors import DestinationError, LocalProtocolError, SourceChanged, TransferError

StrPath = str | os.PathLike[str]

_MAX_PIECES = os.sysconf("SC_IOV_MAX")
_READ_BACK_BYTES = 1 << 20


class FileSource:
    """A regular file opened for sending; its size is fixed at that moment."""

    def __init__(self, path: StrPath) -> None:
        """Open `path`.

        Raises:
            TransferError: it is missing, unreadable or not a regular file.
        """
        self._path = os.fspath(path)
        self._descriptor = -1
        try:
            # Looked at before it is opened, because opening a device or a pipe can have effects.
            self._require_regular(os.stat(self._path))
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            found = os.fstat(self._descriptor)
            self._require_regular(found)
            if not found.st_size and os.pread(self._descriptor, 1, 0):
                raise TransferError(f"cannot send {self._path}: its size is not known beforehand")
        except (OSError, ValueError) as error:
            self.close()
            raise TransferError(f"cannot read {self._path}: {reason_of(error)}") from error
        except TransferError:
            self.close()
            raise
        self._size = found.st_size
        self._modified_ns = found.st_mtime_ns
        self._read_to_end = False

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; both must lie within [0, size].

        From the first read of the last byte on, each read also checks that the file still has the
        size and modification time it had when it was opened.

        Raises:
            SourceChanged: the file was changed meanwhile, or cannot be read any more.
            LocalProtocolError: the range is not within the file, or the source is closed.
        """
        if offset < 0 or length < 0 or offset + length > self._size:
            raise LocalProtocolError(f"read of {length} bytes at {offset} in a source of {self._size} bytes")
        if self._descriptor < 0:
            raise LocalProtocolError("read from a closed source")
        try:
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length:
                more = os.pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
            self._read_to_end = self._read_to_end or offset + length == self._size
            if len(data) < length or self._read_to_end:
                self._require_unchanged()
        except OSError as error:
            raise SourceChanged(f"{self._path} can no longer be read: {reason_of(error)}") from error
        return data

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill the views, one after the other, from `offset` on; the same checks and errors as `read_at`."""
        length = sum(map(len, views))
        if self._descriptor < 0 or len(views) > _MAX_PIECES or offset + length > self._size:
            data = memoryview(self.read_at(offset, length))
            for view in views:
                view[:], data = data[: len(view)], data[len(view) :]
            return
        try:
            done = os.preadv(self._descriptor, views, offset)
            self._read_to_end = self._read_to_end or offset + length == self._size
            if done < length or self._read_to_end:
                self._require_unchanged()
        except OSError as error:
            raise SourceChanged(f"{self._path} can no longer be read: {reason_of(error)}") from error
        if done < length:
            raise SourceChanged(f"{self._path} gave {done} of {length} bytes")

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_regular(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise TransferError(f"cannot read {self._path}: it is {kind_of(found)}, not a regular file")

    def _require_unchanged(self) -> None:
        found = os.fstat(self._descriptor)
        if found.st_size != self._size:
            raise SourceChanged(
                f"{self._path} changed while it was sent: it had {self._size} bytes and now has {found.st_size}"
            )
        if found.st_mtime_ns != self._modified_ns:
            raise SourceChanged(f"{self._path} was modified while it was sent")


class FileSink:
    """A file being received. End it with `commit`, `keep`, `discard` or `close` (which keeps).

    After that, writing is an error and ending it again does nothing.
    """

    def __init__(
        self, path: StrPath, *, follow: bool = True, overwrite: bool = True, is_hashed_elsewhere: bool = False
    ) -> None:
        """Check that `path` can be the final name; nothing is created yet.

        Args:
            path: the final name.
            follow: if it is a symbolic link, its target is what will be replaced; else it is refused.
            overwrite: an existing file is replaced; else it stays, and `commit` fails.
            is_hashed_elsewhere: do not hash what is written; `digest` then reads all of it.

        Raises:
            DestinationError: the folder is missing or not writable, or the name belongs to
                something else than a regular file.
        """
        self._path = os.fspath(path)
        self._overwrite = overwrite
        self._hashes = not is_hashed_elsewhere
        try:
            self._target = replaceable(self._path, follow=follow)
        except (OSError, ValueError) as error:
            raise DestinationError(f"cannot write {self._path}: {reason_of(error)}") from error
        self._descriptor = -1
        self._temporary: str | None = None
        self._ended = False
        self._written = RangeSet()
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._rewritten = False
        self._attributes: tuple[int | None, int | None] = (None, None)

    @property
    def temporary(self) -> str | None:
        """Path of the temporary file while there is one."""
        return self._temporary

    @property
    def contiguous(self) -> int:
        """Bytes written from the start of the file up to the first hole."""
        first = self._written.first
        return first[1] if first is not None and first[0] == 0 else 0

    @property
    def stored(self) -> int:
        """Bytes written, each counted once, holes not."""
        return sum(stop - start for start, stop in self._written)

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """Store the pieces end to end from `offset` >= 0. The pieces are not kept after return.

        Raises:
            DestinationError: they cannot be stored; some of them may have been.
            LocalProtocolError: the sink has ended.
        """
        # Joined, because file systems take one long piece up to twice as fast as many short ones.
        data = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        length = len(data)
        if not length:
            return
        descriptor, _ = self._open()
        try:
            _write(descriptor, data, offset)
        except OSError as error:
            raise self._failed(error) from error
        self._written.add(offset, offset + length)
        if not self._hashes:
            return
        if offset == self._hashed:
            self._hash.update(data)
            self._hashed += length
        elif offset < self._hashed:
            self._rewritten = True
        # Twice the bytes that came, so that the hash catches up and no single write takes long.
        self._hash_up_to(min(self.contiguous, self._hashed + max(2 * length, _READ_BACK_BYTES)))

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill the views, one after the other, with what was written from `offset` on.

        Raises:
            DestinationError: it cannot be read back.
        """
        try:
            done = os.preadv(self._descriptor, views, offset)
        except OSError as error:
            raise self._failed(error) from error
        if done < sum(map(len, views)):
            raise DestinationError(f"{self._temporary} was cut short by somebody else")

    def set_attributes(self, *, mode: int | None, mtime_ns: int | None) -> None:
        """What `commit` is to give the file: permissions, if it is a new one, and the time of its last change."""
        self._attributes = mode, mtime_ns

    def digest(self, size: int) -> bytes:
        """SHA-256 of bytes [0, size); most of it has been computed while the bytes came.

        Raises:
            DestinationError: bytes before `size` were never written or cannot be read back.
            LocalProtocolError: the sink has ended.
        """
        self._require_complete(size)
        if self._rewritten or size < self._hashed:
            self._hash, self._hashed = hashlib.sha256(), 0
            self._rewritten = False
        self._hash_up_to(size)
        return self._hash.digest()

    def commit(self, size: int) -> None:
        """Make bytes [0, size) durable and give them the final name; takes as long as the disk does.

        The file gets the permissions of the one it replaces, else those the umask leaves. After a
        failure `keep` tells under which name the bytes still are.

        Raises:
            DestinationError: that failed, or there is a hole before `size`.
            LocalProtocolError: the sink has ended.
        """
        self._require_complete(size)
        descriptor, temporary = self._open()
        self._ended = True
        try:
            if os.fstat(descriptor).st_size > size:
                os.ftruncate(descriptor, size)
            self._apply_attributes(descriptor)
            os.fsync(descriptor)
            if not os.path.samestat(os.fstat(descriptor), os.lstat(temporary)):
                self._temporary = None
                raise DestinationError(f"cannot write {self._path}: {temporary} was replaced by somebody else")
            self._release()
            give_name(temporary, self._target, overwrite=self._overwrite)
        except OSError as error:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                self._release()
            raise self._failed(error) from error
        self._temporary = None
        try:
            sync_directory(os.path.dirname(self._target))
        except OSError as error:
            raise DestinationError(
                f"{self._path} is written, but perhaps not yet durable: {reason_of(error)}"
            ) from error

    def keep(self) -> str | None:
        """End without the final name. Return the path of the temporary file, None if nothing was written.

        Bytes after a hole are in it too; `contiguous` tells how far it is complete.

        Raises:
            DestinationError: what was written may not be on the disk, or somebody removed it.
        """
        if not len(self._written):
            self.discard()
            return None
        if not self._ended:
            self._ended = True
            try:
                if self._descriptor >= 0:
                    os.fsync(self._descriptor)
                self._release()
            except OSError as error:
                raise self._failed(error) from error
        if self._temporary is not None and not os.path.lexists(self._temporary):
            removed, self._temporary = self._temporary, None
            raise DestinationError(f"{removed} was removed by somebody else")
        return self._temporary

    def discard(self) -> None:
        """End and remove the temporary file, also one that was kept.

        Raises:
            DestinationError: it cannot be removed.
        """
        self._ended = True
        temporary, self._temporary = self._temporary, None
        try:
            self._release()
            if temporary is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
        except OSError as error:
            raise DestinationError(f"cannot remove {temporary}: {reason_of(error)}") from error

    def close(self) -> None:
        """End as `keep` does, if not ended yet."""
        self.keep()

    def __enter__(self) -> FileSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> tuple[int, str]:
        """Return descriptor and path of the temporary file, which is made now if need be."""
        if self._ended:
            raise LocalProtocolError("the sink has ended")
        if self._temporary is None:
            try:
                self._descriptor, self._temporary = create_beside(self._target)
            except OSError as error:
                raise self._failed(error) from error
        return self._descriptor, self._temporary

    def _apply_attributes(self, descriptor: int) -> None:
        mode, mtime_ns = self._attributes
        if mode is not None and not os.path.lexists(self._target):
            os.fchmod(descriptor, mode_within(mode, os.fstat(descriptor).st_mode))
        if mtime_ns is not None:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _require_complete(self, size: int) -> None:
        if self._ended:
            raise LocalProtocolError("the sink has ended")
        if self.contiguous < size:
            raise DestinationError(f"{self._path} is incomplete: {self.contiguous} of {size} bytes without a hole")

    def _hash_up_to(self, stop: int) -> None:
        """Hash what was written beyond the hashed prefix, reading it back."""
        while self._hashed < stop:
            try:
                data = os.pread(self._descriptor, min(_READ_BACK_BYTES, stop - self._hashed), self._hashed)
            except OSError as error:
                raise self._failed(error) from error
            if not data:
                raise DestinationError(f"{self._temporary} was cut short by somebody else")
            self._hash.update(data)
            self._hashed += len(data)

    def _failed(self, error: OSError) -> DestinationError:
        return DestinationError(f"cannot write {self._path}: {reason_of(error)}")


def _write(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data` at `offset`."""
    while data:
        count = os.pwrite(descriptor, data, offset)
        if count == 0:
            raise OSError(errno.EIO, "the file system stores no more")
        data, offset = data[count:], offset + count
