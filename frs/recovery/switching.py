"""The switch at the end of a restoration: what lay in the data directory goes, what was restored takes its place.

Between two marks (the file ``restoring``), so that nothing serves from a directory that is half the one and half the
other: the first is written before anything is touched, and taken away when everything is in place and durable.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from frs.audit.checkpoints import CHECKPOINT_FILE
from frs.recovery.places import DATABASE, KEYRING, RESTORING, UPLOADS, VKEY
from frs.settings import Settings
from frs.store.copying import sqlite_file
from frs.store.durable import make_folder, sync_folder, write_file

SEEN = "log.seen"


def switch(
    data_dir: Path, work: Path, settings: Settings, vkeys: dict[str, str], newest: str, *, copied_keyring: bool
) -> None:
    """Put the restored data in its place. A crash in here leaves the mark, and everything can be done again.

    ``newest`` is the log's newest name before this restoration: the mark says it to the one that is run again.
    """
    mark = data_dir / RESTORING
    target, keys = sqlite_file(settings), settings.keyring_path
    write_file(mark, f"{newest}\n".encode())
    for path in (target, *_beside(target)):
        path.unlink(missing_ok=True)
    shutil.rmtree(data_dir / UPLOADS, ignore_errors=True)
    (data_dir / VKEY).unlink(missing_ok=True)
    _move(work / "data" / DATABASE, target)
    if (work / "data" / UPLOADS).exists():
        (work / "data" / UPLOADS).rename(data_dir / UPLOADS)
    make_folder(keys)
    if copied_keyring:
        for path in _beside(keys / KEYRING):  # the keyring itself is there, the old one or the new, at every moment
            path.unlink(missing_ok=True)
        _move(work / "keyring" / KEYRING, keys / KEYRING)
    write_file(keys / CHECKPOINT_FILE, (work / "signed" / CHECKPOINT_FILE).read_bytes())
    with suppress(FileNotFoundError):
        (data_dir / SEEN).rename(data_dir / f"{SEEN}.{len(vkeys) - 2}")  # of a name before
    for name, vkey in vkeys.items():
        write_file(data_dir / name, f"{vkey}\n".encode())
    sync_folder(data_dir)
    mark.unlink()
    sync_folder(data_dir)


def _beside(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal"))


def _move(source: Path, target: Path) -> None:
    """Move a file, to another volume too, so that it is whole or absent there."""
    for path in _beside(source):
        path.unlink(missing_ok=True)
    make_folder(target.parent)
    try:
        source.replace(target)
    except OSError:
        beside = target.with_name(f".{target.name}.new")
        shutil.copyfile(source, beside)
        beside.chmod(0o600)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(target)
        source.unlink()
    sync_folder(target.parent)
