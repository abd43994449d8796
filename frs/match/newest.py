"""Listings that show the newest first, paged by keyset: rows that come or go between pages repeat and skip nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.paging import page_token_decode, page_token_encode

LARGEST_PAGE = 1000


def newest_first(
    connection: sa.Connection,
    query: sa.Select[Any],
    order: tuple[sa.Column[Any], sa.Column[Any]],
    fingerprint: str,
    page_size: int,
    page_token: str,
    shown: Callable[[sa.Row[Any]], bool] | None = None,
) -> tuple[Sequence[sa.Row[Any]], str]:
    """Return one page of ``query`` in descending ``order`` (an instant, then an id) and the next page's token.

    ``fingerprint`` names the listing and its filters. ``shown`` says of a row whether it is one of the listing, where
    the query cannot: the others leave no gap. FrsError INVALID_PAGE_TOKEN when the token is of another.
    """
    time, name = order
    last = page_token_decode(page_token, fingerprint, (str, str))
    if last is not None:
        at = _instant(str(last[0]))
        query = query.where(sa.or_(time < at, sa.and_(time == at, name < str(last[1]))))
    size = max(1, min(page_size, LARGEST_PAGE))
    query = query.order_by(time.desc(), name.desc())
    if shown is None:
        rows = list(connection.execute(query.limit(size + 1)))
    else:
        rows = list(islice(filter(shown, connection.execute(query.execution_options(yield_per=size))), size + 1))
    if len(rows) <= size:
        return rows, ""
    final = rows[size - 1]._mapping
    return rows[:size], page_token_encode(fingerprint, [final[time].isoformat(), final[name]])


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FrsError(Reason.INVALID_PAGE_TOKEN, "The page token does not hold an instant.") from error
