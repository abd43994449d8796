"""What a job found, for people: probe by probe in the order of the media, or by subject with the best first.

Crops are opened for the page that is read, and every reading is logged before it is answered. A reference that has
been removed since, with its subject or alone, is no longer shown; the fact of the match stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.errors import FrsError, Reason
from frs.match.candidate_records import candidate_from_columns, nominals, probe_owner
from frs.match.job_records import Job
from frs.store.database import Database
from frs.store.paging import page_token_decode, page_token_encode
from frs.store.schema import job_candidate, job_probe
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Event, Json, ListVersion, ModelInfo, Page, Quality, References
from frs.watchlist.registry import Watchlists

PAGE = 20
_WITHOUT_CROP = tuple(column for column in job_probe.c if column.name != "crop_sealed")
"""What the sightings of a subject are read from: their crops are shown with the results alone."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """A face (still) or track (video) that found somebody."""

    item: int
    """Position of the media within the job, from 0."""
    file_name: str
    number: int
    """Of the face or track within the media, from 1."""
    first_ms: int
    last_ms: int
    best_ms: int
    """Time codes in the video, milliseconds; 0 for a still."""
    quality: Quality
    crop: bytes
    """JPEG of the probe's face with a margin; empty where the listing says so."""
    candidates: tuple[Candidate, ...]
    references: Mapping[str, bytes]
    """JPEG of the candidates' reference faces that are still held, by reference id."""


@dataclass(frozen=True, slots=True)
class JobSubject:
    """One subject with all the probes that found them."""

    watchlist: str
    subject: str
    nominal: str
    best: Candidate
    """The best candidate among the probes."""
    reference: bytes
    """JPEG of its reference face; empty when it is no longer held."""
    sightings: tuple[JobResult, ...]
    """The probes, best first, without crops; each with this subject's candidate alone."""


class JobResults:
    """Reads what jobs found; safe in threads."""

    def __init__(
        self, database: Database, vault: Vault, audit: AuditLog, watchlists: Watchlists, model: ModelInfo
    ) -> None:
        self._database, self._vault, self._audit = database, vault, audit
        self._watchlists, self._model = watchlists, model

    def results(self, actor: Actor, job: Job, page_size: int, page_token: str) -> Page[JobResult]:
        """Return probes in the order of the media.

        Raises FrsError(INVALID_PAGE_TOKEN, LOG_UNAVAILABLE, ERASED, KEY_MISSING).
        """
        _require_held(job)
        fingerprint, size = f"job results {job.id}", page_size or PAGE
        table = job_probe.c
        place = (table.position, table.first_ms, table.number)
        query = sa.select(job_probe).where(table.job_id == job.id).order_by(*place)
        if last := page_token_decode(page_token, fingerprint, (int, int, int)):
            query = query.where(sa.tuple_(*place) > sa.tuple_(*(sa.literal(value) for value in last)))
        with self._database.read() as connection:
            rows = connection.execute(query.limit(size + 1)).all()
            found = self._candidates(connection, job, rows[:size])
            references = self._references(connection, (c for candidates in found.values() for c in candidates))
        items = tuple(self._result(job, row, found[row.id], references, opened=True) for row in rows[:size])
        self._log(actor, job, "results", page_token, items)
        more = len(rows) > size
        end = rows[size - 1] if more else None
        token = page_token_encode(fingerprint, [end.position, end.first_ms, end.number]) if end else ""
        return Page(items, token)

    def subjects(self, actor: Actor, job: Job, page_size: int, page_token: str) -> Page[JobSubject]:
        """Return subjects by their best score. Raises as :meth:`results`."""
        _require_held(job)
        fingerprint, size = f"job subjects {job.id}", page_size or PAGE
        table = job_candidate.c
        best = sa.func.max(table.score).label("best")
        groups = sa.select(table.subject_id, best).where(table.job_id == job.id).group_by(table.subject_id).subquery()
        query = sa.select(groups).order_by(groups.c.best.desc(), groups.c.subject_id)
        if last := page_token_decode(page_token, fingerprint, (float, str)):
            score, subject = sa.literal(last[0]), sa.literal(last[1])
            later = sa.and_(groups.c.best == score, groups.c.subject_id > subject)
            query = query.where(sa.or_(groups.c.best < score, later))
        with self._database.read() as connection:
            rows = connection.execute(query.limit(size + 1)).all()
            subjects = tuple(self._subject(connection, job, row.subject_id) for row in rows[:size])
        self._log(actor, job, "subjects", page_token, [each for subject in subjects for each in subject.sightings])
        more = len(rows) > size
        token = page_token_encode(fingerprint, [rows[size - 1].best, rows[size - 1].subject_id]) if more else ""
        return Page(subjects, token)

    def _subject(self, connection: sa.Connection, job: Job, subject: str) -> JobSubject:
        table = job_candidate.c
        query = (
            sa.select(*_WITHOUT_CROP)
            .join(job_candidate, table.probe_id == job_probe.c.id)
            .where(table.job_id == job.id, table.subject_id == subject)
            .order_by(table.score.desc(), job_probe.c.position, job_probe.c.first_ms, job_probe.c.number)
        )
        rows = connection.execute(query).all()
        found = self._candidates(connection, job, rows, subject)
        sightings = tuple(self._result(job, row, found[row.id], {}, opened=False) for row in rows)
        best = sightings[0].candidates[0]
        reference = self._references(connection, [best]).get(best.reference, b"")
        return JobSubject(best.watchlist, subject, best.nominal, best, reference, sightings)

    def _candidates(
        self, connection: sa.Connection, job: Job, probes: Sequence[sa.Row[Any]], subject: str | None = None
    ) -> dict[str, list[Candidate]]:
        """Return the probes' candidates by probe, ranked; of one subject when given."""
        qualities = {row.id: Quality.from_json(row.quality) for row in probes}
        query = sa.select(job_candidate).where(job_candidate.c.probe_id.in_(qualities))
        if subject is not None:
            query = query.where(job_candidate.c.subject_id == subject)
        found: dict[str, list[Candidate]] = {name: [] for name in qualities}
        notice = self._model.notice if self._model.id == job.model else ""
        for row in connection.execute(query.order_by(job_candidate.c.rank)):
            candidate = candidate_from_columns(
                row._mapping,
                rank=row.rank,
                model=job.model,
                profile=job.profile,
                probe_quality=qualities[row.probe_id],
                notice=notice,
            )
            found[row.probe_id].append(candidate)
        return found

    def _references(self, connection: sa.Connection, candidates: Iterable[Candidate]) -> dict[str, bytes]:
        """Open the reference crops that are still held."""
        crops = {}
        for reference in dict.fromkeys(candidate.reference for candidate in candidates):
            try:
                crops[reference] = self._watchlists.reference_crop(connection, reference)
            except FrsError as error:
                if error.reason not in {Reason.IMAGE_NOT_FOUND, Reason.KEY_MISSING}:
                    raise
        return crops

    def _result(
        self, job: Job, row: Any, candidates: Sequence[Candidate], references: Mapping[str, bytes], *, opened: bool
    ) -> JobResult:
        return JobResult(
            item=row.position,
            file_name=job.items[row.position].file_name,
            number=row.number,
            first_ms=row.first_ms,
            last_ms=row.last_ms,
            best_ms=row.best_ms,
            quality=Quality.from_json(row.quality),
            crop=self._vault.open(probe_owner(row.id), row.crop_sealed) if opened else b"",
            candidates=tuple(candidates),
            references={c.reference: references[c.reference] for c in candidates if c.reference in references},
        )

    def _log(self, actor: Actor, job: Job, what: str, page_token: str, results: Sequence[JobResult]) -> None:
        candidates = [candidate for result in results for candidate in result.candidates]
        lists = dict.fromkeys(ListVersion(each.watchlist, each.watchlist_version) for each in candidates)
        payload: dict[str, Json] = {
            "listing": what,
            "first_page": not page_token,
            "probes": len(results),
            "state": job.state,
        }
        references = References(tuple(lists), nominals(candidates), job=job.id)
        event = Event(Action.SEARCH_CANDIDATES_READ, actor, references, payload)
        self._database.write(lambda tx: self._audit.append(tx, event))


def _require_held(job: Job) -> None:
    if job.erased_at is not None:
        raise FrsError(Reason.ERASED, f"The results of job {job.id} have been erased.", job=job.id)
