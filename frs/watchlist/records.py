"""Watchlists and subjects in the database: rows read into values, and pages of them. Sealed columns are never read.

What is outside the scope that a reading is given is answered as what does not exist, in the same words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import watchlists_within
from frs.errors import FrsError, Reason
from frs.store.paging import page_token_decode, page_token_encode
from frs.store.schema import reference_image, subject, watchlist, watchlist_threshold
from frs.types import Mode, Page, Quality, Scope, Threshold
from frs.watchlist.model import Grading, ReferenceImage, Subject, SubjectState, Watchlist, WatchlistState

LARGEST_PAGE = 1000
UNLIMITED = Scope()
_IMAGE_COLUMNS = tuple(c for c in reference_image.c if not c.name.endswith("_sealed"))


def read_watchlist(connection: sa.Connection, watchlist_id: str, scope: Scope = UNLIMITED) -> Watchlist:
    """Return a watchlist. FrsError WATCHLIST_NOT_FOUND."""
    named = sa.and_(watchlist.c.id == watchlist_id, watchlists_within(scope, watchlist.c.id))
    row = connection.execute(sa.select(watchlist).where(named)).first()
    if row is None:
        raise unknown_watchlist(watchlist_id)
    return _watchlists(connection, [row])[0]


def unknown_watchlist(watchlist_id: str) -> FrsError:
    """Return the error for a name that no watchlist has."""
    return FrsError(Reason.WATCHLIST_NOT_FOUND, f"There is no watchlist {watchlist_id}.", watchlist=watchlist_id[:64])


def watchlist_page(
    connection: sa.Connection,
    page_size: int,
    page_token: str,
    state: WatchlistState | None,
    scope: Scope = UNLIMITED,
) -> Page[Watchlist]:
    """Return watchlists by name. FrsError INVALID_PAGE_TOKEN."""
    fingerprint = f"watchlists {state or ''}"
    query = sa.select(watchlist).where(watchlists_within(scope, watchlist.c.id)).order_by(watchlist.c.id)
    if state is not None:
        query = query.where(watchlist.c.state == str(state))
    last = page_token_decode(page_token, fingerprint, (str,))
    if last is not None:
        query = query.where(watchlist.c.id > str(last[0]))
    rows, more = _fetch(connection, query, page_size)
    token = page_token_encode(fingerprint, [rows[-1].id]) if more else ""
    return Page(tuple(_watchlists(connection, rows)), token)


def read_subject(connection: sa.Connection, subject_id: str, scope: Scope = UNLIMITED) -> Subject:
    """Return a subject with what is known of the images. FrsError SUBJECT_NOT_FOUND."""
    named = sa.and_(subject.c.id == subject_id, watchlists_within(scope, subject.c.watchlist_id))
    row = connection.execute(sa.select(subject).where(named)).first()
    if row is None:
        raise unknown_subject(subject_id)
    return _subjects(connection, [row])[0]


def unknown_subject(subject_id: str) -> FrsError:
    """Return the error for an id that no subject has."""
    return FrsError(Reason.SUBJECT_NOT_FOUND, f"There is no subject {subject_id}.", subject=subject_id[:64])


def subject_page(
    connection: sa.Connection,
    watchlist_id: str,
    page_size: int,
    page_token: str,
    state: SubjectState | None,
    scope: Scope = UNLIMITED,
) -> Page[Subject]:
    """Return a watchlist's subjects by nominal. FrsError WATCHLIST_NOT_FOUND, INVALID_PAGE_TOKEN."""
    named = sa.and_(watchlist.c.id == watchlist_id, watchlists_within(scope, watchlist.c.id))
    if connection.execute(sa.select(watchlist.c.id).where(named)).first() is None:
        raise unknown_watchlist(watchlist_id)
    fingerprint = f"subjects {watchlist_id} {state or ''}"
    query = sa.select(subject).where(subject.c.watchlist_id == watchlist_id)
    if state is not None:
        query = query.where(subject.c.state == str(state))
    last = page_token_decode(page_token, fingerprint, (str, str))
    if last is not None:
        nominal, name = str(last[0]), str(last[1])
        query = query.where(
            sa.or_(subject.c.nominal > nominal, sa.and_(subject.c.nominal == nominal, subject.c.id > name))
        )
    rows, more = _fetch(connection, query.order_by(subject.c.nominal, subject.c.id), page_size)
    token = page_token_encode(fingerprint, [rows[-1].nominal, rows[-1].id]) if more else ""
    return Page(tuple(_subjects(connection, rows)), token)


def read_thresholds(connection: sa.Connection, watchlists: Iterable[str]) -> dict[str, tuple[Threshold, ...]]:
    """Return the stored thresholds by watchlist, in the order of the modes."""
    table = watchlist_threshold.c
    found: dict[str, dict[Mode, Threshold]] = defaultdict(dict)
    for row in connection.execute(sa.select(watchlist_threshold).where(table.watchlist_id.in_(list(watchlists)))):
        mode = Mode(row.mode)
        found[row.watchlist_id][mode] = Threshold(mode, row.score, row.model, row.profile, row.source)
    return {name: tuple(by_mode[mode] for mode in Mode if mode in by_mode) for name, by_mode in found.items()}


def write_thresholds(connection: sa.Connection, watchlist_id: str, thresholds: Sequence[Threshold]) -> None:
    """Put these thresholds in the place of those that a watchlist has."""
    table = watchlist_threshold
    connection.execute(table.delete().where(table.c.watchlist_id == watchlist_id))
    for threshold in thresholds:
        connection.execute(
            table.insert().values(
                watchlist_id=watchlist_id,
                mode=str(threshold.mode),
                score=threshold.score,
                model=threshold.model,
                profile=threshold.profile,
                source=threshold.source,
            )
        )


def _fetch(connection: sa.Connection, query: sa.Select[Any], page_size: int) -> tuple[Sequence[sa.Row[Any]], bool]:
    size = max(1, min(page_size, LARGEST_PAGE))
    rows = connection.execute(query.limit(size + 1)).all()
    return rows[:size], len(rows) > size


def _watchlists(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Watchlist]:
    names = [row.id for row in rows]
    thresholds = read_thresholds(connection, names)
    enrolled = subject.c.state == str(SubjectState.ENROLLED)
    subjects = _counts(connection, subject.c.watchlist_id, names, enrolled)
    images = _counts(connection, reference_image.c.watchlist_id, names)
    return [
        Watchlist(
            id=row.id,
            purpose=row.purpose,
            category=row.category,
            legal_basis=row.legal_basis,
            authorising_officer=row.authorising_officer,
            grading=Grading(row.grading),
            expires_at=row.expires_at,
            state=WatchlistState(row.state),
            version=row.version,
            revision=row.revision,
            thresholds=thresholds.get(row.id, ()),
            subject_count=subjects.get(row.id, 0),
            image_count=images.get(row.id, 0),
            created_at=row.created_at,
            created_by=row.created_by,
            updated_at=row.updated_at,
            approved_at=row.approved_at,
            approved_by=row.approved_by,
            activated_at=row.activated_at,
            retired_at=row.retired_at,
            reviewed_at=row.reviewed_at,
            reviewed_by=row.reviewed_by,
            reviewed_version=row.reviewed_version,
        )
        for row in rows
    ]


def _counts(
    connection: sa.Connection, column: sa.Column[Any], names: Sequence[str], *conditions: sa.ColumnElement[bool]
) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(column.in_(names), *conditions).group_by(column)
    return {name: int(count) for name, count in connection.execute(query)}


def _subjects(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[Subject]:
    images: dict[str, list[ReferenceImage]] = defaultdict(list)
    query = sa.select(*_IMAGE_COLUMNS).where(reference_image.c.subject_id.in_([row.id for row in rows]))
    for row in connection.execute(query.order_by(reference_image.c.key)):
        images[row.subject_id].append(
            ReferenceImage(
                id=row.id,
                subject=row.subject_id,
                watchlist=row.watchlist_id,
                source=row.source,
                taken_on=row.taken_on,
                sha256=row.sha256,
                quality=Quality.from_json(row.quality),
                model=row.model,
                profile=row.profile,
                created_at=row.created_at,
            )
        )
    return [
        Subject(
            id=row.id,
            watchlist=row.watchlist_id,
            nominal=row.nominal,
            justification=row.justification,
            grading=Grading(row.grading),
            under_18=row.under_18,
            under_18_rationale=row.under_18_rationale,
            lawfully_held=row.lawfully_held,
            state=SubjectState(row.state),
            images=tuple(images[row.id]),
            created_at=row.created_at,
            created_by=row.created_by,
            withdrawn_at=row.withdrawn_at,
            withdrawn_by=row.withdrawn_by,
            withdrawn_reason=row.withdrawn_reason,
        )
        for row in rows
    ]
