"""A job as the database holds it, with the progress of the media being searched at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.match.upload_records import MediaKind
from frs.store.schema import job, job_item, job_probe, upload
from frs.types import ListVersion, SearchAuthority


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    """Searched; some of its media may have failed."""
    FAILED = "failed"
    """None of its media could be searched."""
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """Where one of the media stands."""

    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"


OPEN_STATES = (JobState.QUEUED, JobState.RUNNING)
"""A job in one of these has not finished."""


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """How far the media being searched is; in memory only."""

    position: int
    share: float
    """0 to 1."""
    frames: int
    faces: int


@dataclass(frozen=True, slots=True)
class JobItem:
    """One of the media of a job."""

    position: int
    upload: str
    file_name: str
    kind: MediaKind
    state: ItemState
    frames: int
    """Pictures examined."""
    faces: int
    """Usable faces (still) or tracks with a usable face (video)."""
    reached_ms: int
    """Results of a video are committed up to this time code; -1 when none are."""
    error_reason: str | None
    error_message: str | None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state is not ItemState.QUEUED


@dataclass(frozen=True, slots=True)
class Job:
    """A retrospective search of several media."""

    id: str
    authority: SearchAuthority
    searched: tuple[ListVersion, ...]
    """The lists as they stood at submission."""
    max_candidates: int
    state: JobState
    items: tuple[JobItem, ...]
    progress: float
    """Share of the work done, 0 to 1."""
    faces: int
    probes_matched: int
    """Probes that found somebody so far."""
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    error_reason: str | None
    error_message: str | None
    model: str
    profile: str
    erased_at: datetime | None
    """When what names or shows people was erased; the counts stay."""

    @property
    def finished(self) -> bool:
        """Whether it will not change any more."""
        return self.state not in OPEN_STATES


def load_jobs(
    connection: sa.Connection, rows: Sequence[sa.Row[Any]], progress: Mapping[str, ItemProgress]
) -> tuple[Job, ...]:
    """Make jobs of rows of the ``job`` table, in their order; ``progress`` is that of running media, by job."""
    ids = [row.id for row in rows]
    items: dict[str, list[JobItem]] = {}
    of_jobs = (
        sa.select(job_item, upload.c.file_name, upload.c.kind)
        .join(upload, upload.c.id == job_item.c.upload_id)
        .where(job_item.c.job_id.in_(ids))
        .order_by(job_item.c.job_id, job_item.c.position)
    )
    for row in connection.execute(of_jobs):
        items.setdefault(row.job_id, []).append(_item(row))
    counted = sa.select(job_probe.c.job_id, sa.func.count().label("probes")).where(job_probe.c.job_id.in_(ids))
    matched = {row.job_id: row.probes for row in connection.execute(counted.group_by(job_probe.c.job_id))}
    return tuple(_job(row, items.get(row.id, []), matched.get(row.id, 0), progress.get(row.id)) for row in rows)


def load_job(connection: sa.Connection, job_id: str, progress: Mapping[str, ItemProgress] | None = None) -> Job | None:
    """Read one job, or None."""
    rows = connection.execute(sa.select(job).where(job.c.id == job_id)).all()
    return load_jobs(connection, rows, progress or {})[0] if rows else None


def _job(row: Any, items: Sequence[JobItem], matched: int, current: ItemProgress | None) -> Job:
    items = [_at_work(item, current) for item in items]
    settled = sum(item.settled for item in items)
    # What is at work may have been settled since its share was noted: it then counts as settled, and not twice.
    working = current is not None and any(not item.settled and item.position == current.position for item in items)
    share = current.share if current is not None and working else 0.0
    finished = row.state in {JobState.DONE, JobState.FAILED}
    return Job(
        id=row.id,
        authority=SearchAuthority(row.reason, row.incident, row.authorisation, row.authorisation_expires_at),
        searched=tuple(ListVersion(entry["watchlist"], entry["version"]) for entry in row.watchlists),
        max_candidates=row.max_candidates,
        state=JobState(row.state),
        items=tuple(items),
        progress=1.0 if finished else (settled + share) / len(items),
        faces=sum(item.faces for item in items),
        probes_matched=matched if row.probes_matched is None else row.probes_matched,
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_reason=row.error_reason,
        error_message=row.error_message,
        model=row.model,
        profile=row.profile,
        erased_at=row.erased_at,
    )


def _at_work(item: JobItem, current: ItemProgress | None) -> JobItem:
    """Return the item with the counts of the moment."""
    if current is None or item.settled or item.position != current.position:
        return item
    return replace(item, frames=current.frames, faces=current.faces)


def _item(row: Any) -> JobItem:
    return JobItem(
        position=row.position,
        upload=row.upload_id,
        file_name=row.file_name,
        kind=MediaKind(row.kind),
        state=ItemState(row.state),
        frames=row.frames,
        faces=row.faces,
        reached_ms=row.reached_ms,
        error_reason=row.error_reason,
        error_message=row.error_message,
    )
