"""Which keyring a restoration uses: the one in place, or a copy of it that is checked and has not expired.

Either way, what each of them knows to be destroyed is destroyed in the one that is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from frs.audit.event import parse_time
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, Manifest, read_archive
from frs.settings import Settings
from frs.store.durable import make_folder
from frs.store.key_custody import open_custody
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring


@contextmanager
def keyring_to_use(
    settings: Settings, clock: Clock, copy: Path | None, folder: Path, notes: list[str]
) -> Iterator[tuple[Keyring, list[tuple[str, datetime]]]]:
    """Open the keyring, or ``copy`` unpacked into ``folder``, with every owner known to be destroyed, and when.

    A keyring that the copy replaces and that cannot be read is mentioned in ``notes``. Raises FrsError: BACKUP_INVALID,
    BACKUP_EXPIRED, and what :meth:`Keyring.open` raises: KEY_WRONG for a copy from before a rotation.
    """
    custody = open_custody(settings)
    record: list[tuple[str, datetime]] = []
    path, manifest = settings.keyring_path, None
    if copy is not None:
        path, manifest = folder, _unpack(copy, folder, clock)
        try:
            old = Keyring.open(settings.keyring_path, clock, custody=custody)
        except FrsError as error:
            notes.append(f"The keyring that was there could not be read: {error.message}")
        else:
            record += old.destructions()
            old.close()
    keyring = Keyring.open(path, clock, custody=custody)
    try:
        if manifest is not None:
            manifest.require_signed(keyring.secret(LOG_SIGNING_SECRET))
        record += keyring.destructions()
        yield keyring, record
    finally:
        keyring.close()


def _unpack(copy: Path, folder: Path, clock: Clock) -> Manifest:
    make_folder(folder)
    manifest = read_archive(copy, Kind.KEYRING, folder)
    expires = manifest.text("expires")
    if parse_time(expires) <= clock.now():
        raise FrsError(Reason.BACKUP_EXPIRED, f"The copy of the keyring expired at {expires}.", expires=expires)
    return manifest
