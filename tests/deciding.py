"""People deciding cases, for tests that need something decided."""

from __future__ import annotations

import sqlalchemy as sa

from frs.match.alerting import RaisedAlert
from frs.review.case import Case, Decision, Feature, Finding, Observation, Occlusion, SeenQuality
from frs.review.cases import Cases
from frs.store.database import Database, Transaction
from frs.store.schema import alert, review_case
from frs.types import Actor

SEEN = Observation(
    {Feature.EYES: Finding.AGREES, Feature.NOSE: Finding.AGREES, Feature.EARS: Finding.NOT_VISIBLE},
    SeenQuality.USABLE,
    SeenQuality.GOOD,
    frozenset({Occlusion.NONE}),
    "the left eyebrow is parted",
)
"""An observation that the policy accepts."""


def open_case(tx: Transaction, cases: Cases, alert_id: str) -> str:
    """Open the case of an alert that a test put there, as raising it does; returns its id."""
    row = tx.connection.execute(sa.select(alert).where(alert.c.id == alert_id)).one()
    place = (row.deployment_id, row.camera_id, row.watchlist_id, row.grading)
    return cases.open_alert(tx, RaisedAlert(alert_id, *place, row.captured_at, row.created_at))


def case_of(database: Database, alert_id: str) -> str:
    """Return the id of an alert's case."""
    with database.read() as connection:
        name: str = connection.scalars(sa.select(review_case.c.id).where(review_case.c.alert_id == alert_id)).one()
        return name


def decide(
    cases: Cases, actor: Actor, case_id: str, decision: Decision, reason: str, subject: str | None = None
) -> Case:
    """Have one reviewer claim a case, say what they see and decide it."""
    cases.claim(actor, case_id)
    cases.observe(actor, case_id, SEEN)
    return cases.decide(actor, case_id, decision, reason, subject)


def adjudicate(database: Database, cases: Cases, actor: Actor, alert_id: str, is_subject: bool, reason: str) -> Case:
    """Have one reviewer decide an alert; its case is opened if the test put the alert there without one."""
    with database.read() as connection:
        known = connection.scalar(sa.select(review_case.c.id).where(review_case.c.alert_id == alert_id))
    name = known or database.write(lambda tx: open_case(tx, cases, alert_id))
    return decide(cases, actor, name, Decision.TRUE if is_subject else Decision.FALSE, reason)
