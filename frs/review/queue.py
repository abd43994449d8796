"""The order of the work, as conditions and orders on ``review_case``.

Red first, then amber, then green; within a grading what has escalated, then the oldest. A claim that has run out
counts as none, whether or not somebody has tidied it away yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import cases_within
from frs.review.case import OPEN, CaseKind, CaseState
from frs.review.independence import independent
from frs.store.schema import alert, review_case, review_decision
from frs.types import Actor
from frs.watchlist.model import Grading

URGENCY: dict[str, int] = {str(Grading.RED): 0, str(Grading.AMBER): 1, str(Grading.GREEN): 2}
"""Place of each grading in the queue."""

_case = review_case.c
MOST_URGENT = (_case.urgency, sa.case((_case.escalations > 0, 0), else_=1), _case.opened_at, _case.id)
"""What is handed out first."""
LISTED = (_case.urgency, _case.opened_at, _case.id)
"""The same without what changes while somebody turns pages."""


def is_open() -> sa.ColumnElement[bool]:
    """Return the condition that a case is not closed."""
    return _case.state.in_([str(state) for state in OPEN])


def ways_to_wait(now: datetime) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Return the two ways in which nobody holds an open case: nobody took it, or the claim has run out."""
    ran_out = sa.and_(_case.state == str(CaseState.CLAIMED), _case.claim_until <= now)
    return _case.state == str(CaseState.PENDING), ran_out


def waits(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that nobody holds an open case."""
    return sa.or_(*ways_to_wait(now))


def ranks() -> Iterator[sa.ColumnElement[bool]]:
    """Give, most urgent first, a condition for each rank of the queue; within one the oldest comes first.

    One rank after the other is read along its index, however many cases wait.
    """
    for urgency in sorted(URGENCY.values()):
        for escalated in (_case.escalations > 0, _case.escalations == 0):
            yield sa.and_(_case.urgency == urgency, escalated)


UNCLAIMED: dict[str, None] = {"claimed_by": None, "claimed_at": None, "claim_until": None}
"""What a case says that nobody holds."""


def ended(state: CaseState, now: datetime) -> dict[str, Any]:
    """Return what a case says that has come to its end in a state: nobody holds it, and it escalates no more."""
    return {"state": str(state), "closed_at": now, "escalates_at": None, **UNCLAIMED}


def held(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that somebody holds it."""
    return sa.and_(_case.state == str(CaseState.CLAIMED), _case.claim_until > now)


def held_by(name: str, now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that a person of that name holds it."""
    return sa.and_(held(now), _case.claimed_by == name)


def of_kind(kind: CaseKind | None) -> sa.ColumnElement[bool]:
    """Return the condition that a case is of a kind; a vigilance check is an alert to all who list or take."""
    if kind is None:
        return sa.true()
    same = [str(kind), str(CaseKind.VIGILANCE)] if kind is CaseKind.ALERT else [str(kind)]
    return _case.kind.in_(same)


def may_be_given(actor: Actor, now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that the actor may be given a case that waits."""
    theirs = sa.select(review_decision.c.case_id).where(
        review_decision.c.case_id == _case.id,
        review_decision.c.reviewer == actor.name,
        review_decision.c.decided_at.is_not(None),
    )
    fresh = sa.or_(_case.stale_at.is_(None), _case.stale_at > now)
    without_pictures = sa.select(alert.c.id).where(
        alert.c.id == _case.alert_id, alert.c.pictures_erased_at.is_not(None)
    )
    behind_red = sa.and_(_case.kind == str(CaseKind.VIGILANCE), _a_red_alert_waits(now))
    return sa.and_(
        fresh,
        cases_within(actor.scope),
        sa.not_(theirs.exists()),
        sa.not_(without_pictures.exists()),
        independent(actor),
        sa.not_(behind_red),
    )


def _a_red_alert_waits(now: datetime) -> sa.ColumnElement[bool]:
    """Return whether a red alert waits: no vigilance check is handed out then."""
    red = review_case.alias("red")
    ran_out = sa.and_(red.c.state == str(CaseState.CLAIMED), red.c.claim_until <= now)
    waiting = sa.or_(red.c.state == str(CaseState.PENDING), ran_out)
    real = red.c.kind == str(CaseKind.ALERT)
    return sa.select(red.c.id).where(real, red.c.urgency == URGENCY[str(Grading.RED)], waiting).exists()
