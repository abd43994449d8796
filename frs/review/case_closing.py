"""How a case ends without a decision: a stale alert expires, and what is erased undecided is unreviewed.

Both are counted, and neither looks like a decision: nobody is named as having made one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.review import queue
from frs.review.alert import AlertState
from frs.review.case import CaseKind, CaseState
from frs.review.case_desk import CaseDesk
from frs.store.database import Transaction
from frs.store.schema import alert, alert_feed, review_case, review_decision
from frs.types import Actor, Json


class CaseClosing:
    """Closes cases that nobody decided."""

    def __init__(self, desk: CaseDesk) -> None:
        self._desk = desk

    def expired(self, tx: Transaction, row: sa.Row[Any], now: datetime) -> None:
        """Close a stale case, and with it its alert."""
        self._close(tx, row, CaseState.EXPIRED, now)
        if row.kind == CaseKind.ALERT:
            self._follow(tx, row.alert_id, AlertState.EXPIRED)
            tx.connection.execute(alert_feed.insert().values(alert_id=row.alert_id, kind="expired", created_at=now))
            self._desk.append(tx, Action.ALERT_EXPIRED, Actor.system(), row, _so_far(row))

    def unreviewed(
        self, tx: Transaction, alert_id: str | None, job_id: str | None, probe_id: str | None, case_id: str | None
    ) -> int:
        """Close what is being erased; see :meth:`frs.review.cases.Cases.close_unreviewed`."""
        assert (alert_id, job_id, probe_id, case_id).count(None) == 3, "one thing is erased at a time"
        table = review_case.c
        of = {table.alert_id: alert_id, table.job_id: job_id, table.probe_id: probe_id, table.id: case_id}
        theirs = next(column == name for column, name in of.items() if name is not None)
        rows = tx.connection.execute(sa.select(review_case).where(theirs, queue.is_open())).all()
        now = self._desk.clock.now()
        for row in rows:
            # Its people are being erased: they are found by the events that gave rise to the case.
            self._desk.append(tx, Action.REVIEW_UNREVIEWED, Actor.system(), row, _so_far(row), ())
            self._close(tx, row, CaseState.UNREVIEWED, now)
            if row.kind == CaseKind.ALERT:
                self._follow(tx, row.alert_id, AlertState.UNREVIEWED)
        self._empty(tx, sa.select(table.id).where(theirs))
        return len(rows)

    def empty_texts(self, tx: Transaction, probe_id: str) -> None:
        """Empty what reviewers wrote about a probe; who has not decided yet says anew what they see."""
        cases = sa.select(review_case.c.id).where(review_case.c.probe_id == probe_id)
        self._empty(tx, cases)
        undecided = sa.and_(review_decision.c.case_id.in_(cases), review_decision.c.decided_at.is_(None))
        tx.connection.execute(review_decision.update().where(undecided).values(observed_at=None))

    def _close(self, tx: Transaction, row: sa.Row[Any], state: CaseState, now: datetime) -> None:
        closed = review_case.update().where(review_case.c.id == row.id).values(queue.ended(state, now))
        tx.connection.execute(closed)
        self._desk.tell_closed(tx, row, str(state))
        tx.after_commit(self._desk.bell.ring)

    def _follow(self, tx: Transaction, alert_id: str, state: AlertState) -> None:
        pending = sa.and_(alert.c.id == alert_id, alert.c.state == str(AlertState.PENDING))
        tx.connection.execute(alert.update().where(pending).values(state=str(state)))

    def _empty(self, tx: Transaction, cases: sa.Select[tuple[str]]) -> None:
        """Take out what reviewers wrote: it may describe or name the person. Who decided what stays."""
        work = review_decision.c
        values = {
            "observation": sa.null(),
            "reason": sa.case((work.reason.is_(None), None), else_=""),
        }
        emptied = review_decision.update().where(work.case_id.in_(cases)).values(values)
        if tx.connection.execute(emptied).rowcount:
            tx.erases = True


def _so_far(row: sa.Row[Any]) -> dict[str, Json]:
    return {"decided": row.decided, "reviewers": row.reviewers, "escalations": row.escalations}
