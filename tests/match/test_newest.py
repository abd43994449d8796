"""Listings of which some rows are nobody's business: they leave no gap and no trace in the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from frs.match.newest import newest_first
from frs.store.schema import job

BEGUN = datetime(2026, 5, 1, tzinfo=UTC)
ORDER = (job.c.created_at, job.c.id)
COLUMNS = sa.select(job.c.created_at, job.c.id, job.c.incident)


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    """Return a database with nothing in it but the table of jobs."""
    engine = sa.create_engine("sqlite://")
    job.create(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 7))
def test_pages_hold_what_is_shown_and_nothing_tells_of_the_rest(
    connection: sa.Connection, rows: list[bool], size: int
) -> None:
    """Every page but the last is full, and the last says that it is: whatever lies between."""
    with connection.begin() as undone:
        for number, shown in enumerate(rows):
            values = dict.fromkeys((c.name for c in job.c if not c.nullable), 0) | {
                "id": f"{number:032x}",
                "created_at": BEGUN + timedelta(seconds=number // 2),
                "authorisation_expires_at": BEGUN,
                "incident": "mine" if shown else "theirs",
            }
            connection.execute(job.insert().values(values))
        pages, token = [], None
        while token != "":
            found, token = newest_first(
                connection, COLUMNS, ORDER, "jobs", size, token or "", lambda row: row.incident == "mine"
            )
            pages.append([row.id for row in found])
        undone.rollback()
    expected = [f"{number:032x}" for number, shown in enumerate(rows) if shown][::-1]
    assert [name for page in pages for name in page] == expected
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages[-1]) <= size
    assert len(pages) == max(1, -(-len(expected) // size))
