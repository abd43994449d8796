"""Outcomes that officers owe: one that is owed for too long is told to those in charge, once.

An officer who searches is the reviewer of what they found (:mod:`frs.match.outcomes`), and owes what came of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.match.candidate_records import candidate_from_json, nominals
from frs.match.outcomes import OutcomeState
from frs.store.database import Database, Transaction
from frs.store.schema import operator_search
from frs.types import Actor, Event, Json, ListVersion, References

AT_ONCE = 200
_search = operator_search.c


def tell_overdue(database: Database, audit: AuditLog, now: datetime, limit: timedelta) -> int:
    """Log each search whose outcome is owed for longer than ``limit`` and was not told of; returns how many."""
    owed = _search.outcome == str(OutcomeState.OWED)
    due = sa.and_(owed, _search.overdue_at.is_(None), _search.erased_at.is_(None), _search.created_at <= now - limit)
    with database.read() as connection:
        found = sa.select(_search.id).where(due).order_by(_search.created_at, _search.id).limit(AT_ONCE)
        names = connection.scalars(found).all()

    def tell(name: str, tx: Transaction) -> int:
        columns = (_search.officer, _search.created_at, _search.candidates)
        row = tx.connection.execute(sa.select(*columns).where(_search.id == name, due)).one_or_none()
        if row is None:
            return 0
        tx.connection.execute(operator_search.update().where(_search.id == name).values(overdue_at=now))
        candidates = [candidate_from_json(record) for record in row.candidates]
        lists = dict.fromkeys(ListVersion(each.watchlist, each.watchlist_version) for each in candidates)
        payload: dict[str, Json] = {
            "officer": row.officer,
            "searched_at": row.created_at.isoformat(),
            "due_seconds": limit.total_seconds(),
        }
        references = References(tuple(lists), nominals(candidates), search=name)
        audit.append(tx, Event(Action.OPERATOR_OVERDUE, Actor.system(), references, payload))
        return 1

    return sum(database.write(partial(tell, name)) for name in names)


def count_overdue(connection: sa.Connection) -> int:
    """Count the outcomes that are owed and have been told of."""
    query = sa.select(sa.func.count()).select_from(operator_search)
    return (
        connection.scalar(query.where(_search.outcome == str(OutcomeState.OWED), _search.overdue_at.is_not(None))) or 0
    )
