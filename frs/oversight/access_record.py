"""What is held or logged on one person, read in one snapshot: the contents of a subject access package.

The package is for the person. So it says nothing that names or shows anybody else: of a search or a job only the
candidate that is the person; of an event's payload only what concerns them, and nothing where another's nominal would
be left in it; the picture of a face that led to an alert only where a person decided that it shows them. What is left
out is said, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from frs.audit.concerning import Concerning, concerning
from frs.audit.event import format_time
from frs.errors import FrsError, Reason
from frs.match.alerting import PROBE, REFERENCE
from frs.oversight.access_events import person_events
from frs.store.schema import (
    alert,
    erasure,
    hold,
    job,
    job_candidate,
    job_probe,
    operator_search,
    outside_copy,
    reference_image,
    subject,
    watchlist,
)
from frs.store.vault import Vault
from frs.types import Json
from frs.watchlist.rebuilding import CROP

ERASED = "erased"
_SHOWS_THE_PERSON = frozenset({"true", "confirmed-true", "unconfirmed"})
_SHOWS_ANOTHER = frozenset({"false", "confirmed-false"})


@dataclass(frozen=True, slots=True)
class Record:
    """What was found."""

    data: dict[str, list[Json]]
    """By kind: entries, alerts, searches, job_candidates, holds, erasures, events, copies."""
    pictures: dict[str, bytes] = field(repr=False)
    """JPEG by path within the package."""

    @property
    def empty(self) -> bool:
        """Whether nothing is held or logged."""
        return not any(self.data.values())

    def counts(self) -> dict[str, int]:
        """Return how much of each kind there is."""
        return {kind: len(found) for kind, found in self.data.items()} | {"pictures": len(self.pictures)}


class RecordReader:
    """Reads one person's record off a connection."""

    def __init__(self, connection: sa.Connection, vault: Vault, origins: Any, nominal: str) -> None:
        self._connection, self._vault, self._origins = connection, vault, origins
        self._nominal = nominal
        self._pseudonym = vault.pseudonym("subject", nominal)
        self._names = (nominal, self._pseudonym)  # what was erased is under the pseudonym
        self._pictures: dict[str, bytes] = {}

    def read(self) -> Record:
        """Read everything. FrsError KEY_WRONG, LOG_INCONSISTENT when something was altered."""
        logged = concerning(self._connection, self._pseudonym)
        data = {
            "entries": self._entries(),
            "alerts": self._alerts(),
            "searches": self._searches(logged),
            "job_candidates": self._candidates(),
            "holds": self._holds(),
            "erasures": self._erasures(),
            "events": person_events(
                self._connection, self._vault, self._origins, self._nominal, self._pseudonym, logged
            ),
            "copies": self._copies(),
        }
        return Record(data, self._pictures)

    def _entries(self) -> list[Json]:
        query = (
            sa.select(subject, watchlist.c.purpose, watchlist.c.category, watchlist.c.legal_basis)
            .join(watchlist, watchlist.c.id == subject.c.watchlist_id)
            .where(subject.c.nominal.in_(self._names))
            .order_by(subject.c.created_at, subject.c.id)
        )
        return [
            {
                "watchlist": row.watchlist_id,
                "purpose": row.purpose,
                "category": row.category,
                "legal_basis": row.legal_basis,
                "subject": row.id,
                "state": row.state,
                "since": format_time(row.created_at),
                "listed_by": row.created_by,
                "justification": row.justification,
                "grading": row.grading,
                "under_18": row.under_18,
                "under_18_rationale": row.under_18_rationale,
                "withdrawn": _instant(row.withdrawn_at),
                "withdrawn_by": row.withdrawn_by,
                "withdrawn_reason": row.withdrawn_reason,
                "erased": _instant(row.erased_at),
                "images": self._images(row.id),
            }
            for row in self._connection.execute(query)
        ]

    def _images(self, subject_id: str) -> list[Json]:
        table = reference_image.c
        query = sa.select(reference_image).where(table.subject_id == subject_id).order_by(table.key)
        return [
            {
                "image": row.id,
                "source": row.source,
                "taken_on": row.taken_on,
                "sha256": row.sha256,
                "quality": row.quality,
                "model": row.model,
                "since": format_time(row.created_at),
                "picture": self._open(f"subject:{subject_id}", row.crop_sealed, CROP, f"entry-{row.id}"),
            }
            for row in self._connection.execute(query)
        ]

    def _alerts(self) -> list[Json]:
        query = sa.select(alert).where(alert.c.nominal.in_(self._names)).order_by(alert.c.created_at, alert.c.id)
        return [
            {
                "alert": row.id,
                "deployment": row.deployment_id,
                "camera": row.camera_id,
                "captured": format_time(row.captured_at),
                "watchlist": row.watchlist_id,
                "watchlist_version": row.watchlist_version,
                "score": row.score,
                "threshold": row.threshold,
                "model": row.model,
                "state": row.state,
                "adjudicated": _instant(row.adjudicated_at),
                "adjudicated_by": row.adjudicated_by,
                "adjudication_reason": row.adjudication_reason,
                "engagement": _instant(row.engagement_at),
                "engagement_by": row.engagement_by,
                "engagement_note": row.engagement_note,
                "self_defined_group": row.self_defined_group,
                "erased": _instant(row.erased_at),
                "picture": self._probe(row),
                "reference_picture": self._open(
                    f"alert:{row.id}", row.reference_sealed, REFERENCE, f"alert-{row.id}-reference"
                ),
            }
            for row in self._connection.execute(query)
        ]

    def _probe(self, row: Any) -> Json:
        """Open the face on the camera, where somebody decided that it is the person's."""
        if row.probe_sealed is not None and row.state not in _SHOWS_THE_PERSON:
            decided = row.state in _SHOWS_ANOTHER
            return "withheld: " + ("it shows somebody else" if decided else "nobody has decided whom it shows")
        return self._open(f"alert:{row.id}", row.probe_sealed, PROBE, f"alert-{row.id}-camera")

    def _searches(self, logged: Concerning) -> list[Json]:
        table = operator_search.c
        query = sa.select(operator_search).where(table.id.in_(sorted(logged.others["search"])))
        found: list[Json] = []
        for row in self._connection.execute(query.order_by(table.created_at, table.id)):
            theirs = [each for each in row.candidates if each["nominal"] in self._names]
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
                        "outcome_at": _instant(row.outcome_at),
                        "candidates_in_all": len(row.candidates),
                        "candidate": [_candidate(each) for each in theirs],
                        "probe": ERASED if row.probe_sealed is None else "withheld: nobody has decided whom it shows",
                        "erased": _instant(row.erased_at),
                    }
                )
        return found

    def _candidates(self) -> list[Json]:
        columns = (job_candidate, job.c.incident, job.c.reason, job.c.created_by, job.c.created_at, job_probe.c.best_ms)
        query = (
            sa.select(*columns)
            .join(job, job.c.id == job_candidate.c.job_id)
            .join(job_probe, job_probe.c.id == job_candidate.c.probe_id)
            .where(job_candidate.c.nominal.in_(self._names))
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
                "picture": "withheld: nobody has decided whom it shows",
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
            for row in self._connection.execute(query)
        ]

    def _holds(self) -> list[Json]:
        table = hold.c
        query = sa.select(hold).where(table.kind == "nominal", table.target.in_(self._names)).order_by(table.placed_at)
        return [
            {
                "hold": row.id,
                "reason": row.reason,
                "owner": row.owner,
                "placed": format_time(row.placed_at),
                "ends": format_time(row.ends_at),
                "released": _instant(row.released_at),
                "release_reason": row.release_reason,
            }
            for row in self._connection.execute(query)
        ]

    def _erasures(self) -> list[Json]:
        query = sa.select(erasure).where(erasure.c.subject == self._pseudonym).order_by(erasure.c.requested_at)
        return [
            {
                "erasure": row.id,
                "state": row.state,
                "requested": format_time(row.requested_at),
                "requested_by": row.requested_by,
                "reason": row.reason,
                "decided": _instant(row.decided_at),
                "decided_by": row.decided_by,
                "decision_reason": row.decision_reason,
                "certificate": row.done,
            }
            for row in self._connection.execute(query)
        ]

    def _copies(self) -> list[Json]:
        """Return the copies made of this person's record; those of everything are no fact about the person."""
        table = outside_copy.c
        query = sa.select(outside_copy).where(table.subject == self._pseudonym).order_by(table.made_at)
        return [
            {"copy": row.id, "kind": row.kind, "made": format_time(row.made_at), "place": row.place}
            for row in self._connection.execute(query)
        ]

    def _open(self, owner: str, sealed: bytes | None, context: bytes, name: str) -> Json:
        """Open a picture into the package; returns its path there."""
        if sealed is None:
            return ERASED
        try:
            picture = self._vault.open(owner, sealed, context)
        except FrsError as error:
            if error.reason is not Reason.KEY_MISSING:
                raise
            return ERASED
        path = f"pictures/{name}.jpg"
        self._pictures[path] = picture
        return path


def _candidate(value: dict[str, Any]) -> dict[str, Json]:
    return {name: value[name] for name in ("rank", "watchlist", "watchlist_version", "score", "threshold")}


def _instant(value: Any) -> str | None:
    return None if value is None else format_time(value)
