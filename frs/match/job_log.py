"""What the log says of a job's end: how it ended, what was examined, which lists were searched and who was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.errors import FrsError
from frs.match.authority import authority_json
from frs.match.job_records import Job, JobState
from frs.store.schema import job_candidate
from frs.types import Actor, Event, Json, ListVersion, References


def ended_event(
    connection: sa.Connection, actor: Actor, action: Action, record: Job, state: JobState, error: FrsError | None
) -> Event:
    """Return the event of a job that ends now, finished or cancelled."""
    people = _people(connection, record.id)
    nominals = tuple(dict.fromkeys(person.nominal for person in people))
    searched = dict.fromkeys((*record.searched, *_matched(connection, record.id)))
    references = References(tuple(searched), nominals, job=record.id)
    return Event(action, actor, references, _summary(record, state, error, people))


def _people(connection: sa.Connection, job_id: str) -> Sequence[sa.Row[Any]]:
    """Return everybody the job found, best first."""
    table = job_candidate.c
    best, probes = sa.func.max(table.score).label("best"), sa.func.count().label("probes")
    return connection.execute(
        sa.select(table.nominal, table.subject_id, table.watchlist_id, best, probes)
        .where(table.job_id == job_id)
        .group_by(table.nominal, table.subject_id, table.watchlist_id)
        .order_by(best.desc(), table.subject_id)
    ).all()


def _matched(connection: sa.Connection, job_id: str) -> list[ListVersion]:
    """Return the lists in which somebody was found, as they were searched."""
    table = job_candidate.c
    query = sa.select(table.watchlist_id, table.watchlist_version).where(table.job_id == job_id).distinct()
    return [ListVersion(name, version) for name, version in connection.execute(query)]


def _summary(record: Job, state: JobState, error: FrsError | None, people: Sequence[sa.Row[Any]]) -> dict[str, Json]:
    return {
        **authority_json(record.authority),
        "submitted_by": record.created_by,
        "state": state,
        "error": error.reason if error else None,
        "model": record.model,
        "profile": record.profile,
        "media": [
            {
                "upload": item.upload,
                "file_name": item.file_name,
                "state": item.state,
                "frames": item.frames,
                "faces": item.faces,
                "error": item.error_reason,
            }
            for item in record.items
        ],
        "probes_matched": record.probes_matched,
        "subjects": [
            {
                "nominal": person.nominal,
                "subject": person.subject_id,
                "watchlist": person.watchlist_id,
                "best": round(person.best, 6),
                "probes": person.probes,
            }
            for person in people
        ],
    }
