"""What matches and decisions on one person are held, as a subject access package has them: nobody else is in them."""

from __future__ import annotations

from typing import Any, TypeAlias

import sqlalchemy as sa

from frs.audit.concerning import Concerning
from frs.audit.event import format_time
from frs.store.schema import erasure, hold, job, job_candidate, job_probe, operator_search, outside_copy
from frs.types import Json

Names: TypeAlias = "tuple[str, str]"
"""The nominal and the pseudonym: what was erased is under the second."""
ERASED = "erased"
UNDECIDED = "withheld: nobody has decided whom it shows"


def searches(connection: sa.Connection, names: Names, logged: Concerning) -> list[Json]:
    """Return the operator searches that found the person, each with that candidate alone."""
    table = operator_search.c
    query = sa.select(operator_search).where(table.id.in_(sorted(logged.others["search"])))
    found: list[Json] = []
    for row in connection.execute(query.order_by(table.created_at, table.id)):
        theirs = [each for each in row.candidates if each["nominal"] in names]
        if theirs:
            found.append(
                {
                    "search": row.id,
                    "made": format_time(row.created_at),
                    "officer": row.officer,
                    "reason": row.reason,
                    "legal_power": row.legal_power,
                    "outcome": row.outcome,
                    "outcome_reason": row.outcome_reason,
                    "outcome_at": instant_text(row.outcome_at),
                    "candidates_in_all": len(row.candidates),
                    "candidate": [_candidate(each) for each in theirs],
                    "probe": ERASED if row.probe_sealed is None else UNDECIDED,
                    "erased": instant_text(row.erased_at),
                }
            )
    return found


def job_candidates(connection: sa.Connection, names: Names) -> list[Json]:
    """Return where jobs proposed the person."""
    columns = (job_candidate, job.c.incident, job.c.reason, job.c.created_by, job.c.created_at, job_probe.c.best_ms)
    query = (
        sa.select(*columns)
        .join(job, job.c.id == job_candidate.c.job_id)
        .join(job_probe, job_probe.c.id == job_candidate.c.probe_id)
        .where(job_candidate.c.nominal.in_(names))
        .order_by(job.c.created_at, job_candidate.c.key)
    )
    return [
        {
            "job": row.job_id,
            "submitted": format_time(row.created_at),
            "submitted_by": row.created_by,
            "reason": row.reason,
            "incident": row.incident,
            "at_ms": row.best_ms,
            "picture": UNDECIDED,
            **_candidate(
                {
                    "rank": row.rank,
                    "watchlist": row.watchlist_id,
                    "watchlist_version": row.watchlist_version,
                    "score": row.score,
                    "threshold": row.threshold,
                }
            ),
        }
        for row in connection.execute(query)
    ]


def holds(connection: sa.Connection, names: Names) -> list[Json]:
    """Return the holds on the person as such."""
    table = hold.c
    query = sa.select(hold).where(table.kind == "nominal", table.target.in_(names)).order_by(table.placed_at)
    return [
        {
            "hold": row.id,
            "reason": row.reason,
            "owner": row.owner,
            "placed": format_time(row.placed_at),
            "ends": format_time(row.ends_at),
            "released": instant_text(row.released_at),
            "release_reason": row.release_reason,
        }
        for row in connection.execute(query)
    ]


def erasures(connection: sa.Connection, pseudonym: str) -> list[Json]:
    """Return the requests to erase the person, with what became of them."""
    query = sa.select(erasure).where(erasure.c.subject == pseudonym).order_by(erasure.c.requested_at)
    return [
        {
            "erasure": row.id,
            "state": row.state,
            "requested": format_time(row.requested_at),
            "requested_by": row.requested_by,
            "reason": row.reason,
            "decided": instant_text(row.decided_at),
            "decided_by": row.decided_by,
            "decision_reason": row.decision_reason,
            "certificate": row.done,
        }
        for row in connection.execute(query)
    ]


def copies(connection: sa.Connection, pseudonym: str) -> list[Json]:
    """Return the copies made of this person's record; those of everything are no fact about the person."""
    table = outside_copy.c
    query = sa.select(outside_copy).where(table.subject == pseudonym).order_by(table.made_at)
    return [
        {"copy": row.id, "kind": row.kind, "made": format_time(row.made_at), "place": row.place}
        for row in connection.execute(query)
    ]


def _candidate(value: dict[str, Any]) -> dict[str, Json]:
    return {name: value[name] for name in ("rank", "watchlist", "watchlist_version", "score", "threshold")}


def instant_text(value: Any) -> str | None:
    """Return an instant as leaves write it, or None."""
    return None if value is None else format_time(value)
