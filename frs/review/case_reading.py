"""From rows to cases, as one person may see them.

While a reviewer has not recorded what they see, the score is withheld: score, threshold, margin and frames are empty,
and the candidates stand in the order of their nominals, which says nothing of it. Nobody sees another reviewer's
decision before the case is closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.match.candidate_records import candidate_from_columns
from frs.review.case import OPEN, Case, CaseKind, CaseState, Decision, Observation, ReviewerDecision
from frs.review.observing import observation_from
from frs.review.shown import ShownCheck
from frs.store.schema import alert, job, job_candidate, job_item, job_probe, review_decision, upload
from frs.types import Actor, Candidate, ListVersion, ModelInfo, Quality, References, Role

_ALERT = tuple(alert.c[name] for name in ("id", "camera_id", "captured_at", "erased_at", "notice", "probe_quality"))
_WHOM = ("watchlist_id", "watchlist_version", "subject_id", "nominal", "grading", "reference_id", "score", "threshold")
_HOW = ("margin", "frames", "model", "profile", "reference_quality")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a case is about, whoever looks."""

    candidates: tuple[Candidate, ...] = ()
    camera: str = ""
    captured_at: datetime | None = None
    erased: bool = False
    """Its nominals are pseudonyms."""


class CaseReading:
    """Reads cases. Stateless; used within whatever transaction its caller has."""

    def __init__(self, withhold_score: bool, model: ModelInfo | None = None) -> None:
        """``model`` is the one in use, whose notice goes with what it found."""
        self._withhold, self._model = withhold_score, model

    def case(self, connection: sa.Connection, row: sa.Row[Any], actor: Actor, now: datetime) -> Case:
        """Return one row of ``review_case`` as the actor may see it."""
        return self.cases(connection, [row], actor, now)[0]

    def cases(
        self, connection: sa.Connection, rows: Sequence[sa.Row[Any]], actor: Actor, now: datetime
    ) -> tuple[Case, ...]:
        """Return rows of ``review_case`` as the actor may see them."""
        facts = self.facts(connection, rows)
        work: defaultdict[str, list[sa.Row[Any]]] = defaultdict(list)
        query = sa.select(review_decision).where(review_decision.c.case_id.in_([row.id for row in rows]))
        for done in connection.execute(query.order_by(review_decision.c.decided_at, review_decision.c.reviewer)):
            work[done.case_id].append(done)
        return tuple(self._case(row, facts[row.id], work[row.id], actor, now) for row in rows)

    def facts(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> Mapping[str, Facts]:
        """Return what cases are about, by case; with their scores."""
        alerts = self._alerts(connection, [row.alert_id for row in rows if row.alert_id])
        probes = self._probes(connection, [row.probe_id for row in rows if row.probe_id])
        found = {}
        for row in rows:
            if row.kind == CaseKind.VIGILANCE:
                found[row.id] = _shown(row)
            elif row.kind == CaseKind.ALERT:
                found[row.id] = alerts[row.alert_id]
            else:
                found[row.id] = probes.get(row.probe_id, Facts(erased=True))
        return found

    def _alerts(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Facts]:
        query = sa.select(*_ALERT, *(alert.c[name] for name in _WHOM + _HOW)).where(alert.c.id.in_(ids))
        found = {}
        for row in connection.execute(query) if ids else ():
            candidate = candidate_from_columns(
                row._mapping,
                rank=1,
                model=row.model,
                profile=row.profile,
                probe_quality=Quality.from_json(row.probe_quality),
                notice=row.notice,
            )
            found[row.id] = Facts((candidate,), row.camera_id, row.captured_at, row.erased_at is not None)
        return found

    def _probes(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Facts]:
        if not ids:
            return {}
        query = (
            sa.select(job_probe.c.id, job_probe.c.quality, job.c.model, job.c.profile, upload.c.file_name)
            .join(job, job.c.id == job_probe.c.job_id)
            .join(
                job_item,
                sa.and_(job_item.c.job_id == job_probe.c.job_id, job_item.c.position == job_probe.c.position),
            )
            .join(upload, upload.c.id == job_item.c.upload_id)
            .where(job_probe.c.id.in_(ids))
        )
        probes = {row.id: row for row in connection.execute(query)}
        candidates: defaultdict[str, list[Candidate]] = defaultdict(list)
        listed = sa.select(job_candidate).where(job_candidate.c.probe_id.in_(probes)).order_by(job_candidate.c.rank)
        for row in connection.execute(listed):
            probe = probes[row.probe_id]
            candidate = candidate_from_columns(
                row._mapping,
                rank=row.rank,
                model=probe.model,
                profile=probe.profile,
                probe_quality=Quality.from_json(probe.quality),
                notice=self._model.notice if self._model is not None and self._model.id == probe.model else "",
            )
            candidates[row.probe_id].append(candidate)
        return {name: Facts(tuple(candidates[name]), row.file_name) for name, row in probes.items()}

    def _case(self, row: sa.Row[Any], facts: Facts, work: Sequence[sa.Row[Any]], actor: Actor, now: datetime) -> Case:
        state = CaseState(row.state)
        claimed = state is CaseState.CLAIMED and row.claim_until > now
        if state is CaseState.CLAIMED and not claimed:
            state = CaseState.PENDING
        own = next((done for done in work if done.reviewer == actor.name), None)
        observed = own is not None and own.observed_at is not None
        withheld = self._withhold and state in OPEN and Role.REVIEWER in actor.roles and not observed
        return Case(
            id=row.id,
            kind=CaseKind.ALERT if row.kind == CaseKind.VIGILANCE else CaseKind(row.kind),
            state=state,
            grading=row.grading,
            deployment=row.deployment_id,
            camera=facts.camera,
            captured_at=facts.captured_at,
            opened_at=row.opened_at,
            escalates_at=row.escalates_at,
            escalations=row.escalations,
            stale_at=row.stale_at,
            claimed_by=row.claimed_by if claimed else None,
            claim_until=row.claim_until if claimed else None,
            reviewers=row.reviewers,
            decided=row.decided,
            candidates=_without_scores(facts.candidates) if withheld else facts.candidates,
            withheld=withheld,
            observation=_observation(own),
            decision=None if row.decision is None else Decision(row.decision),
            decisions=() if state in OPEN else tuple(_decision(done) for done in work if done.decided_at),
            chosen_subject=row.chosen_subject,
            closed_at=row.closed_at,
            job=row.job_id,
        )


def concerns(row: sa.Row[Any], facts: Facts, candidates: Sequence[Candidate] | None = None) -> References:
    """Return what events of a case refer to: its lists and people (of ``candidates`` where given), and where from."""
    shown = facts.candidates if candidates is None else candidates
    lists = dict.fromkeys(ListVersion(each.watchlist, each.watchlist_version) for each in shown)
    people = () if facts.erased else tuple(dict.fromkeys(each.nominal for each in shown))
    return References(tuple(lists), people, deployment=row.deployment_id, alert=row.alert_id, job=row.job_id)


def _shown(row: sa.Row[Any]) -> Facts:
    check = ShownCheck.from_json(row.shown)
    return Facts((check.candidate,), check.camera, check.captured_at, check.pseudonymous)


def _without_scores(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    by_name = sorted(candidates, key=lambda each: (each.nominal, each.watchlist, each.subject))
    return tuple(
        replace(each, rank=rank, score=0.0, threshold=0.0, margin=None, frames=0)
        for rank, each in enumerate(by_name, 1)
    )


def _observation(done: sa.Row[Any] | None) -> Observation | None:
    return None if done is None else observation_from(done.observation, done.observed_at)


def _decision(done: sa.Row[Any]) -> ReviewerDecision:
    return ReviewerDecision(
        reviewer=done.reviewer,
        decision=Decision(done.decision),
        reason=done.reason,
        observation=_observation(done),
        decided_at=done.decided_at,
        look_seconds=done.look_seconds,
        chosen_subject=done.chosen_subject,
    )
