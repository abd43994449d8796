"""The new name of a restored log: begun over the backup's events, told by its first event, published as keys."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from frs.audit.checkpoints import CHECKPOINT_FILE, Checkpoint, CheckpointSigner
from frs.audit.log import AuditLog
from frs.audit.notes import NoteSigner
from frs.audit.origins import Origins, begin_origin, new_origin_name
from frs.audit.witnessed import check_log
from frs.clock import Clock
from frs.recovery.archive import Manifest, invalid
from frs.recovery.cleaning import Dead
from frs.recovery.journal import Checked
from frs.recovery.places import VKEY
from frs.store.database import Database
from frs.store.durable import make_folder, write_file
from frs.store.keyring import LOG_SIGNING_SECRET, Keyring
from frs.store.schema import audit_checkpoint, audit_head
from frs.store.vault import Vault
from frs.types import Json


def signer_of_backup(database: Database, keyring: Keyring, folder: Path) -> CheckpointSigner:
    """Return a signer that keeps its note in ``folder``, made here, and goes on from the backup's last checkpoint."""
    make_folder(folder)
    with database.read() as connection:
        note = connection.scalar(sa.select(audit_checkpoint.c.note).order_by(audit_checkpoint.c.size.desc()).limit(1))
        origins = Origins.load(connection)
    if note is None or not len(origins):
        raise invalid("its log was never signed")
    write_file(folder / CHECKPOINT_FILE, str(note).encode("utf-8"))
    return CheckpointSigner(origins.current().name, keyring.secret(LOG_SIGNING_SECRET), folder, derived=True)


def compare_with_witnessed(database: Database, witnessed: Checkpoint | None) -> None:
    """Check the backup's log against what the witness saw, where that is not beyond it.

    Raises FrsError(WITNESS_CONFLICT).
    """
    if witnessed is None:
        return
    with database.read() as connection:
        size: int = connection.scalar(sa.select(audit_head.c.size)) or 0
        if witnessed.origin in Origins.load(connection).names and witnessed.size <= size:
            check_log(connection, witnessed, None, "asked")


def begin(database: Database, vault: Vault, signer: CheckpointSigner, clock: Clock) -> tuple[tuple[str, ...], AuditLog]:
    """Begin the new origin; returns the names before, and the log under the new one."""
    with database.read() as connection:
        names = Origins.load(connection).names
        size: int = connection.scalar(sa.select(audit_head.c.size)) or 0
    name = new_origin_name(names[0])
    database.write(lambda tx: begin_origin(tx.connection, name, size, clock.now()))
    return names, AuditLog(database, vault, signer, clock)


def first_event(
    manifest: Manifest,
    before: tuple[str, ...],
    origin: str,
    checked: Checked,
    last: Checkpoint | None,
    dead: Dead,
    now: datetime,
) -> dict[str, Json]:
    """Return what the new origin's first event says."""
    return {
        "origin": origin,
        "previous_origins": [*before],
        "witnessed": _checkpoint_json(checked.witnessed),
        "last_signed": _checkpoint_json(last),
        "backup": {
            "made_at": manifest.text("made_at"),
            "events": manifest.number("events"),
            "checkpoint": manifest.text("checkpoint"),
            "manifest_sha256": manifest.digest,
        },
        "erasure_journal": _checkpoint_json(checked.journal),
        "cleaned": {**dead.counts()},
        "restored_at": now.isoformat(),
    }


def vkey_files(folder: Path, seed: bytes, previous: tuple[str, ...]) -> dict[str, str]:
    """Return the verifier keys' files: one for each name before, by number, and that of the note in ``folder``."""
    files = {f"{VKEY}.{n}": NoteSigner(name, seed).verifier.vkey for n, name in enumerate(previous)}
    note = (folder / CHECKPOINT_FILE).read_text("utf-8")
    return files | {VKEY: NoteSigner(note.partition("\n")[0], seed).verifier.vkey}


def _checkpoint_json(checkpoint: Checkpoint | None) -> Json:
    if checkpoint is None:
        return None
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
