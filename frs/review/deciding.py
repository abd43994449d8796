"""What reviewers record and decide, and what becomes of the case: each step one transaction with its events.

First what they see, once; then their decision with its reason, once. When enough independent reviewers agree
(:mod:`frs.review.settling`) the case is adjudicated, and with it the alert: in the same transaction its row, its place
in the feed, its event and whatever those do who heed it.

The claim must hold at the moment of the decision: who was too slow decides nothing, and takes the case again if it is
still there. Of two who decide at once, one is told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.review import queue
from frs.review.alert import AlertState
from frs.review.case import Case, CaseKind, CaseState, Decision, Observation
from frs.review.case_desk import CaseDesk, require_case, require_open
from frs.review.case_opening import escalation_seconds
from frs.review.claims import Claims, has_decided, let_go, require_held, require_independent
from frs.review.observing import check_observation
from frs.review.settling import AGREEING, ALL_DIFFER, Answer, Settled, settle
from frs.store.database import Transaction
from frs.store.schema import alert, alert_feed, job_candidate, review_case, review_decision
from frs.types import Actor, Candidate, Json

_ADJUDICATED = {
    Decision.TRUE: AlertState.TRUE,
    Decision.FALSE: AlertState.FALSE,
    Decision.CANNOT_TELL: AlertState.CANNOT_TELL,
}


class Deciding:
    """Takes observations and decisions."""

    def __init__(self, desk: CaseDesk, claims: Claims) -> None:
        self._desk, self._claims = desk, claims

    def observe(self, actor: Actor, case_id: str, seen: Observation) -> Case:
        """Record what a reviewer sees. See :meth:`frs.review.cases.Cases.observe`."""
        desk = self._desk
        check_observation(seen, desk.settings.min_features)

        def act(tx: Transaction) -> Case:
            now = desk.clock.now()
            row = self._require_in_hand(tx.connection, actor, case_id, now)
            if self._work(tx.connection, case_id, actor).observed_at is not None:
                raise FrsError(Reason.OBSERVATION_RECORDED, "You have recorded what you see.", case=case_id)
            self._keep(tx, case_id, actor, observed_at=now, observation=seen.as_json())
            self._claims.extend(tx, case_id, now)
            desk.append(tx, Action.REVIEW_OBSERVED, actor, row, {"observation": seen.as_json()})
            tx.after_commit(desk.bell.ring)
            return desk.case(tx.connection, case_id, actor)

        return desk.database.write(act)

    def decide(self, actor: Actor, case_id: str, decision: Decision, reason: str, subject: str | None) -> Case:
        """Record a reviewer's decision. See :meth:`frs.review.cases.Cases.decide`."""
        desk = self._desk
        if not reason.strip():
            raise FrsError(Reason.INVALID_FIELD, "A decision needs a reason.", field="reason")

        def act(tx: Transaction) -> Case:
            now = desk.clock.now()
            row = self._require_in_hand(tx.connection, actor, case_id, now)
            require_independent(tx.connection, actor, case_id)
            work = self._work(tx.connection, case_id, actor)
            if work.observed_at is None:
                raise FrsError(Reason.OBSERVATION_REQUIRED, "Record what you see before you decide.", case=case_id)
            chosen = self._chosen(tx.connection, row, decision, subject)
            values = {
                "decided_at": now,
                "decision": str(decision),
                "chosen_subject": subject,
                "reason": reason,
                "look_seconds": (now - work.viewed_at).total_seconds(),
                "policy": desk.policy_version(),
            }
            self._keep(tx, case_id, actor, **values)
            said: dict[str, Json] = {
                "decision": str(decision),
                "reason": reason,
                "subject": subject,
                "look_seconds": round(values["look_seconds"], 3),
                "policy": values["policy"],
                "decided": row.decided + 1,
                "reviewers": row.reviewers,
            }
            desk.append(tx, Action.REVIEW_DECIDED, actor, row, said, chosen)
            self._go_on(tx, actor, row, now)
            tx.after_commit(desk.bell.ring)
            return desk.case(tx.connection, case_id, actor)

        return desk.database.write(act)

    def _require_in_hand(self, connection: sa.Connection, actor: Actor, case_id: str, now: datetime) -> sa.Row[Any]:
        row = require_case(connection, actor, case_id)
        require_open(row, now)
        if has_decided(connection, case_id, actor.name):
            raise FrsError(Reason.CASE_DECIDED, "You have decided this case.", case=case_id)
        require_held(row, actor, now)
        return row

    def _work(self, connection: sa.Connection, case_id: str, actor: Actor) -> sa.Row[Any]:
        mine = sa.select(review_decision).where(
            review_decision.c.case_id == case_id, review_decision.c.reviewer == actor.name
        )
        return connection.execute(mine).one()

    def _keep(self, tx: Transaction, case_id: str, actor: Actor, **values: Any) -> None:
        mine = sa.and_(review_decision.c.case_id == case_id, review_decision.c.reviewer == actor.name)
        tx.connection.execute(review_decision.update().where(mine).values(values))

    def _chosen(
        self, connection: sa.Connection, row: sa.Row[Any], decision: Decision, subject: str | None
    ) -> Sequence[Candidate] | None:
        """Check whom a candidate list is decided to show; returns them, or None where all it shows is meant."""
        names = row.kind == CaseKind.CANDIDATES and decision is Decision.TRUE
        if not names:
            if subject is not None:
                message = "Only a candidate list that is decided true names a subject."
                raise FrsError(Reason.INVALID_FIELD, message, field="subject")
            return None
        found = self._desk.reading.facts(connection, [row])[row.id].candidates
        chosen = [each for each in found if each.subject == subject]
        if not chosen:
            message = "Name the candidate who it is, of those that the case shows."
            raise FrsError(Reason.INVALID_FIELD, message, field="subject")
        return chosen

    def _go_on(self, tx: Transaction, actor: Actor, row: sa.Row[Any], now: datetime) -> None:
        """Settle the case, or have it wait for the next reviewer: a third where two differ."""
        work = review_decision.c
        done = sa.select(review_decision).where(work.case_id == row.id, work.decided_at.is_not(None))
        made = tx.connection.execute(done.order_by(work.decided_at, work.reviewer)).all()
        answers = [Answer(Decision(one.decision), self._person(tx.connection, row, one.chosen_subject)) for one in made]
        verdict = settle(answers, row.reviewers)
        if verdict is not None:
            first = next((one for one, answer in zip(made, answers, strict=True) if answer == verdict), None)
            self._settle(tx, actor, row, verdict.decision, None if first is None else first.chosen_subject, made, now)
            return
        let_go(tx, row.id)
        seconds = escalation_seconds(self._desk.settings, CaseKind(row.kind), row.grading, row.escalations)
        values = {
            "decided": len(made),
            "reviewers": ALL_DIFFER if len(made) >= AGREEING else row.reviewers,
            "escalates_at": now + timedelta(seconds=seconds),
        }
        tx.connection.execute(review_case.update().where(review_case.c.id == row.id).values(values))

    def _person(self, connection: sa.Connection, row: sa.Row[Any], subject: str | None) -> str | None:
        """Return whom a subject is: the same person may be a candidate from two lists."""
        if subject is None:
            return None
        table = job_candidate.c
        named = sa.select(table.nominal).where(table.probe_id == row.probe_id, table.subject_id == subject).limit(1)
        return connection.scalar(named) or subject

    def _settle(
        self,
        tx: Transaction,
        actor: Actor,
        row: sa.Row[Any],
        decision: Decision,
        chosen_subject: str | None,
        made: Sequence[sa.Row[Any]],
        now: datetime,
    ) -> None:
        desk = self._desk
        values = {
            **queue.ended(CaseState.ADJUDICATED, now),
            "decision": str(decision),
            "chosen_subject": chosen_subject,
            "decided": len(made),
        }
        tx.connection.execute(review_case.update().where(review_case.c.id == row.id).values(values))
        reviewers, reasons = tuple(one.reviewer for one in made), tuple(one.reason or "" for one in made)
        kind = CaseKind(row.kind)
        said: dict[str, Json] = {
            "decision": str(decision),
            "decisions": [
                {"reviewer": one.reviewer, "decision": one.decision, "reason": one.reason, "policy": one.policy}
                for one in made
            ],
        }
        if kind is CaseKind.ALERT:
            reason = reasons[0] if len(made) == 1 else "; ".join(map(": ".join, zip(reviewers, reasons, strict=True)))
            self._adjudicate(tx, row.alert_id, _ADJUDICATED[decision], ", ".join(reviewers), reason, now)
            closed = {"state": str(_ADJUDICATED[decision]), "reason": reason, **said}
            desk.append(tx, Action.ALERT_ADJUDICATED, actor, row, closed)
        elif kind is CaseKind.CANDIDATES:
            facts = desk.reading.facts(tx.connection, [row])[row.id]
            chosen = [each for each in facts.candidates if each.subject == chosen_subject] or None
            desk.append(tx, Action.SEARCH_ADJUDICATED, actor, row, {**said, "subject": chosen_subject}, chosen)
        told = Settled(row.id, kind, row.alert_id, row.deployment_id, decision, reasons, reviewers, chosen_subject)
        for listener in desk.on_settled:
            listener(tx, told)

    def _adjudicate(
        self, tx: Transaction, alert_id: str, state: AlertState, by: str, reason: str, now: datetime
    ) -> None:
        pending = sa.and_(alert.c.id == alert_id, alert.c.state == str(AlertState.PENDING))
        values = {"state": str(state), "adjudicated_at": now, "adjudicated_by": by, "adjudication_reason": reason}
        if tx.connection.execute(alert.update().where(pending).values(values)).rowcount != 1:
            raise FrsError(Reason.ALERT_WRONG_STATE, f"Alert {alert_id} is no longer pending.", alert=alert_id)
        tx.connection.execute(alert_feed.insert().values(alert_id=alert_id, kind="adjudicated", created_at=now))
