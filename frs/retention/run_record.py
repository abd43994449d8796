"""What a run has destroyed so far: kept in the database by each batch's own act, logged once, at the end.

A run that was killed leaves its row; the next run logs it as interrupted before it begins. Destroyed and not counted,
or counted and not destroyed, is therefore nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.store.database import Transaction
from frs.store.schema import retention_run, subject, watchlist
from frs.types import Actor, Event, Json, ListVersion, References


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did."""

    time: datetime
    """When it began."""
    policy: int
    counts: Mapping[str, int]
    """Destroyed, by kind, and what :mod:`frs.retention.runs` counts beside the kinds; empty when nothing was due."""
    seq: int | None
    """Index of its event; None when nothing was destroyed."""


@dataclass(slots=True)
class RunRecord:
    """The run under way; one at a time."""

    started: datetime
    policy: int
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, tx: Transaction, more: Mapping[str, int]) -> None:
        """Count in the act that destroyed; an act that fails has counted nothing."""
        gone = {str(name): count for name, count in more.items() if count}
        if not gone:
            return
        counts = {**self.counts, **{name: self.counts.get(name, 0) + count for name, count in gone.items()}}
        row = {"started_at": self.started, "policy": self.policy, "counts": counts}
        if tx.connection.execute(retention_run.update().where(retention_run.c.id == 1).values(row)).rowcount == 0:
            tx.connection.execute(retention_run.insert().values(id=1, **row))
        tx.after_commit(lambda: self._keep(counts))

    def _keep(self, counts: dict[str, int]) -> None:
        self.counts = counts


def log_people(tx: Transaction, audit: AuditLog, actor: Actor, kind: str, erased: Sequence[str]) -> None:
    """Log entries on watchlists, a batch at most, in the act that erased them: the person's own log says when.

    By now they hold the pseudonym alone, and so does the event's payload.
    """
    if not erased:
        return
    columns = (subject.c.nominal, subject.c.watchlist_id, watchlist.c.version)
    joined = subject.join(watchlist, watchlist.c.id == subject.c.watchlist_id)
    rows = tx.connection.execute(sa.select(*columns).select_from(joined).where(subject.c.id.in_(erased))).all()
    lists = sorted({(row.watchlist_id, row.version) for row in rows})
    concerns = References(tuple(ListVersion(*each) for each in lists), tuple(sorted({row.nominal for row in rows})))
    payload: dict[str, Json] = {"kind": kind, "entries": [*erased]}
    audit.append(tx, Event(Action.SUBJECT_ERASED, actor, concerns, payload))


def log_run(tx: Transaction, audit: AuditLog, actor: Actor, *, interrupted: bool) -> Run | None:
    """Log the run that is in the database and be done with it; None when there is none."""
    row = tx.connection.execute(sa.select(retention_run)).one_or_none()
    if row is None:
        return None
    counts = {str(name): int(count) for name, count in row.counts.items()}
    payload: dict[str, Json] = {
        "started_at": row.started_at.isoformat(),
        "policy": row.policy,
        "counts": {**counts},
        "interrupted": interrupted,
    }
    seq = audit.append(tx, Event(Action.RETENTION_RUN, actor, payload=payload))
    tx.connection.execute(retention_run.delete())
    return Run(row.started_at, row.policy, counts, seq)
