"""The name a received file is given: whether it may be, and what stands beside it until then.

Invariants: an existing file is replaced only by a rename in its own folder, so that its name
always means a whole file; what is not a regular file is never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from surewire.errors import DestinationError

_NAME_TRIES = 100
_NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_DIRECTORY_SYNC = frozenset({errno.EACCES, errno.EBADF, errno.EINVAL, errno.ENOTSUP, errno.EPERM})

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a loop of symbolic links"),  # the only link left when links have been followed
)


def replaceable(path: str, *, follow: bool = True) -> str:
    """Return the absolute path of the file that `path` names or will name.

    With `follow` a symbolic link stands for what it points to; without, it is no place for a file.

    Raises:
        DestinationError: it is no place for a file.
        OSError: looking at it failed.
    """
    if path.endswith(os.sep):
        raise DestinationError(f"cannot write {path}: it names a folder, not a file")
    folder, name = os.path.split(path)
    target = os.path.realpath(path) if follow else os.path.join(os.path.realpath(folder), name)
    folder = os.path.dirname(target)
    folder_found = os.stat(folder)
    if not stat.S_ISDIR(folder_found.st_mode):
        raise DestinationError(f"cannot write {path}: {folder} is not a directory")
    found: os.stat_result | None = None
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(target)
    if found is not None and stat.S_ISLNK(found.st_mode) and not follow:
        raise DestinationError(f"cannot write {path}: it is a symbolic link, not a regular file")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise DestinationError(f"cannot write {path}: it is {kind_of(found)}, not a regular file")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise DestinationError(f"cannot write {path}: no permission to create files in {folder}")
    if found is None:
        return target
    if folder_found.st_mode & stat.S_ISVTX and os.geteuid() not in (0, found.st_uid, folder_found.st_uid):
        # Better said now than by the rename at the end.
        raise DestinationError(f"cannot write {path}: it belongs to somebody else in a folder with the sticky bit")
    return target


def create_beside(target: str) -> tuple[int, str]:
    """Create an empty file next to `target` with the permissions `target` has or would get.

    Returns its descriptor, open for reading and writing, and its path. Owner and hard links of an existing
    `target` are not carried over.

    Raises:
        OSError: the folder takes no new file.
    """
    folder, name = os.path.split(target)
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode) & 0o777
        inherited = True
    except FileNotFoundError:
        mode, inherited = 0o666, False
    room = os.pathconf(folder, "PC_NAME_MAX") - len("..XXXXXX.part")
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    for _ in range(_NAME_TRIES):
        temporary = os.path.join(folder, f".{name}.{os.urandom(3).hex()}.part")
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        except FileExistsError:
            continue
        if inherited:
            try:
                os.fchmod(descriptor, mode)  # the umask, which open() applied, is for new files only
            except OSError:
                os.close(descriptor)
                os.unlink(temporary)
                raise
        return descriptor, temporary
    raise FileExistsError(errno.EEXIST, f"no free temporary name beside {target}")


def give_name(temporary: str, target: str, *, overwrite: bool) -> None:
    """Rename `temporary`, atomically, to `target` in the same folder.

    Raises:
        FileExistsError: there is a `target`, and `overwrite` is false.
        OSError: that failed; `temporary` still has its name.
    """
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(temporary, target)  # the best there is where files have one name only
        return
    os.unlink(temporary)


def mode_within(mode: int, given: int) -> int:
    """The permissions of `mode` that a new file may have, whose umask gave it `given`; its owner may always use it.

    A umask says nothing about executing here, as files are created without that; who may read may execute.
    """
    return mode & 0o777 & (given | (given & 0o444) >> 2) | 0o600


def sync_directory(folder: str) -> None:
    """Make a rename in `folder` durable, on file systems that know how to.

    Raises:
        OSError: the disk failed.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise


def kind_of(found: os.stat_result) -> str:
    """What sort of thing that is no regular file was found, in words."""
    return next((name for test, name in _KINDS if test(found.st_mode)), "something special")


def reason_of(error: OSError | ValueError) -> str:
    """The error in words, without number and path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
