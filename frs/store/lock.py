"""One process per folder: an advisory lock (flock) that the kernel gives back however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from frs.errors import FrsError, Reason
from frs.store.durable import FILE_MODE, make_folder


class FolderLock:
    """Holds ``FOLDER/lock`` until released. The file stays; only the lock on it counts."""

    def __init__(self, folder: Path) -> None:
        """Take the lock at once. Raises FrsError(DATA_DIRECTORY_IN_USE) naming the holder's process id."""
        make_folder(folder)
        self._descriptor: int | None = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            message = f"{folder} is in use by another process (id {holder})."
            raise FrsError(Reason.DATA_DIRECTORY_IN_USE, message, folder=str(folder), process=holder) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the lock back; again is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
