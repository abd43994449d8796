"""The frame of a case with nobody hidden, for those in charge, on the record.

Reviewers and officers see everybody blurred but the one a case is about (:mod:`frs.review.pictures`). Seeing the others
takes the permission that the method table gives to authorising officers, and a reason; it is logged before it is
answered, with what was shown.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa

from frs.access.scoping import cases_within
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.errors import FrsError, Reason
from frs.review.case_reading import CaseReading, concerns
from frs.review.pictures import CasePictures
from frs.store.database import Database, Transaction
from frs.store.schema import review_case
from frs.types import Actor, Event, Json


class Unblurring:
    """Gives out unblurred frames. Thread-safe; callers hold the roles that the method table asks for."""

    def __init__(self, database: Database, audit: AuditLog, pictures: CasePictures) -> None:
        self._database, self._audit, self._pictures = database, audit, pictures
        self._reading = CaseReading(withhold_score=False)

    def frame(self, actor: Actor, case_id: str, reason: str) -> bytes:
        """Return the frame of a case, JPEG, logged as ``review.unblurred``.

        FrsError CASE_NOT_FOUND, outside the actor's scope too; INVALID_FIELD without a reason; FRAME_NOT_KEPT; ERASED
        when it is no longer held; LOG_UNAVAILABLE.
        """
        if not reason.strip():
            raise FrsError(Reason.INVALID_FIELD, "Showing everybody in a frame needs a reason.", field="reason")

        def act(tx: Transaction) -> bytes:
            query = sa.select(review_case).where(review_case.c.id == case_id, cases_within(actor.scope))
            row = tx.connection.execute(query).one_or_none()
            if row is None:
                raise FrsError(Reason.CASE_NOT_FOUND, f"There is no case {case_id}.", case=case_id)
            frame = self._pictures.unblurred(tx.connection, case_id)
            facts = self._reading.facts(tx.connection, [row])[case_id]
            said: dict[str, Json] = {
                "case": case_id,
                "reason": reason.strip(),
                "frame_sha256": hashlib.sha256(frame).hexdigest(),
            }
            self._audit.append(tx, Event(Action.REVIEW_UNBLURRED, actor, concerns(row, facts), said))
            return frame

        return self._database.write(act)
