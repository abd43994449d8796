"""Runs: what is due is destroyed, kind by kind, in bounded batches.

Promises: nothing goes before its instant by the clock, and nothing that a hold in force keeps: both are asked anew in
the act that destroys. Each batch is one act, so that nothing is ever half destroyed: whatever kills the process, what
was committed is gone with its keys, and the rest is due still and goes with the next run. What one thing or one kind
raises does not keep the others waiting; the first such failure is raised at the end. A run that destroyed something
leaves one event ``retention.run`` with its counts (:mod:`frs.retention.run_record`); each batch of people of watchlists
leaves ``subject.erased``, which refers to them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import sqlalchemy as sa
import structlog

from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError
from frs.retention.batches import Batches, DueRow, nobody_to_blame
from frs.retention.due import SOURCES, entries_due
from frs.retention.erasers import Erasers
from frs.retention.holds import Holds
from frs.retention.periods import Kind, periods
from frs.retention.run_record import Run, RunRecord, log_people, log_run
from frs.settings import RetentionSettings
from frs.store.database import Database, Transaction
from frs.store.schema import alert, subject, watchlist
from frs.types import Actor
from frs.watchlist.registry import Watchlists

__all__ = ["RetentionRuns", "Run"]

BATCH = 100
"""Things destroyed in one act: short enough that nobody who writes waits long."""
PAYLOADS_AT_ONCE = 200
UNREVIEWED = "unreviewed"
"""Counted beside the kinds: alerts that nobody had decided."""
SUBJECTS = "subjects"
"""Counted beside the kinds: people of the watchlists that went."""

_log = structlog.get_logger()


class PolicyVersion(Protocol):
    """Says under which version of the policy things are destroyed."""

    @property
    def version(self) -> int:
        """Of the policy in force."""
        ...


class RetentionRuns:
    """Destroys what is due; thread-safe, one run at a time."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        erasers: Erasers,
        watchlists: Watchlists,
        holds: Holds,
        policy: PolicyVersion,
        settings: RetentionSettings,
        clock: Clock,
    ) -> None:
        self._database, self._audit, self._erasers, self._watchlists = database, audit, erasers, watchlists
        self._holds, self._policy, self._clock = holds, policy, clock
        self._periods = {period.kind: period for period in periods(settings)}
        self._running = threading.Lock()

    def run(self, actor: Actor, stop: Callable[[], bool] = lambda: False) -> Run:
        """Destroy everything that is due now; once ``stop`` says so, end with the batch in hand.

        Raises the first failure after everything else was tried: FrsError LOG_UNAVAILABLE, STORAGE_FULL,
        STORAGE_FAILED, or what a thing that cannot be destroyed raised. What went is gone and logged all the same.
        """
        with self._running:
            return _Round(self, actor, stop).run()

    def due(self, connection: sa.Connection, kind: Kind, after: DueRow | None, limit: int) -> list[DueRow]:
        """Return what is due of a kind now and held by nothing, in order, behind ``after``."""
        source, now = SOURCES[kind], self._clock.now()
        query = source.walk(self._periods[kind].cutoff(now)).where(source.unheld(now)).limit(limit)
        if after is not None:
            query = query.where(source.after(after.start, after.id))
        return [DueRow(row.id, row.start) for row in connection.execute(query)]


class _Round:
    """One run."""

    def __init__(self, runs: RetentionRuns, actor: Actor, stop: Callable[[], bool]) -> None:
        self._runs, self._actor, self._stop = runs, actor, stop
        self._database, self._audit, self._erasers = runs._database, runs._audit, runs._erasers
        self._record = RunRecord(runs._clock.now(), runs._policy.version)
        self._failure: Exception | None = None
        self._batches = Batches(self._database, stop, self._failed)

    def run(self) -> Run:
        self._database.write(lambda tx: log_run(tx, self._audit, Actor.system(), interrupted=True))
        for kind in SOURCES:
            try:
                self._kind(kind)
            except Exception as error:  # noqa: BLE001  # whatever a kind runs into, the others are due as well
                self._failed(kind, error)
        done = self._database.write(lambda tx: log_run(tx, self._audit, self._actor, interrupted=False))
        if self._failure is not None:
            raise self._failure
        return done or Run(self._record.started, self._record.policy, {}, None)

    def _kind(self, kind: Kind) -> None:
        if kind is Kind.WATCHLIST:
            self._lists()
            return
        limit = PAYLOADS_AT_ONCE if kind is Kind.PAYLOAD else BATCH
        self._batches.sweep(kind, limit, partial(self._find, kind), partial(self._destroy, kind))

    def _find(self, kind: Kind, tx: Transaction, after: DueRow | None, limit: int) -> list[DueRow]:
        return self._runs.due(tx.connection, kind, after, limit)

    def _destroy(self, kind: Kind, tx: Transaction, rows: Sequence[DueRow]) -> None:
        """Destroy within the act, and count there."""
        ids: list[Any] = [row.id for row in rows]
        erasers = self._erasers
        counts: dict[str, int] = {}
        if kind is Kind.PAYLOAD:
            counts[kind] = erasers.payload(tx, ids)
        elif kind is Kind.HOLD:
            counts[kind] = self._runs._holds.forget(tx, ids)
        elif kind is Kind.ALERT:
            counts[UNREVIEWED] = _pending(tx.connection, ids)
            counts[kind] = sum(erasers.alert(tx, each) for each in ids)
        elif kind is Kind.ALERT_PICTURES:
            counts[kind] = sum(erasers.alert_pictures(tx, each) for each in ids)
        elif kind is Kind.UPLOAD:
            counts[kind] = sum(erasers.upload(tx, each, "not used in time") for each in ids)
        elif kind is Kind.JOB:
            counts[kind] = sum(erasers.job(tx, each) for each in ids)
        elif kind is Kind.SEARCH:
            counts[kind] = sum(erasers.search(tx, each) for each in ids)
        else:
            counts[kind] = self._people(kind, tx, ids)
        self._record.add(tx, counts)

    def _people(self, kind: Kind, tx: Transaction, ids: Sequence[str]) -> int:
        """Erase entries on watchlists and log whom it concerned; returns how many went."""
        gone = [each for each in ids if self._erasers.subject(tx, each, "retention")]
        log_people(tx, self._audit, self._actor, str(kind), gone)
        return len(gone)

    # --- watchlists ---

    def _lists(self) -> None:
        """Empty every list that is due: retire one that only expired, then destroy the entries that nothing holds."""
        after: DueRow | None = None
        while not self._stop():
            with self._database.read() as connection:
                rows = self._runs.due(connection, Kind.WATCHLIST, after, BATCH)
                states = _states(connection, rows)
            if not rows:
                return
            for row in rows:
                if self._stop():
                    return
                name = str(row.id)
                try:
                    if states[name] != "retired":
                        why = "It expired, and what it holds is kept no longer."
                        self._runs._watchlists.retire(Actor.system(), name, why)
                    self._batches.sweep(Kind.WATCHLIST, BATCH, partial(self._entries, name), partial(self._erase, name))
                except Exception as error:
                    if nobody_to_blame(error):
                        raise
                    self._failed(Kind.WATCHLIST, error)
            after = rows[-1]

    def _entries(self, name: str, tx: Transaction, after: DueRow | None, limit: int) -> list[DueRow]:
        """Return entries to destroy, if the list itself is due and not held in the act as well."""
        source, now = SOURCES[Kind.WATCHLIST], self._runs._clock.now()
        cutoff = self._runs._periods[Kind.WATCHLIST].cutoff(now)
        due = source.select(cutoff, source.start).where(source.id == name, source.unheld(now))
        start = tx.connection.scalar(due)
        if start is None:
            return []
        query = entries_due(name, now).limit(limit)
        if after is not None:
            query = query.where(subject.c.id > after.id)
        return [DueRow(each, start) for each in tx.connection.scalars(query)]

    def _erase(self, name: str, tx: Transaction, rows: Sequence[DueRow]) -> None:
        gone = self._people(Kind.WATCHLIST, tx, [str(row.id) for row in rows])
        left = tx.connection.execute(entries_due(name, self._runs._clock.now()).limit(1)).first()
        self._record.add(tx, {Kind.WATCHLIST: int(gone > 0 and left is None), SUBJECTS: gone})

    def _failed(self, kind: Kind, error: Exception) -> None:
        reason = str(error.reason) if isinstance(error, FrsError) else type(error).__name__
        _log.error("retention failed", kind=str(kind), reason=reason)
        self._failure = self._failure or error


def _pending(connection: sa.Connection, ids: Sequence[str]) -> int:
    query = sa.select(sa.func.count()).select_from(alert).where(alert.c.id.in_(ids), alert.c.state == "pending")
    return connection.scalar(query) or 0


def _states(connection: sa.Connection, rows: Sequence[DueRow]) -> dict[str, str]:
    query = sa.select(watchlist.c.id, watchlist.c.state).where(watchlist.c.id.in_([row.id for row in rows]))
    return {row.id: row.state for row in connection.execute(query)}
