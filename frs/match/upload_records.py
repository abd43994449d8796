"""An upload as the database holds it: what was announced, and how much of it is durable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import upload
from frs.types import Actor, Json, Role


class MediaKind(StrEnum):
    """What an upload is said to be; an animated GIF is a video."""

    STILL = "still"
    VIDEO = "video"


class UploadState(StrEnum):
    """Where an upload stands."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload's record."""

    id: str
    kind: MediaKind
    file_name: str
    size: int
    """Bytes in all, as announced."""
    sha256: str
    committed: int
    """Bytes that are durable; the next write begins here."""
    state: UploadState
    created_by: str
    created_at: datetime


def read_upload(connection: sa.Connection, upload_id: str) -> tuple[Upload, int]:
    """Return an upload and how many bytes of its sealed file belong to it. Raises FrsError(UPLOAD_NOT_FOUND)."""
    row = connection.execute(sa.select(upload).where(upload.c.id == upload_id)).one_or_none()
    if row is None:
        raise not_found()
    record = Upload(
        id=row.id,
        kind=MediaKind(row.kind),
        file_name=row.file_name,
        size=row.size,
        sha256=row.sha256,
        committed=row.committed,
        state=UploadState(row.state),
        created_by=row.created_by,
        created_at=row.created_at,
    )
    return record, row.stored


def require_complete(record: Upload) -> Upload:
    """Return the upload when all of it is there. Raises FrsError(UPLOAD_NOT_FOUND, UPLOAD_INCOMPLETE)."""
    if record.state is UploadState.DESTROYED:
        raise not_found()
    if record.state is not UploadState.COMPLETE:
        raise FrsError(Reason.UPLOAD_INCOMPLETE, f"The upload {record.id} has not been received whole.")
    return record


def may_use(actor: Actor, record: Upload) -> bool:
    """Whether the upload is there for the actor: its creator, or an investigator who is limited to no watchlists.

    An upload is of no watchlist, so a scope of some cannot hold anybody else's.
    """
    anybodys = Role.INVESTIGATOR in actor.roles and actor.scope.watchlists is None
    return actor.name == record.created_by or anybodys


def not_found() -> FrsError:
    """Return the error for an upload that is not there, or not for this actor."""
    return FrsError(Reason.UPLOAD_NOT_FOUND, "There is no such upload.")


def describe(record: Upload) -> dict[str, Json]:
    """Write an upload for an event's sealed payload."""
    return {
        "upload": record.id,
        "kind": record.kind,
        "file_name": record.file_name,
        "size": record.size,
        "sha256": record.sha256,
    }
