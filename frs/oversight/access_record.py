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

from frs.audit.concerning import concerning
from frs.audit.event import format_time
from frs.audit.origins import Origins
from frs.errors import FrsError, Reason
from frs.match.alerting import PROBE, REFERENCE
from frs.oversight.access_events import person_events
from frs.oversight.access_rows import ERASED, UNDECIDED, copies, erasures, holds, instant_text, job_candidates, searches
from frs.store.schema import alert, assignment, reference_image, subject, watchlist
from frs.store.vault import Vault
from frs.types import Json
from frs.watchlist.rebuilding import CROP

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

    def __init__(self, connection: sa.Connection, vault: Vault, origins: Origins, nominal: str) -> None:
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
            "searches": searches(self._connection, self._names, logged),
            "job_candidates": job_candidates(self._connection, self._names),
            "holds": holds(self._connection, self._names),
            "erasures": erasures(self._connection, self._pseudonym),
            "events": person_events(
                self._connection, self._vault, self._origins, self._nominal, self._pseudonym, logged
            ),
            "copies": copies(self._connection, self._pseudonym),
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
                "withdrawn": instant_text(row.withdrawn_at),
                "withdrawn_by": row.withdrawn_by,
                "withdrawn_reason": row.withdrawn_reason,
                "erased": instant_text(row.erased_at),
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
        sent = (assignment.c.acknowledged_by, assignment.c.engagement.label("outcome"))
        query = (
            sa.select(alert, *sent)
            .outerjoin(assignment, assignment.c.alert_id == alert.c.id)
            .where(alert.c.nominal.in_(self._names))
            .order_by(alert.c.created_at, alert.c.id)
        )
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
                "adjudicated": instant_text(row.adjudicated_at),
                "adjudicated_by": row.adjudicated_by,
                "adjudication_reason": row.adjudication_reason,
                "officer": row.acknowledged_by,
                "engagement": instant_text(row.engagement_at),
                "engagement_outcome": row.outcome,
                "engagement_by": row.engagement_by,
                "engagement_note": row.engagement_note,
                "self_defined_group": row.self_defined_group,
                "erased": instant_text(row.erased_at),
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
            return "withheld: it shows somebody else" if decided else UNDECIDED
        return self._open(f"alert:{row.id}", row.probe_sealed, PROBE, f"alert-{row.id}-camera")

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
