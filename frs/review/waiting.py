"""What waits for people at one moment, for whoever watches the service. Vigilance checks are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.review.case import CaseKind, CaseState
from frs.review.overdue import count_overdue
from frs.review.queue import URGENCY, is_open
from frs.store.schema import review_case


@dataclass(frozen=True, slots=True)
class Waiting:
    """The open cases of one grading."""

    pending: int = 0
    """Nobody holds them."""
    claimed: int = 0
    escalated: int = 0
    """Of both, those that nobody took in time."""
    oldest_seconds: float = 0.0
    """How long the oldest of both has been open."""


@dataclass(frozen=True, slots=True)
class WaitingWork:
    """All that people owe."""

    by_grading: Mapping[str, Waiting]
    """Every grading, also where nothing waits."""
    outcomes_overdue: int
    """Operator searches whose outcome is owed for longer than ``operator.outcome_due_seconds``."""


def read_waiting(connection: sa.Connection, now: datetime) -> WaitingWork:
    """Count what waits."""
    case = review_case.c
    query = (
        sa.select(
            case.grading,
            sa.func.count().filter(case.state == str(CaseState.PENDING)).label("pending"),
            sa.func.count().filter(case.state == str(CaseState.CLAIMED)).label("claimed"),
            sa.func.count().filter(case.escalations > 0).label("escalated"),
            sa.func.min(case.opened_at, type_=case.opened_at.type).label("oldest"),
        )
        .where(is_open(), case.kind != str(CaseKind.VIGILANCE))
        .group_by(case.grading)
    )
    found = {grading: Waiting() for grading in URGENCY}
    for row in connection.execute(query):
        oldest = max(0.0, (now - row.oldest).total_seconds())
        found[row.grading] = Waiting(row.pending, row.claimed, row.escalated, oldest)
    return WaitingWork(found, count_overdue(connection))
