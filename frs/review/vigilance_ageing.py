"""Checks grow old as alerts do, or their age would tell them apart.

A day after it was raised an alert has lost its pictures and its name, and what reviewers wrote about it is empty
(:mod:`frs.retention.erasers`). A closed check is listed beside it and looks the same: its pictures are no longer shown,
its nominal is a pseudonym, the texts are empty. The pair itself stays in the set, and what was decided stays counted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.clock import Clock
from frs.review.case import CaseKind
from frs.review.cases import Cases
from frs.review.shown import ShownCheck
from frs.settings import RetentionSettings
from frs.store.database import Database, Transaction
from frs.store.schema import review_case
from frs.store.vault import Vault

_AT_ONCE = 200


class VigilanceAgeing:
    """Does to checks what retention does to alerts. Thread-safe."""

    def __init__(
        self, database: Database, vault: Vault, cases: Cases, retention: RetentionSettings, clock: Clock
    ) -> None:
        self._database, self._vault, self._cases, self._clock = database, vault, cases, clock
        self._pictures = timedelta(hours=retention.alert_picture_hours)
        self._names = timedelta(hours=retention.alert_hours)

    def age(self) -> int:
        """Bring the checks to the state of alerts of their age; returns how many changed."""
        now, changed = self._clock.now(), 0
        while True:
            with self._database.read() as connection:
                names = [row.id for row in connection.execute(_due(now, self._pictures, self._names))]
            if not names:
                return changed
            for name in names:
                self._database.write(lambda tx, name=name: self._bring(tx, name, now))  # type: ignore[misc]
            changed += len(names)

    def _bring(self, tx: Transaction, case_id: str, now: datetime) -> None:
        case = review_case.c
        row = tx.connection.execute(sa.select(case.opened_at, case.shown).where(case.id == case_id)).one()
        shown = ShownCheck.from_json(row.shown).without_pictures()
        if row.opened_at + self._names <= now:
            shown = shown.unnamed(self._vault.pseudonym("subject", shown.candidate.nominal))
            self._cases.close_unreviewed(tx, case_id=case_id)
        tx.connection.execute(review_case.update().where(case.id == case_id).values(shown=shown.as_json()))


def _due(now: datetime, pictures: timedelta, names: timedelta) -> sa.Select[Any]:
    case = review_case.c
    erased, pseudonymous = (case.shown[name].as_boolean() for name in ("erased", "pseudonymous"))
    without = sa.and_(case.opened_at <= now - pictures, sa.not_(erased))
    unnamed = sa.and_(case.opened_at <= now - names, sa.not_(pseudonymous))
    checks = sa.select(case.id).where(case.kind == str(CaseKind.VIGILANCE), sa.or_(without, unnamed))
    return checks.order_by(case.opened_at, case.id).limit(_AT_ONCE)
