"""The feed of assignments: every change once, in the order of commits, from any position, within a scope."""

from __future__ import annotations

import sqlalchemy as sa

from frs.access.scoping import of_deployment_within, require_known_deployment, watchlists_within
from frs.errors import FrsError, Reason
from frs.review.assignment import READ, AssignmentEntry, assignment_from
from frs.store.database import Database
from frs.store.schema import alert, assignment, assignment_feed
from frs.types import Scope


def assignments_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition that an assignment's deployment and watchlist are within a scope."""
    return sa.and_(
        of_deployment_within(scope, assignment.c.deployment_id), watchlists_within(scope, alert.c.watchlist_id)
    )


class AssignmentFeed:
    """Reads the feed. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def require(self, scope: Scope, after: int, deployment_id: str | None) -> None:
        """Refuse what a feed could only be silent about.

        FrsError DEPLOYMENT_NOT_FOUND; INVALID_FIELD for a position that this installation has not given out yet.
        """
        with self._database.read() as connection:
            require_known_deployment(connection, scope, deployment_id)
            head = connection.scalar(sa.select(sa.func.max(assignment_feed.c.position))) or 0
        if after > head:
            message = "after_position: the feed has not come to it; ask from 0"
            raise FrsError(Reason.INVALID_FIELD, message, field="after_position")

    def after(
        self, scope: Scope, position: int, deployment_id: str | None, limit: int = 100
    ) -> tuple[AssignmentEntry, ...]:
        """Return at most ``limit`` changes after a position, with the assignments as they stand."""
        query = (
            READ.add_columns(assignment_feed.c.position, assignment_feed.c.kind)
            .join(assignment_feed, assignment_feed.c.assignment_id == assignment.c.id)
            .where(assignment_feed.c.position > position, assignments_within(scope))
            .order_by(assignment_feed.c.position)
            .limit(limit)
        )
        if deployment_id is not None:
            query = query.where(assignment.c.deployment_id == deployment_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(AssignmentEntry(row.position, row.kind, assignment_from(row)) for row in rows)
