"""Making backups, exporting the journal as a witness does, and restoring: what tests of restoration share."""

from __future__ import annotations

from pathlib import Path

from frs.audit.erasure_journal import ErasureJournal, JournalSigner, read_journal
from frs.audit.log import AuditLog
from frs.audit.notes import NoteSigner
from frs.clock import Clock
from frs.recovery.archive import Kind, Manifest
from frs.recovery.backup import Backups
from frs.recovery.journal import WitnessWord
from frs.recovery.restore import restoration
from frs.recovery.restored import Restored
from frs.recovery.saving import save
from frs.settings import Settings
from frs.store.database import Database
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring
from frs.store.opening import Store
from frs.types import Actor, Role

TECHNICIAN = Actor("technician", frozenset({Role.ADMINISTRATOR}), "operating-system")


def back_up(
    store: Store, audit: AuditLog, settings: Settings, clock: Clock, path: Path, kind: Kind = Kind.DATA
) -> Manifest:
    """Write a backup of an open installation."""
    backups = Backups(store.database, store.keyring, audit, settings, clock)
    begun = backups.data(TECHNICIAN, "safe 3") if kind is Kind.DATA else backups.keyring(TECHNICIAN, "safe 4")
    return save(begun.chunks, path, kind)


def witness_word(
    database: Database, keyring: Keyring, audit: AuditLog, folder: Path, current: bool = False
) -> WitnessWord:
    """Return what a witness that has seen everything says now."""
    folder.mkdir(exist_ok=True)
    signer = JournalSigner(NoteSigner(audit.origin, keyring.secret(LOG_SIGNING_SECRET)), folder)
    journal = ErasureJournal()
    with database.read() as connection:
        entries = list(read_journal(connection))
        journal.take_until(connection, len(entries))
    return WitnessWord(signer.sign(journal), entries, audit.checkpoint(), current)


def restore(
    settings: Settings,
    archive: Path,
    word: WitnessWord,
    clock: Clock,
    *,
    replace: bool = True,
    copy: Path | None = None,
) -> Restored:
    """Restore into the data directory of the settings."""
    with restoration(settings.data_dir, archive, _quiet) as work:
        work.require_free(settings, replace)
        return work.run(settings, lambda _: word, TECHNICIAN, clock, copy, _quiet)


def _quiet(stage: str, done: int, whole: int) -> None:
    """Show nothing."""
