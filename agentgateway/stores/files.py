"""Folders and files of the gateway's own: for nobody else to read, never through a symbolic link, one process at a time."""

import errno
import fcntl
import os
import stat

from agentgateway.interfaces import StoreError

_ALWAYS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CREAT
_TEXTS = {errno.ELOOP: "it is a symbolic link", errno.EISDIR: "it is a folder", errno.ENOTDIR: "its folder is a file"}


def reason(error: OSError) -> str:
    """Why, in words for people."""
    return _TEXTS.get(error.errno or 0) or error.strerror or str(error)


def make_folder(path: str, key: str = "") -> None:
    """Make a folder (0700) with those above it, where there is none, and see that it can be used. Raises StoreError,
    which begins with the `key` that names the folder."""
    where = f"{key}: " if key else ""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileExistsError:
        raise StoreError(f"{where}cannot use the folder {path}: it is a file")
    except OSError as error:
        raise StoreError(f"{where}cannot use the folder {path}: {reason(error)}")


def open_file(path: str, flags: int) -> int:
    """Open a plain file, made (0600) where there is none. Raises OSError, also for a symlink, a pipe or a folder."""
    fd = os.open(path, flags | _ALWAYS, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no plain file", path)
    return fd


def lock(path: str) -> int:
    """Hold `path` until the descriptor is closed or the process ends. Raises StoreError where another holds it."""
    try:
        fd = open_file(path, os.O_RDWR)
    except OSError as error:
        raise StoreError(f"cannot use {path}: {reason(error)}")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise StoreError(f"{path} is held by another gateway (process {holder}): one state folder serves one gateway")
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    except OSError:
        pass  # the number only helps people; the lock is held without it
    return fd
