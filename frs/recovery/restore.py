"""Restoration from a backup: nothing that was erased comes back, and nobody takes the restored log for the lost one.

What is done, in a folder beside, in this order: the archive is checked and unpacked; the erasure journal is checked
and written into the restored database; every owner in it, and in the keyring's own record, is destroyed in the
keyring; the log begins a new origin, whose first event names the last witnessed checkpoint, the backup and who
restored it; what the dead keys sealed, and who was erased since, is taken out; the whole log is verified. Then the
data directory is switched, between two marks: a service does not start in between. Interrupted anywhere, the same
restoration can be run again; what it has destroyed in the keyring by then was destroyed before.

The backup's events are in the new log. Those after it are lost; the witness's checkpoint says how many there were.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.checkpoints import CHECKPOINT_FILE, Checkpoint, read_any_origin
from frs.audit.notes import NoteSigner
from frs.audit.origins import first_name
from frs.audit.verify import verify_database
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.recovery.archive import Kind, Manifest, invalid, read_archive, writing_errors
from frs.recovery.cleaning import Cleaning, find_dead
from frs.recovery.journal import Checked, WitnessWord, check_word, complete_journal
from frs.recovery.keyrings import keyring_to_use
from frs.recovery.new_origin import begin, compare_with_witnessed, first_event, signer_of_backup, vkey_files
from frs.recovery.places import DATABASE, RESTORING, UPLOADS, VKEY, WORK
from frs.recovery.restored import Done, Restored
from frs.recovery.switching import switch
from frs.settings import Settings
from frs.store.copying import sqlite_file
from frs.store.database import Database
from frs.store.durable import make_folder
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring
from frs.store.lock import FolderLock
from frs.store.schema import policy_version
from frs.store.vault import Vault
from frs.types import Actor, Event

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is (0: not known)."""
Ask = Callable[[str], WitnessWord]


class Restoration:
    """One restoration into a data directory that it holds the lock of; made by :func:`restoration`."""

    def __init__(self, data_dir: Path, archive: Path, manifest: Manifest, work: Path, mend: bool) -> None:
        self.archive = archive
        self.manifest = manifest
        self.work = work
        self.mending = mend
        """Whether this continues one that was interrupted while it switched."""
        self._data_dir = data_dir
        self._signed = work / "signed"  # where the signer keeps its last note
        self._notes: list[str] = []

    @property
    def toml(self) -> Path:
        """The backup's ``frs.toml``, unpacked; it may not be there."""
        return self.work / "data" / "frs.toml"

    def require_free(self, settings: Settings, replace: bool) -> None:
        """Refuse to touch a database that is there. Raises FrsError: ALREADY_INITIALISED, SETTINGS_INVALID."""
        file = sqlite_file(settings)
        if file.exists() and not replace and not self.mending:
            message = f"There is a database at {file}; --replace destroys it and what belongs to it."
            raise FrsError(Reason.ALREADY_INITIALISED, message)

    def latest_origin(self, settings: Settings) -> str:
        """Return the log's newest name that is known here: by the last checkpoint, by ``log.vkey``, by the backup."""
        own = self.manifest.text("origin")
        mark = self._data_dir / RESTORING  # of one that was interrupted: what lies there may be its own name by now
        for path, end in ((mark, "\n"), (settings.keyring_path / CHECKPOINT_FILE, "\n"), (self._data_dir / VKEY, "+")):
            with suppress(OSError, UnicodeDecodeError):
                name = path.read_text("utf-8").partition(end)[0]
                if first_name(name) == first_name(own):  # and not of an installation made to be restored into
                    return name
        return own

    def run(
        self, settings: Settings, ask: Ask, actor: Actor, clock: Clock, copy: Path | None, report: Report
    ) -> Restored:
        """Restore, and say what was done.

        ``ask`` gets the witness's word, given the log's verifier key; ``copy`` is a copy of the keyring to use in
        place of the one that is there. Raises FrsError: BACKUP_INVALID, BACKUP_EXPIRED, JOURNAL_REQUIRED,
        WITNESS_CONFLICT, KEY_MISSING, KEY_WRONG, DATABASE_NEWER, STORAGE_FULL, STORAGE_FAILED; then the data directory
        is as it was.
        """
        with keyring_to_use(settings, clock, copy, self.work / "keyring", self._notes) as (keyring, record):
            self.manifest.require_signed(seed := keyring.secret(LOG_SIGNING_SECRET))
            vkey = NoteSigner(self.manifest.text("origin"), seed).verifier.vkey
            word = ask(vkey)
            checked = check_word(word, vkey)
            last = self._last_signed(settings, vkey)
            store = self._at_work(settings)
            erased = self._complete_journal(store, clock, checked, word.current, record)
            keyring.recheck()
            restored = self._restore(store, keyring, checked, last, erased, actor, clock, report)
            vkeys = vkey_files(self._signed, seed, restored.previous)
        newest = self.latest_origin(settings)
        with writing_errors(self._data_dir):
            switch(self._data_dir, self.work, settings, vkeys, newest, copied_keyring=copy is not None)
        return restored.told(tuple(self._notes))

    def _last_signed(self, settings: Settings, vkey: str) -> Checkpoint | None:
        """Return the checkpoint that was signed last here, as far as the keyring's folder still has it."""
        try:
            return read_any_origin((settings.keyring_path / CHECKPOINT_FILE).read_text("utf-8"), vkey)
        except (OSError, UnicodeDecodeError):
            return None
        except FrsError as error:
            self._notes.append(f"The checkpoint that was there was not used: {error.message}")
            return None

    # --- the database, beside ---

    def _at_work(self, settings: Settings) -> Settings:
        """Return settings under which the unpacked data is opened."""
        store = settings.store.model_copy(update={"url": ""})
        return settings.model_copy(update={"data_dir": self.work / "data", "store": store})

    def _complete_journal(
        self,
        settings: Settings,
        clock: Clock,
        checked: Checked,
        current: bool,
        record: list[tuple[str, datetime]],
    ) -> set[str]:
        """Write the journal into the unpacked database; return the owners destroyed since the backup."""
        database = Database.open(settings, clock)  # brings it to the present schema; the keyring has no part yet
        try:
            added = database.write(lambda tx: complete_journal(tx.connection, checked, current, iter(record)))
        finally:
            database.close()
        return set(added)

    def _restore(
        self,
        settings: Settings,
        keyring: Keyring,
        checked: Checked,
        last: Checkpoint | None,
        erased: set[str],
        actor: Actor,
        clock: Clock,
        report: Report,
    ) -> Done:
        vault = Vault(keyring)
        report("destroying keys", 0, len(checked.entries))
        database = Database.open(settings, clock, (keyring,))  # carries out every destruction of the journal
        try:
            signer = signer_of_backup(database, keyring, self._signed)
            compare_with_witnessed(database, checked.witnessed)
            before, audit = begin(database, vault, signer, clock)
            with database.read() as connection:
                audit.under_policy(connection.scalar(sa.select(sa.func.max(policy_version.c.number))) or 0)
                dead = find_dead(connection, keyring, vault, audit, settings.data_dir / UPLOADS, erased)
            said = first_event(self.manifest, before, audit.origin, checked, last, dead, clock.now())
            database.write(lambda tx: audit.append(tx, Event(Action.LOG_ORIGIN_STARTED, actor, payload=said)))
            cleaning = Cleaning(database, keyring, vault, audit, settings, clock)
            cleaned = cleaning.run(actor, dead, lambda done, whole: report("cleaning", done, whole))
            audit.checkpoint()
            with database.read() as connection:
                found = verify_database(
                    connection, audit.vkey, vault, lambda done, whole: report("verifying", done, whole)
                )
            if found.problems:
                raise invalid(f"its log does not verify: {found.problems[0].message}")
            return Done(
                before, audit.origin, audit.vkey, database.installation_id, self.manifest, checked, dead, cleaned
            )
        finally:
            database.close()


@contextmanager
def restoration(data_dir: Path, archive: Path, report: Report) -> Iterator[Restoration]:
    """Check and unpack a backup beside the data directory's content, and hold the directory while the block runs.

    What an interrupted restoration left beside is removed first, and what this one leaves, at the end. Raises FrsError:
    DATA_DIRECTORY_IN_USE, BACKUP_INVALID, STORAGE_FULL, STORAGE_FAILED.
    """
    lock = FolderLock(data_dir)
    work = data_dir / WORK
    try:
        shutil.rmtree(work, ignore_errors=True)
        make_folder(work / "data")
        whole = archive.stat().st_size if archive.exists() else 0
        manifest = read_archive(archive, Kind.DATA, work / "data", lambda done: report("unpacking", done, whole))
        if DATABASE not in {member.name for member in manifest.members}:
            raise invalid("there is no database in it")
        yield Restoration(data_dir, archive, manifest, work, (data_dir / RESTORING).exists())
    finally:
        shutil.rmtree(work, ignore_errors=True)
        lock.release()
