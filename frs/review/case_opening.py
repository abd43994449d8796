"""Opening cases, in the transaction of what gives rise to them: nothing to decide is ever without a case.

An alert goes stale, because the person walks on; a candidate list does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.match.alerting import RaisedAlert
from frs.review.case import CaseKind, CaseState
from frs.review.case_desk import CaseDesk
from frs.review.queue import URGENCY
from frs.settings import ReviewSettings
from frs.store.database import Transaction
from frs.store.schema import deployment as deployments
from frs.store.schema import review_case, review_case_watchlist
from frs.types import Candidate, Json, new_id

_LONGEST_DOUBLING = 8


def escalation_seconds(settings: ReviewSettings, kind: CaseKind, grading: str, escalations: int) -> float:
    """Return how long a case may wait before its next escalation: each time twice as long as before."""
    first = {
        "red": settings.escalate_red_seconds,
        "amber": settings.escalate_amber_seconds,
        "green": settings.escalate_green_seconds,
    }[grading]
    if kind is CaseKind.CANDIDATES:
        first = settings.candidates_escalate_hours * 3600.0
    return float(first * 2 ** min(escalations, _LONGEST_DOUBLING))


class CaseOpening:
    """Opens cases."""

    def __init__(self, desk: CaseDesk) -> None:
        self._desk = desk

    def alert(self, tx: Transaction, raised: RaisedAlert) -> str:
        """Open the case of an alert that is being raised."""
        return self._live(
            tx,
            CaseKind.ALERT,
            raised.deployment,
            raised.watchlist,
            raised.grading,
            raised.raised_at,
            alert_id=raised.id,
        )

    def check(
        self,
        tx: Transaction,
        pair_id: str,
        deployment: str,
        watchlist: str,
        grading: str,
        shown: Mapping[str, Json],
        now: datetime,
    ) -> str:
        """Open the case of a known pair, which is treated as an alert is in all that reviewers see."""
        return self._live(
            tx, CaseKind.VIGILANCE, deployment, watchlist, grading, now, pair_id=pair_id, shown=dict(shown)
        )

    def candidates(self, tx: Transaction, job_id: str, probe_id: str, found: Sequence[Candidate]) -> str:
        """Open the case of one face of a job with the candidates found for it."""
        grading = min((each.grading for each in found), key=lambda each: URGENCY[each])
        values = {"job_id": job_id, "probe_id": probe_id}
        lists = [each.watchlist for each in found]
        reviewers = self._desk.settings.reviewers
        return self._insert(tx, CaseKind.CANDIDATES, grading, lists, reviewers, self._desk.clock.now(), **values)

    def _live(
        self, tx: Transaction, kind: CaseKind, deployment: str, watchlist: str, grading: str, now: datetime, **of: Any
    ) -> str:
        reviewers = tx.connection.scalar(sa.select(deployments.c.reviewers).where(deployments.c.id == deployment))
        stale_at = now + timedelta(seconds=self._desk.settings.stale_seconds)
        return self._insert(
            tx, kind, grading, [watchlist], reviewers or 1, now, deployment_id=deployment, stale_at=stale_at, **of
        )

    def _insert(
        self,
        tx: Transaction,
        kind: CaseKind,
        grading: str,
        lists: Sequence[str],
        reviewers: int,
        now: datetime,
        **of: Any,
    ) -> str:
        name = new_id()
        seconds = escalation_seconds(self._desk.settings, kind, grading, 0)
        row = {
            "id": name,
            "kind": str(kind),
            "grading": grading,
            "urgency": URGENCY[grading],
            "state": str(CaseState.PENDING),
            "reviewers": reviewers,
            "decided": 0,
            "opened_at": now,
            "escalates_at": now + timedelta(seconds=seconds),
            "escalations": 0,
            **of,
        }
        tx.connection.execute(review_case.insert().values(row))
        shown = [{"case_id": name, "watchlist_id": each} for each in dict.fromkeys(lists)]
        tx.connection.execute(review_case_watchlist.insert(), shown)
        tx.after_commit(self._desk.bell.ring)
        return name
