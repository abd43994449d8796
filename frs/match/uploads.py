"""Media that will be searched: announced, received in pieces that survive a break, destroyed after use.

Every piece is sealed (:mod:`frs.match.sealed_media`) and on the disk, and only then is the committed offset moved; a
crash leaves at most a tail that nobody was told of. The whole is compared with its SHA-256 when the last byte is in.
An upload is destroyed, its key first, when its last job has finished, when it is deleted, or by retention when no job
used it in time; never while a hold keeps it. The record that it existed stays, with its name and checksum; its bytes
do not.

An upload is its creator's and any investigator's who is limited to no watchlists; to everybody else it does not exist.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.sealed_media import SealedMedia
from frs.match.upload_records import (
    MediaKind,
    Upload,
    UploadState,
    describe,
    may_use,
    not_found,
    read_upload,
    require_complete,
)
from frs.settings import Settings
from frs.store.database import Database
from frs.store.durable import make_folder
from frs.store.schema import job, job_item, upload
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, References, new_id

_MIB = 1 << 20
_LOCKS = 64


class Uploads:
    """Receives and keeps media; safe in threads."""

    def __init__(self, database: Database, vault: Vault, audit: AuditLog, settings: Settings, clock: Clock) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock
        self._settings = settings
        self._folder = settings.data_dir / "uploads"
        make_folder(self._folder)
        # One thread at a time works on an upload; which lock follows from its name.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))
        self._held: Callable[[sa.Connection, Sequence[str]], set[str]] = lambda _connection, _ids: set()

    def create(self, actor: Actor, kind: MediaKind, file_name: str, size: int, sha256: str) -> Upload:
        """Announce media of ``size`` bytes. Raises FrsError(UPLOAD_TOO_LARGE)."""
        limit = self._settings.retrospective.max_upload_mib
        if kind is MediaKind.STILL:
            limit = min(limit, self._settings.embed.max_picture_mib)
        if size > limit * _MIB:
            raise FrsError(Reason.UPLOAD_TOO_LARGE, f"The {kind} has {size} bytes; at most {limit} MiB are taken.")
        record = Upload(
            new_id(), kind, file_name, size, sha256.lower(), 0, UploadState.RECEIVING, actor.name, self._clock.now()
        )

        def act(tx: Transaction) -> None:
            tx.connection.execute(
                upload.insert().values(
                    id=record.id,
                    kind=record.kind,
                    file_name=record.file_name,
                    size=record.size,
                    sha256=record.sha256,
                    committed=0,
                    stored=0,
                    state=record.state,
                    created_by=record.created_by,
                    created_at=record.created_at,
                )
            )
            self._audit.append(tx, Event(Action.UPLOAD_CREATED, actor, payload=describe(record)))

        self._database.write(act)
        return record

    def write(self, actor: Actor, upload_id: str, offset: int, data: bytes) -> Upload:
        """Add bytes at the committed offset; they are durable when this returns. The last byte completes the upload.

        Raises FrsError: UPLOAD_NOT_FOUND; UPLOAD_OFFSET_MISMATCH (``committed_offset`` says where to go on);
        UPLOAD_TOO_LARGE (more than announced); UPLOAD_CHECKSUM_MISMATCH (nothing is kept: begin at 0);
        STORAGE_FULL, STORAGE_FAILED (go on at the same offset).
        """
        with self._lock(upload_id):
            record, stored = self._find(actor, upload_id)
            if record.state is UploadState.DESTROYED:
                raise not_found()
            if record.state is not UploadState.RECEIVING or offset != record.committed:
                raise FrsError(
                    Reason.UPLOAD_OFFSET_MISMATCH,
                    f"The upload has {record.committed} of {record.size} bytes; the write began at {offset}.",
                    committed_offset=str(record.committed),
                )
            if not data:
                return record
            if offset + len(data) > record.size:
                raise FrsError(
                    Reason.UPLOAD_TOO_LARGE,
                    f"The upload was announced with {record.size} bytes; these go on to {offset + len(data)}.",
                    committed_offset=str(record.committed),
                )
            stored = self._media(upload_id).append(stored, offset, data)
            record = replace(record, committed=offset + len(data))
            if record.committed == record.size:
                record = replace(record, state=UploadState.COMPLETE)
                self._check(record, stored)
            self._commit(record, stored)
            return record

    def get(self, actor: Actor, upload_id: str) -> Upload:
        """Return an upload's record. Raises FrsError(UPLOAD_NOT_FOUND)."""
        return self._find(actor, upload_id)[0]

    def delete(self, actor: Actor, upload_id: str) -> Upload:
        """Destroy an upload. Raises FrsError(UPLOAD_NOT_FOUND, UPLOAD_IN_USE); again is harmless."""
        with self._lock(upload_id):
            record, _ = self._find(actor, upload_id)

            def act(tx: Transaction) -> None:
                if self.in_use(tx.connection, [upload_id]):
                    raise FrsError(Reason.UPLOAD_IN_USE, "A job that has not finished needs this upload.")
                if self._held(tx.connection, [upload_id]):
                    raise FrsError(Reason.UPLOAD_IN_USE, "A hold keeps this upload until it is released or ends.")
                self.destroy(tx, actor, [upload_id], "deleted")

            if record.state is not UploadState.DESTROYED:
                self._database.write(act)
            return replace(record, state=UploadState.DESTROYED)

    def open(self, upload_id: str) -> Iterator[bytes]:
        """Return a complete upload's plain bytes, a piece at a time.

        Raises FrsError: UPLOAD_NOT_FOUND (destroyed), UPLOAD_INCOMPLETE, and as :meth:`SealedMedia.chunks`.
        """
        with self._database.read() as connection:
            record, stored = read_upload(connection, upload_id)
        return self._media(require_complete(record).id).chunks(stored)

    def heed(self, held: Callable[[sa.Connection, Sequence[str]], set[str]]) -> None:
        """Have ``held`` say which uploads are kept: neither use nor deletion destroys those."""
        self._held = held

    def sweep(self) -> None:
        """Remove files that no upload needs: a crash leaves one between a destruction's commit and the removal."""
        try:
            names = {path.name for path in self._folder.iterdir()}
        except OSError as error:
            raise FrsError(Reason.STORAGE_FAILED, f"The uploads cannot be listed: {error.strerror}.") from error
        there = upload.c.state.in_([UploadState.RECEIVING, UploadState.COMPLETE])
        with self._database.read() as connection:
            names -= set(connection.scalars(sa.select(upload.c.id).where(there)))
        for name in names:
            self._media(name).remove()

    def require(self, connection: sa.Connection, actor: Actor, ids: Sequence[str]) -> tuple[Upload, ...]:
        """Return complete uploads the actor may use. Raises FrsError(UPLOAD_NOT_FOUND, UPLOAD_INCOMPLETE)."""
        records = [read_upload(connection, upload_id)[0] for upload_id in ids]
        if not all(may_use(actor, record) for record in records):
            raise not_found()
        return tuple(require_complete(record) for record in records)

    def in_use(self, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
        """Return those of the uploads that a job which has not finished needs."""
        query = (
            sa.select(job_item.c.upload_id)
            .join(job, job.c.id == job_item.c.job_id)
            .where(job.c.state.in_(["queued", "running"]), job_item.c.upload_id.in_(ids))
        )
        return set(connection.scalars(query))

    def destroy_unneeded(self, tx: Transaction, actor: Actor, ids: Sequence[str], job_id: str) -> None:
        """Destroy, in the act that ends a job, those of its uploads that no other job needs and no hold keeps."""
        needed = self.in_use(tx.connection, ids) | self._held(tx.connection, ids)
        self.destroy(tx, actor, [each for each in ids if each not in needed], "used", job_id)

    def destroy(self, tx: Transaction, actor: Actor, ids: Sequence[str], why: str, job_id: str | None = None) -> None:
        """Destroy the uploads' keys in the act and their files after it; logged as one event."""
        gone = []
        for upload_id in dict.fromkeys(ids):
            changed = tx.connection.execute(
                upload.update()
                .where(upload.c.id == upload_id, upload.c.state != UploadState.DESTROYED)
                .values(state=UploadState.DESTROYED)
            )
            if changed.rowcount:
                self._vault.destroy(_owner(upload_id))
                tx.after_commit(self._media(upload_id).remove)
                gone.append(upload_id)
        if gone:
            payload: dict[str, Json] = {"uploads": [*gone], "why": why}
            self._audit.append(tx, Event(Action.UPLOAD_DESTROYED, actor, References(job=job_id), payload))

    def _check(self, record: Upload, stored: int) -> None:
        """Compare what lies on the disk with what was announced; start over when it differs."""
        digest = hashlib.sha256()
        for chunk in self._media(record.id).chunks(stored):
            digest.update(chunk)
        if digest.hexdigest() != record.sha256:
            self._commit(replace(record, committed=0, state=UploadState.RECEIVING), 0)
            self._media(record.id).remove()
            raise FrsError(
                Reason.UPLOAD_CHECKSUM_MISMATCH,
                f"The {record.size} bytes received are not those announced; nothing of them is kept.",
                committed_offset="0",
            )

    def _commit(self, record: Upload, stored: int) -> None:
        """Move the committed offset; an upload that was destroyed meanwhile stays so."""
        there = sa.and_(upload.c.id == record.id, upload.c.state != UploadState.DESTROYED)
        values = {"committed": record.committed, "stored": stored, "state": record.state}
        if not self._database.write(lambda tx: tx.connection.execute(upload.update().where(there), values).rowcount):
            raise not_found()

    def _find(self, actor: Actor, upload_id: str) -> tuple[Upload, int]:
        with self._database.read() as connection:
            record, stored = read_upload(connection, upload_id)
        if not may_use(actor, record):
            raise not_found()
        return record, stored

    def _media(self, upload_id: str) -> SealedMedia:
        return SealedMedia(self._folder / upload_id, self._vault, _owner(upload_id))

    def _lock(self, upload_id: str) -> threading.Lock:
        return self._locks[hash(upload_id) % _LOCKS]


def _owner(upload_id: str) -> str:
    return f"upload:{upload_id}"
