"""Retrospective jobs: media submitted together, searched one after the other, results read page by page.

A job is a row in the database before its submission is answered, and its event is in the same transaction; from then
on it survives anything the process does not. Its uploads are destroyed in the transaction that ends it. Submitting,
ending, cancelling and every reading of candidates are logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.authority import authority_json, log_refusal, require_authority
from frs.match.bell import Bell
from frs.match.candidate_records import versions
from frs.match.job_ledger import JobLedger
from frs.match.job_records import ItemState, Job, JobState, load_job, load_jobs
from frs.match.job_results import JobResult, JobResults, JobSubject
from frs.match.job_runner import JobRunner
from frs.match.media_search import MediaSearch
from frs.match.newest import newest_first
from frs.match.probe_search import ProbeSearch
from frs.match.upload_records import describe
from frs.match.uploads import Uploads
from frs.settings import Settings
from frs.store.database import Database
from frs.store.schema import job, job_item
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, Mode, Page, References, Scope, SearchAuthority, new_id
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

PAGE = 50
_UNLIMITED = Scope()


class Jobs:
    """Takes, runs and answers for jobs; safe in threads. Nothing is searched before :meth:`start`."""

    bell: Bell
    """Rings when any job has changed or come further."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        watchlists: Watchlists,
        uploads: Uploads,
        engine: FaceEngine,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.bell = Bell()
        self._database, self._audit, self._clock = database, audit, clock
        self._watchlists, self._uploads, self._engine = watchlists, uploads, engine
        self._most = settings.retrospective.max_candidates
        self._probes = ProbeSearch(galleries, watchlists, engine)
        self._ledger = JobLedger(database, vault, audit, uploads, self.bell, clock)
        self.heed_matches = self._ledger.heed
        media = MediaSearch(uploads, watchlists, self._probes, engine, self._ledger, settings, clock)
        self._runner = JobRunner(self._ledger, media, self.bell)
        self._results = JobResults(database, vault, audit, watchlists, engine.model)

    def start(self) -> None:
        """Begin to work, with the job that a stop or a crash interrupted."""
        self._runner.start()

    def close(self) -> None:
        """Stop between two frames; jobs go on when the service is started again."""
        self._runner.close()

    def hold(self, held: bool) -> None:
        """Search nothing while ``held``; what is at work waits between two frames."""
        self._runner.hold(held)

    @property
    def fault(self) -> str:
        """What keeps jobs from being worked on, for health; empty when nothing does."""
        return self._runner.fault

    def submit(
        self,
        actor: Actor,
        authority: SearchAuthority,
        watchlists: Sequence[str],
        uploads: Sequence[str],
        max_candidates: int,
    ) -> Job:
        """Queue complete uploads for a search; ``max_candidates`` 0 is the setting, which is also the most.

        Raises FrsError: AUTHORISATION_EXPIRED, what keeps a list from being searched, UPLOAD_NOT_FOUND,
        UPLOAD_INCOMPLETE, LOG_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED.
        """
        try:
            require_authority(authority, self._clock)
            lists = self._watchlists.searchable(watchlists, Mode.RETROSPECTIVE, actor.scope)
            limit = min(max_candidates or self._most, self._most)
            media = tuple(dict.fromkeys(uploads))
            record = self._database.write(lambda tx: self._insert(tx, actor, authority, lists, media, limit))
        except FrsError as error:
            log_refusal(self._database, self._audit, actor, authority, watchlists, error)
            raise
        self._runner.wake()
        return record

    def get(self, job_id: str, scope: Scope = _UNLIMITED) -> Job:
        """Return a job. Raises FrsError(JOB_NOT_FOUND), also where it searches a list outside the scope."""
        progress = self._runner.progress()
        with self._database.read() as connection:
            record = load_job(connection, job_id, progress)
        if record is None or not all(scope.has_watchlist(entry.watchlist) for entry in record.searched):
            raise FrsError(Reason.JOB_NOT_FOUND, "There is no such job.")
        return record

    def list(self, page_size: int, page_token: str, scope: Scope = _UNLIMITED) -> Page[Job]:
        """Return jobs that search nothing outside the scope, newest first. Raises FrsError(INVALID_PAGE_TOKEN)."""
        progress = self._runner.progress()
        shown = None if scope.watchlists is None else partial(_within, scope)
        with self._database.read() as connection:
            order = (job.c.created_at, job.c.id)
            rows, token = newest_first(connection, sa.select(job), order, "jobs", page_size or PAGE, page_token, shown)
            return Page(load_jobs(connection, rows, progress), token)

    def cancel(self, actor: Actor, job_id: str) -> Job:
        """End a job before its time; takes effect between two frames. What it found so far stays readable.

        Raises FrsError(JOB_NOT_FOUND, JOB_FINISHED).
        """
        self.get(job_id, actor.scope)
        self._ledger.cancel(actor, job_id)
        self._runner.cancel(job_id)
        return self.get(job_id)

    def results(self, actor: Actor, job_id: str, page_size: int, page_token: str) -> Page[JobResult]:
        """Return probes that found somebody, in the order of the media, with crops and candidates; logged.

        Raises FrsError(JOB_NOT_FOUND, INVALID_PAGE_TOKEN, LOG_UNAVAILABLE).
        """
        return self._results.results(actor, self.get(job_id, actor.scope), page_size, page_token)

    def subjects(self, actor: Actor, job_id: str, page_size: int, page_token: str) -> Page[JobSubject]:
        """Return the results by subject, best first; logged. Raises as :meth:`results`."""
        return self._results.subjects(actor, self.get(job_id, actor.scope), page_size, page_token)

    def _insert(
        self,
        tx: Transaction,
        actor: Actor,
        authority: SearchAuthority,
        lists: Sequence[SearchableList],
        uploads: Sequence[str],
        limit: int,
    ) -> Job:
        media = self._uploads.require(tx.connection, actor, uploads)
        job_id, model = new_id(), self._engine.model
        tx.connection.execute(
            job.insert().values(
                id=job_id,
                state=JobState.QUEUED,
                reason=authority.reason,
                incident=authority.incident,
                authorisation=authority.authorisation,
                authorisation_expires_at=authority.authorisation_expires,
                watchlists=[{"watchlist": entry.id, "version": entry.version} for entry in lists],
                max_candidates=limit,
                model=model.id,
                profile=model.profile,
                faces=0,
                created_by=actor.name,
                created_at=self._clock.now(),
            )
        )
        items = [
            {
                "job_id": job_id,
                "position": position,
                "upload_id": record.id,
                "state": ItemState.QUEUED,
                "frames": 0,
                "faces": 0,
                "reached_ms": -1,
            }
            for position, record in enumerate(media)
        ]
        tx.connection.execute(job_item.insert(), items)
        payload: dict[str, Json] = {
            **authority_json(authority),
            "searched": self._probes.searched(lists),
            "model": model.id,
            "profile": model.profile,
            "max_candidates": limit,
            "media": [describe(record) for record in media],
        }
        references = References(versions(lists), job=job_id)
        self._audit.append(tx, Event(Action.SEARCH_JOB_SUBMITTED, actor, references, payload))
        tx.after_commit(self.bell.ring)
        record = load_job(tx.connection, job_id)
        assert record is not None
        return record


def _within(scope: Scope, row: sa.Row[Any]) -> bool:
    """Whether a job searches nothing outside the scope."""
    return all(scope.has_watchlist(entry["watchlist"]) for entry in row.watchlists)
