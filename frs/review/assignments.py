"""Alerts for officers on the ground: offered once, taken by one, and what came of it recorded by the same one.

Promises: an alert goes to officers when reviewers have decided that it is the person, or at once where the deployment's
policy says so; one that reviewers decide otherwise, that expires or is erased is withdrawn; of two officers who
acknowledge at once one is told that it was taken; each change, its entry in the feed and its event are one transaction;
nobody is shown the pictures before it is logged that they were. Who asks for an assignment outside their scope is told
that there is none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import require_known_deployment
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.alerting import PROBE, REFERENCE, RaisedAlert
from frs.match.bell import Bell
from frs.match.newest import newest_first
from frs.review.alerts import Alerts
from frs.review.assignment import READ, Assignment, AssignmentState, ShownAssignment, assignment_from
from frs.review.assignment_feed import AssignmentFeed, assignments_within
from frs.review.case import CaseKind, Decision
from frs.review.settling import Settled
from frs.store.database import Database, Transaction
from frs.store.schema import alert, assignment, assignment_feed, deployment
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, Page, new_id

_OPEN = (str(AssignmentState.OFFERED), str(AssignmentState.ACKNOWLEDGED))


class Assignments:
    """The assignments of this installation. Thread-safe."""

    def __init__(self, database: Database, vault: Vault, audit: AuditLog, alerts: Alerts, clock: Clock) -> None:
        self._database, self._vault, self._audit, self._alerts, self._clock = database, vault, audit, alerts, clock
        self.feed = AssignmentFeed(database)
        self.bell = Bell()
        """Rings after each change of an assignment has been committed."""

    # --- within the transactions of others ---

    def alert_raised(self, tx: Transaction, raised: RaisedAlert) -> None:
        """Offer an alert that has just been raised, where the deployment's policy does not wait for reviewers."""
        at_once = sa.select(deployment.c.officers_before_adjudication).where(deployment.c.id == raised.deployment)
        if tx.connection.scalar(at_once):
            self._offer(tx, raised.id, raised.raised_at)

    def case_settled(self, tx: Transaction, settled: Settled) -> None:
        """Act on a case that was decided; of anything but an alert officers are told nothing."""
        if settled.kind is CaseKind.ALERT and settled.alert_id is not None:
            self.alert_adjudicated(tx, settled.alert_id, settled.decision is Decision.TRUE)

    def case_closed(self, tx: Transaction, _case_id: str, kind: CaseKind, alert_id: str | None, why: str) -> None:
        """Act on a case that ended without a decision."""
        if kind is CaseKind.ALERT and alert_id is not None:
            self.withdraw(tx, alert_id, why)

    def alert_adjudicated(self, tx: Transaction, alert_id: str, is_subject: bool) -> None:
        """Act on what reviewers decided about an alert; its row says so already.

        The person: offer it, or say of one that was offered before that reviewers agree. Otherwise: withdraw it.
        """
        found = self._of_alert(tx, alert_id)
        if not is_subject:
            self.withdraw(tx, alert_id, "adjudicated otherwise")
        elif found is None:
            self._offer(tx, alert_id, self._clock.now())
        else:
            if found.engagement is not None:
                self._alerts.follow_engagement(tx, alert_id, found.engagement)
            self._changed(tx, found.id, "adjudicated")

    def withdraw(self, tx: Transaction, alert_id: str, why: str) -> None:
        """Withdraw an alert's assignment if officers may still act on it; ``why`` in a few words. Again is harmless."""
        found = self._of_alert(tx, alert_id)
        if found is None or found.state not in _OPEN:
            return
        values = {"state": str(AssignmentState.WITHDRAWN), "closed_at": self._clock.now()}
        tx.connection.execute(sa.update(assignment).where(assignment.c.id == found.id).values(values))
        said: dict[str, Json] = {"assignment": found.id, "why": why, "acknowledged_by": found.acknowledged_by}
        self._audit.append(tx, Event(Action.ASSIGNMENT_WITHDRAWN, Actor.system(), found.references, said))
        self._changed(tx, found.id, "withdrawn")

    # --- officers ---

    def list(
        self,
        actor: Actor,
        state: AssignmentState | None = None,
        deployment_id: str | None = None,
        page_size: int = 50,
        page_token: str = "",
    ) -> Page[Assignment]:
        """Return those within the actor's scope, newest first. FrsError DEPLOYMENT_NOT_FOUND, INVALID_PAGE_TOKEN."""
        query = READ.where(assignments_within(actor.scope))
        if state is not None:
            query = query.where(assignment.c.state == str(state))
        if deployment_id is not None:
            query = query.where(assignment.c.deployment_id == deployment_id)
        fingerprint = f"assignments {state or ''} {deployment_id or ''}"
        columns = (assignment.c.offered_at, assignment.c.id)
        with self._database.read() as connection:
            require_known_deployment(connection, actor.scope, deployment_id)
            rows, token = newest_first(connection, query, columns, fingerprint, page_size, page_token)
        return Page(tuple(assignment_from(row) for row in rows), token)

    def view(self, actor: Actor, assignment_id: str) -> ShownAssignment:
        """Return an assignment with both pictures, logged as ``assignment.viewed`` by the actor.

        FrsError ASSIGNMENT_NOT_FOUND; ERASED when its pictures were erased; LOG_UNAVAILABLE.
        """

        def act(tx: Transaction) -> tuple[Assignment, bytes, bytes]:
            found = self._require(tx, actor, assignment_id)
            return found, *self._shown(tx, actor, found)

        return self._opened(*self._database.write(act))

    def acknowledge(self, actor: Actor, assignment_id: str) -> ShownAssignment:
        """Take an assignment and be shown both pictures.

        FrsError ASSIGNMENT_NOT_FOUND; ASSIGNMENT_WRONG_STATE when somebody has it or it was withdrawn; ERASED: nobody
        is sent out without a picture to compare.
        """

        def act(tx: Transaction) -> tuple[Assignment, bytes, bytes]:
            found = self._require(tx, actor, assignment_id)
            if found.state is not AssignmentState.OFFERED:
                raise _wrong_state(found, f"Assignment {found.id} is {found.state}, not offered.")
            now = self._clock.now()
            values = {
                "state": str(AssignmentState.ACKNOWLEDGED),
                "acknowledged_by": actor.name,
                "acknowledged_at": now,
            }
            tx.connection.execute(sa.update(assignment).where(assignment.c.id == found.id).values(values))
            said: dict[str, Json] = {"assignment": found.id, "adjudicated": found.adjudicated}
            self._audit.append(tx, Event(Action.ASSIGNMENT_ACKNOWLEDGED, actor, found.references, said))
            pictures = self._shown(tx, actor, found)
            return self._changed(tx, found.id, "acknowledged"), *pictures

        return self._opened(*self._database.write(act))

    def engage(self, actor: Actor, assignment_id: str, engagement: str, note: str = "", group: str = "") -> Assignment:
        """Record what came of it: ``confirmed-true``, ``confirmed-false`` or ``not-engaged``, by who acknowledged it.

        Of an alert that no reviewer has decided, or that they decided otherwise, the engagement is on record and the
        alert's own state stays theirs to say. FrsError ASSIGNMENT_NOT_FOUND; ASSIGNMENT_WRONG_STATE before it was
        acknowledged, by another officer, and twice; INVALID_FIELD as :meth:`frs.review.alerts.Alerts.engage`.
        """

        def act(tx: Transaction) -> Assignment:
            found = self._require(tx, actor, assignment_id)
            if found.acknowledged_by is None:
                raise _wrong_state(found, f"Assignment {found.id} is {found.state}: acknowledge it first.")
            if found.acknowledged_by != actor.name:
                raise _wrong_state(found, f"Assignment {found.id} was acknowledged by another officer.")
            if found.engagement is not None:
                raise _wrong_state(found, f"What came of assignment {found.id} was recorded already.")
            self._alerts.engage_in(tx, actor, found.alert, engagement, note, group)
            values: dict[str, Any] = {"engagement": engagement}
            if found.state is not AssignmentState.WITHDRAWN:
                values |= {"state": str(AssignmentState.ENGAGED), "closed_at": self._clock.now()}
            tx.connection.execute(sa.update(assignment).where(assignment.c.id == found.id).values(values))
            return self._changed(tx, found.id, "engaged")

        return self._database.write(act)

    # --- inside ---

    def _offer(self, tx: Transaction, alert_id: str, now: datetime) -> None:
        where = sa.select(alert.c.deployment_id).where(alert.c.id == alert_id)
        values = {
            "id": new_id(),
            "alert_id": alert_id,
            "deployment_id": tx.connection.scalar(where),
            "state": str(AssignmentState.OFFERED),
            "offered_at": now,
        }
        tx.connection.execute(sa.insert(assignment).values(values))
        offered = self._changed(tx, str(values["id"]), "offered")
        said: dict[str, Json] = {"assignment": offered.id, "adjudicated": offered.adjudicated}
        self._audit.append(tx, Event(Action.ASSIGNMENT_OFFERED, Actor.system(), offered.references, said))

    def _changed(self, tx: Transaction, assignment_id: str, kind: str) -> Assignment:
        """Enter a change into the feed and return the assignment as it stands."""
        entry = {"assignment_id": assignment_id, "kind": kind, "created_at": self._clock.now()}
        tx.connection.execute(sa.insert(assignment_feed).values(entry))
        tx.after_commit(self.bell.ring)
        return assignment_from(tx.connection.execute(READ.where(assignment.c.id == assignment_id)).one())

    def _of_alert(self, tx: Transaction, alert_id: str) -> Assignment | None:
        row = tx.connection.execute(READ.where(assignment.c.alert_id == alert_id)).one_or_none()
        return None if row is None else assignment_from(row)

    def _require(self, tx: Transaction, actor: Actor, assignment_id: str) -> Assignment:
        query = READ.where(assignment.c.id == assignment_id, assignments_within(actor.scope))
        row = tx.connection.execute(query).one_or_none()
        if row is None:
            message = f"There is no assignment {assignment_id}."
            raise FrsError(Reason.ASSIGNMENT_NOT_FOUND, message, assignment=assignment_id)
        return assignment_from(row)

    def _shown(self, tx: Transaction, actor: Actor, found: Assignment) -> tuple[bytes, bytes]:
        """Log that the actor is shown the pictures, and return them sealed."""
        columns = (alert.c.probe_sealed, alert.c.reference_sealed)
        probe, reference = tx.connection.execute(sa.select(*columns).where(alert.c.id == found.alert)).one()
        if probe is None or reference is None:
            message = f"The pictures of assignment {found.id} have been erased."
            raise FrsError(Reason.ERASED, message, assignment=found.id)
        said: dict[str, Json] = {"assignment": found.id, "state": str(found.state)}
        self._audit.append(tx, Event(Action.ASSIGNMENT_VIEWED, actor, found.references, said))
        return probe, reference

    def _opened(self, found: Assignment, probe: bytes, reference: bytes) -> ShownAssignment:
        owner, opened = f"alert:{found.alert}", self._vault.open
        return ShownAssignment(found, opened(owner, probe, PROBE), opened(owner, reference, REFERENCE))


def _wrong_state(found: Assignment, message: str) -> FrsError:
    return FrsError(Reason.ASSIGNMENT_WRONG_STATE, message, state=str(found.state))
