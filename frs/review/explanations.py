"""Explains matches to reviewers, once they have recorded what they see, and to oversight.

Promises: nobody is given an explanation before it is logged that they were; a reviewer, whatever else they are, gets
none before their own observation, so that it cannot tell them what to see; the map of regions shows both faces, so it
is made only for who may see them now: the holder of the claim, and oversight while the case is under review; nothing is
explained whose pictures are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import cases_within
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.review.case import OPEN, CaseKind, CaseState
from frs.review.case_desk import oversees
from frs.review.case_reading import CaseReading, Facts, concerns
from frs.review.explanation import Explanation, sentences_for
from frs.review.pictures import CasePictures
from frs.review.saliency import Saliency, saliency_of
from frs.review.score_meaning import curve_for, meaning_of
from frs.review.shown import ShownCheck
from frs.settings import ReviewSettings
from frs.store.database import Database, Transaction
from frs.store.schema import alert, job, job_probe, reference_image, review_case, review_decision, subject
from frs.types import Actor, Candidate, Event, Json

__all__ = ["Explanation", "Explanations"]


@dataclass(frozen=True, slots=True)
class _Background:
    """What is known of a match besides the candidate."""

    seen_seconds: float
    gallery_size: int
    source: str
    taken_on: str
    age_days: int | None


class Explanations:
    """Makes explanations. Thread-safe; callers hold the roles that the method table asks for."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        pictures: CasePictures,
        engine: FaceEngine,
        settings: ReviewSettings,
        clock: Clock,
    ) -> None:
        self._database, self._audit, self._pictures = database, audit, pictures
        self._engine, self._settings, self._clock = engine, settings, clock
        self._reading = CaseReading(withhold_score=False, model=engine.model)

    def explain(
        self, actor: Actor, case_id: str, subject: str | None = None, with_saliency: bool = False
    ) -> Explanation:
        """Explain one candidate of a case (bare id of the subject; None for the first), logged as ``review.explained``.

        FrsError CASE_NOT_FOUND; OBSERVATION_REQUIRED of the caller; ERASED; INVALID_FIELD for a subject that the case
        does not propose; for the map also CASE_NOT_CLAIMED by the caller, CASE_CLOSED, NO_FACE, OVERLOADED;
        LOG_UNAVAILABLE.
        """
        map_of_regions = None
        with self._database.read() as connection:
            candidate = self._allowed(connection, actor, case_id, subject, with_saliency)[2]
            pictures = self._pictures.of(connection, case_id) if with_saliency else None
        if pictures is not None:
            reference = pictures.references.get(candidate.reference)
            if reference is None:
                raise FrsError(Reason.ERASED, "The reference that was compared is no longer held.")
            map_of_regions = saliency_of(self._engine, pictures.probe, reference, self._settings.saliency_grid)

        def act(tx: Transaction) -> Explanation:
            # Once more: the claim, or the pictures, may have ended while the map was made.
            row, facts, candidate = self._allowed(tx.connection, actor, case_id, subject, with_saliency)
            background = _background(tx.connection, row, facts, candidate)
            said: dict[str, Json] = {
                "case": case_id,
                "subject": candidate.subject,
                "with_saliency": map_of_regions is not None,
            }
            event = Event(Action.REVIEW_EXPLAINED, actor, concerns(row, facts, [candidate]), said)
            self._audit.append(tx, event)
            return self._explanation(case_id, candidate, background, map_of_regions)

        return self._database.write(act)

    def _allowed(
        self, connection: sa.Connection, actor: Actor, case_id: str, subject: str | None, with_saliency: bool
    ) -> tuple[sa.Row[Any], Facts, Candidate]:
        query = sa.select(review_case).where(review_case.c.id == case_id, cases_within(actor.scope))
        row = connection.execute(query).one_or_none()
        if row is None:
            raise FrsError(Reason.CASE_NOT_FOUND, f"There is no case {case_id}.", case=case_id)
        if not oversees(actor):
            _require_observed(connection, actor, case_id)
        if with_saliency:
            _require_shown(actor, row, self._clock.now())
        facts = self._reading.facts(connection, [row])[case_id]
        self._pictures.require_held(connection, case_id)
        if facts.erased or not facts.candidates:
            raise FrsError(Reason.ERASED, "What this case was about has been erased.", case=case_id)
        wanted = (each for each in facts.candidates if subject is None or each.subject == subject)
        candidate = next(wanted, None)
        if candidate is None:
            message = "subject: the case does not propose this subject"
            raise FrsError(Reason.INVALID_FIELD, message, field="subject")
        return row, facts, candidate

    def _explanation(
        self, case_id: str, candidate: Candidate, known: _Background, regions: Saliency | None
    ) -> Explanation:
        meaning = meaning_of(curve_for(self._engine.model, candidate), candidate.score, known.gallery_size)
        reference = (known.source, known.taken_on, known.age_days)
        return Explanation(
            case=case_id,
            candidate=candidate,
            meaning=meaning,
            seen_seconds=known.seen_seconds,
            reference_taken_on=known.taken_on,
            reference_age_days=known.age_days,
            reference_source=known.source,
            sentences=sentences_for(candidate, meaning, known.seen_seconds, reference, regions is not None),
            saliency_png=regions.png if regions is not None else b"",
        )


def _require_observed(connection: sa.Connection, actor: Actor, case_id: str) -> None:
    theirs = sa.and_(review_decision.c.case_id == case_id, review_decision.c.reviewer == actor.name)
    if connection.scalar(sa.select(review_decision.c.observed_at).where(theirs)) is None:
        message = f"You have not recorded what you see in case {case_id}."
        raise FrsError(Reason.OBSERVATION_REQUIRED, message, case=case_id)


def _require_shown(actor: Actor, row: sa.Row[Any], now: datetime) -> None:
    """Refuse both faces to who may not see the pictures of the case now."""
    if CaseState(row.state) not in OPEN:
        raise FrsError(Reason.CASE_CLOSED, f"Case {row.id} is closed.", case=row.id)
    if oversees(actor):
        return
    held = row.state == CaseState.CLAIMED and row.claimed_by == actor.name and row.claim_until > now
    if not held:
        raise FrsError(Reason.CASE_NOT_CLAIMED, f"You do not hold case {row.id}.", case=row.id)


def _background(connection: sa.Connection, row: sa.Row[Any], facts: Facts, candidate: Candidate) -> _Background:
    if row.kind == CaseKind.VIGILANCE:
        shown = ShownCheck.from_json(row.shown)
        source, taken_on = shown.reference_source, shown.reference_taken_on
        seen, people = shown.seen_seconds, shown.gallery_size
    else:
        columns = (reference_image.c.source, reference_image.c.taken_on)
        held = connection.execute(sa.select(*columns).where(reference_image.c.id == candidate.reference)).one_or_none()
        source, taken_on = (held.source, held.taken_on) if held is not None else ("", "")
        seen, people = _alert_scale(connection, row) if row.alert_id else _job_scale(connection, row)
    captured_at = facts.captured_at
    age = None
    if taken_on and captured_at is not None:
        age = max(0, (captured_at.date() - date.fromisoformat(taken_on)).days)
    return _Background(seen, people, source, taken_on, age)


def _alert_scale(connection: sa.Connection, row: sa.Row[Any]) -> tuple[float, int]:
    columns = (alert.c.seen_seconds, alert.c.gallery_size)
    found = connection.execute(sa.select(*columns).where(alert.c.id == row.alert_id)).one()
    return found.seen_seconds or 0.0, found.gallery_size or 0


def _job_scale(connection: sa.Connection, row: sa.Row[Any]) -> tuple[float, int]:
    """Return how long a track was in sight, and the people on the job's lists as they stand now."""
    probe = connection.execute(sa.select(job_probe).where(job_probe.c.id == row.probe_id)).one()
    lists = connection.scalar(sa.select(job.c.watchlists).where(job.c.id == row.job_id)) or []
    on_them = sa.and_(subject.c.watchlist_id.in_([each["watchlist"] for each in lists]), subject.c.state == "enrolled")
    people = connection.scalar(sa.select(sa.func.count(sa.distinct(subject.c.nominal))).where(on_them)) or 0
    return (probe.last_ms - probe.first_ms) / 1000, people
