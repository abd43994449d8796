"""What is written of a job, from its submission to its end: each step one transaction, and guarded.

A step of a running job happens only while the job is running: one that was cancelled meanwhile keeps nothing of it
(:class:`JobOverError`). What a step found, its counts and how far it came are committed together, so that a restart
goes on exactly behind what is committed, and nothing is there twice or half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.bell import Bell
from frs.match.candidate_records import candidate_columns, probe_owner
from frs.match.job_log import ended_event
from frs.match.job_records import OPEN_STATES, ItemState, Job, JobItem, JobState, load_job
from frs.match.standing import standing
from frs.match.uploads import Uploads
from frs.match.video_tracks import MediaProbe
from frs.store.database import Database
from frs.store.schema import job, job_candidate, job_item, job_probe
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Event, Json, ListVersion, References, new_id

OnMatched: TypeAlias = Callable[[Transaction, str, str, Sequence[Candidate]], object]


class JobOverError(Exception):
    """The job is no longer running: what was found for it is dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchedProbe:
    """A probe that found somebody."""

    probe: MediaProbe
    crop: bytes
    """JPEG of its face with a margin."""
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What one step found in one of the media: a whole still, or a stretch of a video."""

    matched: Sequence[MatchedProbe]
    frames: int
    """Pictures examined in the media so far, this stretch included."""
    faces: int
    """Usable faces or tracks so far, likewise."""
    reached_ms: int
    """Time code of the last frame examined; -1 for a still."""
    state: ItemState
    """Queued while more is to come."""
    searched: tuple[ListVersion, ...] = ()
    """The lists as they were searched; none when nothing was."""
    error: FrsError | None = None


class JobLedger:
    """Writes jobs; safe in threads."""

    def __init__(
        self, database: Database, vault: Vault, audit: AuditLog, uploads: Uploads, bell: Bell, clock: Clock
    ) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock
        self._uploads, self._bell = uploads, bell
        self._on_matched: tuple[OnMatched, ...] = ()
        self._searched: dict[str, tuple[ListVersion, ...]] = {}  # as last logged, by running job; for its one worker

    def heed(self, listener: OnMatched) -> None:
        """Have every probe that found somebody told to ``listener`` (job, probe, candidates) within its transaction."""
        self._on_matched = (*self._on_matched, listener)

    def next_open(self) -> Job | None:
        """Return the job to work on: one that was running when the service stopped, else the oldest queued."""
        running_first = sa.case((job.c.state == JobState.RUNNING, 0), else_=1)
        query = sa.select(job.c.id).where(job.c.state.in_(OPEN_STATES))
        with self._database.read() as connection:
            name = connection.scalar(query.order_by(running_first, job.c.created_at, job.c.id).limit(1))
            return None if name is None else load_job(connection, name)

    def item(self, job_id: str, position: int) -> JobItem:
        """Return one of a job's media as it is committed."""
        with self._database.read() as connection:
            record = load_job(connection, job_id)
        assert record is not None
        return record.items[position]

    def begin(self, job_id: str) -> None:
        """Set a queued job running; one that is running goes on. Raises JobOverError."""

        def act(tx: Transaction) -> None:
            changed = tx.connection.execute(
                job.update()
                .where(job.c.id == job_id, job.c.state.in_(OPEN_STATES))
                .values(state=JobState.RUNNING, started_at=sa.func.coalesce(job.c.started_at, self._now()))
            )
            if not changed.rowcount:
                raise JobOverError
            tx.after_commit(self._bell.ring)

        self._database.write(act)

    def settle(self, job_id: str, position: int, stretch: Stretch) -> None:
        """Commit what a step found, with its counts. Raises JobOverError, FrsError(STORAGE_FULL, STORAGE_FAILED)."""

        def act(tx: Transaction) -> None:
            self._require_running(tx, job_id)
            self._log_changed_lists(tx, job_id, position, stretch.searched)
            found = standing(tx.connection, [each.candidates for each in stretch.matched], self._clock.now())
            for matched, candidates in zip(stretch.matched, found, strict=True):
                if candidates:
                    self._insert(tx, job_id, position, matched, candidates)
            tx.connection.execute(
                job_item.update()
                .where(job_item.c.job_id == job_id, job_item.c.position == position)
                .values(
                    state=stretch.state,
                    frames=stretch.frames,
                    faces=stretch.faces,
                    reached_ms=stretch.reached_ms,
                    error_reason=stretch.error.reason if stretch.error else None,
                    error_message=stretch.error.message if stretch.error else None,
                )
            )
            faces = sa.select(sa.func.sum(job_item.c.faces)).where(job_item.c.job_id == job_id).scalar_subquery()
            tx.connection.execute(job.update().where(job.c.id == job_id).values(faces=faces))
            tx.after_commit(self._bell.ring)

        self._database.write(act)
        if stretch.searched:
            self._searched[job_id] = stretch.searched

    def finish(self, job_id: str) -> None:
        """End a job whose media are all settled: done, or failed when none could be searched. Raises JobOverError."""
        self._database.write(lambda tx: self._finish(tx, job_id))
        self._searched.pop(job_id, None)

    def cancel(self, actor: Actor, job_id: str) -> None:
        """End a job before its time; what it found so far stays. Raises FrsError(JOB_NOT_FOUND, JOB_FINISHED)."""

        def act(tx: Transaction) -> None:
            record = load_job(tx.connection, job_id)
            if record is None:
                raise FrsError(Reason.JOB_NOT_FOUND, "There is no such job.")
            if record.finished:
                raise FrsError(Reason.JOB_FINISHED, f"The job is {record.state}.", state=record.state)
            self._close(tx, actor, record, JobState.CANCELLED, None, Action.SEARCH_JOB_CANCELLED)

        self._database.write(act)
        self._searched.pop(job_id, None)

    def _finish(self, tx: Transaction, job_id: str) -> None:
        self._require_running(tx, job_id)
        record = load_job(tx.connection, job_id)
        assert record is not None
        error = None
        if all(item.state is ItemState.FAILED for item in record.items):
            first = record.items[0]
            error = FrsError(Reason(first.error_reason or Reason.INTERNAL), first.error_message or "")
        state = JobState.FAILED if error else JobState.DONE
        self._close(tx, Actor.system(), record, state, error, Action.SEARCH_JOB_FINISHED)

    def _close(
        self, tx: Transaction, actor: Actor, record: Job, state: JobState, error: FrsError | None, action: Action
    ) -> None:
        tx.connection.execute(
            job.update()
            .where(job.c.id == record.id)
            .values(
                state=state,
                finished_at=self._now(),
                error_reason=error.reason if error else None,
                error_message=error.message if error else None,
            )
        )
        self._audit.append(tx, ended_event(tx.connection, actor, action, record, state, error))
        self._uploads.destroy_unneeded(tx, actor, [item.upload for item in record.items], record.id)
        tx.after_commit(self._bell.ring)

    def _log_changed_lists(
        self, tx: Transaction, job_id: str, position: int, searched: tuple[ListVersion, ...]
    ) -> None:
        """Log that other list versions were searched than the log says so far (at submission, or since)."""
        if not searched or searched == self._searched.get(job_id):
            return
        if job_id not in self._searched and searched == _submitted(tx.connection, job_id):
            return
        payload: dict[str, Json] = {
            "item": position,
            "lists": [{"watchlist": entry.watchlist, "version": entry.version} for entry in searched],
        }
        references = References(searched, job=job_id)
        self._audit.append(tx, Event(Action.SEARCH_JOB_LISTS_CHANGED, Actor.system(), references, payload))

    def _insert(
        self,
        tx: Transaction,
        job_id: str,
        position: int,
        matched: MatchedProbe,
        candidates: Sequence[Candidate],
    ) -> None:
        probe, probe_id = matched.probe, new_id()
        tx.connection.execute(
            job_probe.insert().values(
                id=probe_id,
                job_id=job_id,
                position=position,
                number=probe.number,
                first_ms=probe.first_ms,
                last_ms=probe.last_ms,
                best_ms=probe.best_ms,
                quality=probe.quality.as_json(),
                crop_sealed=self._vault.seal(probe_owner(probe_id), matched.crop),
            )
        )
        rows = [
            {"job_id": job_id, "probe_id": probe_id, "rank": candidate.rank, **candidate_columns(candidate)}
            for candidate in candidates
        ]
        tx.connection.execute(job_candidate.insert(), rows)
        for listener in self._on_matched:
            listener(tx, job_id, probe_id, candidates)

    def _require_running(self, tx: Transaction, job_id: str) -> None:
        if tx.connection.scalar(sa.select(job.c.state).where(job.c.id == job_id)) != JobState.RUNNING:
            raise JobOverError

    def _now(self) -> sa.ColumnElement[object]:
        return sa.literal(self._clock.now(), job.c.started_at.type)


def _submitted(connection: sa.Connection, job_id: str) -> tuple[ListVersion, ...]:
    """Return a job's lists as they stood at its submission."""
    entries = connection.scalar(sa.select(job.c.watchlists).where(job.c.id == job_id)) or []
    return tuple(ListVersion(entry["watchlist"], entry["version"]) for entry in entries)
