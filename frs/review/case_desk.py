"""What every act on a case shares: the rooms below, the row as the actor may see it, and its events.

To somebody outside whose scope a case lies it does not exist, in the words of one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from frs.access.scoping import cases_within
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.bell import Bell
from frs.review.case import Case, CaseKind
from frs.review.case_reading import CaseReading, concerns
from frs.review.pictures import CasePictures
from frs.review.settling import Settled
from frs.settings import ReviewSettings
from frs.store.database import Database, Transaction
from frs.store.schema import review_case
from frs.types import Actor, Candidate, Event, Json, Role

OnSettled: TypeAlias = Callable[[Transaction, Settled], None]
OnClosed: TypeAlias = Callable[[Transaction, str, CaseKind, "str | None", str], None]


@dataclass(slots=True)
class CaseDesk:
    """Shared by everything in this room that acts on cases."""

    database: Database
    audit: AuditLog
    pictures: CasePictures
    reading: CaseReading
    settings: ReviewSettings
    clock: Clock
    policy_version: Callable[[], int]
    bell: Bell
    on_settled: list[OnSettled] = field(default_factory=list)
    on_closed: list[OnClosed] = field(default_factory=list)

    def case(self, connection: sa.Connection, case_id: str, actor: Actor) -> Case:
        """Return a case as it stands now."""
        return self.reading.case(connection, row_of(connection, case_id), actor, self.clock.now())

    def append(
        self,
        tx: Transaction,
        action: Action,
        actor: Actor,
        row: sa.Row[Any],
        payload: Mapping[str, Json],
        candidates: Sequence[Candidate] | None = None,
    ) -> None:
        """Log an act on a case, with the people it concerns: all it shows, or ``candidates``."""
        facts = self.reading.facts(tx.connection, [row])[row.id]
        said: dict[str, Json] = {"case": row.id, "kind": row.kind, "grading": row.grading, **payload}
        self.audit.append(tx, Event(action, actor, concerns(row, facts, candidates), said))

    def tell_closed(self, tx: Transaction, row: sa.Row[Any], why: str) -> None:
        """Tell whoever heeds it that a case was closed without a decision."""
        for listener in self.on_closed:
            listener(tx, row.id, CaseKind(row.kind), row.alert_id, why)


def oversees(actor: Actor) -> bool:
    """Whether the actor looks on as oversight. Who also reviews sees what a reviewer sees."""
    return Role.OVERSIGHT in actor.roles and Role.REVIEWER not in actor.roles


def row_of(connection: sa.Connection, case_id: str) -> sa.Row[Any]:
    """Return the row of a case that is there."""
    return connection.execute(sa.select(review_case).where(review_case.c.id == case_id)).one()


def require_case(connection: sa.Connection, actor: Actor, case_id: str) -> sa.Row[Any]:
    """Return the row of a case within the actor's scope. FrsError CASE_NOT_FOUND."""
    within = sa.select(review_case).where(review_case.c.id == case_id, cases_within(actor.scope))
    row = connection.execute(within).one_or_none()
    if row is None:
        raise FrsError(Reason.CASE_NOT_FOUND, f"There is no case {case_id}.", case=case_id)
    return row


def require_open(row: sa.Row[Any], now: datetime) -> None:
    """Raise CASE_CLOSED for a case that is closed, or too old to be acted on."""
    if row.closed_at is not None:
        raise FrsError(Reason.CASE_CLOSED, f"The case is {row.state}.", case=row.id, state=row.state)
    if row.stale_at is not None and row.stale_at <= now:
        raise FrsError(Reason.CASE_CLOSED, "The alert is too old to be acted on.", case=row.id, state="expired")
