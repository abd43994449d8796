"""Whether candidates may still be shown when their search is committed.

Between a search and its commit a subject may be withdrawn, a reference removed, or a list retired or expired. The
transaction that records the search asks once more, so that a match committed after a withdrawal never names the
person who was withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from frs.store.schema import reference_image, subject, watchlist
from frs.types import Candidate


def standing(
    connection: sa.Connection, probes: Sequence[Sequence[Candidate]], now: datetime
) -> tuple[tuple[Candidate, ...], ...]:
    """Return each probe's candidates that may still be shown, ranked anew from 1."""
    references = {candidate.reference for candidates in probes for candidate in candidates}
    if not references:
        return tuple(() for _ in probes)
    listed = (
        sa.select(reference_image.c.id)
        .join(subject, subject.c.id == reference_image.c.subject_id)
        .join(watchlist, watchlist.c.id == subject.c.watchlist_id)
        .where(
            reference_image.c.id.in_(references),
            subject.c.state == "enrolled",
            watchlist.c.state == "active",
            watchlist.c.expires_at > now,
        )
    )
    held = set(connection.scalars(listed))
    return tuple(
        tuple(
            replace(candidate, rank=rank)
            for rank, candidate in enumerate((each for each in candidates if each.reference in held), 1)
        )
        for candidates in probes
    )
