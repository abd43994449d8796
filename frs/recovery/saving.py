"""Writing an archive into a file that is whole, checked and durable, or absent.

The bytes go into ``FILE.part``, are read again and checked as a restoration would, and only then get the file's name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, Manifest, read_archive, writing_errors
from frs.store.durable import FILE_MODE, sync_folder


def save(chunks: Iterable[bytes], path: Path, kind: Kind, report: Callable[[int], None] | None = None) -> Manifest:
    """Write an archive and return its manifest; ``report`` gets the bytes written so far.

    Raises FrsError: INVALID_FIELD when there is such a file already, STORAGE_FULL, STORAGE_FAILED, BACKUP_INVALID and
    whatever the chunks raise; then there is no file.
    """
    if path.exists():
        raise FrsError(Reason.INVALID_FIELD, f"{path} exists; choose another name.", field="output")
    part = path.with_name(f"{path.name}.part")
    try:
        with writing_errors(part):
            _write(chunks, part, report)
        manifest = read_archive(part, kind)
        with writing_errors(path):
            part.rename(path)
            sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return manifest


def _write(chunks: Iterable[bytes], part: Path, report: Callable[[int], None] | None) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    done = 0
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            if report is not None:
                report(done)
        file.flush()
        os.fsync(file.fileno())
